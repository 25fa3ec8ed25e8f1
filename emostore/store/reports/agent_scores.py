"""The scores of one agent's clips, clip by clip: intervals of single emotions need what roll-ups do not keep."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from emostore.emotions import EMOTIONS
from emostore.store.reports.days import days_between
from emostore.store.session import Store
from emostore.store.tables.models import Analysis, Clip, Score

MOST_CLIPS = 20_000  # of one agent; beyond, the latest of them


@dataclass(frozen=True, slots=True, eq=False)
class ClipScores:
    """Clips in the order of time: `days` as ordinals (n,), `sessions` (n,), `scores` (n, 9)."""

    days: NDArray[np.int64]
    sessions: NDArray[np.int64]
    scores: NDArray[np.float64]


def clip_scores(
    store: Store,
    agent_id: int,
    calibration_id: int,
    roles: Collection[str],
    *,
    from_date: date | None = None,
    to_date: date | None = None,
    time_zone: str = "UTC",
) -> ClipScores:
    """The scores of an agent's clips in some roles under one calibration; days are whole ones in `time_zone`."""
    statement = (
        select(Clip.happened_at, Clip.session_id, *(getattr(Score, name) for name in EMOTIONS))
        .join(Analysis, Analysis.clip_id == Clip.id)
        .join(Score, Score.analysis_id == Analysis.id)
        .where(
            Clip.agent_id == agent_id,
            Score.calibration_id == calibration_id,
            Clip.role.in_(sorted(roles)),
            *days_between(Clip.happened_at, from_date, to_date, time_zone),
        )
        .order_by(Clip.happened_at.desc(), Clip.id.desc())
        .limit(MOST_CLIPS)
    )
    zone = ZoneInfo(time_zone)
    with store.reading() as session:
        rows = session.execute(statement).all()[::-1]
    return ClipScores(
        days=np.array([row[0].astimezone(zone).toordinal() for row in rows], np.int64),
        sessions=np.array([row[1] for row in rows], np.int64),
        scores=np.array([row[2:] for row in rows], np.float64).reshape(len(rows), len(EMOTIONS)),
    )
