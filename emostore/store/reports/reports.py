"""Read models: what pages and services show, as frozen values. SQL does the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, ScalarSelect, Select, and_, case, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store.reports.views import AnalysisView, ClipCursor, ClipPage, ClipRow, ClipView, Counts, StoredWindows
from emostore.store.session import Store
from emostore.store.tables.models import (
    RAW_VERSION,
    ActiveCalibration,
    Agent,
    Analysis,
    Calibration,
    Clip,
    ClipPair,
    ClipSpeech,
    ModelRevision,
    Recording,
    RecordingSession,
    Score,
    Team,
)
from emostore.store.tables.types import UtcDateTime
from emostore.store.writing.records import Note

__all__ = [
    "SCORES",
    "AnalysisView",
    "ClipCursor",
    "ClipPage",
    "ClipRow",
    "ClipView",
    "Counts",
    "StoredWindows",
    "clip_rows",
    "clip_view",
    "count_clips",
    "counts",
    "latest_clips",
    "named_columns",
    "speech_segments",
    "window_logits",
]

SCORES: tuple[InstrumentedAttribute[float], ...] = tuple(getattr(Score, name) for name in EMOTIONS)


def clip_view(store: Store, clip_id: int) -> ClipView | None:
    """Everything a page shows of a clip but its windows; None if there is no such clip."""
    with store.reading() as session:
        found = session.execute(_clip_statement().where(Clip.id == clip_id)).one_or_none()
        if found is None:
            return None
        siblings = session.execute(
            select(Clip.channel, Clip.id).where(Clip.recording_id == found.recording_id).order_by(Clip.channel)
        ).all()
        analyses = session.execute(
            _analysis_statement()
            .where(Analysis.clip_id == clip_id)
            .order_by(Analysis.analysed_at.desc(), Analysis.id.desc())
        ).all()
    columns = dict(found._mapping)
    columns["notes"] = tuple(Note(**note) for note in columns["notes"])
    return ClipView(
        **columns,
        siblings=tuple((channel, identifier) for channel, identifier in siblings),
        analyses=tuple(map(_analysis_view, analyses)),
    )


def latest_clips(store: Store, limit: int = 50, before: ClipCursor | None = None) -> ClipPage:
    """A page of at most `limit` clips by the time they happened, the latest first, from `before` on."""
    page = select(Clip).order_by(Clip.happened_at.desc(), Clip.id.desc()).limit(limit + 1)
    if before is not None:
        end = tuple_(literal(before.happened_at, UtcDateTime), literal(before.clip_id))
        page = page.where(tuple_(Clip.happened_at, Clip.id) < end)
    clip = aliased(Clip, page.subquery())  # the page first, so that the joins see its rows only
    with store.reading() as session:
        found = session.execute(_row_statement(clip)).all()
    rows = tuple(map(_clip_row, found[:limit]))
    more = len(found) > limit and bool(rows)
    return ClipPage(rows, ClipCursor(rows[-1].happened_at, rows[-1].clip_id) if more else None)


def clip_rows(store: Store, clip_ids: Sequence[int]) -> dict[int, ClipRow]:
    """The clips with these ids, by id; those that are not there (any more) are left out."""
    clip = aliased(Clip, select(Clip).where(Clip.id.in_(clip_ids)).subquery())
    with store.reading() as session:
        return {row.clip_id: _clip_row(row) for row in session.execute(_row_statement(clip))}


def count_clips(store: Store) -> int:
    """How many clips are stored."""
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(Clip)) or 0


def counts(store: Store) -> Counts:
    """How much is stored, in one statement."""
    models = {"recordings": Recording, "clips": Clip, "agents": Agent, "sessions": RecordingSession}
    numbers = [select(func.count()).select_from(model).scalar_subquery().label(name) for name, model in models.items()]
    speech = select(func.coalesce(func.sum(Clip.speech_s), 0.0)).scalar_subquery().label("speech_s")
    with store.reading() as session:
        return Counts(**session.execute(select(*numbers, speech)).one()._mapping)


def window_logits(store: Store, analysis_id: int) -> StoredWindows | None:
    """The window logits of an analysis; None if it has none or is not there."""
    columns = select(Analysis.window_logits, Analysis.window_hop_s, Analysis.window_length_s)
    with store.reading() as session:
        found = session.execute(columns.where(Analysis.id == analysis_id)).one_or_none()
    if found is None or found.window_logits is None:
        return None
    return StoredWindows(found.window_logits.astype(np.float32), found.window_hop_s, found.window_length_s)


def speech_segments(store: Store, clip_ids: Sequence[int]) -> dict[int, NDArray[np.float64]]:
    """Where somebody speaks, in seconds of each clip's own time, shape (n, 2); clips of which it is known, by id."""
    columns = select(ClipSpeech.clip_id, ClipSpeech.segments).where(ClipSpeech.clip_id.in_(clip_ids))
    with store.reading() as session:
        return {row.clip_id: row.segments for row in session.execute(columns)}


