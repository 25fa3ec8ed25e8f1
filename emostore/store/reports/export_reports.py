"""What an import asks before it writes, and what an export adds to the rows of the history: raw results."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, case, null, select
from sqlalchemy.orm import Session, aliased

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
    Embedding,
    ModelRevision,
    Recording,
    RecordingSession,
    Team,
)
from emostore.store.writing.records import Note

_AT_ONCE = 500  # keys in one statement

ModelKey = tuple[str, str]  # name and revision
Channel = tuple[str, int]  # SHA-256 of the recording, and the channel


class Paired(NamedTuple):
    """The recording of a call's other side, whether the clip is the `first`, and how much later the second begins."""

    sha256: str
    first: bool
    offset_s: float  # negative: before the first


@dataclass(frozen=True, slots=True)
class RawResult:
    """What a line of an export needs beside the history's row; `session` is None where nobody named the session.

    `read_under` is the calibration that scores are shown under, by its id, None being raw; all logits are raw.
    """

    analysis_id: int
    sha256: str
    session: str | None
    uploaded_at: datetime
    recording_duration_s: float
    speech_s: float | None
    segments: NDArray[np.float64] | None
    byte_count: int
    sample_rate: int
    container: str
    codec: str
    notes: tuple[Note, ...]
    dim: int
    classes: tuple[str, ...]
    licence: str
    calibration: str
    read_under: int | None
    analysed_at: datetime
    compute_s: float | None
    logits: NDArray[np.float32] | None
    window_logits: NDArray[np.float16] | None
    window_hop_s: float | None
    window_length_s: float | None
    embedding: NDArray[np.float16] | None
    pair: Paired | None


def raw_results(store: Store, analysis_ids: Sequence[int], *, embeddings: bool = True) -> dict[int, RawResult]:
    """The raw results of analyses, by id; those that are not there (any more) are left out."""
    found: dict[int, RawResult] = {}
    with store.reading() as session:
        for some in _parts(analysis_ids):
            pairs = _pairs(session, some)
            for row in session.execute(_statement(embeddings).where(Analysis.id.in_(some))):
                columns = dict(row._mapping)
                columns["notes"] = tuple(Note(**note) for note in columns["notes"])
                columns["classes"] = tuple(columns["classes"])
                columns["pair"] = pairs.get(columns.pop("clip_id"))
                found[row.analysis_id] = RawResult(**columns)
    return found


def analysed_by(store: Store, channels: Collection[Channel]) -> dict[Channel, frozenset[ModelKey]]:
    """Of these channels those that are stored, each with the models that have analysed it."""
    found: dict[Channel, set[ModelKey]] = {}
    statement = (
        select(Recording.sha256, Clip.channel, ModelRevision.name, ModelRevision.revision)
        .join(Clip, Clip.recording_id == Recording.id)
        .outerjoin(Analysis, Analysis.clip_id == Clip.id)
        .outerjoin(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
    )
    with store.reading() as session:
        for some in _parts(sorted({sha256 for sha256, _ in channels})):
            for sha256, channel, name, revision in session.execute(statement.where(Recording.sha256.in_(some))):
                models = found.setdefault((sha256, channel), set())
                if name is not None:
                    models.add((name, revision))
    return {channel: frozenset(found[channel]) for channel in channels if channel in found}


def models(store: Store) -> dict[ModelKey, tuple[int, tuple[str, ...]]]:
    """The stored model revisions, each with the length of its embeddings and the emotions it can produce."""
    columns = select(ModelRevision.name, ModelRevision.revision, ModelRevision.dim, ModelRevision.classes)
    with store.reading() as session:
        return {(name, revision): (dim, tuple(classes)) for name, revision, dim, classes in session.execute(columns)}


def teams(store: Store, agents: Collection[str]) -> dict[str, str]:
    """The teams of these agents, by their names; those without one are left out."""
    found: dict[str, str] = {}
    with store.reading() as session:
        for some in _parts(sorted(agents)):
            rows = session.execute(select(Agent.name, Team.name).join(Team).where(Agent.name.in_(some)))
            found.update((agent, team) for agent, team in rows)
    return found


def _statement(embeddings: bool) -> Select[*tuple[Any, ...]]:
    named = RecordingSession.key.like("name:%")
    statement = (
        select(
            Analysis.id.label("analysis_id"),
            Analysis.clip_id,
            Recording.sha256,
            case((named, RecordingSession.name)).label("session"),
            Recording.uploaded_at,
            Recording.duration_s.label("recording_duration_s"),
            Clip.speech_s,
            ClipSpeech.segments,
            *(Recording.byte_count, Recording.sample_rate, Recording.container, Recording.codec, Recording.notes),
            *(ModelRevision.dim, ModelRevision.classes, ModelRevision.licence),
            Calibration.name.label("calibration"),
            case((Calibration.version != RAW_VERSION, Calibration.id)).label("read_under"),
            *(Analysis.analysed_at, Analysis.compute_s, Analysis.logits),
            *(Analysis.window_logits, Analysis.window_hop_s, Analysis.window_length_s),
        )
        .join(Clip, Analysis.clip_id == Clip.id)
        .outerjoin(ClipSpeech, ClipSpeech.clip_id == Clip.id)
        .join(Recording, Clip.recording_id == Recording.id)
        .join(RecordingSession, Clip.session_id == RecordingSession.id)
        .join(ModelRevision, Analysis.model_revision_id == ModelRevision.id)
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == ModelRevision.id)
        .join(Calibration, Calibration.id == ActiveCalibration.calibration_id)
    )
    if not embeddings:
        return statement.add_columns(null().label("embedding"))
    return statement.outerjoin(Embedding, Embedding.analysis_id == Analysis.id).add_columns(
        Embedding.vector.label("embedding")
    )


def _pairs(session: Session, analysis_ids: Sequence[int]) -> dict[int, Paired]:
    """Of the clips of these analyses those that are paired, by their ids."""
    first, second = aliased(Clip), aliased(Clip)
    of_first, of_second = aliased(Recording), aliased(Recording)
    clips = select(Analysis.clip_id).where(Analysis.id.in_(analysis_ids))
    statement = (
        select(first.id, second.id, of_first.sha256, of_second.sha256, second.starts_s - first.starts_s)
        .select_from(ClipPair)
        .join(first, first.id == ClipPair.first_clip_id)
        .join(second, second.id == ClipPair.second_clip_id)
        .join(of_first, of_first.id == first.recording_id)
        .join(of_second, of_second.id == second.recording_id)
        .where(ClipPair.first_clip_id.in_(clips) | ClipPair.second_clip_id.in_(clips))
    )
    found: dict[int, Paired] = {}
    for first_id, second_id, first_sha256, second_sha256, offset_s in session.execute(statement):
        found[first_id] = Paired(second_sha256, True, offset_s)
        found[second_id] = Paired(first_sha256, False, offset_s)
    return found


def _parts(keys: Sequence[Any]) -> Iterator[list[Any]]:
    remaining = iter(keys)
    return iter(lambda: list(islice(remaining, _AT_ONCE)), [])
