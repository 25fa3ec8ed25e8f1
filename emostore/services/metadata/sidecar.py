"""A list beside the files: a CSV that says of each file who speaks, when it happened and what it was."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from emostore.errors import MetadataError
from emostore.i18n import N_, Explained, Sentence
from emostore.services.metadata.descriptions import Description, parse_domain, parse_roles, parse_scenario, parse_time
from emostore.store.writing.names import clean, clean_language, clean_name

MAX_BYTES = 5 * 1024**2
MAX_ROWS = 100_000
MAX_PROBLEMS = 100  # told one by one; the rest is only counted
_DELIMITERS = ",;\t"
_HEADERS = {
    "file": "file, filename, file name, 文件, 文件名",
    "agent": "agent, 坐席, 客服",
    "team": "team, 团队, 班组",
    "session": "session, 会话",
    "happened_at": "happened_at, happened at, time, 时间",
    "role": "role, roles, 角色",
    "scenario": "scenario, 场景",
    "domain": "domain, 设备",
    "language": "language, 语言",
}
_COLUMNS = {word: name for name, words in _HEADERS.items() for word in words.split(", ")}
_TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})秒?)?分?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a list says, by the names of the files as they stand in it, and what was wrong with it.

    A row with a problem is used as far as it could be read. `unknown_columns` were left out.
    """

    rows: Mapping[str, Description] = field(default_factory=dict)
    problems: tuple[Sentence, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def find(self, name: str) -> Description | None:
        """What is said of a file: under its whole name, else under its name without the folders."""
        whole = clean(name.replace("\\", "/"))
        return self.rows.get(whole) or self.rows.get(whole.rpartition("/")[2])


def read_file(path: Path, time_zone: str) -> Sidecar:
    """`read` for a file. Raises `MetadataError` also when it cannot be opened."""
    try:
        with path.open("rb") as file:
            return read(file.read(MAX_BYTES + 1), time_zone)
    except OSError as error:
        raise MetadataError(
            "The list {name} could not be read: {problem}.", name=str(path), problem=error.strerror or str(error)
        ) from error


def read(data: bytes, time_zone: str) -> Sidecar:
    """Read a CSV with a column `file` and any of agent, team, session, happened_at, role, scenario, domain, language.

    UTF-8, UTF-16 with its mark or GB18030; columns divided by comma, semicolon or tab, in any order, named
    in English or Chinese. Raises `MetadataError` if it is too large, no text, or has no column `file`;
    what is wrong with a single row is among the `problems`.
    """
    if len(data) > MAX_BYTES:
        raise MetadataError(
            "The list is larger than {allowed} MB. Split it into several.", allowed=MAX_BYTES // 1024**2
        )
    text = decoded(data)
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header = next(rows, [])
        columns, unknown = _columns(header)
        table = _Table(columns, len(header), time_zone)
        for number, row in enumerate(rows, start=2):
            if number > MAX_ROWS + 1:
                raise MetadataError("The list has more than {allowed} rows. Split it into several.", allowed=MAX_ROWS)
            if any(cell.strip() for cell in row):
                table.add(number, row)
    except csv.Error as error:
        raise MetadataError("The list is not a CSV file: {problem}.", problem=str(error)) from error
    return Sidecar(table.rows, table.told(), unknown)


class _Table:
    """The rows so far, and what was wrong with them."""

    def __init__(self, columns: Mapping[int, str], width: int, time_zone: str) -> None:
        self._columns, self._width = columns, width
        self.rows: dict[str, Description] = {}
        self._numbers: dict[str, int] = {}
        self._problems: list[Sentence] = []
        self._untold = 0
        self._readers: dict[str, Callable[[str], Any]] = {
            **{name: partial(clean_name, what=name) for name in ("agent", "team", "session")},
            "happened_at": lambda text: _time(text, time_zone),
            "role": parse_roles,
            "scenario": parse_scenario,
            "domain": parse_domain,
            "language": clean_language,
        }

    def add(self, number: int, row: Sequence[str]) -> None:
        """Read a row; what cannot be read of it is a problem, and the rest counts."""
        cells = {name: clean(row[index]) for index, name in self._columns.items() if index < len(row)}
        name = cells.pop("file", "").replace("\\", "/")
        if not name:
            self._tell(number, Sentence(N_("no file is named, so the row was left out")))
            return
        if name in self.rows:
            params = {"name": name, "first": self._numbers[name]}
            self._tell(number, Sentence(N_("{name} stands in row {first} already, which counts"), params))
            return
        if any(cell.strip() for cell in row[self._width :]):
            self._tell(number, Sentence(N_("there are more cells than columns; a name with a comma needs quotes")))
        values: dict[str, Any] = {}
        for column, cell in cells.items():
            try:
                values["roles" if column == "role" else column] = self._readers[column](cell) if cell else None
            except MetadataError as error:
                self._tell(number, error)
        self._numbers[name] = number
        self.rows[name] = Description(**{column: value for column, value in values.items() if value is not None})

    def told(self) -> tuple[Sentence, ...]:
        """What was wrong, row by row, and how much more there is."""
        if not self._untold:
            return tuple(self._problems)
        return (*self._problems, Sentence(N_("{count} more rows have problems."), {"count": self._untold}))

    def _tell(self, number: int, problem: Explained) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Sentence(N_("Row {row}: {problem}"), {"row": number, "problem": problem}))
        else:
            self._untold += 1


def decoded(data: bytes) -> str:
    """The text of a list, as Excel and others save it. Raises `MetadataError` if it is none."""
    encodings = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise MetadataError("The list is not text in UTF-8 or GB18030. Save it as CSV (UTF-8) and choose it again.")


def _columns(header: Sequence[str]) -> tuple[dict[int, str], tuple[str, ...]]:
    """Which column is what, by its place, and the names of those that are nothing we know."""
    columns: dict[int, str] = {}
    unknown = []
    for index, title in enumerate(map(clean, header)):
        name = _COLUMNS.get(title.lower())
        if name in columns.values():
            raise MetadataError("The list has two columns {title}. Take one away.", title=title)
        if name:
            columns[index] = name
        elif title:
            unknown.append(title[:100])
    if "file" not in columns.values():
        raise MetadataError(
            "The list has no column {wanted} with the names of the files. Its first row names the columns: {allowed}.",
            wanted="file",
            allowed=", ".join(_HEADERS),
        )
    return columns, tuple(unknown)


def spreadsheet_time(text: str) -> datetime | None:
    """A time as spreadsheets write it, the year first, without a zone; None if it is not written so.

    Raises `MetadataError` for a day or an hour that does not exist.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in found.groups())
        return datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise MetadataError("{found} is not a time: there is no such day or hour.", found=repr(text)) from error


def _time(text: str, time_zone: str) -> datetime:
    found = spreadsheet_time(text)
    return parse_time(text, time_zone) if found is None else found.replace(tzinfo=ZoneInfo(time_zone))
