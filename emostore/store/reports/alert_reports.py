"""The queue of alerts, what became of each, and how often each rule was right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, select, tuple_
from sqlalchemy.orm import Session

from emostore.store.reports.days import days_between
from emostore.store.reports.report_views import AlertCursor, AlertEventView, AlertPage, AlertView, RuleFeedback
from emostore.store.session import Store
from emostore.store.tables.models import (
    ActiveCalibration,
    Agent,
    Analysis,
    Clip,
    ModelRevision,
    Recording,
    RecordingSession,
    Score,
    Team,
)
from emostore.store.tables.report_models import Alert, AlertEvent, AlertRule
from emostore.store.tables.types import UtcDateTime

COUNTED = 10_000  # alerts beyond this many are not counted, only said to be more


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts: each field that is not None narrows them.

    `rule`, `agent`, `team` and `assignee` are names. Days are those of the clips, whole ones in `time_zone`.
    """

    state: str | None = None
    severity: str | None = None
    rule: str | None = None
    agent: str | None = None
    team: str | None = None
    assignee: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    time_zone: str = "UTC"


def queue(
    store: Store,
    wanted: AlertFilter | None = None,
    limit: int = 50,
    *,
    before: AlertCursor | None = None,
    after: AlertCursor | None = None,
) -> AlertPage:
    """A page of at most `limit` alerts, the latest clips' first: `before` a cursor, or just `after` one."""
    wanted = wanted or AlertFilter()
    with store.reading() as session:
        rows = _rows(session, _page(wanted, limit, before, after))
        if not rows and (before or after):
            rows = _rows(session, _page(wanted, limit, None, None))
        counted = select(Alert.id).where(*_conditions(wanted)).limit(COUNTED + 1).subquery()
        count = session.scalar(select(func.count()).select_from(counted)) or 0
        newer = older = False
        if rows:
            after_first, before_last = (
                _page(wanted, 1, None, _cursor(rows[0])),
                _page(wanted, 1, _cursor(rows[-1]), None),
            )
            ends = select(after_first.scalar_subquery(), before_last.scalar_subquery())
            newer, older = (end is not None for end in session.execute(ends).one())
    return AlertPage(
        rows,
        next=_cursor(rows[-1]) if older else None,
        previous=_cursor(rows[0]) if newer else None,
        count=min(count, COUNTED),
        more=count > COUNTED,
    )


def get(store: Store, alert_id: int) -> AlertView | None:
    """One alert; None if it is not there any more."""
    with store.reading() as session:
        return next(iter(_rows(session, select(Alert.id).where(Alert.id == alert_id))), None)


def of_clip(store: Store, clip_id: int) -> tuple[AlertView, ...]:
    """The alerts of a clip, the latest rule's first."""
    with store.reading() as session:
        return _rows(session, select(Alert.id).where(Alert.clip_id == clip_id))


def events(store: Store, alert_id: int) -> tuple[AlertEventView, ...]:
    """What was done with an alert, in order."""
    statement = select(AlertEvent).where(AlertEvent.alert_id == alert_id).order_by(AlertEvent.id)
    with store.reading() as session:
        return tuple(
            AlertEventView(each.happened_at, each.user, each.state, each.assignee, each.comment)
            for each in session.scalars(statement)
        )


def counts(store: Store) -> dict[tuple[str, str], int]:
    """How many alerts there are by state and severity."""
    statement = select(Alert.state, Alert.severity, func.count()).group_by(Alert.state, Alert.severity)
    with store.reading() as session:
        return {(state, severity): count for state, severity, count in session.execute(statement)}


def assignees(store: Store) -> tuple[str, ...]:
    """Who looks after an alert that is open or acknowledged, by name."""
    pending = Alert.state.in_(("open", "acknowledged"))
    statement = select(Alert.assignee).where(pending, Alert.assignee.is_not(None)).distinct().order_by(Alert.assignee)
    with store.reading() as session:
        return tuple(name for name in session.scalars(statement) if name is not None)


def feedback(store: Store) -> tuple[RuleFeedback, ...]:
    """What became of every rule's alerts, by name."""
    counted = select(Alert.rule_id, Alert.state, func.count().label("count")).group_by(Alert.rule_id, Alert.state)
    found = counted.subquery()
    statement = select(AlertRule.name, found.c.state, func.sum(found.c.count)).select_from(AlertRule)
    statement = statement.outerjoin(found, found.c.rule_id == AlertRule.id).group_by(AlertRule.name, found.c.state)
    by_rule: dict[str, dict[str, int]] = {}
    with store.reading() as session:
        for name, state, count in session.execute(statement.order_by(AlertRule.name)):
            states = by_rule.setdefault(name, {})
            if state is not None:
                states[state] = int(count)
    return tuple(RuleFeedback(name, states) for name, states in by_rule.items())


