"""Sums by session of a score that is linear in the nine, for lines that the roll-ups' parts do not determine.

They are made of the clips themselves, so they cost time in proportion to the clips of these days.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, literal, select

from emostore.emotions import EMOTIONS
from emostore.store.reports.days import days_between
from emostore.store.session import Store
from emostore.store.tables.models import Agent, Clip, Score, Team
from emostore.store.tables.report_models import RollupState

# Clips that the database hands over at a time: with many more, collecting garbage takes longer than reading them.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class LinearSums:
    """What `analytics.shrinkage.clustered` takes of one agent, of the values clips and score.

    `sums` has shape (2,), `products` (2, 2): sums over clusters, as in the roll-ups, of the values and of their
    products.
    """

    clusters: int
    sums: NDArray[np.float64]
    products: NDArray[np.float64]


def by_agent(
    store: Store,
    calibration_id: int,
    roles: Collection[str],
    line: tuple[float, NDArray[np.float64]],
    *,
    team: str | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
) -> Mapping[int, LinearSums]:
    """The sums of intercept + slopes @ scores, of every agent's clips in some roles; `line` has both, slopes (9,).

    Days are those of the roll-ups, so that the line of a quality score with their parts gives what they give.
    """
    intercept, slopes = line
    terms = zip(EMOTIONS, slopes.tolist(), strict=True)
    scored = sum((slope * _column(name) for name, slope in terms if slope), start=literal(intercept))
    with store.reading() as session:
        zone = session.execute(select(RollupState.time_zone)).scalar_one()
        statement = (
            select(Clip.agent_id, Clip.session_id, Clip.role, Score.happened_at, scored)
            .join(Clip, Clip.id == Score.clip_id)
            .where(
                Score.calibration_id == calibration_id,
                Clip.role.in_(sorted(roles)),
                Clip.agent_id.is_not(None),
                *days_between(Score.happened_at, from_date, to_date, zone),
            )
        )
        if team is not None:
            statement = statement.where(Clip.agent_id.in_(select(Agent.id).join(Team).where(Team.name == team)))
        keys: list[NDArray[np.int64]] = []
        values: list[NDArray[np.float64]] = []
        number_of = {role: number for number, role in enumerate(sorted(roles))}
        local = ZoneInfo(zone)
        for rows in session.execute(statement.execution_options(yield_per=_AT_ONCE)).partitions():
            agents, sessions, voices, times, qualities = zip(*rows, strict=True)
            days = [time.astimezone(local).toordinal() for time in times]
            keys.append(np.array([agents, sessions, days, [number_of[voice] for voice in voices]], np.int64).T)
            values.append(np.array(qualities, np.float64))
    return _added(np.concatenate(keys), np.concatenate(values)) if keys else {}


def _column(emotion: str) -> ColumnElement[float]:
    return cast("ColumnElement[float]", getattr(Score, emotion))


def _added(keys: NDArray[np.int64], values: NDArray[np.float64]) -> dict[int, LinearSums]:
    """Sums by the first column of the keys (n, 4), over the clusters that whole rows of them name."""
    clusters, place = np.unique(keys, axis=0, return_inverse=True)
    pairs = np.stack([np.bincount(place).astype(np.float64), np.bincount(place, values)], 1)  # (clusters, 2)
    agents, starts = np.unique(clusters[:, 0], return_index=True)
    counts = np.diff([*starts, len(clusters)])
    sums = np.add.reduceat(pairs, starts, axis=0)
    products = np.add.reduceat(pairs[:, :, None] * pairs[:, None, :], starts, axis=0)
    return {
        agent: LinearSums(count, total, product)
        for agent, count, total, product in zip(agents.tolist(), counts.tolist(), sums, products, strict=True)
    }
