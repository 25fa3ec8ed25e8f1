"""What is known of each of several files, from a list beside them, a form and their names."""

from __future__ import annotations

from collections.abc import Sequence

from emostore.services.metadata.descriptions import Description, merge
from emostore.services.metadata.filenames import Matched, NamePattern
from emostore.services.metadata.sidecar import Sidecar


def describe(
    names: Sequence[str], said: Description, *, pattern: NamePattern | None = None, sidecar: Sidecar | None = None
) -> list[Description]:
    """One description a file, in order: its row in the list counts most, then what was `said`, then its name.

    What the file's own metadata tell, and the time of the upload, come after these (see `services.analysis`).
    """
    found = []
    for name in names:
        matched = pattern.match(name) if pattern else None
        from_name = matched.description if isinstance(matched, Matched) else None
        found.append(merge(sidecar.find(name) if sidecar else None, said, from_name))
    return found
