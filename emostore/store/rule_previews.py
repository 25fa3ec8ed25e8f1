"""What a rule would find among the clips of some time, without storing anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, case, func, select

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store import rollup_reading
from emostore.store.days import days_between
from emostore.store.models import ROLES, Analysis, Clip, Score
from emostore.store.report_views import ModelInUse
from emostore.store.rollup_reading import Model
from emostore.store.session import Store

_NEAR = 1e-9  # farther from a threshold than this, binary arithmetic cannot be on the wrong side of it
_AT_ONCE = 500  # analyses with their windows


@dataclass(frozen=True, slots=True)
class Candidate:
    """An analysis that a rule may be asked about; windows (logits, shape (windows, 9)) are None if not wanted."""

    analysis_id: int
    clip_id: int
    role: str
    speech_s: float | None
    scores: EmotionScores
    windows: NDArray[np.float32] | None
    window_hop_s: float | None
    window_length_s: float | None


def count_sums(
    store: Store,
    emotions: Collection[str],
    operator: str,
    threshold: float,
    *,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    time_zone: str = "UTC",
    roles: Collection[str] = (),
    min_speech_s: float = 0.0,
) -> tuple[int, int]:
    """How many clips of these days a rule on a sum of scores finds, and how many of them it was asked about.

    No roles means all. Sums as near to the threshold as binary arithmetic can err are not counted as over
    or under: `candidates` with `near` gives these few clips to decide on exactly.
    """
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        if used is None:
            return 0, 0
        column = _sum(emotions)
        beyond = column > threshold + _NEAR if operator in (">", ">=") else column < threshold - _NEAR
        conditions = _conditions(used, from_date, to_date, time_zone)
        statement = select(func.sum(case((beyond, 1), else_=0)), func.count()).select_from(Score)
        if (roles and set(roles) != set(ROLES)) or min_speech_s > 0:
            statement = statement.join(Clip, Clip.id == Score.clip_id)
            conditions += _of_clip(roles, min_speech_s)
        found, total = session.execute(statement.where(*conditions)).one()
    return int(found or 0), int(total)


def candidates(
    store: Store,
    *,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    time_zone: str = "UTC",
    roles: Collection[str] = (),
    min_speech_s: float = 0.0,
    near: tuple[Collection[str], float] | None = None,
    with_windows: bool = False,
) -> Iterator[Candidate]:
    """The analyses of these days, for rules that SQL cannot decide; read page by page, the latest first.

    `near` keeps only those whose sum of some emotions is as near to a threshold as binary arithmetic can err.
    """
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        if used is None:
            return
        statement = _candidates(used, with_windows).where(
            *_conditions(used, from_date, to_date, time_zone), *_of_clip(roles, min_speech_s)
        )
        if near is not None:
            column = _sum(near[0])
            statement = statement.where(column.between(near[1] - _NEAR, near[1] + _NEAR))
        if with_windows:
            statement = statement.where(Analysis.window_count.is_not(None))
        for row in session.execute(statement.execution_options(yield_per=_AT_ONCE)):
            analysis_id, clip_id, role, speech_s, hop_s, length_s, *rest = row
            windows = rest.pop() if with_windows else None
            yield Candidate(
                analysis_id,
                clip_id,
                role,
                speech_s,
                EmotionScores(tuple(rest)),
                None if windows is None else windows.astype(np.float32),
                hop_s,
                length_s,
            )


def _candidates(used: ModelInUse, with_windows: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(
            *(Analysis.id, Clip.id, Clip.role, Clip.speech_s, Analysis.window_hop_s, Analysis.window_length_s),
            *(getattr(Score, name) for name in EMOTIONS),
            *((Analysis.window_logits,) if with_windows else ()),
        )
        .select_from(Score)
        .join(Analysis, Analysis.id == Score.analysis_id)
        .join(Clip, Clip.id == Score.clip_id)
    )


def _conditions(used: ModelInUse, first: date | None, last: date | None, time_zone: str) -> list[ColumnElement[bool]]:
    # All nine, because the index leads from the dominant emotion to the time.
    bounded = [Score.dominant.in_(EMOTIONS)] if first is not None or last is not None else []
    days = days_between(Score.happened_at, first, last, time_zone)
    return [Score.calibration_id == used.calibration_id, *bounded, *days]


def _of_clip(roles: Collection[str], min_speech_s: float) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Clip.role.in_(sorted(roles))] if roles else []
    # Speech of unknown length is taken for none.
    return [*conditions, *([Clip.speech_s >= min_speech_s] if min_speech_s > 0 else [])]


def _sum(emotions: Collection[str]) -> ColumnElement[float]:
    first, *others = (getattr(Score, name) for name in emotions)
    return sum(others, start=first)  # type: ignore[no-any-return]
