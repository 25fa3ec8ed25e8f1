"""The clips that fit a filter, page by page, the latest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, and_, literal, select
from sqlalchemy.orm import Session

from emostore.store import dump
from emostore.store.reports.history_filter import EmotionGroup, HistoryFilter
from emostore.store.reports.history_query import HistoryQuery, prepare
from emostore.store.reports.reports import SCORES, named_columns
from emostore.store.reports.views import ClipCursor, HistoryOptions, HistoryPage, HistoryRow
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

__all__ = ["COUNTED", "EmotionGroup", "HistoryFilter", "options", "read_cursor", "search", "stream", "write_cursor"]

COUNTED = 10_000  # clips beyond this many are not counted, only said to be more
OFFERED = 2_000  # names of each kind that filters offer: more than this, and a list of them takes long to send


def search(
    store: Store,
    wanted: HistoryFilter | None = None,
    limit: int = 50,
    *,
    before: ClipCursor | None = None,
    after: ClipCursor | None = None,
) -> HistoryPage:
    """A page of at most `limit` clips: the latest ones, those `before` a cursor, or else those just `after` one.

    Where nothing is left on the side that is asked for, the first page is answered. The number of
    statements does not depend on how many clips there are.
    """
    wanted = wanted or HistoryFilter()
    if before is not None:
        after = None
    with store.reading() as session:
        query = prepare(session, wanted)
        found = session.execute(_page(query, limit + 1, before, after)).all()
        if not found and (before or after):
            before = after = None
            found = session.execute(_page(query, limit + 1)).all()
        more = len(found) > limit
        shown = found[1:] if more and after else found[:limit]
        beyond = bool(found) and found[0].beyond not in (None, False)
        if found and found[0].total is not None:
            count = found[0].total
        elif more or before or after:
            count = session.scalar(query.count(COUNTED + 1)) or 0
        else:
            count = len(found)
    rows = tuple(HistoryRow(**_of_row(row)) for row in shown)
    newer, older = (more, beyond) if after else (beyond, more)
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
        while found := session.execute(_page(query, at_once, cursor)).all():
            rows = [HistoryRow(**_of_row(row)) for row in found]
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
    query: HistoryQuery, limit: int, before: ClipCursor | None = None, after: ClipCursor | None = None
) -> Select[*tuple[Any, ...]]:
    """The page's clips first, so that the joins see its rows only."""
    page = query.page(limit, before=before, after=after).subquery("page")
    calibrated = and_(Score.analysis_id == Analysis.id, Score.calibration_id == ActiveCalibration.calibration_id)
    return (
        select(
            Clip.id.label("clip_id"),
            *(Recording.sha256, Recording.file_name, Clip.channel, Recording.channel_count, Clip.role, Clip.session_id),
            Agent.name.label("agent"),
            RecordingSession.key.label("session_key"),
            Team.name.label("team"),
            RecordingSession.name.label("session_name"),
            *(Clip.happened_at, Recording.happened_at_source, Clip.duration_s),
            *(Clip.recording_id, Recording.scenario, Recording.domain, Recording.language, Recording.media_kind),
            Recording.demo,
            Analysis.id.label("analysis_id"),
            ModelRevision.name.label("model"),
            *(ModelRevision.revision, Analysis.status, Analysis.no_speech_reason),
            *SCORES,
            *(page.c.beyond, page.c.total),
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


def _of_row(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    return {name: value for name, value in named_columns(row).items() if name not in ("beyond", "total")}
