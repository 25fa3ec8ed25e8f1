"""Results that other tools, or this one elsewhere, have written: looked at first, then taken in, each clip once."""

from emostore.services.importing.assemble import Options
from emostore.services.importing.background import BackgroundImport, Ended
from emostore.services.importing.planning import Plan, Planned, plan
from emostore.services.importing.sources import Given, Refused
from emostore.services.importing.writing import Imported, write

__all__ = [
    "BackgroundImport",
    "Ended",
    "Given",
    "Imported",
    "Options",
    "Plan",
    "Planned",
    "Refused",
    "plan",
    "write",
]
