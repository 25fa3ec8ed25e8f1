"""What a session holds: its recordings in the order of time, each with its clips."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from emostore.store.reports import reports
from emostore.store.reports.views import ClipRow
from emostore.store.session import Store
from emostore.store.tables.models import Clip, RecordingSession

LISTED = 200  # recordings; a corpus in one session has thousands


@dataclass(frozen=True, slots=True)
class SessionRecording:
    """A recording of a session with those of its clips that belong there, by channel."""

    recording_id: int
    happened_at: datetime
    clips: tuple[ClipRow, ...]


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session and its first recordings; `count` is how many there are in all."""

    session_id: int
    name: str
    count: int
    recordings: tuple[SessionRecording, ...]


def session_view(store: Store, session_id: int, limit: int = LISTED) -> SessionView | None:
    """A session with at most `limit` of its recordings, the earliest first; None if there is no such session."""
    first = (
        select(Clip.recording_id, func.min(Clip.happened_at).label("happened_at"))
        .where(Clip.session_id == session_id)
        .group_by(Clip.recording_id)
        .order_by(func.min(Clip.happened_at), Clip.recording_id)
        .limit(limit)
        .subquery()
    )
    held = (
        select(first.c.recording_id, first.c.happened_at, Clip.id)
        .join(Clip, Clip.recording_id == first.c.recording_id)
        .where(Clip.session_id == session_id)
        .order_by(first.c.happened_at, first.c.recording_id, Clip.channel)
    )
    counted = select(func.count(Clip.recording_id.distinct())).where(Clip.session_id == session_id)
    with store.reading() as session:
        name = session.scalar(select(RecordingSession.name).where(RecordingSession.id == session_id))
        if name is None:
            return None
        count = session.scalar(counted) or 0
        found = session.execute(held).all()
    rows = reports.clip_rows(store, [clip_id for _recording, _happened_at, clip_id in found])
    clips: dict[tuple[int, datetime], list[ClipRow]] = defaultdict(list)
    for recording_id, happened_at, clip_id in found:
        if clip_id in rows:  # else it was deleted in this very moment
            clips[recording_id, happened_at].append(rows[clip_id])
    recordings = (SessionRecording(*key, tuple(held)) for key, held in clips.items())
    return SessionView(session_id, name, count, tuple(recordings))


def clips_of(store: Store, session_id: int, recording_id: int) -> tuple[int, ...]:
    """The clips of a session that belong to a recording, by channel; none if it is not there."""
    statement = select(Clip.id).where(Clip.session_id == session_id, Clip.recording_id == recording_id)
    with store.reading() as session:
        return tuple(session.scalars(statement.order_by(Clip.channel)))
