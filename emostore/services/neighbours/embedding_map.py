"""A map of clips: those that one model hears alike lie near each other."""

from __future__ import annotations

from dataclasses import dataclass

from emostore.analytics.projection import principal
from emostore.store.calibration.neighbours import Described
from emostore.store.reports import map_points
from emostore.store.reports.history_filter import HistoryFilter
from emostore.store.reports.report_views import ModelInUse
from emostore.store.session import Store

MOST = 2_000  # clips on a map: more cover each other
AMONG = 10_000  # the latest clips that they are drawn from
FEWEST = 5  # clips that make a map


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip and its place."""

    clip: Described
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class EmbeddingMap:
    """Clips of one model, on a plane that holds these parts of the variance; no `places` if there are too few."""

    model: ModelInUse
    places: tuple[Placed, ...]
    explained: tuple[float, float]
    with_embedding: int
    fitting: int
    more: bool


def draw(store: Store, wanted: HistoryFilter) -> EmbeddingMap | None:
    """The map of the clips that fit; None before the first analysis."""
    found = map_points.sampled(store, wanted, MOST, AMONG)
    if found is None:
        return None
    count = len(found.clips)
    if count < FEWEST:
        return EmbeddingMap(found.model, (), (0.0, 0.0), count, found.fitting, found.more)
    plane = principal(found.vectors)
    places = tuple(Placed(clip, x, y) for clip, (x, y) in zip(found.clips, plane.places.tolist(), strict=True))
    return EmbeddingMap(found.model, places, plane.explained, count, found.fitting, found.more)
