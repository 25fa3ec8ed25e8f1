"""The tables. What each name means stands in the architecture notes; queries live in the other modules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from emostore.emotions import EMOTIONS
from emostore.store.tables.types import SEGMENT_BYTES, EmbeddingVector, Logits, Segments, UtcDateTime, WindowLogits

NAME_LENGTH = 200  # characters of a name that a person gave

ROLES = ("agent", "customer", "mixed", "unknown")
HAPPENED_AT_SOURCES = ("given", "name", "metadata", "upload")  # `upload` is a guess: the time of the upload
SCENARIOS = ("customer_service", "teaching", "business", "general")
DOMAINS = ("phone", "headset", "room")
MEDIA_KINDS = ("original", "opus")
LANGUAGE_LENGTH = 35  # characters of a language tag, as RFC 5646 recommends
STATUSES = ("analysed", "no_speech")
NO_SPEECH_REASONS = ("silence", "no_speech", "too_short")
MAX_SEGMENTS = 500_000  # of a clip: some twenty hours that pause seven times a second
GRANULARITIES = ("utterance",)
# Of a calibration: never scored, being scored, scored and read while alerts follow, scored.
CALIBRATION_STATES = ("ready", "scoring", "settling", "complete")
HIGH_FROM = 0.2  # scores from here on are indexed, emotion by emotion: at most five of a clip's nine
RAW_VERSION = 1  # the calibration that every model has from the start: softmax of the stored logits

# Conditions of indices that hold only some rows. A statement uses them only if it says the same, not as a parameter.
_NAMED = text("key LIKE 'name:%'")  # a session that somebody named
_NO_SPEECH = text("status = 'no_speech'")

# SQLite counts up by itself only in a column that is called exactly INTEGER.
_BigId = BigInteger().with_variant(Integer, "sqlite")

Id = Annotated[int, mapped_column(_BigId, primary_key=True)]
Name = Annotated[str, mapped_column(String(NAME_LENGTH))]
Word = Annotated[str, mapped_column(String(20))]
Number = Annotated[float, mapped_column(Double)]
Json = Annotated[Any, mapped_column(JSON)]
Time = Annotated[datetime, mapped_column(UtcDateTime)]

# Links name these rows by their id, so SQLite may not give the id of a deleted row to another one.
_LINKED = {"sqlite_autoincrement": True}


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """The constraint that a column holds one of these words, or NULL."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def _high(emotion: str) -> Index:
    """The scores of an emotion that are worth looking for: most of the nine are next to nothing."""
    where = text(f"{emotion} >= {HIGH_FROM}")
    columns = ("calibration_id", emotion, "happened_at", "clip_id")
    return Index(f"ix_scores_high_{emotion}", *columns, sqlite_where=where, postgresql_where=where)


