"""A spreadsheet written from top to bottom into anything that takes bytes: no temporary file, no memory that grows.

A minimal workbook after ECMA-376, part 1 (SpreadsheetML): texts stand in their cells, so that no list of them has to
be known at the end, and the parts that name the sheets come last.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO, Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

SHEET_ROWS = 500_000  # with the heading; a sheet may have 1,048,576, and a part of the archive 2 GiB
CELL_CHARACTERS = 32_767  # the most that a cell may hold
_DAY_ZERO = datetime(1899, 12, 30)  # the day that spreadsheets number 0; right from March 1900 on
_FIRST_TIME = datetime(1900, 3, 1)
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")  # a reader would take _x0041_ for A

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PLAIN, _HEADING, _TIME = range(3)  # the cell formats of `_STYLES`
_STYLES = (
    f'<styleSheet {_MAIN}><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


class Workbook:
    """One table, continued on a further sheet where one is full; the first row of each is the heading."""

    def __init__(self, file: IO[bytes] | io.BufferedIOBase, name: str, heading: Sequence[str]) -> None:
        self._archive = ZipFile(file, "w", ZIP_DEFLATED, compresslevel=3)
        self._name = name
        self._heading = list(heading)
        self._sheets = 0
        self._rows = 0
        self._begin()

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows of text, numbers, truth values, naive times and None, which leaves a cell empty."""
        for row in rows:
            if self._rows == SHEET_ROWS:
                self._end()
                self._begin()
            self._write(row)

    def close(self) -> None:
        """Write what is left. The file given stays open."""
        self._end()
        sheets = range(1, self._sheets + 1)
        names = [self._name if number == 1 else f"{self._name} {number}" for number in sheets]
        listed = "".join(
            f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in enumerate(names, 1)
        )
        self._part("xl/workbook.xml", f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>')
        self._part("xl/styles.xml", _STYLES)
        parts = [("worksheet", f"worksheets/sheet{number}.xml") for number in sheets] + [("styles", "styles.xml")]
        self._part("xl/_rels/workbook.xml.rels", _relations(parts))
        self._part("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        kinds = [("sheet.main", "/xl/workbook.xml"), ("styles", "/xl/styles.xml")]
        kinds += [("worksheet", f"/xl/worksheets/sheet{number}.xml") for number in sheets]
        overrides = "".join(
            f'<Override PartName="{part}" ContentType="{_SPREADSHEET}.{kind}+xml"/>' for kind, part in kinds
        )
        self._part(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        )
        self._archive.close()

    def _begin(self) -> None:
        self._sheets += 1
        self._rows = 0
        self._sheet = io.BufferedWriter(self._archive.open(f"xl/worksheets/sheet{self._sheets}.xml", "w"), 1 << 16)
        # The heading stays in sight, and offers its filters.
        view = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        head = f'<sheetViews><sheetView workbookViewId="0">{view}</sheetView></sheetViews>'
        self._sheet.write(f"{_XML}<worksheet {_MAIN}>{head}<sheetData>".encode())
        self._write(self._heading, _HEADING)

    def _end(self) -> None:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()

    def _write(self, row: Sequence[Any], style: int = _PLAIN) -> None:
        self._rows += 1
        cells = "".join([_cell(value, style) for value in row])
        self._sheet.write(f'<row r="{self._rows}">{cells}</row>'.encode())

    def _part(self, name: str, xml: str) -> None:
        self._archive.writestr(name, _XML + xml)


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def _cell(value: Any, style: int) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{value:d}</v></c>'
    if isinstance(value, (int, float)):
        return f"<c><v>{value!r}</v></c>" if value - value == 0 else "<c/>"  # infinite or no number: empty
    if isinstance(value, datetime) and value >= _FIRST_TIME:
        return f'<c s="{_TIME}"><v>{(value - _DAY_ZERO).total_seconds() / 86400!r}</v></c>'
    text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
    shown = escape(_LOOKS_ESCAPED.sub("_x005F_", _NOT_IN_XML.sub("", text)[:CELL_CHARACTERS]))
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'
