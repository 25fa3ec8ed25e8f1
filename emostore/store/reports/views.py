"""The shapes that `reports` answers with: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store.writing.records import Note


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """One model's result for a clip, with the scores under the model's active calibration.

    `scores` is None where there was no speech (`no_speech_reason` says why) and where the active
    calibration has not scored this analysis. `read_under` is that calibration's id, None being raw. `window_count` is
    0 without window logits.
    """

    analysis_id: int
    model: str
    revision: str
    licence: str
    classes: tuple[str, ...]
    status: str
    no_speech_reason: str | None
    scores: EmotionScores | None
    calibration: str
    calibration_version: int
    read_under: int | None
    window_count: int
    window_hop_s: float | None
    window_length_s: float | None
    analysed_at: datetime
    compute_s: float | None

    @property
    def missing(self) -> tuple[str, ...]:
        """Emotions that the model can never produce."""
        return tuple(name for name in EMOTIONS if name not in self.classes)


@dataclass(frozen=True, slots=True)
class ClipView:
    """A clip with its recording and every analysis of it, the newest first.

    `partner_id` is the clip of another file that it is paired with as the other side of one call, in whose
    time it begins at `starts_s`; None if there is none.
    """

    clip_id: int
    channel: int
    role: str
    duration_s: float
    speech_s: float | None
    agent: str | None
    team: str | None
    session_id: int
    session_name: str
    recording_id: int
    starts_s: float
    partner_id: int | None
    sha256: str
    file_name: str
    byte_count: int
    recording_duration_s: float
    sample_rate: int
    channel_count: int
    container: str
    codec: str
    uploaded_at: datetime
    happened_at: datetime
    happened_at_source: str
    media_path: str | None
    media_kind: str | None
    scenario: str | None
    domain: str | None
    language: str | None
    demo: bool
    notes: tuple[Note, ...]
    siblings: tuple[tuple[int, int], ...]  # (channel, clip id) of every stored channel of the recording, this one too
    analyses: tuple[AnalysisView, ...]

    @property
    def newest(self) -> AnalysisView | None:
        """The analysis that is shown unless another is asked for."""
        return self.analyses[0] if self.analyses else None


@dataclass(frozen=True, slots=True)
class ClipCursor:
    """Where a page of clips ended."""

    happened_at: datetime
    clip_id: int


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip in a list, with its newest analysis (None in all of its fields if there is none); a `demo` is invented.

    `sha256` is the recording's. `session_key` tells a session that somebody named from one that stands for a recording.
    """

    clip_id: int
    sha256: str
    file_name: str
    channel: int
    channel_count: int
    role: str
    agent: str | None
    session_id: int
    session_key: str
    session_name: str
    happened_at: datetime
    happened_at_source: str
    duration_s: float
    analysis_id: int | None
    model: str | None
    revision: str | None
    status: str | None
    no_speech_reason: str | None
    scores: EmotionScores | None
    demo: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored. `speech_s` is what was heard in the clips, in seconds."""

    recordings: int
    clips: int
    agents: int
    sessions: int
    speech_s: float


@dataclass(frozen=True, slots=True)
class ClipPage:
    """Clips, the latest first, and where the next page goes on (None: this is the last)."""

    rows: tuple[ClipRow, ...]
    next: ClipCursor | None


@dataclass(frozen=True, slots=True)
class HistoryRow(ClipRow):
    """A row of the history: beside the clip's own fields, what its call was."""

    recording_id: int
    team: str | None
    scenario: str | None
    domain: str | None
    language: str | None
    media_kind: str | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Clips, the latest first, and where the pages on both sides go on (None: there is none).

    `count` is exact unless there are `more`.
    """

    rows: tuple[HistoryRow, ...]
    next: ClipCursor | None
    previous: ClipCursor | None
    count: int
    more: bool


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """Names to filter by; sessions with their ids, the newest first; models as (name, revision)."""

    agents: tuple[str, ...]
    teams: tuple[str, ...]
    sessions: tuple[tuple[int, str], ...]
    models: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StoredWindows:
    """Logits over time, float32 of shape (windows, 9), as precise as float16; row i begins at `i * hop_s`."""

    logits: NDArray[np.float32]
    hop_s: float
    length_s: float