def _clip_statement() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Clip.id.label("clip_id"),
            *(Clip.channel, Clip.role, Clip.duration_s, Clip.speech_s, Clip.session_id, Clip.recording_id),
            Clip.starts_s,
            _partner().label("partner_id"),
            Agent.name.label("agent"),
            Team.name.label("team"),
            RecordingSession.name.label("session_name"),
            Recording.duration_s.label("recording_duration_s"),
            *(Recording.sha256, Recording.file_name, Recording.byte_count, Recording.sample_rate),
            *(Recording.channel_count, Recording.container, Recording.codec, Recording.uploaded_at),
            *(Recording.happened_at, Recording.happened_at_source, Recording.media_path, Recording.notes),
            *(Recording.media_kind, Recording.scenario, Recording.domain, Recording.language, Recording.demo),
        )
        .join(Recording, Clip.recording_id == Recording.id)
        .join(RecordingSession, Clip.session_id == RecordingSession.id)
        .outerjoin(Agent, Clip.agent_id == Agent.id)
        .outerjoin(Team, Agent.team_id == Team.id)
    )


def _partner() -> ScalarSelect[Any]:
    """The clip that a clip is paired with."""
    other = case((ClipPair.first_clip_id == Clip.id, ClipPair.second_clip_id), else_=ClipPair.first_clip_id)
    is_side = (ClipPair.first_clip_id == Clip.id) | (ClipPair.second_clip_id == Clip.id)
    return select(other).where(is_side).limit(1).correlate(Clip).scalar_subquery()


def _analysis_statement() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Analysis.id.label("analysis_id"),
            ModelRevision.name.label("model"),
            *(ModelRevision.revision, ModelRevision.licence, ModelRevision.classes),
            *(Analysis.status, Analysis.no_speech_reason),
            Calibration.name.label("calibration"),
            Calibration.version.label("calibration_version"),
            case((Calibration.version != RAW_VERSION, Calibration.id)).label("read_under"),
            func.coalesce(Analysis.window_count, 0).label("window_count"),
            *(Analysis.window_hop_s, Analysis.window_length_s, Analysis.analysed_at, Analysis.compute_s),
            *SCORES,
        )
        .join(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .join(Calibration, Calibration.id == ActiveCalibration.calibration_id)
        .outerjoin(Score, and_(Score.analysis_id == Analysis.id, Score.calibration_id == Calibration.id))
    )


def _row_statement(clip: type[Clip]) -> Select[*tuple[Any, ...]]:
    newest = (
        select(Analysis.id)
        .where(Analysis.clip_id == clip.id)
        .order_by(Analysis.analysed_at.desc(), Analysis.id.desc())
        .limit(1)
        .correlate(clip)
        .scalar_subquery()
    )
    return (
        select(
            clip.id.label("clip_id"),
            *(Recording.sha256, Recording.file_name, clip.channel, Recording.channel_count, clip.role, clip.session_id),
            Agent.name.label("agent"),
            RecordingSession.key.label("session_key"),
            RecordingSession.name.label("session_name"),
            *(clip.happened_at, Recording.happened_at_source, clip.duration_s, Recording.demo),
            Analysis.id.label("analysis_id"),
            ModelRevision.name.label("model"),
            *(ModelRevision.revision, Analysis.status, Analysis.no_speech_reason),
            *SCORES,
        )
        .select_from(clip)
        .join(Recording, clip.recording_id == Recording.id)
        .join(RecordingSession, clip.session_id == RecordingSession.id)
        .outerjoin(Agent, clip.agent_id == Agent.id)
        .outerjoin(Analysis, Analysis.id == newest)
        .outerjoin(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
        .outerjoin(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .outerjoin(
            Score, and_(Score.analysis_id == Analysis.id, Score.calibration_id == ActiveCalibration.calibration_id)
        )
        .order_by(clip.happened_at.desc(), clip.id.desc())
    )


def _clip_row(row: Row[*tuple[Any, ...]]) -> ClipRow:
    return ClipRow(**named_columns(row))


def _analysis_view(row: Row[*tuple[Any, ...]]) -> AnalysisView:
    columns = named_columns(row)
    return AnalysisView(**{**columns, "classes": tuple(columns["classes"])})


def named_columns(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """The columns by name, the nine scores as one distribution (None where there is no row of scores)."""
    columns = dict(row._mapping)
    vector = tuple(columns.pop(name) for name in EMOTIONS)
    return {**columns, "scores": None if vector[0] is None else EmotionScores(vector)}
