"""The clips that fit a filter, page by page, the latest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, and_, exists, literal, select
from sqlalchemy.orm import Session

from emostore.store import dump
from emostore.store.history_query import HistoryFilter, HistoryQuery, prepare
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
from emostore.store.views import ClipCursor, HistoryOptions, HistoryPage, HistoryRow

__all__ = ["COUNTED", "HistoryFilter", "options", "read_cursor", "search", "stream", "write_cursor"]

COUNTED = 10_000  # clips beyond this many are not counted, only said to be more
OFFERED = 500  # names of each kind that filters offer


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
        query = prepare(session, wanted)
        found = session.execute(_page(query, limit, before, after)).all()
        if not found and (before or after):
            found = session.execute(_page(query, limit, None, None)).all()
        rows = tuple(HistoryRow(**named_columns(row)) for row in found)
        count = session.scalar(query.count(COUNTED + 1)) or 0
        newer, older = _neighbours(session, query, rows)
    return HistoryPage(
        rows,
        next=ClipCursor(rows[-1].happened_at, rows[-1].clip_id) if older else None,
        previous=ClipCursor(rows[0].happened_at, rows[0].clip_id) if newer else None,
        count=min(count, COUNTED),
        more=count > COUNTED,
    )


def stream(store: Store, wanted: HistoryFilter | None = None, at_once: int = 2_000) -> Iterator[HistoryRow]:
    """Every clip that fits, the latest first, as one moment has them, read `at_once` at a time."""
    with dump.snapshot(store) as connection, Session(connection) as session:
        query = prepare(session, wanted or HistoryFilter())
        cursor: ClipCursor | None = None
        while found := session.execute(_page(query, at_once, cursor, None)).all():
            rows = [HistoryRow(**named_columns(row)) for row in found]
            yield from rows
            cursor = ClipCursor(rows[-1].happened_at, rows[-1].clip_id)


def options(store: Store) -> HistoryOptions:
    """What filters can offer: names in their order, the newest named sessions, the models."""
    agents = select(Agent.name).order_by(Agent.name).limit(OFFERED)
    teams = select(Team.name).order_by(Team.name).limit(OFFERED)
    named = RecordingSession.key.like(literal("name:%", literal_execute=True))
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
    query: HistoryQuery, limit: int, before: ClipCursor | None, after: ClipCursor | None
) -> Select[*tuple[Any, ...]]:
    """The page's clips first, so that the joins see its rows only."""
    if after is not None and before is None:
        page = query.rows(limit, where=(">", after)).subquery("page")
    else:
        page = query.rows(limit, where=("<", before) if before else None).subquery("page")
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
            Recording.demo,
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
        .outerjoin(Analysis, Analysis.id == query.shown(page.c.clip_id))
        .outerjoin(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
        .outerjoin(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .outerjoin(Score, calibrated)
        .order_by(Clip.happened_at.desc(), Clip.id.desc())
    )


def _neighbours(session: Session, query: HistoryQuery, rows: Sequence[HistoryRow]) -> tuple[bool, bool]:
    """Whether there are clips after the first and before the last row of a page."""
    if not rows:
        return False, False
    first, last = (ClipCursor(row.happened_at, row.clip_id) for row in (rows[0], rows[-1]))
    newer = exists(query.rows(1, where=(">", first)))
    older = exists(query.rows(1, where=("<", last)))
    found = session.execute(select(newer, older)).one()
    return bool(found[0]), bool(found[1])
