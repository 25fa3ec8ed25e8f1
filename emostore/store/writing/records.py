"""What goes into the store and what saving answers: plain frozen values, free of the engine's types."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import MetadataError, StoreError
from emostore.store.tables.models import MAX_SEGMENTS
from emostore.store.writing.names import clean_file_name, clean_language, clean_name, session_key, stem

Role = Literal["agent", "customer", "mixed", "unknown"]
HappenedAtSource = Literal["given", "name", "metadata", "upload"]
Scenario = Literal["customer_service", "teaching", "business", "general"]
Domain = Literal["phone", "headset", "room"]
MediaKind = Literal["original", "opus"]
NoSpeechReason = Literal["silence", "no_speech", "too_short"]
Granularity = Literal["utterance"]
Severity = Literal["low", "medium", "high"]

_HEX = frozenset(string.hexdigits.lower())


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was lost while a file was decoded: an English sentence with named fields, and their values."""

    message: str
    params: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewRecording:
    """A file. `happened_at_source` is `upload` where `happened_at` is only a guess; times are aware.

    The file's name is cleaned (see `names`). Raises `MetadataError` for a name or a time that cannot be stored.
    """

    sha256: str
    file_name: str
    byte_count: int
    duration_s: float
    sample_rate: int  # Hz, of the file
    channel_count: int
    container: str
    codec: str
    uploaded_at: datetime
    happened_at: datetime
    happened_at_source: HappenedAtSource
    media_path: str | None = None  # of the kept audio, relative to the data folder
    media_kind: MediaKind | None = None
    scenario: Scenario | None = None
    domain: Domain | None = None
    language: str | None = None  # a tag such as zh or en-GB
    notes: tuple[Note, ...] = ()
    demo: bool = False  # nobody ever spoke it

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not _HEX.issuperset(self.sha256):
            raise ValueError(f"sha256 must be 64 lower-case hexadecimal digits, got {self.sha256!r}")
        _check_aware(self.uploaded_at)
        _check_aware(self.happened_at)
        object.__setattr__(self, "file_name", clean_file_name(self.file_name))
        object.__setattr__(self, "language", clean_language(self.language))


class SessionOf(NamedTuple):
    """A session that nobody named and that stands for the recording with this hash, and what it is called."""

    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class NewClip:
    """One channel, counted from 0. Names are given as a person typed them and cleaned here; empty means none.

    Without `session_name` the clip belongs to the session that stands for its recording, or for another one if
    `session_of` says so. `segments` are
    where somebody speaks, in order and not overlapping: seconds of the clip's own time, shape (n, 2); None
    if that is not known. Raises `MetadataError` for a name that is too long and for a team without an agent.
    """

    recording: NewRecording
    channel: int
    duration_s: float
    speech_s: float | None = None
    role: Role = "unknown"
    agent: str | None = None
    team: str | None = None
    session_name: str | None = None
    segments: NDArray[np.float64] | None = field(default=None, compare=False)
    session_of: SessionOf | None = None

    def __post_init__(self) -> None:
        if self.segments is not None:
            _check_segments(self.segments)
        if not 0 <= self.channel < self.recording.channel_count:
            raise ValueError(f"channel {self.channel} of a recording with {self.recording.channel_count} channels")
        object.__setattr__(self, "agent", clean_name(self.agent, "agent"))
        object.__setattr__(self, "team", clean_name(self.team, "team"))
        object.__setattr__(self, "session_name", clean_name(self.session_name, "session"))
        if self.team and not self.agent:
            raise MetadataError(
                "The team {team} is given without an agent. Name the agent too, or leave the team empty.",
                team=self.team,
            )

    @property
    def session(self) -> tuple[str, str]:
        """The key of the clip's session, and its name."""
        if self.session_name is None and self.session_of is not None:
            return session_key(None, self.session_of.sha256), self.session_of.name
        return session_key(self.session_name, self.recording.sha256), self.session_name or stem(
            self.recording.file_name
        )


@dataclass(frozen=True, slots=True)
class ModelRevisionKey:
    """Which model: `name` and `revision` identify it, the rest describes it (see `engine.ModelInfo`)."""

    name: str
    revision: str
    dim: int
    classes: tuple[str, ...]
    licence: str


@dataclass(frozen=True, slots=True)
class NewWindows:
    """Logits over time, shape (windows, 9), stored as float16; row i begins at `i * hop_s`."""

    logits: NDArray[Any]
    hop_s: float
    length_s: float

    def __post_init__(self) -> None:
        if self.logits.ndim != 2 or self.logits.shape[1] != len(EMOTIONS) or not len(self.logits):
            raise ValueError(f"window logits must have shape (windows, 9) with a window, got {self.logits.shape}")
        _check_fits_half(self.logits, "window logits")


