"""Changes to what is stored: names, sessions, roles, times. Reports follow, because they ask these rows.

Each function works in the transaction of its caller (`changing`) and takes its locks in the order in
which saving does: recordings, agents, sessions, clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emostore.errors import MetadataError, StoreError
from emostore.store.rollups import rollups
from emostore.store.session import Store
from emostore.store.tables.models import Agent, Analysis, Clip, Recording, RecordingSession, Score, Team
from emostore.store.tables.report_models import Alert
from emostore.store.writing import bulk
from emostore.store.writing.names import clean_language, clean_name, session_key
from emostore.store.writing.records import Role

AUTOMATIC = RecordingSession.key.startswith("recording:", autoescape=True)  # sessions that nobody named


class _Agent(NamedTuple):
    id: int
    team_id: int | None


@contextmanager
def changing(store: Store) -> Iterator[Session]:
    """A transaction for changes. Raises `StoreError` where somebody else was quicker with the same."""
    try:
        with store.transaction() as session:
            yield session
    except IntegrityError as error:
        raise StoreError(
            "Somebody else changed the same thing at the same moment, so nothing was changed. Try again."
        ) from error


def rename_agent(session: Session, name: str, new_name: str) -> int:
    """Give an agent another name; the agent's id. Raises `MetadataError` for a name that is taken."""
    new = _name(new_name, "agent")
    found = _agents(session, name, new)
    if new in found and new != name:
        raise MetadataError("There is an agent {name} already. Merge the two, or choose another name.", name=new)
    session.execute(update(Agent).where(Agent.id == found[name].id).values(name=new))
    return found[name].id


def merge_agents(session: Session, source: str, target: str) -> int:
    """Give the clips of one agent to another and forget the first; how many clips.

    The other one's team stays, or is the first one's if there was none.
    """
    if source == target:
        raise MetadataError("{name} cannot be merged with the same agent. Choose another one.", name=source)
    found = _agents(session, source, target)
    if target not in found:
        raise _no_agent(target)
    kept, lost = found[target], found[source]
    with rollups.changing(session, Clip.agent_id == lost.id):
        moved = _count(session, update(Clip).where(Clip.agent_id == lost.id).values(agent_id=kept.id))
    if kept.team_id is None and lost.team_id is not None:
        session.execute(update(Agent).where(Agent.id == kept.id).values(team_id=lost.team_id))
    session.execute(delete(Agent).where(Agent.id == lost.id))
    forget_empty_teams(session, lost.team_id)
    return moved


def set_team(session: Session, agent: str, team: str | None) -> str | None:
    """Put an agent into a team, or into none; the team before. A team without agents is forgotten."""
    name = clean_name(team, "team")
    teams = bulk.ensure(session, Team, {(name,): {"name": name}}, ["name"], lock="share")[0] if name else {}
    found = _agents(session, agent)[agent]
    before = session.scalar(select(Team.name).where(Team.id == found.team_id))
    session.execute(update(Agent).where(Agent.id == found.id).values(team_id=teams.get((name,))))
    if before != name:
        forget_empty_teams(session, found.team_id)
    return before


def rename_session(session: Session, session_id: int, new_name: str) -> str:
    """Give a session another name; the one before. Raises `MetadataError` for a name that is taken."""
    new = _name(new_name, "session")
    key = session_key(new, "")
    before = lock_sessions(session, session_id)[session_id]
    other = select(RecordingSession.id).where(RecordingSession.key == key, RecordingSession.id != session_id)
    if session.scalar(other) is not None:
        raise MetadataError("There is a session {name} already. Move the clips there instead.", name=new)
    session.execute(update(RecordingSession).where(RecordingSession.id == session_id).values(key=key, name=new))
    return before


def merge_sessions(session: Session, source_id: int, target_id: int) -> int:
    """Move the clips of one session into another and forget the first; how many clips."""
    names = lock_sessions(session, source_id, target_id)
    if source_id == target_id:
        raise MetadataError("{name} cannot be merged with the same session. Choose another one.", name=names[source_id])
    with rollups.changing(session, Clip.session_id == source_id):
        moved = _count(session, update(Clip).where(Clip.session_id == source_id).values(session_id=target_id))
    session.execute(delete(RecordingSession).where(RecordingSession.id == source_id))
    return moved


def move_clips(session: Session, clip_ids: Sequence[int], name: str) -> int:
    """Move clips into the session of this name, which is made if it is not there; its id."""
    new = _name(name, "session")
    key = session_key(new, "")
    row = {"key": key, "name": new, "created_at": datetime.now(UTC)}
    found, _ = bulk.ensure(session, RecordingSession, {(key,): row}, ["key"], lock="share")
    ids = _lock_clips(session, clip_ids)
    left = _sessions_of(session, ids)
    _update_clips(session, ids, {"session_id": found[(key,)]})
    forget_empty_sessions(session, left - {found[(key,)]})
    return found[(key,)]


def set_agent(session: Session, clip_ids: Sequence[int], agent: str | None) -> None:
    """Give clips to an agent, who is made if not there, or to none."""
    name = clean_name(agent, "agent")
    agents: dict[bulk.Key, int] = {}
    if name:
        agents, _ = bulk.ensure(session, Agent, {(name,): {"name": name, "team_id": None}}, ["name"], lock="share")
    _update_clips(session, _lock_clips(session, clip_ids), {"agent_id": agents.get((name,))})


def set_role(session: Session, clip_ids: Sequence[int], role: Role) -> None:
    """Say whose voice clips are."""
    _update_clips(session, _lock_clips(session, clip_ids), {"role": role})


