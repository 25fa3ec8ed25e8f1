"""What every recogniser takes and gives: waveforms in, logits, windows and an embedding out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emostore.emotions import EMOTIONS
from emostore.errors import AudioError, EmostoreError

SAMPLE_RATE = 16_000  # Hz, of every waveform a recogniser takes
MIN_SAMPLES = 400  # 25 ms: one frame of either model's front end
WINDOW_S = 3.0
HOP_S = 1.0
CHUNK_S = 30.0  # a clip up to this length is recognised whole

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model made a result.

    `revision` identifies the weights (leading hex digits of their SHA-256), so that a model that was
    trained again is another model. `classes` are the emotions it can produce, in the product's order.
    """

    name: str
    revision: str
    dim: int
    classes: tuple[str, ...]
    licence: str

    def __post_init__(self) -> None:
        if [name for name in EMOTIONS if name in self.classes] != list(self.classes):
            raise ValueError(f"classes must be a subset of the nine emotions in order, got {self.classes}")
        if self.dim < 1:
            raise ValueError(f"dim must be positive, got {self.dim}")

    @property
    def missing(self) -> tuple[str, ...]:
        """Emotions that the model can never produce."""
        return tuple(name for name in EMOTIONS if name not in self.classes)


@dataclass(frozen=True, slots=True)
class Windows:
    """Logits over time: row i belongs to the audio from `i * hop_s` to `i * hop_s + length_s`.

    `logits` is float32 of shape (windows, 9), at least one row; the last window ends with the clip and
    may be shorter than `length_s`.
    """

    logits: FloatArray
    hop_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a model said of one waveform.

    `logits` is float32 of shape (9,), −inf where the model cannot produce the class; `embedding` is
    float32 of shape (dim,), the input of the model's linear head.
    """

    logits: FloatArray
    embedding: FloatArray
    windows: Windows


class Recognizer(Protocol):
    """A model that can be asked for emotions; safe to call from several threads."""

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        ...

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        """Recognise waveforms: float32, mono, 16 kHz, shape (samples,), at least `MIN_SAMPLES`.

        Answers in the order asked. A waveform that cannot be used gives its error in its place, and
        the others are not affected.
        """
        ...


def check_waveform(waveform: FloatArray) -> None:
    """Raise `AudioError` unless `waveform` is what `Recognizer.recognize` takes."""
    if waveform.ndim != 1 or waveform.dtype != np.float32:
        raise AudioError(
            "A waveform must be one channel of 32-bit floats; this one has shape {shape} and type {dtype}.",
            shape=str(waveform.shape),
            dtype=str(waveform.dtype),
        )
    if waveform.size < MIN_SAMPLES:
        raise AudioError(
            "The audio is {found_ms:.0f} ms long; at least {needed_ms:.0f} ms are needed.",
            found_ms=1000 * waveform.size / SAMPLE_RATE,
            needed_ms=1000 * MIN_SAMPLES / SAMPLE_RATE,
        )
    if not all(np.isfinite(block).all() for block in blocks(waveform)):
        raise AudioError("The audio holds values that are not numbers (NaN or infinite). Export it again.")


def blocks(waveform: FloatArray) -> Iterator[FloatArray]:
    """The waveform a minute at a time, so that one of hours that is mapped from a file never is in memory whole."""
    for start in range(0, len(waveform), 60 * SAMPLE_RATE):
        yield waveform[start : start + 60 * SAMPLE_RATE]


def window_bounds(samples: int) -> list[tuple[int, int]]:
    """Start and end sample of every window of a clip of `samples` samples (at least one window)."""
    hop, length = int(HOP_S * SAMPLE_RATE), int(WINDOW_S * SAMPLE_RATE)
    count = 1 + max(0, -(-(samples - length) // hop))
    return [(i * hop, min(i * hop + length, samples)) for i in range(count)]
