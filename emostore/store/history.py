"""The clips that fit a filter, page by page, the latest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, select, tuple_
from sqlalchemy.orm import Session

from emostore.store.models import (
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
from emostore.store.reports import SCORES, named_columns
from emostore.store.session import Store
from emostore.store.types import UtcDateTime
from emostore.store.views import ClipCursor, HistoryOptions, HistoryPage, HistoryRow

COUNTED = 10_000  # clips beyond this many are not counted, only said to be more
OFFERED = 500  # names of each kind that filters offer


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which clips: each field that is not None narrows them.

    Days are whole ones in `time_zone`, the first and the last included. `model` is a name and a revision;
    with it, scores are that model's and `emotion` and `status` ask about them, otherwise about the newest
    analysis of each clip. `agent` and `team` are names.
    """

    agent: str | None = None
    team: str | None = None
    session_id: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    emotion: str | None = None
    role: str | None = None
    model: tuple[str, str] | None = None
    status: str | None = None
    scenario: str | None = None
    domain: str | None = None
    language: str | None = None
    time_zone: str = "UTC"


def search(
    store: Store,
    wanted: HistoryFilter | None = None,
    limit: int = 50,
    *,
    before: ClipCursor | None = None,
    after: ClipCursor | None = None,
) -> HistoryPage:
    """A page of at most `limit` clips: the latest ones, those `before` a cursor, or those just `after` one.

    Where nothing is left on the side that is asked for, the first page is answered. The number of
    statements does not depend on how many clips there are.
    """
    wanted = wanted or HistoryFilter()
    with store.reading() as session:
        found = session.execute(_page(wanted, limit, before, after)).all()
        if not found and (before or after):
            found = session.execute(_page(wanted, limit, None, None)).all()
        rows = tuple(HistoryRow(**named_columns(row)) for row in found)
        count = _count(session, wanted)
        newer, older = _neighbours(session, wanted, rows)
    return HistoryPage(
        rows,
        next=ClipCursor(rows[-1].happened_at, rows[-1].clip_id) if older else None,
        previous=ClipCursor(rows[0].happened_at, rows[0].clip_id) if newer else None,
        count=min(count, COUNTED),
        more=count > COUNTED,
    )


def options(store: Store) -> HistoryOptions:
    """What filters can offer: names in their order, the newest named sessions, the models."""
    agents = select(Agent.name).order_by(Agent.name).limit(OFFERED)
    teams = select(Team.name).order_by(Team.name).limit(OFFERED)
    named = RecordingSession.key.startswith("name:", autoescape=True)
    sessions = select(RecordingSession.id, RecordingSession.name).where(named)
    models = select(ModelRevision.name, ModelRevision.revision).order_by(ModelRevision.id.desc()).limit(OFFERED)
    with store.reading() as session:
        return HistoryOptions(
            agents=tuple(session.scalars(agents)),
            teams=tuple(session.scalars(teams)),
            sessions=tuple(
                (identifier, name)
                for identifier, name in session.execute(sessions.order_by(RecordingSession.id.desc()).limit(OFFERED))
            ),
            models=tuple((name, revision) for name, revision in session.execute(models)),
        )


def write_cursor(cursor: ClipCursor) -> str:
    """A cursor as a short text for an address."""
    return f"{cursor.happened_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{cursor.clip_id}"


