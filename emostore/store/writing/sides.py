"""The two sides of a call: exchanging them, and making one call of two files.

Each function works in the transaction of its caller (`edits.changing`) and takes its locks in the order in which
saving does: sessions, then clips.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from emostore.errors import MetadataError
from emostore.store.rollups import rollups
from emostore.store.tables.models import Clip, ClipPair, Recording, RecordingSession
from emostore.store.writing import bulk, edits
from emostore.store.writing.records import Role


class _Side(NamedTuple):
    """A clip, its recording and its session, as they are."""

    id: int
    role: str
    agent_id: int | None
    session_id: int
    recording_id: int
    file_name: str
    session_key: str
    session_name: str
    voices: int  # channels of the recording that are told apart


def swap(session: Session, recording_id: int) -> tuple[int, int]:
    """Exchange the two sides of a call: their roles, and whose they are; the ids of the clips.

    The sides are the two clips of a recording, or its only clip and the one that it is paired with. Raises
    `MetadataError` if there are not two.
    """
    ids = sorted(session.scalars(select(Clip.id).where(Clip.recording_id == recording_id)))
    if len(ids) == 1 and (pair := _pair(session, ids[0])) is not None:
        ids = sorted((pair.first_clip_id, pair.second_clip_id))
    if len(ids) != 2:
        raise MetadataError(
            "Two voices can be swapped; this recording has {found}. Correct the role of each clip instead.",
            found=len(ids),
        )
    with rollups.changing(session, Clip.id.in_(ids)) as held:
        if held != ids:
            raise _gone()
        first, second = (_side(session, clip_id) for clip_id in ids)
        for clip, other in ((first, second), (second, first)):
            values = {"role": other.role, "agent_id": other.agent_id}
            session.execute(update(Clip).where(Clip.id == clip.id).values(values))
    return ids[0], ids[1]


def pair(
    session: Session, first_id: int, second_id: int, roles: tuple[Role, Role], offset_s: float
) -> tuple[str, str, int]:
    """Make one call of two clips of two files; the files' names and the session, which is the first one's.

    The second begins `offset_s` seconds after the first, or before it if that is negative. A clip without an agent
    gets the other one's. Raises `MetadataError` unless each is the only voice of its recording and without a partner.
    """
    found = [_side(session, clip_id) for clip_id in (first_id, second_id)]
    ids = sorted({side.id for side in found})
    edits.lock_sessions(session, *(side.session_id for side in found))
    with rollups.changing(session, Clip.id.in_(ids)) as held:
        first, second = (_side(session, clip_id) for clip_id in (first_id, second_id))
        if held != ids or [first.session_id, second.session_id] != [side.session_id for side in found]:
            raise _gone()
        _check(session, first, second)
        agent_id = first.agent_id if first.agent_id is not None else second.agent_id
        starts = (max(0.0, -offset_s), max(0.0, offset_s))
        for side, role, starts_s in zip((first, second), roles, starts, strict=True):
            own = agent_id if side.agent_id is None else side.agent_id
            values = {"role": role, "starts_s": starts_s, "session_id": first.session_id, "agent_id": own}
            session.execute(update(Clip).where(Clip.id == side.id).values(values))
        before = {str(side.id): _as_json(side, agent_id) for side in (first, second)}
        session.execute(insert(ClipPair).values(first_clip_id=first.id, second_clip_id=second.id, before=before))
    edits.forget_empty_sessions(session, {second.session_id} - {first.session_id})
    return first.file_name, second.file_name, first.session_id


def unpair(session: Session, clip_id: int) -> tuple[int, int]:
    """Undo `pair`: each clip gets back its role and session, and loses an agent it had from the other; their ids.

    What was changed since stays: a clip that was moved to another session is left there. Raises `MetadataError` if
    the clip has no partner.
    """
    found = _pair(session, clip_id)
    if found is None:
        raise MetadataError("This clip is not paired with another one. Reload the page.")
    ids = sorted((found.first_clip_id, found.second_clip_id))
    joined = _side(session, found.first_clip_id).session_id
    before = {int(key): values for key, values in found.before.items()}
    keys = {
        (values["session_key"],): {
            "key": values["session_key"],
            "name": values["session_name"],
            "created_at": datetime.now(UTC),
        }
        for values in before.values()
    }
    sessions, _ = bulk.ensure(session, RecordingSession, keys, ["key"], lock="share")
    with rollups.changing(session, Clip.id.in_(ids)):
        for side in (_side(session, each) for each in ids):
            was = before[side.id]
            values: dict[str, Any] = {"role": was["role"], "starts_s": 0.0}
            if side.session_id == joined:
                values["session_id"] = sessions[(was["session_key"],)]
            if was["given_agent_id"] is not None and side.agent_id == was["given_agent_id"]:
                values["agent_id"] = None
            session.execute(update(Clip).where(Clip.id == side.id).values(values))
    session.execute(delete(ClipPair).where(ClipPair.first_clip_id == found.first_clip_id))
    edits.forget_empty_sessions(session, {joined, *sessions.values()})
    return ids[0], ids[1]


def forget(session: Session, clip_ids: Collection[int]) -> None:
    """Let the partners of clips that are about to go begin at 0 again: there is no call any more to begin later in."""
    columns = bulk.table(ClipPair).c
    keys = [(clip_id,) for clip_id in sorted(clip_ids)]
    partners: set[int] = set()
    both = (columns.first_clip_id, columns.second_clip_id)
    for own, other in (both, both[::-1]):
        for condition, parameters in bulk.matching(session, [own], keys):
            partners |= set(session.scalars(select(other).where(condition), parameters))
    for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], [(key,) for key in sorted(partners)]):
        session.execute(bulk.table(Clip).update().where(condition).values(starts_s=0.0), parameters)


def _check(session: Session, first: _Side, second: _Side) -> None:
    if first.recording_id == second.recording_id:
        raise MetadataError(
            "{name} cannot be paired with itself. Choose the file of the other side.", name=first.file_name
        )
    for side in (first, second):
        if side.voices > 1:
            raise MetadataError(
                "{name} holds {found} voices already, so it has no other side. Choose a recording with one voice.",
                name=side.file_name,
                found=side.voices,
            )
        if _pair(session, side.id) is not None:
            raise MetadataError("{name} is paired with another file already. Undo that first.", name=side.file_name)


def _side(session: Session, clip_id: int) -> _Side:
    statement = (
        select(
            *(Clip.id, Clip.role, Clip.agent_id, Clip.session_id, Clip.recording_id),
            *(Recording.file_name, RecordingSession.key, RecordingSession.name, Recording.channel_count),
        )
        .join(Recording, Recording.id == Clip.recording_id)
        .join(RecordingSession, RecordingSession.id == Clip.session_id)
    )
    row = session.execute(statement.where(Clip.id == clip_id)).one_or_none()
    if row is None:
        raise _gone()
    return _Side(*row)


def _pair(session: Session, clip_id: int) -> ClipPair | None:
    is_side = (ClipPair.first_clip_id == clip_id) | (ClipPair.second_clip_id == clip_id)
    return session.scalar(select(ClipPair).where(is_side).with_for_update())


def _as_json(side: _Side, agent_id: int | None) -> dict[str, Any]:
    """What unpairing gives back, and the agent that pairing gives to a clip without one."""
    kept = {name: getattr(side, name) for name in ("role", "session_key", "session_name")}
    return {**kept, "given_agent_id": agent_id if side.agent_id is None else None}


def _gone() -> MetadataError:
    return MetadataError("There is no such clip any more, or it was changed at this moment. Reload the page.")
