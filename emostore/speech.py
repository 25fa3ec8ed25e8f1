"""Where the speech is in a waveform, and why a recording holds none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emostore.errors import AudioError

SAMPLE_RATE = 16_000  # Hz
CHUNK = 512  # samples (32 ms): what silero-vad judges at a time
MIN_SPEECH_S = 0.3  # less is no basis for an emotion

# A recording whose loudest 32 ms stay below this is silent: −66 dB RMS under full scale, or 16 steps of
# 16 bits. Dithered or lossy silence lies below −80 dB; speech with a peak of 0.02 reaches −40 dB.
SILENCE_RMS = 0.0005

# Speech probability above which a chunk counts. silero-vad's own 0.5 calls none of the 535 clips of
# EmoDB speechless, and 3 of them and of 15 others when they are scaled to a peak of 0.02 (0.4: none);
# tones, chords, noise, clicks and ringing stay below 0.15, a sung vowel with vibrato reaches 0.57.
THRESHOLD = 0.4

# Quiet recordings are raised to this peak for the judgement, by a bounded gain: at a peak of 0.02
# silero-vad finds down to half of the speech that it finds at 0.5.
TARGET_PEAK = 0.5
MAX_GAIN = 25.0

MIN_SEGMENT_MS = 64  # two chunks: shorter bursts are noise that happens to sound like a voice
MIN_PAUSE_MS = 100  # shorter pauses do not split a segment
PAD_MS = 30  # kept on each side of a segment, for soft beginnings and endings

# Long waveforms are cut into sections that are judged side by side, since a step of the model costs
# little more for sixteen sections than for one. Each section first hears the end of the one before.
SECTION_CHUNKS = 1875  # 60 s
WARM_UP_CHUNKS = 63  # 2 s, after which the model's state no longer depends on where it began
MAX_SECTIONS = 16  # side by side; 16 × 62 s of float32 are 64 MB

FloatArray = NDArray[np.float32]


class NoSpeech(StrEnum):
    """Why a recording has no emotion."""

    SILENCE = "silence"
    NO_SPEECH = "no_speech"
    TOO_SHORT = "too_short"

    @property
    def sentence(self) -> str:
        """The reason as an English sentence, which is the key of its translation."""
        return _SENTENCES[self]


_SENTENCES = {
    NoSpeech.SILENCE: "The recording is silent.",
    NoSpeech.NO_SPEECH: "There is sound in the recording, and no speech was found in it.",
    NoSpeech.TOO_SHORT: "There is less than 0.3 s of speech in the recording, which is too little to judge.",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, in seconds from the beginning of the waveform."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SpeechReport:
    """Where speech is. `speech_s` is the length of all segments; `reason` is None if that is enough."""

    segments: tuple[Segment, ...]
    speech_s: float
    reason: NoSpeech | None


def detect(waveform: FloatArray) -> SpeechReport:
    """Find the speech in a waveform.

    Parameters
    ----------
    waveform : float32, shape (samples,), 16 kHz, finite; a memory-mapped array is read piece by piece

    Returns
    -------
    SpeechReport : segments in order, not overlapping; with less than `MIN_SPEECH_S` in all, a reason.
        An empty waveform counts as silent.

    Raises
    ------
    AudioError : the waveform has another shape or type

    Notes
    -----
    Voice activity by silero-vad (https://github.com/snakers4/silero-vad, MIT). Safe to call from
    several threads; they take turns.
    """
    if waveform.ndim != 1 or waveform.dtype != np.float32:
        raise AudioError(
            "A waveform must be one channel of 32-bit floats; this one has shape {shape} and type {dtype}.",
            shape=str(waveform.shape),
            dtype=str(waveform.dtype),
        )
    peak, loudest_rms = _levels(waveform)
    if not loudest_rms >= SILENCE_RMS:
        return SpeechReport((), 0.0, NoSpeech.SILENCE)
    gain = min(MAX_GAIN, max(1.0, TARGET_PEAK / peak))
    segments = _segments(_probabilities(waveform, gain), waveform.size)
    speech_s = sum(segment.end_s - segment.start_s for segment in segments)
    if not segments:
        return SpeechReport((), 0.0, NoSpeech.NO_SPEECH)
    return SpeechReport(segments, speech_s, NoSpeech.TOO_SHORT if speech_s < MIN_SPEECH_S else None)


def _levels(waveform: FloatArray) -> tuple[float, float]:
    """The highest magnitude, and the RMS of the loudest chunk."""
    peak = power = 0.0
    block = SECTION_CHUNKS * CHUNK
    for start in range(0, waveform.size, block):
        samples = np.asarray(waveform[start : start + block])
        peak = max(peak, float(np.abs(samples).max()))
        chunks = _whole_chunks(samples)
        power = max(power, float(np.einsum("ij,ij->i", chunks, chunks, dtype=np.float64).max()) / CHUNK)
    return peak, power**0.5


def _whole_chunks(samples: FloatArray) -> FloatArray:
    """Shape (chunks, CHUNK), the last one filled up with silence."""
    count = -(-samples.size // CHUNK)
    return np.pad(samples, (0, count * CHUNK - samples.size)).reshape(count, CHUNK)


@lru_cache(maxsize=1)
def _model() -> tuple[Any, threading.Lock]:
    """The model, and the lock that guards it, since it keeps its state between calls."""
    import torch

    threads = torch.get_num_threads()
    try:
        import silero_vad

        model = silero_vad.load_silero_vad()
    finally:
        torch.set_num_threads(threads)  # importing silero_vad sets it to 1 for the whole process
    return model, threading.Lock()


_loading = threading.Lock()


def _probabilities(waveform: FloatArray, gain: float) -> NDArray[np.float32]:
    """Speech probability of every chunk, float32 of shape (chunks,)."""
    with _loading:  # lru_cache alone would let two threads load two models
        model, lock = _model()
    parts = []
    for batch in _batches(waveform.size):
        sections = [_section(waveform, start, stop, gain) for start, stop in batch]
        with lock:
            probabilities = _judge(model, sections)
        for (start, stop), row in zip(batch, probabilities, strict=True):
            skipped = 0 if start == 0 else WARM_UP_CHUNKS
            parts.append(row[skipped : stop - start])
    return np.concatenate(parts)


def _batches(samples: int) -> Iterator[list[tuple[int, int]]]:
    """Sections as (first chunk, end chunk), warm-up included, in batches that are judged side by side."""
    chunks = -(-samples // CHUNK)
    sections = [
        (max(0, start - WARM_UP_CHUNKS), min(chunks, start + SECTION_CHUNKS))
        for start in range(0, chunks, SECTION_CHUNKS)
    ]
    for first in range(0, len(sections), MAX_SECTIONS):
        yield sections[first : first + MAX_SECTIONS]


def _section(waveform: FloatArray, start: int, stop: int, gain: float) -> FloatArray:
    return _whole_chunks(np.asarray(waveform[start * CHUNK : stop * CHUNK]) * np.float32(gain))


def _judge(model: Any, sections: list[FloatArray]) -> NDArray[np.float32]:
    """Sections of shape (chunks, CHUNK), shorter ones filled up, to probabilities (sections, chunks)."""
    import torch

    longest = max(len(section) for section in sections)
    batch = np.zeros((longest, len(sections), CHUNK), np.float32)
    for i, section in enumerate(sections):
        batch[: len(section), i] = section
    model.reset_states()
    with torch.no_grad():
        steps = [model(chunk, SAMPLE_RATE) for chunk in torch.from_numpy(batch)]
        probabilities: NDArray[np.float32] = torch.cat(steps, dim=1).numpy()
    return probabilities


def _segments(probabilities: NDArray[np.float32], samples: int) -> tuple[Segment, ...]:
    import silero_vad

    found = silero_vad.get_speech_timestamps_from_probs(
        probabilities.tolist(),
        sampling_rate=SAMPLE_RATE,
        threshold=THRESHOLD,
        min_speech_duration_ms=MIN_SEGMENT_MS,
        min_silence_duration_ms=MIN_PAUSE_MS,
        speech_pad_ms=PAD_MS,
        audio_length_samples=samples,
    )
    return tuple(Segment(piece["start"] / SAMPLE_RATE, piece["end"] / SAMPLE_RATE) for piece in found)
