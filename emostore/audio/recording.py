"""What a decoded recording is: its limits, its description, its waveforms and what was lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz, of every waveform that leaves this package

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest recording that is accepted. Enforced while decoding: a header may say anything."""

    max_bytes: int = 2 * 1024**3
    max_duration_s: float = 4 * 3600.0
    max_channels: int = 8

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_duration_s", "max_channels"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was lost or mended while decoding.

    `message` is an English sentence with named fields and the key of its translation, like that of an
    `EmostoreError`; `str(note)` fills the fields in.
    """

    message: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message.format(**self.params)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """A recording as its file describes it, except for `duration_s`, which is what was decoded.

    `container` and `codec` are FFmpeg's short names; `sample_rate` is the file's own, in Hz;
    `declared_s` is the duration in the header (None if it has none); `recorded_at` is aware, in UTC,
    and None unless the file gives a full time with its zone.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float
    declared_s: float | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """A decoded recording.

    `waveforms` holds one array a channel, all of one length: float32, shape (samples,), 16 kHz, finite,
    full scale ±1 (lossy codecs and float files may go beyond). It has no samples where a file ends
    before its sound begins; a note then says so.
    """

    info: AudioInfo
    waveforms: tuple[FloatArray, ...]
    notes: tuple[Note, ...] = ()
