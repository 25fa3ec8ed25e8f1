"""Windows and embeddings of clips as rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from emostore.emotions import EMOTIONS
from emostore.services.calibration import over_time
from emostore.services.calibration.over_time import Reader
from emostore.services.exports.export_tables import Column, Kind
from emostore.store.reports import export_reports
from emostore.store.reports.export_reports import RawResult
from emostore.store.reports.views import HistoryRow
from emostore.store.session import Store

Clip = tuple[HistoryRow, RawResult]


class Window(NamedTuple):
    """One window of a clip: its number from 0, its stretch of the recording in seconds, and its nine scores.

    `calibration` is the one whose stages the scores went through: that of the clip, or raw where none holds of windows.
    """

    row: HistoryRow
    calibration: str
    number: int
    start_s: float
    end_s: float
    scores: tuple[float, ...]


class Vector(NamedTuple):
    """The embedding of a clip, as it is stored: numbers of 16 bits."""

    row: HistoryRow
    values: list[float]


def with_raw(store: Store, rows: Iterable[HistoryRow], at_once: int, *, embeddings: bool) -> Iterator[Clip]:
    """Each clip with the raw results of the analysis that is shown; one that was deleted meanwhile is left out."""
    remaining = iter(rows)
    while some := list(islice(remaining, at_once)):
        ids = [row.analysis_id for row in some if row.analysis_id is not None]
        found = export_reports.raw_results(store, ids, embeddings=embeddings)
        for row in some:
            if row.analysis_id in found:
                yield row, found[row.analysis_id]


def windows(clips: Iterable[Clip], read: Reader) -> Iterator[Window]:
    """Every window of every clip, its scores under the calibration that those of the clip are shown under."""
    for row, raw in clips:
        if raw.window_logits is None or raw.window_hop_s is None or raw.window_length_s is None:
            continue
        calibration = read(raw.read_under)
        name = "raw" if calibration.for_windows().is_raw else raw.calibration
        for number, scores in enumerate(over_time.scores(raw.window_logits, calibration).tolist()):
            start = number * raw.window_hop_s
            # The last window ends with the clip; of a clip whose length nobody knows, where it would end.
            end = min(start + raw.window_length_s, max(row.duration_s, start) or start + raw.window_length_s)
            yield Window(row, name, number, start, end, tuple(scores))


def embeddings(clips: Iterable[Clip]) -> Iterator[Vector]:
    """The embedding of every clip that has one."""
    for row, raw in clips:
        if raw.embedding is not None:
            yield Vector(row, shortest(raw.embedding))


def shortest(values: Any) -> list[float]:
    """Numbers of 16 bits as the shortest ones that are the same in 16 bits: 0.1, not 0.0999755859375."""
    return [float(text) for text in np.asarray(values, np.float16).astype("U16").tolist()]


def _of_clip(names: dict[str, Kind]) -> tuple[Column, ...]:
    return tuple(Column(name, kind, attrgetter(f"row.{name}")) for name, kind in names.items())


_ABOUT: dict[str, Kind] = {
    "clip_id": "whole",
    "happened_at": "time",
    "file_name": "text",
    "channel": "whole",
    "role": "text",
    "agent": "text",
    "model": "text",
    "revision": "text",
}
WINDOWS: tuple[Column, ...] = (
    *_of_clip(_ABOUT),
    Column("calibration", "text", attrgetter("calibration")),
    Column("window", "whole", attrgetter("number")),
    Column("start_s", "number", attrgetter("start_s")),
    Column("end_s", "number", attrgetter("end_s")),
    *(
        Column(name, "number", partial(lambda place, window: window.scores[place], place))
        for place, name in enumerate(EMOTIONS)
    ),
)
EMBEDDINGS: tuple[Column, ...] = (*_of_clip(_ABOUT), Column("embedding", "numbers", attrgetter("values")))
