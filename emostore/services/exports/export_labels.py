"""What raters heard, to take away: as rows of a table that the Label page reads again, and beside its clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from emostore.services.calibration import labelling
from emostore.services.exports.export_raw import Clip
from emostore.services.exports.export_tables import Column, Kind
from emostore.store.calibration import label_reading
from emostore.store.calibration.labels import LabelView
from emostore.store.reports.export_reports import RawResult
from emostore.store.reports.views import HistoryRow
from emostore.store.session import Store

Whole = tuple[HistoryRow, RawResult, tuple[LabelView, ...]]  # a clip with its raw results and its labels


class Label(NamedTuple):
    """A label, the clip that it is of, and the SHA-256 of the clip's recording."""

    row: HistoryRow
    sha256: str
    given: LabelView


def labels(store: Store, rows: Iterable[HistoryRow], at_once: int) -> Iterator[Label]:
    """Every label of every clip that the current user may take away, those of a clip by rater."""
    remaining = iter(rows)
    while some := list(islice(remaining, at_once)):
        found = label_reading.of_clips(store, [row.clip_id for row in some])
        hashes = label_reading.hashes(store, found)
        for row in some:
            if row.clip_id in hashes:
                for given in labelling.shown(found[row.clip_id]):
                    yield Label(row, hashes[row.clip_id], given)


def beside(store: Store, clips: Iterable[Clip], at_once: int) -> Iterator[Whole]:
    """Each clip with those of its labels that the current user may take away."""
    remaining = iter(clips)
    while some := list(islice(remaining, at_once)):
        found = label_reading.of_clips(store, [row.clip_id for row, _raw in some])
        for row, raw in some:
            yield row, raw, labelling.shown(found.get(row.clip_id, ()))


def _columns(of: dict[str, Kind]) -> tuple[Column, ...]:
    return tuple(Column(path.rpartition(".")[2], kind, attrgetter(path)) for path, kind in of.items())


# The names are those that `label_list` reads.
LABELS: tuple[Column, ...] = _columns(
    {
        "row.clip_id": "whole",
        "sha256": "text",
        "row.file_name": "text",
        "row.channel": "whole",
        "row.happened_at": "time",
        "row.session_id": "whole",
        "row.session_name": "text",
        "row.agent": "text",
        "given.rater": "text",
        "given.label.emotion": "text",
        "given.label.second": "text",
        "given.label.intensity": "whole",
        "given.label.comment": "text",
        "given.label.reason": "text",
        "given.labelled_at": "time",
    }
)