def write_cursor(cursor: AlertCursor) -> str:
    """A cursor as a short text for an address."""
    return f"{cursor.happened_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{cursor.alert_id}"


def read_cursor(text: str | None) -> AlertCursor | None:
    """The cursor that `write_cursor` wrote; None for anything else."""
    moment, _, identifier = (text or "").partition("-")
    try:
        happened_at = datetime.strptime(moment, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    known = identifier.isascii() and identifier.isdigit() and len(identifier) < 19
    return AlertCursor(happened_at, int(identifier)) if known else None


def _page(
    wanted: AlertFilter, limit: int, before: AlertCursor | None, after: AlertCursor | None
) -> Select[*tuple[Any, ...]]:
    statement = select(Alert.id).where(*_conditions(wanted)).limit(limit)
    if after is not None and before is None:
        return statement.where(_position() > _end(after)).order_by(Alert.happened_at, Alert.id)
    if before is not None:
        statement = statement.where(_position() < _end(before))
    return statement.order_by(Alert.happened_at.desc(), Alert.id.desc())


def _conditions(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    conditions = days_between(Alert.happened_at, wanted.from_date, wanted.to_date, wanted.time_zone)
    for column, value in ((Alert.state, wanted.state), (Alert.severity, wanted.severity)):
        if value is not None:
            conditions.append(column == value)
    if wanted.assignee is not None:
        conditions.append(Alert.assignee == wanted.assignee)
    if wanted.rule is not None:
        conditions.append(Alert.rule_id.in_(select(AlertRule.id).where(AlertRule.name == wanted.rule)))
    whose: list[ColumnElement[bool]] = []
    if wanted.agent is not None:
        whose.append(Clip.agent_id == select(Agent.id).where(Agent.name == wanted.agent).scalar_subquery())
    if wanted.team is not None:
        whose.append(Clip.agent_id.in_(select(Agent.id).join(Team).where(Team.name == wanted.team)))
    if whose:
        conditions.append(exists().where(Clip.id == Alert.clip_id, *whose))
    return conditions


def _rows(session: Session, page: Select[*tuple[Any, ...]]) -> tuple[AlertView, ...]:
    """The alerts of a page, whose ids are found first, so that the joins see its rows only."""
    chosen = page.subquery()
    comments = (
        select(func.count())
        .where(AlertEvent.alert_id == Alert.id, AlertEvent.comment.is_not(None))
        .correlate(Alert)
        .scalar_subquery()
    )
    statement = (
        select(
            Alert.id.label("alert_id"),
            *(Alert.state, Alert.severity, Alert.assignee, Alert.value, Alert.threshold, Alert.start_s, Alert.end_s),
            *(Alert.created_at, Alert.changed_at, Alert.rule_id, Alert.analysis_id, Alert.clip_id, Alert.happened_at),
            AlertRule.name.label("rule"),
            AlertRule.version.label("rule_version"),
            AlertRule.data.label("rule_data"),
            *(Recording.file_name, Clip.channel, Recording.channel_count, Clip.role),
            Agent.name.label("agent"),
            Team.name.label("team"),
            Clip.session_id,
            RecordingSession.name.label("session_name"),
            Recording.media_kind,
            ModelRevision.name.label("model"),
            *(ModelRevision.revision, Recording.demo),
            comments.label("comments"),
            Score.confidence,
        )
        .select_from(chosen)
        .join(Alert, Alert.id == chosen.c.id)
        .join(AlertRule, Alert.rule_id == AlertRule.id)
        .join(Analysis, Alert.analysis_id == Analysis.id)
        .join(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
        .outerjoin(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .outerjoin(
            Score, and_(Score.analysis_id == Analysis.id, Score.calibration_id == ActiveCalibration.calibration_id)
        )
        .join(Clip, Alert.clip_id == Clip.id)
        .join(Recording, Clip.recording_id == Recording.id)
        .join(RecordingSession, Clip.session_id == RecordingSession.id)
        .outerjoin(Agent, Clip.agent_id == Agent.id)
        .outerjoin(Team, Agent.team_id == Team.id)
        .order_by(Alert.happened_at.desc(), Alert.id.desc())
    )
    return tuple(AlertView(**row._mapping) for row in session.execute(statement))


def _cursor(row: AlertView) -> AlertCursor:
    return AlertCursor(row.happened_at, row.alert_id)


def _position() -> ColumnElement[Any]:
    return cast("ColumnElement[Any]", tuple_(Alert.happened_at, Alert.id))


def _end(cursor: AlertCursor) -> ColumnElement[Any]:
    return cast("ColumnElement[Any]", tuple_(literal(cursor.happened_at, UtcDateTime), literal(cursor.alert_id)))
