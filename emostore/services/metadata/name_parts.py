"""The parts of a name pattern: what each takes from a text, in time proportional to its length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from emostore.errors import MetadataError
from emostore.services.metadata.descriptions import Role, parse_roles
from emostore.store.writing.names import clean_language

Reading = tuple[int, Any]  # where it ends in the text, and its value
Reader = Callable[[str, int], Iterator[Reading]]

# Day and month in either order: which is meant, nobody can tell. With full stops the day comes first.
AMBIGUOUS_DATE = re.compile(r"[0-9]{2}([-_])[0-9]{2}\1[0-9]{4}", re.ASCII)
_DATES = (  # how dates are written, and the order of their numbers
    (re.compile(r"([0-9]{4})([-_.])([0-9]{2})\2([0-9]{2})", re.ASCII), (1, 3, 4)),
    (re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})", re.ASCII), (3, 2, 1)),
    (re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII), (1, 2, 3)),
)
_TIMES = (
    (re.compile(r"([0-9]{2})([-_.:])([0-9]{2})\2([0-9]{2})", re.ASCII), (1, 3, 4)),
    (re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII), (1, 2, 3)),
    (re.compile(r"([0-9]{2})[-_.:h]([0-9]{2})", re.ASCII), (1, 2)),
    (re.compile(r"([0-9]{2})([0-9]{2})", re.ASCII), (1, 2)),
)
_BETWEEN = ("T", "_", "-", " ", "")  # a date and a time in one field
_YEARS = range(1970, 2100)
_ROLES_LENGTH = 60  # characters that are looked at for roles
_WORD = re.compile(r"[^\W\d_]+(?:,[^\W\d_]+)*")  # "agent", "agent,customer"
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_DIRECTIVES = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2, "%y": 2, "%j": 3}  # digits of each
_WHOLE_DAYS = ({"%Y", "%m", "%d"}, {"%y", "%m", "%d"}, {"%Y", "%j"})
_OF_DATE, _OF_TIME = {"%Y", "%y", "%m", "%d", "%j"}, {"%H", "%M", "%S"}


@dataclass(frozen=True, slots=True)
class Literal:
    """These characters."""

    text: str

    def starts(self, text: str, ends: set[int]) -> set[int]:
        """Where it may start so that it ends at one of `ends`."""
        size = len(self.text)
        return {end - size for end in ends if end >= size and text.startswith(self.text, end - size)}

    def end(self, _text: str, at: int, _ends: set[int]) -> Reading:
        """Where it ends, and its value."""
        return at + len(self.text), None


@dataclass(frozen=True, slots=True)
class Anything:
    """Any characters, or none."""

    def starts(self, _text: str, ends: set[int]) -> set[int]:
        """Where it may start so that it ends at one of `ends`."""
        return set(range(max(ends) + 1)) if ends else set()

    def end(self, _text: str, at: int, ends: set[int]) -> Reading:
        """The nearest end, and no value."""
        return min(end for end in ends if end >= at), None


@dataclass(frozen=True, slots=True)
class Text:
    """At least one character, for a field."""

    field: str

    def starts(self, _text: str, ends: set[int]) -> set[int]:
        """Where it may start so that it ends at one of `ends`."""
        return set(range(max(ends))) if ends else set()

    def end(self, text: str, at: int, ends: set[int]) -> Reading:
        """The nearest end, and what stands before it."""
        end = min(end for end in ends if end > at)
        return end, text[at:end]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is written in one of a few known ways, for a field."""

    field: str
    read: Reader

    def starts(self, text: str, ends: set[int]) -> set[int]:
        """Where it may start so that it ends at one of `ends`."""
        return {at for at in range(len(text)) if any(end in ends for end, _ in self.read(text, at))}

    def end(self, text: str, at: int, ends: set[int]) -> Reading:
        """The first reading that ends where it may."""
        return next((end, value) for end, value in self.read(text, at) if end in ends)


Part = Literal | Anything | Text | Fixed


def fixed_part(field: str, written: str | None) -> Fixed:
    """The part for a field of time, a role or a language. Raises `MetadataError` for a way it cannot be written."""
    if written is not None:
        return Fixed(field, _as_written(field, written))
    readers: dict[str, Reader] = {
        "date": _dates,
        "time": _times,
        "datetime": _datetimes,
        "role": _roles,
        "language": _languages,
    }
    return Fixed(field, readers[field])


def _numbers(patterns: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...], make: Callable[..., Any]) -> Reader:
    def read(text: str, at: int) -> Iterator[Reading]:
        for pattern, order in patterns:
            found = pattern.match(text, at)
            try:
                value = make(*(int(found[group]) for group in order)) if found else None
            except ValueError:  # no such day, or no such hour
                continue
            if found and value is not None:
                yield found.end(), value

    return read


def _day(year: int, month: int, day: int) -> date | None:
    return date(year, month, day) if year in _YEARS else None


_dates = _numbers(_DATES, _day)
_times = _numbers(_TIMES, time)


def _datetimes(text: str, at: int) -> Iterator[Reading]:
    for middle, day in _dates(text, at):
        for between in _BETWEEN:
            if text.startswith(between, middle):
                for end, moment in _times(text, middle + len(between)):
                    yield end, datetime.combine(day, moment)


def _roles(text: str, at: int) -> Iterator[Reading]:
    found = _WORD.match(text, at, at + _ROLES_LENGTH)
    for end in range(found.end() if found else at, at, -1):
        try:
            roles: tuple[Role, ...] = parse_roles(text[at:end])
        except MetadataError:
            continue
        yield end, roles


def _languages(text: str, at: int) -> Iterator[Reading]:
    found = _TAG.match(text, at)
    while found:
        yield found.end(), clean_language(found[0])
        shorter = found[0].rfind("-")
        found = _TAG.fullmatch(text, at, at + shorter) if shorter > 0 else None


def _as_written(field: str, written: str) -> Reader:
    """A reader for a format such as `%d%m%Y`, of directives with a fixed number of digits."""
    pieces = re.findall(r"%.?|[^%]+", written)
    used = [piece for piece in pieces if piece.startswith("%")]
    allowed = {"date": _OF_DATE, "time": _OF_TIME, "datetime": _OF_DATE | _OF_TIME}.get(field, set())
    if not used or not allowed.issuperset(used) or len(used) != len(set(used)):
        raise MetadataError(
            "{found} is not a way to write {field}. Use each of these at most once: {allowed}.",
            found=written,
            field=f"{{{field}}}",
            allowed=" ".join(each for each in _DIRECTIVES if each in (allowed or _DIRECTIVES)),
        )
    if field != "time" and not (
        {"%Y", "%m", "%d"} <= {*used} or {"%y", "%m", "%d"} <= {*used} or {"%Y", "%j"} <= {*used}
    ):
        raise MetadataError(
            "{found} does not tell year, month and day. Write a date as in {example}.",
            found=written,
            example="%Y-%m-%d",
        )
    shape = re.compile("".join(f"[0-9]{{{_DIRECTIVES[p]}}}" if p in _DIRECTIVES else re.escape(p) for p in pieces))

    def read(text: str, at: int) -> Iterator[Reading]:
        found = shape.match(text, at)
        try:
            moment = datetime.strptime(found[0], written) if found else None
        except ValueError:
            return
        if found and moment:
            yield found.end(), {"date": moment.date(), "time": moment.time()}.get(field, moment)

    return read
