"""How things stand today, for the first page."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from emostore.store.reports.report_views import Moments, Mover, Overview
from emostore.store.rollups import rollup_reading
from emostore.store.rollups.rollup_reading import MOMENT_COLUMNS, RANKED_ROLES, Model, Piece
from emostore.store.rollups.rollups import span_start
from emostore.store.session import Store
from emostore.store.tables.models import ROLES, Agent, Team
from emostore.store.tables.report_models import EVERYBODY, NOBODY, Alert, rollups

_WEEKS = 4  # that movers are compared over


def overview(
    store: Store,
    today: date,
    *,
    days: int = 29,
    model: Model | None = None,
    ranked: Collection[str] = RANKED_ROLES,
) -> Overview:
    """Everybody's totals of the last `days`, all roles, and agents in the four weeks to this one and the four before.

    Movers hold the voices of `ranked` roles. Without a model, that of the newest analysis counts.
    """
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        waiting = select(Alert.severity, func.count()).where(Alert.state == "open").group_by(Alert.severity)
        alerts = {row.severity: row[1] for row in session.execute(waiting)}
        if used is None:
            return Overview(None, (), alerts, ())
        shown = (today - timedelta(days=days - 1), today)
        everybody = rollups.c.agent_id == EVERYBODY
        points = rollup_reading.series(session, used.calibration_id, shown, ROLES, everybody, 1)
        return Overview(used, points, alerts, _movers(session, used.calibration_id, today, ranked))


def _movers(session: Session, calibration_id: int, today: date, roles: Collection[str]) -> tuple[Mover, ...]:
    week = span_start(today.toordinal(), 7)
    names = [column.name for column in MOMENT_COLUMNS]
    halves: list[dict[int, Moments]] = []
    for last in (week - 7 * _WEEKS, week):
        weeks = Piece(7, last - 7 * (_WEEKS - 1), last)
        who = rollups.c.agent_id > NOBODY
        found = rollup_reading.rows_of(calibration_id, [weeks], MOMENT_COLUMNS, roles, who)
        if found is None:
            return ()
        statement = select(found.c.agent_id, *rollup_reading.summed(found, names)).group_by(found.c.agent_id)
        halves.append(
            {agent_id: rollup_reading.moments_of(values) for agent_id, *values in session.execute(statement).all()}
        )
    before, now = halves
    about = select(Agent.id, Agent.name, Team.name, Agent.demo).outerjoin(Team).order_by(Agent.id)
    return tuple(
        Mover(agent_id, name, team, demo, before[agent_id], now[agent_id])
        for agent_id, name, team, demo in session.execute(about)
        if agent_id in before and agent_id in now
    )
