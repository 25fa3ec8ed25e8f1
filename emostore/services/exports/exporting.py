"""What fits a filter, to take away: clips, their windows, embeddings and labels as tables or lines, or result folders.

Everything is made in pieces while it is sent, so that memory does not grow with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import islice
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from emostore.analytics.quality import BALANCED, ScoringProfile, service_quality_score
from emostore.emotions import EMOTIONS, is_uncertain
from emostore.errors import MetadataError
from emostore.services import preferences
from emostore.services.calibration import over_time
from emostore.services.exports import export_folders, export_labels, export_lines, export_raw
from emostore.services.exports.export_tables import Column, Kind, as_csv, as_parquet, as_xlsx, defused
from emostore.store.calibration import calibrations
from emostore.store.preferences import UNCERTAIN_BELOW
from emostore.store.reports import history
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.views import HistoryRow
from emostore.store.session import Store

__all__ = ["FORMATS", "MIME_TYPES", "OFFERED", "ROUTE", "columns", "defused", "export", "file_name", "stream"]

What = Literal["clips", "windows", "embeddings", "labels", "results"]
Format = Literal["csv", "parquet", "xlsx", "jsonl", "zip"]
FORMATS: tuple[Format, ...] = ("csv", "parquet", "xlsx")  # of the table of clips
WHATS: tuple[What, ...] = get_args(What)
# An embedding is a thousand numbers: no spreadsheet is the place for it.
OFFERED: Mapping[What, tuple[Format, ...]] = MappingProxyType(
    {
        "clips": ("csv", "parquet", "xlsx", "jsonl"),
        "windows": ("csv", "parquet", "xlsx", "jsonl"),
        "embeddings": ("csv", "parquet", "jsonl"),
        "labels": ("csv", "parquet", "xlsx", "jsonl"),
        "results": ("zip",),
    }
)
MIME_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl; charset=utf-8",
    "zip": "application/zip",
}
ROUTE = "/export/{what}.{kind}"  # where `emostore.api` sends the file in its pieces
ROUTE_IS_SERVED = threading.Event()  # set in a server that has the route; a plain `streamlit run` has not
BATCH = 2_000  # rows that are held at once
RAW_BATCH = 200  # clips whose windows and embeddings are held at once
MOST_FOLDERS = history.COUNTED  # clips in a zip, whose list of contents is kept until its end


def columns(profile: ScoringProfile = BALANCED, uncertain_below: float = UNCERTAIN_BELOW) -> tuple[Column, ...]:
    """What is written of a clip, in this order. The names are the same in every language."""
    of_row: dict[str, Kind] = {
        "clip_id": "whole",
        "happened_at": "time",
        "happened_at_source": "text",
        "file_name": "text",
        "sha256": "text",
        "channel": "whole",
        "channel_count": "whole",
        "role": "text",
        "agent": "text",
        "team": "text",
        "session_id": "whole",
        "session_key": "text",
        "session_name": "text",
        "duration_s": "number",
        "scenario": "text",
        "domain": "text",
        "language": "text",
        "demo": "flag",
        "model": "text",
        "revision": "text",
        "status": "text",
        "no_speech_reason": "text",
    }
    return (
        *(Column(name, kind, attrgetter(name)) for name, kind in of_row.items()),
        Column("dominant", "text", lambda row: row.scores and row.scores.dominant),
        Column("confidence", "number", lambda row: row.scores and row.scores.confidence),
        Column("uncertain", "flag", lambda row: row.scores and is_uncertain(row.scores.confidence, uncertain_below)),
        Column("entropy", "number", lambda row: row.scores and row.scores.entropy),
        *(Column(name, "number", partial(_score, name)) for name in EMOTIONS),
        Column("quality", "number", lambda row: row.scores and service_quality_score(row.scores, profile)),
    )


def export(store: Store, wanted: HistoryFilter, what: What, kind: Format) -> Iterator[bytes]:
    """Everything that fits a filter, piece by piece; times are in the filter's zone.

    Raises `MetadataError` for a format that `what` is not offered in and for more clips than a zip may hold, before
    the first piece.
    """
    if kind not in OFFERED[what]:
        raise MetadataError(
            "{what} are exported as {allowed}, not as {found}.", what=what, allowed=", ".join(OFFERED[what]), found=kind
        )
    if what == "results" and history.search(store, wanted, limit=1).more:
        raise MetadataError(
            "More than {allowed:,} clips fit, and a zip of folders holds no more. Narrow the filters, or take JSON"
            " lines, which have no such limit.",
            allowed=MOST_FOLDERS,
        )
    return _pieces(store, wanted, what, kind)


def stream(
    rows: Iterable[HistoryRow],
    kind: Format,
    *,
    time_zone: str = "UTC",
    profile: ScoringProfile = BALANCED,
    uncertain_below: float = UNCERTAIN_BELOW,
) -> Iterator[bytes]:
    """The table of clips, piece by piece; `rows` is walked through once, `BATCH` of them at a time.

    Times are in `time_zone`. Quality is by `profile`; a confidence below `uncertain_below` is called uncertain. CSV
    and Parquet leave as they are made; a workbook is packed when its last row is known: until then pieces are empty.
    """
    return _as_table(rows, columns(profile, uncertain_below), kind, time_zone, "Clips", BATCH)


def file_name(what: What, kind: Format, day: date) -> str:
    """What the file is called on the reader's disk."""
    return f"{what}-{day}.{kind}"


