"""What a report is made of, before it is drawn: sections of a few kinds of parts, their words in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

NONE = Markup()


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a `quiet` one is a side note."""

    kind: ClassVar[str] = "text"
    said: Markup
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences with what each of them is: good, info, notice or warning; `grades` says that in words."""

    kind: ClassVar[str] = "findings"
    rows: Sequence[tuple[str, Markup]]
    grades: dict[str, Markup]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[Markup, Markup]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below their heads. Of `numbers` columns from the right, the values stand under each other."""

    kind: ClassVar[str] = "table"
    caption: Markup
    heads: Sequence[Markup]
    rows: Sequence[Sequence[Markup]]
    numbers: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing that is named inside itself, and its numbers as a table that can be opened."""

    kind: ClassVar[str] = "figure"
    caption: Markup
    svg: Markup
    table: Table | None = None
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """Figures side by side, where there is room."""

    kind: ClassVar[str] = "side"
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Heading:
    """The name of a part of a section."""

    kind: ClassVar[str] = "heading"
    said: Markup


Part = Text | Findings | Facts | Table | Figure | Side | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    title: Markup
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Number:
    """A figure that opens a report: what it is, its value, and a few words on it."""

    label: Markup
    value: Markup
    note: Markup = NONE


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. `plain_title` is its name without markup, for the tab of a browser."""

    kind: Markup
    title: Markup
    plain_title: str
    lead: Markup
    badges: Sequence[Markup]
    numbers: Sequence[Number]
    sections: Sequence[Section]
    closing: Sequence[Markup]