@dataclass(frozen=True, slots=True)
class Analysed:
    """Raw results: `logits` of shape (9,), stored as float32, −inf for a class the model cannot produce.

    `scores` belong to the calibration `raw`, `calibrated` to others by their ids; `read` are those of the calibration
    `read_under`, None being raw, which the rules were asked of. `embedding` of shape (model.dim,) is stored as float16.
    """

    logits: NDArray[Any]
    scores: EmotionScores
    windows: NewWindows | None = None
    embedding: NDArray[Any] | None = None
    calibrated: Mapping[int, EmotionScores] = field(default_factory=dict)
    read_under: int | None = None

    def __post_init__(self) -> None:
        if self.logits.shape != (len(EMOTIONS),):
            raise ValueError(f"logits must have shape (9,), got {self.logits.shape}")
        if np.isnan(self.logits).any():
            raise StoreError("The {what} of the model hold values that are not numbers.", what="logits")
        if self.embedding is not None:
            _check_fits_half(self.embedding, "embedding", finite=True)
        if self.read_under is not None and self.read_under not in self.calibrated:
            raise ValueError("the scores that are read are not given")

    @property
    def read(self) -> EmotionScores:
        """The scores that people see."""
        return self.scores if self.read_under is None else self.calibrated[self.read_under]


class RecalibratedError(StoreError):
    """Scores were not given under every calibration that is in use by now."""


@dataclass(frozen=True, slots=True)
class NoSpeech:
    """There was nothing to score, and why."""

    reason: NoSpeechReason


@dataclass(frozen=True, slots=True)
class NewAlert:
    """What one version of a rule found: `value` beside `threshold`, in the windows from `start_s` to `end_s`."""

    rule_id: int
    severity: Severity
    value: float
    threshold: float
    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        if (self.start_s is None) != (self.end_s is None):
            raise ValueError("a moment has a start and an end")


@dataclass(frozen=True, slots=True)
class NewAnalysis:
    """What one model said of one clip, at an aware time; `compute_s` is how long it took.

    `alerts` are what the rules found in the scores.
    """

    clip: NewClip
    model: ModelRevisionKey
    outcome: Analysed | NoSpeech
    analysed_at: datetime
    compute_s: float | None = None
    granularity: Granularity = "utterance"
    alerts: tuple[NewAlert, ...] = ()

    def __post_init__(self) -> None:
        _check_aware(self.analysed_at)
        if self.alerts and not isinstance(self.outcome, Analysed):
            raise ValueError("nothing was said, so no rule can have found anything")
        embedding = self.outcome.embedding if isinstance(self.outcome, Analysed) else None
        if embedding is not None and embedding.shape != (self.model.dim,):
            raise ValueError(f"the embedding of {self.model.name} has shape ({self.model.dim},), got {embedding.shape}")


@dataclass(frozen=True, slots=True)
class Saved:
    """What the store holds now: `created` tells whether this analysis is new.

    Role, agent, team and session are the stored ones, which differ from those given if the clip was there before.
    `scores` are those given for reading; None without speech.
    """

    clip_id: int
    analysis_id: int
    session_id: int
    created: bool
    clip_created: bool
    role: str
    agent: str | None
    team: str | None
    session_name: str
    scores: EmotionScores | None = None


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip of a stored recording; `analysis_id` and `status` are None if the model asked about has not seen it."""

    clip_id: int
    channel: int
    role: Role
    agent: str | None
    session_id: int
    session_name: str
    analysis_id: int | None
    status: str | None


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording that is there already, with its clips in the order of the channels."""

    recording_id: int
    sha256: str
    file_name: str
    channel_count: int
    duration_s: float
    uploaded_at: datetime
    media_path: str | None
    clips: tuple[StoredClip, ...]


def _check_aware(time: datetime) -> None:
    if time.utcoffset() is None:
        raise MetadataError("The time {found} has no time zone, so it is not clear when it was.", found=str(time))


def _check_segments(segments: NDArray[np.float64]) -> None:
    if segments.ndim != 2 or segments.shape[1] != 2 or len(segments) > MAX_SEGMENTS:
        raise ValueError(f"segments must have shape (n, 2) with n up to {MAX_SEGMENTS:,}, got {segments.shape}")
    times = segments.ravel()
    if not (np.isfinite(times).all() and (times[:1] >= 0).all() and (np.diff(times) >= 0).all()):
        raise ValueError("segments must be times from 0 on, in order, that do not overlap")


def _check_fits_half(values: NDArray[Any], what: str, *, finite: bool = False) -> None:
    """Refuse NaN and what overflows 16 bits; infinities too where the database cannot search them."""
    largest = float(np.finfo(np.float16).max)
    usable = values if finite else values[np.isfinite(values)]
    if np.isnan(values).any() or not (np.abs(usable) <= largest).all():
        raise StoreError("The {what} of the model hold values that are not numbers or too large.", what=what)