class Base(DeclarativeBase):
    """Every constraint has a name, because Alembic can change only what it can name."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class Team(Base):
    """Agents that belong together."""

    __tablename__ = "teams"
    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)


class Agent(Base):
    """A person who answers calls or teaches, known by name. Agents outlive their team; `demo` ones were invented."""

    __tablename__ = "agents"
    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey(Team.id, ondelete="SET NULL"), index=True)
    demo: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = (_LINKED,)


class RecordingSession(Base):
    """A conversation, lesson or meeting: the clips that belong together.

    `key` is `name:<folded name>` for one that a person named, `recording:<sha256>` for one that stands
    for a single recording; `name` is what is shown.
    """

    __tablename__ = "recording_sessions"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[Name]
    created_at: Mapped[Time]

    __table_args__ = (
        Index("ix_recording_sessions_named", "id", sqlite_where=_NAMED, postgresql_where=_NAMED),
        _LINKED,
    )


class Recording(Base):
    """A file, known by the SHA-256 of its bytes.

    `media_path` is where its audio is kept, relative to the data folder, and `media_kind` as what. `notes`
    lists what was lost while it was decoded, each as `{"message": …, "params": {…}}`. Nobody ever spoke
    what is in a `demo` one. `channel_count` counts the channels that are told apart, each of them a clip: a
    file whose two channels hold one and the same voice has one.
    """

    __tablename__ = "recordings"
    id: Mapped[Id]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    file_name: Mapped[str] = mapped_column(Text)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    duration_s: Mapped[Number]
    sample_rate: Mapped[int]
    channel_count: Mapped[int]
    container: Mapped[str] = mapped_column(Text)
    codec: Mapped[str] = mapped_column(Text)
    uploaded_at: Mapped[Time]
    happened_at: Mapped[Time]
    happened_at_source: Mapped[Word]
    media_path: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[Json]
    media_kind: Mapped[Word | None]
    scenario: Mapped[Word | None]
    domain: Mapped[Word | None]
    language: Mapped[str | None] = mapped_column(String(LANGUAGE_LENGTH))
    demo: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = (
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint("byte_count >= 0 AND duration_s >= 0", name="size"),
        CheckConstraint("sample_rate > 0 AND channel_count > 0", name="format"),
        one_of("happened_at_source", HAPPENED_AT_SOURCES),
        one_of("media_kind", MEDIA_KINDS),
        one_of("scenario", SCENARIOS),
        one_of("domain", DOMAINS),
        CheckConstraint("media_kind IS NULL OR media_path IS NOT NULL", name="media_whole"),
    )


class Clip(Base):
    """One channel (counted from 0) of one recording: the thing that is analysed.

    It goes with its recording. Forgetting an agent keeps the clip without a name; a session is not
    deleted under its clips. `happened_at` repeats the recording's, so that an index gives an agent's
    history, or everybody's, page by page without a join. `starts_s` is when the clip begins in the time of
    its call, in seconds: not 0 only where the two sides came as files of their own.
    """

    __tablename__ = "clips"
    id: Mapped[Id]
    recording_id: Mapped[int] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    channel: Mapped[int]
    role: Mapped[Word]
    session_id: Mapped[int] = mapped_column(ForeignKey(RecordingSession.id, ondelete="RESTRICT"), index=True)
    agent_id: Mapped[int | None] = mapped_column(ForeignKey(Agent.id, ondelete="SET NULL"))
    happened_at: Mapped[Time]
    duration_s: Mapped[Number]
    speech_s: Mapped[Number | None]
    starts_s: Mapped[Number] = mapped_column(server_default=text("0"))

    __table_args__ = (
        UniqueConstraint("recording_id", "channel"),
        Index(None, "agent_id", "happened_at", "id"),
        Index(None, "happened_at", "id"),
        Index(None, "role", "happened_at", "id"),
        CheckConstraint("channel >= 0", name="channel"),
        CheckConstraint("duration_s >= 0 AND speech_s >= 0", name="length"),
        CheckConstraint("starts_s >= 0", name="starts"),
        one_of("role", ROLES),
        _LINKED,
    )


class ClipSpeech(Base):
    """Where somebody speaks in a clip, in its own table so that no list drags it along; older clips have no row."""

    __tablename__ = "clip_speech"
    clip_id: Mapped[int] = mapped_column(ForeignKey(Clip.id, ondelete="CASCADE"), primary_key=True)
    segments: Mapped[NDArray[np.float64]] = mapped_column(Segments)

    __table_args__ = (
        CheckConstraint(f"length(segments) % {SEGMENT_BYTES} = 0", name="segments_whole"),
        CheckConstraint(f"length(segments) <= {SEGMENT_BYTES * MAX_SEGMENTS}", name="segments_bounded"),
    )


class ClipPair(Base):
    """Two clips of two recordings that are the sides of one call. `before` is what unpairing gives back to each."""

    __tablename__ = "clip_pairs"
    first_clip_id: Mapped[int] = mapped_column(ForeignKey(Clip.id, ondelete="CASCADE"), primary_key=True)
    second_clip_id: Mapped[int] = mapped_column(ForeignKey(Clip.id, ondelete="CASCADE"), unique=True)
    before: Mapped[Json]

    __table_args__ = (CheckConstraint("first_clip_id <> second_clip_id", name="two"),)


class ModelRevision(Base):
    """A model with certain weights; `classes` are the emotions it can produce."""

    __tablename__ = "model_revisions"
    id: Mapped[Id]
    name: Mapped[Name]
    revision: Mapped[Name]
    dim: Mapped[int]
    classes: Mapped[Json]
    licence: Mapped[str] = mapped_column(Text)
    first_seen_at: Mapped[Time]

    __table_args__ = (UniqueConstraint("name", "revision"), CheckConstraint("dim > 0", name="dim"))


class Analysis(Base):
    """What one model said of one clip, raw. A model with analyses is not deleted."""

    __tablename__ = "analyses"
    id: Mapped[Id]
    clip_id: Mapped[int] = mapped_column(ForeignKey(Clip.id, ondelete="CASCADE"))
    model_revision_id: Mapped[int] = mapped_column(ForeignKey(ModelRevision.id, ondelete="RESTRICT"), index=True)
    granularity: Mapped[Word]
    status: Mapped[Word]
    no_speech_reason: Mapped[Word | None]
    logits: Mapped[NDArray[np.float32] | None] = mapped_column(Logits)
    window_logits: Mapped[NDArray[np.float16] | None] = mapped_column(WindowLogits)
    window_count: Mapped[int | None]
    window_hop_s: Mapped[Number | None]
    window_length_s: Mapped[Number | None]
    analysed_at: Mapped[Time]
    compute_s: Mapped[Number | None]

    __table_args__ = (
        UniqueConstraint("clip_id", "model_revision_id", "granularity"),
        Index("ix_analyses_no_speech", "clip_id", sqlite_where=_NO_SPEECH, postgresql_where=_NO_SPEECH),
        one_of("granularity", GRANULARITIES),
        one_of("status", STATUSES),
        one_of("no_speech_reason", NO_SPEECH_REASONS),
        CheckConstraint("(status = 'analysed') = (logits IS NOT NULL)", name="logits_when_analysed"),
        CheckConstraint("(status = 'no_speech') = (no_speech_reason IS NOT NULL)", name="reason_when_no_speech"),
        CheckConstraint("length(logits) = 36", name="logits_size"),
        CheckConstraint("window_logits IS NULL OR logits IS NOT NULL", name="windows_when_analysed"),
        CheckConstraint(
            "(window_logits IS NULL) = (window_count IS NULL)"
            " AND (window_logits IS NULL) = (window_hop_s IS NULL)"
            " AND (window_logits IS NULL) = (window_length_s IS NULL)",
            name="windows_whole",
        ),
        CheckConstraint("window_count > 0 AND length(window_logits) = 18 * window_count", name="windows_size"),
        CheckConstraint("window_hop_s > 0 AND window_length_s > 0", name="windows_positive"),
    )


class Calibration(Base):
    """A way from a model's raw results to scores. Version 1, `raw`, is the softmax of the logits.

    All but `state` and `scored_to`, the last analysis that has been scored, never changes. While it is being scored,
    and while it is read, every new analysis gets its scores, too.
    """

    __tablename__ = "calibrations"
    id: Mapped[Id]
    model_revision_id: Mapped[int] = mapped_column(ForeignKey(ModelRevision.id, ondelete="CASCADE"))
    version: Mapped[int]
    name: Mapped[Name]
    parameters: Mapped[Json]
    created_at: Mapped[Time]
    created_by: Mapped[Name | None]
    fitted_on: Mapped[Json | None]
    metrics: Mapped[Json | None]
    state: Mapped[Word] = mapped_column(server_default="complete")
    scored_to: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (
        UniqueConstraint("model_revision_id", "version"),
        UniqueConstraint("model_revision_id", "id"),  # what `active_calibrations` points at
        CheckConstraint("version > 0", name="version"),
        one_of("state", CALIBRATION_STATES),
    )


class ActiveCalibration(Base):
    """The one pointer per model that says which scores are read.

    It names the model again, so that it cannot point at another model's calibration. The calibration it
    names cannot be deleted; with the model, both go (`NO ACTION` looks only at the end of the statement).
    """

    __tablename__ = "active_calibrations"
    model_revision_id: Mapped[int] = mapped_column(
        _BigId, ForeignKey(ModelRevision.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    calibration_id: Mapped[int] = mapped_column(_BigId)

    __table_args__ = (
        ForeignKeyConstraint(
            ["model_revision_id", "calibration_id"],
            [Calibration.model_revision_id, Calibration.id],
            name="fk_active_calibrations_calibrations",
        ),
    )


class Score(Base):
    """The nine scores of one analysis under one calibration. They can be computed again, so they go with either.

    `clip_id` and `happened_at` repeat the analysis's clip and its time, so that an index gives the clips
    with an emotion in the order of time.
    """

    __tablename__ = "scores"
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id, ondelete="CASCADE"), primary_key=True)
    calibration_id: Mapped[int] = mapped_column(ForeignKey(Calibration.id, ondelete="CASCADE"), primary_key=True)
    angry: Mapped[Number]
    disgusted: Mapped[Number]
    fearful: Mapped[Number]
    happy: Mapped[Number]
    neutral: Mapped[Number]
    other: Mapped[Number]
    sad: Mapped[Number]
    surprised: Mapped[Number]
    unknown: Mapped[Number]
    dominant: Mapped[Word]
    confidence: Mapped[Number]
    entropy: Mapped[Number]
    clip_id: Mapped[int] = mapped_column(_BigId)
    happened_at: Mapped[Time]

    __table_args__ = (
        Index(None, "calibration_id", "dominant", "happened_at", "clip_id"),
        *(_high(name) for name in EMOTIONS),
        # Everything that filters and rules ask of scores, in the order of time.
        Index("ix_scores_by_time", "calibration_id", "happened_at", "clip_id", "dominant", *EMOTIONS),
        one_of("dominant", EMOTIONS),
        *(CheckConstraint(f"{name} >= 0 AND {name} <= 1", name=name) for name in (*EMOTIONS, "confidence", "entropy")),
    )


class Embedding(Base):
    """The input of the model's linear head for one clip, in its own table so that no report drags it along."""

    __tablename__ = "embeddings"
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id, ondelete="CASCADE"), primary_key=True)
    vector: Mapped[NDArray[np.float16]] = mapped_column(EmbeddingVector)