def read_cursor(text: str | None) -> ClipCursor | None:
    """The cursor that `write_cursor` wrote; None for anything else."""
    moment, _, identifier = (text or "").partition("-")
    try:
        happened_at = datetime.strptime(moment, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    known = identifier.isascii() and identifier.isdigit() and len(identifier) < 19
    return ClipCursor(happened_at, int(identifier)) if known else None


def _page(
    wanted: HistoryFilter, limit: int, before: ClipCursor | None, after: ClipCursor | None
) -> Select[*tuple[Any, ...]]:
    """The page's clips first, so that the joins see its rows only."""
    chosen = _clips(wanted, Clip.id.label("clip_id"), _shown(wanted).label("analysis_id"))
    if after is not None and before is None:
        chosen = chosen.where(_position() > _end(after)).order_by(Clip.happened_at, Clip.id)
    else:
        chosen = chosen.order_by(Clip.happened_at.desc(), Clip.id.desc())
        chosen = chosen.where(_position() < _end(before)) if before is not None else chosen
    page = chosen.limit(limit).subquery("page")
    calibrated = and_(Score.analysis_id == Analysis.id, Score.calibration_id == ActiveCalibration.calibration_id)
    return (
        select(
            Clip.id.label("clip_id"),
            *(Recording.file_name, Clip.channel, Recording.channel_count, Clip.role, Clip.session_id),
            Agent.name.label("agent"),
            Team.name.label("team"),
            RecordingSession.name.label("session_name"),
            *(Clip.happened_at, Recording.happened_at_source, Clip.duration_s),
            *(Clip.recording_id, Recording.scenario, Recording.domain, Recording.language, Recording.media_kind),
            Analysis.id.label("analysis_id"),
            ModelRevision.name.label("model"),
            *(ModelRevision.revision, Analysis.status, Analysis.no_speech_reason),
            *SCORES,
        )
        .select_from(page)
        .join(Clip, Clip.id == page.c.clip_id)
        .join(Recording, Clip.recording_id == Recording.id)
        .join(RecordingSession, Clip.session_id == RecordingSession.id)
        .outerjoin(Agent, Clip.agent_id == Agent.id)
        .outerjoin(Team, Agent.team_id == Team.id)
        .outerjoin(Analysis, Analysis.id == page.c.analysis_id)
        .outerjoin(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
        .outerjoin(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .outerjoin(Score, calibrated)
        .order_by(Clip.happened_at.desc(), Clip.id.desc())
    )


def _count(session: Session, wanted: HistoryFilter) -> int:
    some = _clips(wanted, literal(1)).limit(COUNTED + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _neighbours(session: Session, wanted: HistoryFilter, rows: Sequence[HistoryRow]) -> tuple[bool, bool]:
    """Whether there are clips after the first and before the last row of a page."""
    if not rows:
        return False, False
    first, last = (ClipCursor(row.happened_at, row.clip_id) for row in (rows[0], rows[-1]))
    newer = exists(_clips(wanted, literal(1)).where(_position() > _end(first)))
    older = exists(_clips(wanted, literal(1)).where(_position() < _end(last)))
    found = session.execute(select(newer, older)).one()
    return bool(found[0]), bool(found[1])


def _clips(wanted: HistoryFilter, *columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The clips that fit, joined only to what the filter asks about."""
    statement = select(*columns).select_from(Clip).where(*_of_clip(wanted))
    of_recording = [
        getattr(Recording, name) == value
        for name in ("scenario", "domain", "language")
        if (value := getattr(wanted, name)) is not None
    ]
    if of_recording:
        statement = statement.join(Recording, Clip.recording_id == Recording.id).where(*of_recording)
    if wanted.emotion is None and wanted.status is None and wanted.model is None:
        return statement
    statement = statement.join(Analysis, Analysis.id == _shown(wanted))
    if wanted.status is not None:
        statement = statement.where(Analysis.status == wanted.status)
    if wanted.emotion is not None:
        pointer = ActiveCalibration.model_revision_id == Analysis.model_revision_id
        statement = statement.join(ActiveCalibration, pointer).join(
            Score, and_(Score.analysis_id == Analysis.id, Score.calibration_id == ActiveCalibration.calibration_id)
        )
        statement = statement.where(Score.dominant == wanted.emotion)
    return statement


def _of_clip(wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.agent is not None:
        conditions.append(Clip.agent_id == select(Agent.id).where(Agent.name == wanted.agent).scalar_subquery())
    if wanted.team is not None:
        conditions.append(Clip.agent_id.in_(select(Agent.id).join(Team).where(Team.name == wanted.team)))
    if wanted.session_id is not None:
        conditions.append(Clip.session_id == wanted.session_id)
    if wanted.role is not None:
        conditions.append(Clip.role == wanted.role)
    if wanted.from_date is not None:
        conditions.append(Clip.happened_at >= _midnight(wanted.from_date, wanted.time_zone))
    if wanted.to_date is not None and wanted.to_date < date.max:
        conditions.append(Clip.happened_at < _midnight(wanted.to_date + timedelta(days=1), wanted.time_zone))
    return conditions


def _shown(wanted: HistoryFilter) -> ColumnElement[int]:
    """The analysis that is shown of a clip: the asked model's, else the newest."""
    analyses = select(Analysis.id).where(Analysis.clip_id == Clip.id).correlate(Clip)
    if wanted.model is not None:
        name, revision = wanted.model
        asked = select(ModelRevision.id).where(ModelRevision.name == name, ModelRevision.revision == revision)
        return analyses.where(
            Analysis.model_revision_id == asked.scalar_subquery(), Analysis.granularity == "utterance"
        ).scalar_subquery()
    return analyses.order_by(Analysis.analysed_at.desc(), Analysis.id.desc()).limit(1).scalar_subquery()


def _midnight(day: date, time_zone: str) -> datetime:
    # The earliest and latest days have no UTC equivalent in some zones.
    try:
        return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time(), UTC)


def _position() -> ColumnElement[Any]:
    return cast("ColumnElement[Any]", tuple_(Clip.happened_at, Clip.id))


def _end(cursor: ClipCursor) -> ColumnElement[Any]:
    return cast("ColumnElement[Any]", tuple_(literal(cursor.happened_at, UtcDateTime), literal(cursor.clip_id)))
