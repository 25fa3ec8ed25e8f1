"""Agents, sessions and clips by a part of their name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, text

from emostore.store.session import Store
from emostore.store.tables.models import Agent, Clip, Recording, RecordingSession
from emostore.store.writing.names import clean

SEARCHED_CLIPS = 5_000  # newest clips whose files' names are looked at: all of them would take seconds
_MOST_TEXT = 200  # characters of a search that are read
_MOST_ID = 18  # digits of the number of a clip

Kind = Literal["agent", "session", "clip"]


@dataclass(frozen=True, slots=True)
class Found:
    """Something that fits a search: `key` is the name of an agent, the id of a session or clip."""

    kind: Kind
    key: str
    name: str


def find(store: Store, searched: str, limit: int = 5) -> tuple[Found, ...]:
    """At most `limit` of each kind that have the text in their name; a number finds the clip that has it as its id."""
    part = clean(searched[:_MOST_TEXT])
    if not part:
        return ()
    agents = select(Agent.name).where(Agent.name.icontains(part, autoescape=True)).order_by(Agent.name).limit(limit)
    sessions = (
        select(RecordingSession.id, RecordingSession.name)
        # Written out, so that the index of named sessions is used.
        .where(text("key LIKE 'name:%'"), RecordingSession.name.icontains(part, autoescape=True))
        .order_by(RecordingSession.id.desc())
        .limit(limit)
    )
    newest = select(Clip.id, Clip.recording_id).order_by(Clip.happened_at.desc(), Clip.id.desc()).limit(SEARCHED_CLIPS)
    of_file = newest.subquery()
    clips = (
        select(of_file.c.id, Recording.file_name)
        .join(Recording, Recording.id == of_file.c.recording_id)
        .where(Recording.file_name.icontains(part, autoescape=True))
        .order_by(of_file.c.id.desc())
        .limit(limit)
    )
    numbered = select(Clip.id, Recording.file_name).join(Recording, Recording.id == Clip.recording_id)
    with store.reading() as session:
        found = [Found("agent", name, name) for name in session.scalars(agents)]
        found += [Found("session", str(key), name) for key, name in session.execute(sessions)]
        rows = list(session.execute(clips))
        if part.isascii() and part.isdigit() and len(part) <= _MOST_ID:
            rows = list(session.execute(numbered.where(Clip.id == int(part)))) + rows
        by_id = {row.id: row.file_name for row in rows}
    return (*found, *(Found("clip", str(key), name) for key, name in list(by_id.items())[:limit]))
