"""Sessions, agents and clips as sets of sessions, to be laid side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, Literal

import numpy as np
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.store.reports.days import days_between
from emostore.store.reports.report_views import CompareItem
from emostore.store.rollups import rollup_reading
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store
from emostore.store.tables.models import ROLES, Agent, Analysis, Clip, Recording, RecordingSession, Score

Kind = Literal["session", "agent", "clip"]


def compare_item(
    store: Store,
    kind: Kind,
    key: int | str,
    *,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    time_zone: str = "UTC",
    roles: Collection[str] = ROLES,
) -> CompareItem | None:
    """A session or clip by its id, or an agent by name, as its sessions; None if it is not there.

    Without a model, that of the newest analysis counts. Days are whole ones in `time_zone`.
    """
    with store.reading() as session:
        about = _about(session, kind, key)
        if about is None:
            return None
        identifier, name, demo = about
        used = rollup_reading.model_in_use(session, model)
        column = {"session": Clip.session_id, "agent": Clip.agent_id, "clip": Clip.id}[kind]
        conditions = [column == identifier, *days_between(Clip.happened_at, from_date, to_date, time_zone)]
        if set(roles) != set(ROLES) and kind != "clip":
            conditions.append(Clip.role.in_(sorted(roles)))
        rows = _clusters(session, used.calibration_id, conditions) if used else []
    values = np.array(rows, np.float64).reshape(len(rows), 3 + len(EMOTIONS))
    return CompareItem(
        kind=kind,
        key=identifier,
        name=name,
        demo=demo,
        sessions=values[:, 0].astype(np.int64),
        clips=values[:, 1].astype(np.int64),
        speech_s=values[:, 2],
        weighted=values[:, 3:],
        model=used,
    )


def _about(session: Session, kind: Kind, key: int | str) -> tuple[int, str, bool] | None:
    if kind == "agent":
        found = session.execute(select(Agent.id, Agent.name, Agent.demo).where(Agent.name == str(key)))
    elif kind == "clip":
        of_clip = select(Clip.id, Recording.file_name, Recording.demo).join(Recording).where(Clip.id == key)
        found = session.execute(of_clip)
    else:
        invented = select(Recording.demo).join(Clip).where(Clip.session_id == key).limit(1).scalar_subquery()
        of_session = select(RecordingSession.id, RecordingSession.name, func.coalesce(invented, False))
        found = session.execute(of_session.where(RecordingSession.id == key))
    row = found.one_or_none()
    return None if row is None else (row[0], row[1], bool(row[2]))


def _clusters(session: Session, calibration_id: int, conditions: Sequence[ColumnElement[bool]]) -> list[Any]:
    weight = func.coalesce(Clip.speech_s, Clip.duration_s)
    sums = [func.sum(getattr(Score, name) * weight) for name in EMOTIONS]
    statement = (
        select(Clip.session_id, func.count(), func.sum(weight), *sums)
        .select_from(Clip)
        .join(Analysis, Analysis.clip_id == Clip.id)
        .join(Score, Score.analysis_id == Analysis.id)
        # Not by the index of the calibration: the clips are few, its scores are all there are.
        .where(func.coalesce(Score.calibration_id, 0) == calibration_id, *conditions)
        .group_by(Clip.session_id)
        .order_by(Clip.session_id)
    )
    return [tuple(row) for row in session.execute(statement)]
