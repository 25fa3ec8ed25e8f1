"""Clips as a table to take away: CSV, Parquet or XLSX, made in pieces, so that memory does not grow with it.

A name may begin like a formula, and a spreadsheet would run it. In CSV such text gets an apostrophe in front,
which spreadsheets take for "this is text" (https://owasp.org/www-community/attacks/CSV_Injection); in XLSX and
Parquet a cell says itself that it is text, and nothing is changed.
"""

from __future__ import annotations

import codecs
import csv
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from emostore.analytics.quality import BALANCED, ScoringProfile, service_quality_score
from emostore.emotions import EMOTIONS
from emostore.store.views import HistoryRow

Format = Literal["csv", "parquet", "xlsx"]
FORMATS: tuple[Format, ...] = get_args(Format)
MIME_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ROUTE = "/export/clips.{kind}"  # where `emostore.api` sends the file in its pieces
ROUTE_IS_SERVED = threading.Event()  # set in a server that has the route; a plain `streamlit run` has not
BATCH = 2_000  # rows that are held at once
_Batches = Iterable[list[list[Any]]]  # rows by batch, a value a column
_BEGINS_FORMULA = tuple("=+-@＝＋－＠")  # also in full width, which some spreadsheets take for the same


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its name, the kind of its values, and where a row keeps them (None: empty)."""

    name: str
    kind: Literal["text", "whole", "number", "time", "flag"]
    value: Callable[[HistoryRow], Any]


def columns(profile: ScoringProfile = BALANCED) -> tuple[Column, ...]:
    """What is written of a clip, in this order. The names are the same in every language."""
    of_row: dict[str, Literal["text", "whole", "number", "time", "flag"]] = {
        "clip_id": "whole",
        "happened_at": "time",
        "happened_at_source": "text",
        "file_name": "text",
        "channel": "whole",
        "role": "text",
        "agent": "text",
        "team": "text",
        "session_id": "whole",
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
        Column("entropy", "number", lambda row: row.scores and row.scores.entropy),
        *(Column(name, "number", partial(_score, name)) for name in EMOTIONS),
        Column("quality", "number", lambda row: row.scores and service_quality_score(row.scores, profile)),
    )


def stream(
    rows: Iterable[HistoryRow], kind: Format, *, time_zone: str = "UTC", profile: ScoringProfile = BALANCED
) -> Iterator[bytes]:
    """The file, piece by piece; `rows` is walked through once, `BATCH` of them at a time.

    Times are in `time_zone`. Quality is by `profile`. CSV and Parquet leave as they are made; a workbook is packed when
    its last row is known, and its pieces are empty until then.
    """
    table = columns(profile)
    remaining = iter(rows)
    batches = iter(lambda: [[column.value(row) for column in table] for row in islice(remaining, BATCH)], [])
    return _WRITERS[kind](batches, table, ZoneInfo(time_zone))


def file_name(kind: Format, day: date) -> str:
    """What the file is called on the reader's disk."""
    return f"clips-{day}.{kind}"


def defused(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula when it reads it from CSV."""
    begins = text.lstrip()[:1]
    return f"'{text}" if begins in _BEGINS_FORMULA and begins else text


class _Sink(io.BufferedIOBase):
    """A file that only grows, and from which what was written is taken out at once."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """As for every file that is written to."""
        return True

    def write(self, data: Any) -> int:
        """Keep the bytes until they are taken."""
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        """How much was written from the beginning, taken or not."""
        return self._written

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _csv(batches: _Batches, table: Sequence[Column], zone: ZoneInfo) -> Iterator[bytes]:
    """UTF-8 with a mark at its beginning, without which Excel takes Chinese for something else."""
    ways = [_CSV_WAYS.get(column.kind) or partial(_iso, zone) for column in table]
    yield codecs.BOM_UTF8 + _lines([[column.name for column in table]])
    for batch in batches:
        yield _lines(
            ["" if value is None else way(value) for value, way in zip(row, ways, strict=True)] for row in batch
        )


def _lines(rows: Iterable[list[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="replace")


def _parquet(batches: _Batches, table: Sequence[Column], zone: ZoneInfo) -> Iterator[bytes]:
    """Typed columns, compressed, a row group a batch."""
    # Late: a page offers the button long before anybody presses it.
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    kinds = {
        "text": pa.string(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz=zone.key),
    }
    schema = pa.schema([(column.name, kinds[column.kind]) for column in table])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as file:
        for batch in batches:
            by_column = zip(*batch, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(by_column, schema, strict=True)]
            file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def _xlsx(batches: _Batches, table: Sequence[Column], zone: ZoneInfo) -> Iterator[bytes]:
    """A workbook; times without a zone, as spreadsheets have them, and the zone in the heading."""
    from emostore.services import xlsx  # late, as above

    names = [f"{column.name} ({zone.key})" if column.kind == "time" else column.name for column in table]
    timed = [column.kind == "time" for column in table]

    def local(row: list[Any]) -> list[Any]:
        return [
            value.astimezone(zone).replace(tzinfo=None) if is_time else value
            for value, is_time in zip(row, timed, strict=True)
        ]

    return xlsx.pieces("Clips", names, (map(local, batch) for batch in batches))


_WRITERS: dict[Format, Callable[[_Batches, Sequence[Column], ZoneInfo], Iterator[bytes]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _xlsx,
}


def _score(name: str, row: HistoryRow) -> float | None:
    return row.scores[name] if row.scores else None


def _iso(zone: ZoneInfo, moment: datetime) -> str:
    return moment.astimezone(zone).isoformat()


_CSV_WAYS: dict[str, Callable[[Any], Any]] = {
    "text": defused,
    "whole": int,
    "number": float,
    "flag": lambda value: str(bool(value)).lower(),
}