def _pieces(store: Store, wanted: HistoryFilter, what: What, kind: Format) -> Iterator[bytes]:
    if what == "labels":
        labelled = history.stream(store, replace(wanted, labelled=True))
        return _rows(export_labels.labels(store, labelled, BATCH), export_labels.LABELS, what, kind, wanted.time_zone)
    clips, below = history.stream(store, wanted), preferences.uncertain_below(store)
    if what == "clips" and kind in FORMATS:
        return stream(clips, kind, time_zone=wanted.time_zone, uncertain_below=below)
    raw = export_raw.with_raw(store, clips, RAW_BATCH, embeddings=what != "windows")
    read = over_time.reader(partial(calibrations.get, store))
    if what == "results":
        whole = export_labels.beside(store, raw, RAW_BATCH)
        return export_folders.pieces(whole, ZoneInfo(wanted.time_zone), below, read)
    if what == "clips":
        whole = export_labels.beside(store, raw, RAW_BATCH)
        return export_lines.pieces(export_lines.line(*each, uncertain_below=below) for each in whole)
    table = export_raw.WINDOWS if what == "windows" else export_raw.EMBEDDINGS
    rows: Iterable[Any] = export_raw.windows(raw, read) if what == "windows" else export_raw.embeddings(raw)
    return _rows(rows, table, what, kind, wanted.time_zone)


def _rows(rows: Iterable[Any], table: Sequence[Column], what: What, kind: Format, time_zone: str) -> Iterator[bytes]:
    """Rows of one of the tables that are not of clips."""
    if kind == "jsonl":
        return export_lines.pieces(export_lines.plain(row, table, time_zone) for row in rows)
    at_once = RAW_BATCH if what == "embeddings" else BATCH
    return _as_table(rows, table, kind, time_zone, what.capitalize(), at_once)


def _as_table(
    rows: Iterable[Any], table: Sequence[Column], kind: Format, time_zone: str, title: str, at_once: int
) -> Iterator[bytes]:
    remaining = iter(rows)
    batches = iter(lambda: [[column.value(row) for column in table] for row in islice(remaining, at_once)], [])
    return _writer(kind, title)(batches, table, ZoneInfo(time_zone))


def _writer(kind: Format, title: str) -> Callable[..., Iterator[bytes]]:
    if kind == "xlsx":
        return partial(as_xlsx, title=title)
    return as_csv if kind == "csv" else as_parquet


def _score(name: str, row: HistoryRow) -> float | None:
    return row.scores[name] if row.scores else None
