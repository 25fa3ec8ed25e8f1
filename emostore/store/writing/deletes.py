"""Deleting clips, sessions and agents with everything that hangs on them.

Each function works in the transaction of its caller (`edits.changing`). Kept audio is only named in the
answer: files go after the commit, and only while `unclaimed` keeps new recordings from naming them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select, text
from sqlalchemy.orm import Session

from emostore.errors import MetadataError
from emostore.store.rollups import rollups
from emostore.store.session import Store
from emostore.store.tables.models import Agent, Clip, Recording, RecordingSession
from emostore.store.writing import bulk, sides
from emostore.store.writing.edits import forget_empty_sessions, forget_empty_teams


@dataclass(frozen=True, slots=True)
class Deleted:
    """What is gone: how many rows, the name of the session or agent, the files' names and their kept audio."""

    clips: int = 0
    recordings: int = 0
    name: str | None = None
    file_names: tuple[str, ...] = ()
    media_paths: tuple[str, ...] = ()


def delete_clips(session: Session, clip_ids: Sequence[int]) -> Deleted:
    """Delete clips; a recording goes with its last one. Those that are gone already are not counted."""
    gone = [
        _delete(session, condition, parameters)
        for condition, parameters in bulk.matching(
            session, [bulk.table(Clip).c.id], [(key,) for key in sorted({*clip_ids})]
        )
    ]
    return Deleted(
        sum(each.clips for each in gone),
        sum(each.recordings for each in gone),
        file_names=tuple(name for each in gone for name in each.file_names),
        media_paths=tuple(path for each in gone for path in each.media_paths),
    )


def delete_session(session: Session, session_id: int) -> Deleted:
    """Delete a session and its clips. Raises `MetadataError` if it is not there."""
    name = session.scalar(select(RecordingSession.name).where(RecordingSession.id == session_id))
    if name is None:
        raise MetadataError("There is no such session any more. It may have been merged or deleted.")
    gone = _delete(session, Clip.session_id == session_id)
    # Whoever adds a clip to it holds it until the commit; then the clip keeps it, and this fails as a whole.
    session.execute(select(RecordingSession.id).where(RecordingSession.id == session_id).with_for_update())
    session.execute(delete(RecordingSession).where(RecordingSession.id == session_id))
    return Deleted(gone.clips, gone.recordings, name, gone.file_names, gone.media_paths)


def delete_agent(session: Session, name: str, *, with_clips: bool) -> Deleted:
    """Delete an agent; the clips go too, or stay without an agent. Raises `MetadataError` if there is none."""
    found = session.execute(select(Agent.id, Agent.team_id).where(Agent.name == name)).one_or_none()
    if found is None:
        raise MetadataError(
            "There is no agent {name} any more. It may have been renamed, merged or deleted.", name=name
        )
    gone = _delete(session, Clip.agent_id == found.id) if with_clips else Deleted()
    # Whoever saves a clip of this agent has committed once this answers, and nobody can begin.
    session.execute(select(Agent.id).where(Agent.id == found.id).with_for_update())
    with rollups.changing(session, Clip.agent_id == found.id):
        session.execute(delete(Agent).where(Agent.id == found.id))
    forget_empty_teams(session, found.team_id)
    return Deleted(gone.clips, gone.recordings, name, gone.file_names, gone.media_paths)


@contextmanager
def unclaimed(store: Store, media_paths: Sequence[str]) -> Iterator[list[str]]:
    """Those of the paths that no recording names; until the block ends, no new one can name them."""
    with store.transaction() as session:  # on SQLite this alone keeps others from writing
        if store.engine.name == "postgresql":
            session.execute(text("LOCK TABLE recordings IN SHARE MODE"))
        claimed: set[str | None] = set()
        column = bulk.table(Recording).c.media_path
        for condition, parameters in bulk.matching(session, [column], [(path,) for path in media_paths]):
            claimed |= set(session.scalars(select(Recording.media_path).where(condition), parameters))
        yield [path for path in media_paths if path not in claimed]


def _delete(session: Session, condition: ColumnElement[bool], parameters: Mapping[str, Any] | None = None) -> Deleted:
    """Delete the clips for which the condition holds, then what is left empty."""
    affected = select(Clip.recording_id).where(condition)
    # Saving holds a recording while it adds clips, in this order, too.
    held = select(Recording.id).where(Recording.id.in_(affected)).order_by(Recording.sha256).with_for_update()
    recordings = [(key,) for key in session.scalars(held, parameters or {})]
    sessions = set(session.scalars(select(Clip.session_id).where(condition).distinct(), parameters or {}))
    with rollups.changing(session, condition, parameters) as going:
        sides.forget(session, going)
        clips = session.connection().execute(delete(Clip).where(condition), parameters or {}).rowcount
    gone: list[tuple[str, str | None]] = []
    is_empty = ~exists().where(Clip.recording_id == Recording.id)
    for chosen, values in bulk.matching(session, [bulk.table(Recording).c.id], recordings):
        statement = delete(Recording).where(chosen, is_empty).returning(Recording.file_name, Recording.media_path)
        gone += [(name, path) for name, path in session.connection().execute(statement, values)]
    forget_empty_sessions(session, sessions)
    return Deleted(
        clips,
        len(gone),
        file_names=tuple(name for name, _ in gone),
        media_paths=tuple(path for _, path in gone if path is not None),
    )
