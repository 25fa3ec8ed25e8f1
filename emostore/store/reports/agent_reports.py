"""One agent over time beside the team, and all agents side by side."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.store.reports.report_views import (
    AgentHeader,
    Leaderboard,
    LeaderboardRow,
    Moments,
    SeriesPoint,
    Totals,
    TrendPoint,
    Trends,
)
from emostore.store.rollups import rollup_reading
from emostore.store.rollups.rollup_reading import MOMENT_COLUMNS, RANKED_ROLES, Model
from emostore.store.session import Store
from emostore.store.tables.models import ROLES, Agent, Team
from emostore.store.tables.report_models import EVERYBODY, NOBODY, SCORE_UNIT, SPANS, WEIGHT_UNIT, rollups

_TREND_POINTS = 26  # most points of a sparkline; more days make each stand for more
_EXTRA = ("alerts", "speech_ms")


def agent_header(
    store: Store,
    agent: str,
    *,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    roles: Collection[str] = RANKED_ROLES,
    by_week: bool = False,
) -> AgentHeader | None:
    """An agent's totals and series in some roles; None if there is no agent of that name.

    Days are those of the roll-ups (`rollup_build.status`); without a model, that of the newest analysis counts.
    """
    with store.reading() as session:
        about = select(Agent.id, Agent.name, Agent.team_id, Team.name.label("team"), Agent.demo).outerjoin(Team)
        found = session.execute(about.where(Agent.name == agent)).one_or_none()
        if found is None:
            return None
        used = rollup_reading.model_in_use(session, model)
        days = rollup_reading.days_of(session, used.calibration_id, from_date, to_date) if used else None
        mine: tuple[SeriesPoint, ...] = ()
        others: tuple[SeriesPoint, ...] = ()
        by_role: dict[str, int] = {}
        if used is not None and days is not None:
            step = 7 if by_week else 1
            him = rollups.c.agent_id == found.id
            mine = rollup_reading.series(session, used.calibration_id, days, roles, him, step)
            by_role = _clips_by_role(session, used.calibration_id, days, him)
            others = rollup_reading.series(
                session, used.calibration_id, days, roles, _team_or_everybody(session, found.team_id), step
            )
    return AgentHeader(
        agent_id=found.id,
        agent=found.name,
        team=found.team,
        demo=found.demo,
        model=used,
        totals=added(mine),
        clips_by_role=by_role,
        series=mine,
        others=added(others),
        others_series=others,
    )


def series(
    store: Store,
    *,
    team: str | None = None,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    roles: Collection[str] = ROLES,
    by_week: bool = False,
) -> tuple[SeriesPoint, ...]:
    """Totals by day or week of a team, or of everybody."""
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        days = rollup_reading.days_of(session, used.calibration_id, from_date, to_date) if used else None
        if used is None or days is None:
            return ()
        who = rollups.c.agent_id == EVERYBODY
        if team is not None:
            who = rollups.c.agent_id.in_(_agents_of(session, Team.name == team))
        return rollup_reading.series(session, used.calibration_id, days, roles, who, 7 if by_week else 1)


def leaderboard(
    store: Store,
    *,
    model: Model | None = None,
    team: str | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    roles: Collection[str] = RANKED_ROLES,
) -> Leaderboard:
    """What ranking needs of every agent: by default of the customers' voices, mixed ones counted apart."""
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        days = rollup_reading.days_of(session, used.calibration_id, from_date, to_date) if used else None
        if used is None or days is None:
            return Leaderboard(used, (), 0)
        who: ColumnElement[bool] = rollups.c.agent_id > NOBODY
        about = select(Agent.id, Agent.name, Team.name, Agent.demo).outerjoin(Team)
        if team is not None:
            who = rollups.c.agent_id.in_(_agents_of(session, Team.name == team))
            about = about.where(Team.name == team)
        sums = _by_agent(session, used.calibration_id, days, {*roles, "unknown"}, who)
        known = {identifier: (name, of_team, demo) for identifier, name, of_team, demo in session.execute(about)}
    rows = []
    for agent_id in sorted(known.keys() & sums.keys()):
        mine = sums[agent_id]
        total = sum((mine[role] for role in mine if role in roles), start=np.zeros(_WIDTH, np.int64))
        *moments, alerts, speech = total.tolist()
        name, of_team, demo = known[agent_id]
        rows.append(
            LeaderboardRow(
                agent_id=agent_id,
                agent=name,
                team=of_team,
                demo=demo,
                clips=moments[1],
                mixed=_clips(mine, "mixed") if "mixed" in roles else 0,
                unknown=_clips(mine, "unknown"),
                alerts=alerts,
                speech_s=speech / WEIGHT_UNIT,
                moments=rollup_reading.moments_of(moments),
            )
        )
    return Leaderboard(used, tuple(rows), sum(row.unknown for row in rows))