def set_happened_at(session: Session, recording_id: int, moment: datetime) -> datetime:
    """Say when a recording happened; the time before. Raises `MetadataError` for a time without a zone."""
    if moment.utcoffset() is None:
        raise MetadataError("The time {found} has no time zone, so it is not clear when it was.", found=str(moment))
    before = session.scalar(select(Recording.happened_at).where(Recording.id == recording_id).with_for_update())
    if before is None:
        raise _no_recording()
    values = {"happened_at": moment, "happened_at_source": "given"}
    session.execute(update(Recording).where(Recording.id == recording_id).values(values))
    with rollups.changing(session, Clip.recording_id == recording_id):
        session.execute(update(Clip).where(Clip.recording_id == recording_id).values(happened_at=moment))
        affected = select(Analysis.id).join(Clip).where(Clip.recording_id == recording_id)
        for repeated in (Score, Alert):  # their indices are in the order of time
            session.execute(update(repeated).where(repeated.analysis_id.in_(affected)).values(happened_at=moment))
    return before


def set_description(session: Session, recording_ids: Sequence[int], changes: Mapping[str, str | None]) -> None:
    """Change `scenario`, `domain` or `language` of recordings; what is not named stays."""
    values = {name: changes[name] for name in ("scenario", "domain") if name in changes}
    if "language" in changes:
        values["language"] = clean_language(changes["language"])
    keys = {(identifier,) for identifier in recording_ids}
    found = bulk.ids(session, Recording, keys, ["id"], lock="write")
    if len(found) < len(keys):
        raise _no_recording()
    if values:
        for condition, parameters in bulk.matching(session, [bulk.table(Recording).c.id], keys):
            session.execute(bulk.table(Recording).update().where(condition).values(values), parameters)


def forget_empty_sessions(session: Session, session_ids: set[int]) -> int:
    """Delete those of the sessions that nobody named and that have no clips; how many."""
    # One that somebody else holds is left alone: waiting for it could be waiting for each other.
    is_empty = ~exists().where(Clip.session_id == RecordingSession.id)
    held: list[int] = []
    for condition, parameters in bulk.matching(
        session, [bulk.table(RecordingSession).c.id], [(key,) for key in sorted(session_ids)]
    ):
        held += session.scalars(
            select(RecordingSession.id).where(condition, AUTOMATIC).with_for_update(skip_locked=True), parameters
        )
    forgotten = 0
    for condition, parameters in bulk.matching(session, [bulk.table(RecordingSession).c.id], [(key,) for key in held]):
        statement = delete(RecordingSession).where(condition, is_empty)
        forgotten += _count(session, statement, parameters)
    return forgotten


def forget_empty_teams(session: Session, team_id: int | None) -> None:
    """Delete a team in which nobody is left."""
    if team_id is None:
        return
    held = session.scalar(select(Team.id).where(Team.id == team_id).with_for_update(skip_locked=True))
    is_empty: ColumnElement[bool] = ~exists().where(Agent.team_id == Team.id)
    if held is not None:
        session.connection().execute(delete(Team).where(Team.id == held, is_empty))


def _name(text: str, what: str) -> str:
    name = clean_name(text, what)
    if name is None:
        raise MetadataError("A name cannot be empty. Write one.")
    return name


def _agents(session: Session, name: str, *others: str) -> dict[str, _Agent]:
    """The agents of these names, held until the commit. Raises `MetadataError` unless the first is there."""
    statement = select(Agent.id, Agent.name, Agent.team_id).where(Agent.name.in_([name, *others]))
    rows = session.execute(statement.order_by(Agent.id).with_for_update())
    found = {row.name: _Agent(row.id, row.team_id) for row in rows}
    if name not in found:
        raise _no_agent(name)
    return found


def lock_sessions(session: Session, *ids: int) -> dict[int, str]:
    """The names of sessions, held until the commit. Raises `MetadataError` if one is not there."""
    statement = select(RecordingSession.id, RecordingSession.name).where(RecordingSession.id.in_(ids))
    found = {row.id: row.name for row in session.execute(statement.order_by(RecordingSession.id).with_for_update())}
    if set(ids) - found.keys():
        raise MetadataError("There is no such session any more. It may have been merged or deleted.")
    return found


def _lock_clips(session: Session, clip_ids: Sequence[int]) -> list[int]:
    keys = {(identifier,) for identifier in clip_ids}
    found = bulk.ids(session, Clip, keys, ["id"], lock="write")
    if not keys or len(found) < len(keys):
        raise MetadataError("There is no such clip any more. It may have been deleted.")
    return sorted(found.values())


def _sessions_of(session: Session, clip_ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], [(key,) for key in clip_ids]):
        found |= set(session.scalars(select(Clip.session_id).where(condition).distinct(), parameters))
    return found


def _update_clips(session: Session, clip_ids: Sequence[int], values: Mapping[str, Any]) -> None:
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], [(key,) for key in clip_ids]):
        with rollups.changing(session, condition, parameters):
            session.execute(bulk.table(Clip).update().where(condition).values(values), parameters)


def _count(session: Session, statement: Any, parameters: Mapping[str, Any] | None = None) -> int:
    return int(session.connection().execute(statement, parameters or {}).rowcount)


def _no_agent(name: str) -> MetadataError:
    return MetadataError("There is no agent {name} any more. It may have been renamed, merged or deleted.", name=name)


def _no_recording() -> MetadataError:
    return MetadataError("There is no such recording any more. It may have been deleted.")
