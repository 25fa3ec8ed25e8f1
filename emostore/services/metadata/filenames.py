"""What the name of a file tells of its recording: patterns such as `{agent}_{date}_{session}`.

A pattern is no regular expression. It is matched in time proportional to the length of the name: first
from the end, which positions can still be completed, then from the start, taking as little as possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import time as time_of_day
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from emostore.errors import MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.metadata.descriptions import NO_ROLES, Description
from emostore.services.metadata.name_parts import AMBIGUOUS_DATE, Anything, Fixed, Literal, Part, Text, fixed_part
from emostore.store.writing.names import clean

TEXT_FIELDS = ("agent", "team", "session")
FIELDS = (*TEXT_FIELDS, "date", "time", "datetime", "role", "language")
MAX_PATTERN = 200  # characters
_PIECE = re.compile(r"\{([a-z]+)(?::([^{}]*))?\}|(\*)|([^{}*]+)")
_ENDING = re.compile(r"\.(?:\*|(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,5})$")
_EXAMPLE = "{date:%m-%d-%Y}"


@dataclass(frozen=True, slots=True)
class Matched:
    """What a name told; `values` are the pieces of the name by field."""

    description: Description
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Why a name does not fit."""

    reason: Sentence


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A name and what a pattern makes of it."""

    name: str
    result: Matched | NoMatch


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern that was understood (`parse_pattern`); times in names are read in `time_zone`."""

    text: str
    time_zone: str
    parts: tuple[Part, ...]

    def match(self, name: str) -> Matched | NoMatch:
        """What a file's name tells. The folder counts only as far as the pattern has a `/`."""
        text = self._counted(name)
        found = _match(self.parts, text)
        if found is None:
            return NoMatch(self._reason(name, text))
        pieces = {part.field: (piece, value) for part, piece, value in found if isinstance(part, Text | Fixed)}
        values = {field: piece for field, (piece, _) in pieces.items()}
        return Matched(self._description({field: value for field, (_, value) in pieces.items()}), values)

    def _counted(self, name: str) -> str:
        folders = self.text.count("/")
        return _ENDING.sub("", "/".join(clean(name.replace("\\", "/")).split("/")[-folders - 1 :]))

    def _description(self, values: dict[str, Any]) -> Description:
        moment: datetime | None = values.get("datetime")
        if "date" in values:
            moment = datetime.combine(values["date"], values.get("time", time_of_day()))
        agent, team, session = (clean(values.get(field, "")) or None for field in TEXT_FIELDS)
        return Description(
            agent=agent,
            team=team,
            session=session,
            happened_at=moment.replace(tzinfo=ZoneInfo(self.time_zone)) if moment else None,
            roles=values.get("role", NO_ROLES),
            language=values.get("language"),
            happened_at_source="name",
        )

    def _reason(self, name: str, text: str) -> Sentence:
        """The first field that could not be read, if the rest of the name fits."""
        params = {"name": name, "pattern": self.text}
        loose = tuple(Text(part.field) if isinstance(part, Fixed) else part for part in self.parts)
        for part, (_, piece, _) in zip(self.parts, _match(loose, text) or (), strict=False):
            if not isinstance(part, Fixed) or any(end == len(piece) for end, _ in part.read(piece, 0)):
                continue
            params |= {"found": piece, "field": f"{{{part.field}}}", "example": _EXAMPLE}
            if AMBIGUOUS_DATE.search(piece):
                return Sentence(
                    N_("{found} in {name} can be read as two dates. Write how it is meant, as in {example}."), params
                )
            return Sentence(N_("{found} in {name} does not fit {field}."), params)
        return Sentence(N_("{name} does not fit the pattern {pattern}."), params)


def parse_pattern(text: str, time_zone: str = "UTC") -> NamePattern:
    """Understand a pattern: fields in braces, `*` for anything, everything else as it stands.

    Fields are agent, team, session, date, time, datetime, role and language; those of time may say how
    they are written, as `{date:%d%m%Y}`. Raises `MetadataError` that says what is wrong.
    """
    text = _ENDING.sub("", clean(text.replace("\\", "/")))
    if not 0 < len(text) <= MAX_PATTERN:
        raise MetadataError(
            "A pattern has 1 to {allowed} characters; this one has {found}.", allowed=MAX_PATTERN, found=len(text)
        )
    parts = tuple(_parts(text))
    fields = [part.field for part in parts if isinstance(part, Text | Fixed)]
    if not fields:
        raise MetadataError(
            "The pattern {pattern} has no field. Use at least one of {allowed}.",
            pattern=text,
            allowed=", ".join(f"{{{field}}}" for field in FIELDS),
        )
    if len(fields) != len(set(fields)) or ("datetime" in fields and {"date", "time"} & set(fields)):
        raise MetadataError("The pattern {pattern} asks for the same thing twice. Name each field once.", pattern=text)
    if "time" in fields and "date" not in fields:
        raise MetadataError("The pattern {pattern} has a time without a date. Add {date}.", pattern=text, date="{date}")
    if any(isinstance(left, Text | Anything) and isinstance(right, Text | Anything) for left, right in pairwise(parts)):
        raise MetadataError(
            "In the pattern {pattern} two fields touch, so that nobody knows where one ends. Put a character"
            " between them.",
            pattern=text,
        )
    return NamePattern(text, time_zone, parts)


def preview(pattern: NamePattern, names: Iterable[str]) -> list[PreviewRow]:
    """What a pattern makes of each name."""
    return [PreviewRow(name, pattern.match(name)) for name in names]


def _parts(text: str) -> Iterable[Part]:
    at = 0
    for piece in _PIECE.finditer(text):
        if piece.start() != at:
            break
        at = piece.end()
        field, written, anything, literal = piece.groups()
        if literal:
            yield Literal(literal)
        elif anything:
            yield Anything()
        elif field in TEXT_FIELDS and written is None:
            yield Text(field)
        elif field in FIELDS and field not in TEXT_FIELDS:
            yield fixed_part(field, written)
        else:
            raise MetadataError(
                "{found} is not a field. Use {allowed}.",
                found=piece[0],
                allowed=", ".join(f"{{{each}}}" for each in FIELDS),
            )
    if at != len(text):
        raise MetadataError(
            "The braces in the pattern {pattern} do not match. Write fields as {example}.",
            pattern=text,
            example="{agent}",
        )


def _match(parts: Sequence[Part], text: str) -> list[tuple[Part, str, Any]] | None:
    """Each part with its piece of the text and that piece's value; None if the text does not fit."""
    ends = [{len(text)}]  # ends[i]: where the parts before i may end so that the others fit
    for part in reversed(parts):
        ends.insert(0, part.starts(text, ends[0]))
    if 0 not in ends[0]:
        return None
    found: list[tuple[Part, str, Any]] = []
    at = 0
    for part, possible in zip(parts, ends[1:], strict=True):
        end, value = part.end(text, at, possible)
        found.append((part, text[at:end], value))
        at = end
    return found