def trends(
    store: Store,
    agent_ids: Collection[int],
    *,
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    roles: Collection[str] = RANKED_ROLES,
) -> Trends:
    """How some agents went, for their sparklines: whole spans, so that a short one at an edge tells no tale."""
    with store.reading() as session:
        used = rollup_reading.model_in_use(session, model)
        days = rollup_reading.days_of(session, used.calibration_id, from_date, to_date) if used else None
        if used is None or days is None or not agent_ids:
            return Trends()
        who = rollups.c.agent_id.in_(sorted(agent_ids))
        return _trends(session, used.calibration_id, days, roles, who)


def added(points: tuple[SeriesPoint, ...]) -> Totals:
    """The totals of all points together."""
    every = [point.totals for point in points]

    def nine(name: str) -> tuple[Any, ...]:
        return tuple(sum(values) for values in zip(*(getattr(each, name) for each in every), strict=True))

    if not every:
        return Totals()
    moments = {name: sum(getattr(each.moments, name) for each in every) for name in Moments.__slots__}
    return Totals(
        clips=sum(each.clips for each in every),
        alerts=sum(each.alerts for each in every),
        speech_s=sum(each.speech_s for each in every),
        sums=nine("sums"),
        weighted=nine("weighted"),
        dominant=nine("dominant"),
        moments=Moments(**moments),
    )


_WIDTH = len(MOMENT_COLUMNS) + len(_EXTRA)


def _by_agent(
    session: Session, calibration_id: int, days: tuple[date, date], roles: Collection[str], who: ColumnElement[bool]
) -> dict[int, dict[str, Any]]:
    """Sums by agent and role, in the order of `MOMENT_COLUMNS` and `_EXTRA`."""
    columns = [*MOMENT_COLUMNS, *(rollups.c[name] for name in _EXTRA)]
    found = rollup_reading.rows_of(calibration_id, rollup_reading.pieces(*days), columns, roles, who)
    answer: dict[int, dict[str, Any]] = {}
    if found is not None:
        names = [column.name for column in columns]
        statement = select(found.c.agent_id, found.c.role, *rollup_reading.summed(found, names))
        for agent_id, role, *values in session.execute(statement.group_by(found.c.agent_id, found.c.role)).all():
            answer.setdefault(agent_id, {})[role] = np.array(values, np.int64)
    return answer


def _trends(
    session: Session, calibration_id: int, days: tuple[date, date], roles: Collection[str], who: ColumnElement[bool]
) -> Trends:
    length = (days[1] - days[0]).days + 1
    span = next((span for span in SPANS if length <= span * _TREND_POINTS), SPANS[-1])
    covered = [piece for piece in rollup_reading.pieces(*days) if piece.span == span]
    if span != SPANS[-1]:
        covered = rollup_reading.pieces(*days, spans=[each for each in SPANS[::-1] if each <= span])
        covered = [piece for piece in covered if piece.span == span]
    names = ["clips", *(f"sum_{name}" for name in EMOTIONS)]
    found = rollup_reading.rows_of(calibration_id, covered, [rollups.c[name] for name in names], roles, who)
    points: dict[int, list[TrendPoint]] = {}
    if found is not None:
        statement = select(found.c.agent_id, found.c.first_day, *rollup_reading.summed(found, names))
        statement = statement.group_by(found.c.agent_id, found.c.first_day)
        rows = session.execute(statement.order_by(found.c.first_day)).all()
        for agent_id, first_day, clips, *sums in rows:
            point = TrendPoint(first_day, clips, tuple(each / SCORE_UNIT for each in sums))
            points.setdefault(agent_id, []).append(point)
    return Trends(span, {agent_id: tuple(each) for agent_id, each in points.items()})


def _clips_by_role(
    session: Session, calibration_id: int, days: tuple[date, date], who: ColumnElement[bool]
) -> dict[str, int]:
    found = rollup_reading.rows_of(calibration_id, rollup_reading.pieces(*days), [rollups.c.clips], ROLES, who)
    if found is None:
        return {}
    statement = select(found.c.role, *rollup_reading.summed(found, ["clips"])).group_by(found.c.role)
    return {row.role: row[1] for row in session.execute(statement)}


def _team_or_everybody(session: Session, team_id: int | None) -> ColumnElement[bool]:
    if team_id is None:
        return rollups.c.agent_id == EVERYBODY
    return rollups.c.agent_id.in_(_agents_of(session, Team.id == team_id))


def _agents_of(session: Session, team: ColumnElement[bool]) -> list[int]:
    return sorted(session.scalars(select(Agent.id).join(Team).where(team)))


def _clips(by_role: dict[str, Any], role: str) -> int:
    return int(by_role[role][1]) if role in by_role else 0
