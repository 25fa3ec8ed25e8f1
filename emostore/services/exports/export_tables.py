"""Tables as CSV, Parquet or XLSX, made in pieces, so that memory does not grow with their rows.

A name may begin like a formula, and a spreadsheet would run it. In CSV such text gets an apostrophe in front,
which spreadsheets take for "this is text" (https://owasp.org/www-community/attacks/CSV_Injection); in XLSX and
Parquet a cell says itself that it is text, and nothing is changed.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

Kind = Literal["text", "whole", "number", "time", "flag", "numbers"]
Batches = Iterable[list[list[Any]]]  # rows by batch, a value a column
_BEGINS_FORMULA = tuple("=+-@＝＋－＠")  # also in full width, which some spreadsheets take for the same


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name, the kind of its values, and where a row keeps them (None: empty)."""

    name: str
    kind: Kind
    value: Callable[[Any], Any]


def defused(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula when it reads it from CSV.

    What looks as if it had been made so already gets one more apostrophe, so that every text comes back.
    """
    begins = text.lstrip("'").lstrip()[:1]
    return f"'{text}" if begins in _BEGINS_FORMULA and begins else text


def undefused(text: str) -> str:
    """What `defused` was given."""
    return text[1:] if text.startswith("'") and defused(text[1:]) == text else text


class Sink(io.BufferedIOBase):
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


def as_csv(batches: Batches, table: Sequence[Column], zone: ZoneInfo) -> Iterator[bytes]:
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


def as_parquet(batches: Batches, table: Sequence[Column], zone: ZoneInfo) -> Iterator[bytes]:
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
        "numbers": pa.list_(pa.float32()),
    }
    schema = pa.schema([(column.name, kinds[column.kind]) for column in table])
    sink = Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as file:
        for batch in batches:
            by_column = zip(*batch, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(by_column, schema, strict=True)]
            file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def as_xlsx(batches: Batches, table: Sequence[Column], zone: ZoneInfo, title: str) -> Iterator[bytes]:
    """A workbook; times without a zone, as spreadsheets have them, and the zone in the heading."""
    from emostore.services.exports import xlsx  # late, as above

    names = [f"{column.name} ({zone.key})" if column.kind == "time" else column.name for column in table]
    timed = [column.kind == "time" for column in table]

    def local(row: list[Any]) -> list[Any]:
        return [
            value.astimezone(zone).replace(tzinfo=None) if is_time else value
            for value, is_time in zip(row, timed, strict=True)
        ]

    return xlsx.pieces(title, names, (map(local, batch) for batch in batches))


def _iso(zone: ZoneInfo, moment: datetime) -> str:
    return moment.astimezone(zone).isoformat()


_CSV_WAYS: dict[str, Callable[[Any], Any]] = {
    "text": defused,
    "whole": int,
    "number": float,
    "numbers": json.dumps,
    "flag": lambda value: str(bool(value)).lower(),
}
