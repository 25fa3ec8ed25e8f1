"""Reports to take away: of a clip, a session or an agent, as a page that opens anywhere, as JSON and as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, get_args

from emostore.config import Settings
from emostore.errors import MetadataError
from emostore.services.report import agent, clip, data, facts, page, sections, session, tables
from emostore.services.report.parts import Document
from emostore.services.report.wording import Wording
from emostore.store.session import Store

if TYPE_CHECKING:
    import altair as alt

Format = Literal["html", "json", "csv"]
Language = Literal["en", "zh"]

FORMATS: tuple[Format, ...] = get_args(Format)
LANGUAGES: tuple[Language, ...] = get_args(Language)
MIME_TYPES: dict[Format, str] = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
_STEM_LENGTH = 80  # characters of a name in that of a file


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes reports from what a store holds now, in a language of `LANGUAGES`; times are in the settings' time zone.

    `settings` are those in force. Every method gives the whole file. It raises `MetadataError` for what is not there,
    `AccessError` for what may not be read, and `StoreError`.
    """

    store: Store
    settings: Settings
    language: str = "en"

    def clip(self, clip_id: int, kind: Format = "html") -> bytes:
        """A clip: what was heard, with its windows, and how it was measured."""
        found, now = facts.of_clip(self.store, clip_id), datetime.now(UTC)
        if kind == "html":
            return self._page(lambda words: clip.document(found, words), now)
        return data.json_of_clip(found, now) if kind == "json" else tables.csv_of([found])

    def session(self, session_id: int, kind: Format = "html") -> bytes:
        """A session: all of its clips side by side, and each by itself."""
        found, now = facts.of_session(self.store, session_id), datetime.now(UTC)
        if kind == "html":
            return self._page(lambda words: session.document(found, words), now)
        return data.json_of_session(found, now) if kind == "json" else tables.csv_of(found.clips)

    def agent(
        self,
        name: str,
        kind: Format = "html",
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        model: tuple[str, str] | None = None,
    ) -> bytes:
        """An agent in these days, both included, beside the team: of the voices of those the agent speaks with.

        `model` is a name and a revision; without it, that of the newest analysis counts.
        """
        found = facts.of_agent(self.store, self.settings, name, from_date, to_date, model)
        now = datetime.now(UTC)
        if kind == "html":
            return self._page(lambda words: agent.document(found, words), now)
        return data.json_of_agent(found, now) if kind == "json" else tables.csv_of_agent(found)

    def course_chart(self, clip_id: int) -> alt.TopLevelMixin:
        """The picture of a clip's scores over time, as its report has it. Raises `MetadataError` for one without."""
        found = facts.of_clip(self.store, clip_id)
        chart = sections.course_chart(found, self.language, title=found.view.file_name)
        if chart is None:
            raise MetadataError("Clip {id} has no scores over time.", id=clip_id)
        return chart

    def _page(self, document: Callable[[Wording], Document], now: datetime) -> bytes:
        words = Wording(self.language, self.settings.time_zone)
        return page.html(document(words), words, now)


def file_name(name: str, kind: Format) -> str:
    """What a report of something is called on the reader's disk: no path, and nothing that a disk refuses."""
    stem = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]+', "_", PurePath(name).stem).strip(" ._")
    return f"{stem[:_STEM_LENGTH] or 'report'}-report.{kind}"
