"""A table as a workbook (XLSX) in which what a person wrote is text and nothing else, whatever it looks like."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

SHEET_ROWS = 500_000  # with the heading; a sheet may have 1,048,576, and a part of the archive 2 GiB
CELL_CHARACTERS = 32_767  # the most that a cell may hold, in units of UTF-16
PIECE = 1 << 20  # bytes of the finished file that are held at once
_FIRST_TIME = datetime(1900, 3, 1)  # before it, spreadsheets disagree about the number of a day
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd hh:mm:ss",
    "use_zip64": True,  # only takes effect beyond 4 GiB
}


def pieces(name: str, heading: Sequence[str], batches: Iterable[Iterable[Sequence[Any]]]) -> Iterator[bytes]:
    """The file, at most `PIECE` bytes at a time: rows of text, numbers, truth values, naive times and None (empty).

    A sheet that is full is continued on another; each begins with the heading. The archive can be packed only when all
    rows are known: until then they lie in a temporary folder, and every batch gives an empty piece, so that whoever
    no longer wants the file can stop in between. Numbers have 16 digits, and those that are not finite are left out.
    """
    with TemporaryDirectory(prefix="emostore-") as folder:
        path = Path(folder, "table.xlsx")
        book = Workbook(path, _OPTIONS | {"tmpdir": folder})
        sheets = (_sheet(book, f"{name} {number}" if number > 1 else name, heading) for number in count(1))
        sheet, place = next(sheets), 1
        for batch in batches:
            for row in batch:
                if place == SHEET_ROWS:
                    sheet, place = next(sheets), 1
                for column, value in enumerate(row):
                    _write(sheet, place, column, value)
                place += 1
            yield b""
        book.close()
        with path.open("rb") as file:
            yield from iter(partial(file.read, PIECE), b"")


def _sheet(book: Workbook, name: str, heading: Sequence[str]) -> Worksheet:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    bold = book.add_format({"bold": True})
    for column, title in enumerate(heading):
        sheet.write_string(0, column, title, bold)
    return sheet


def _write(sheet: Worksheet, row: int, column: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)):
        if math.isfinite(value):
            sheet.write_number(row, column, value)
    elif isinstance(value, datetime) and value >= _FIRST_TIME:
        sheet.write_datetime(row, column, value)
    else:
        text = _fitting(value.isoformat(" ") if isinstance(value, datetime) else str(value))
        if text.startswith("<r>"):
            # XlsxWriter takes such a text for markup of its own and would put it into the sheet unescaped: a name
            # could bring a formula along. In several runs it is escaped.
            sheet.write_rich_string(row, column, text[0], text[1], text[2:])
        else:
            sheet.write_string(row, column, text)


def _fitting(text: str) -> str:
    """`text` without what XML cannot say, cut where a cell ends but never within a character."""
    text = _NOT_IN_XML.sub("", text)
    if len(text) <= CELL_CHARACTERS // 2:  # none takes more than two units
        return text
    return text.encode("utf-16-le")[: 2 * CELL_CHARACTERS].decode("utf-16-le", errors="ignore")
