"""Where the speech is in a waveform, and why a recording holds none."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emostore.errors import AudioError, ModelError
from emostore.i18n import N_

SAMPLE_RATE = 16_000  # Hz
CHUNK = 512  # samples (32 ms): what silero-vad judges at a time
MIN_SPEECH_S = 0.3  # less is no basis for an emotion

# A recording whose loudest 32 ms stay below this is silent: −66 dB RMS under full scale, or 16 steps of
# 16 bits. Dithered or lossy silence lies below −80 dB; speech with a peak of 0.02 reaches −40 dB.
SILENCE_RMS = 0.0005

# Speech probability from which a chunk counts (silero-vad's own value) and below which speech ends. With
# the gain below, all 535 clips of EmoDB keep at least 0.8 s of speech, as they are and scaled to a peak
# of 0.02; tones, chords, noise, clicks and ringing stay below 0.15. At 0.4, bowed strings begin to pass.
THRESHOLD = 0.5
END_THRESHOLD = 0.35

# Quiet recordings are raised to this level for the judgement, by a bounded gain: at a peak of 0.02
# silero-vad alone finds too little in 3 clips that are speech.
TARGET_LEVEL = 0.5
MAX_GAIN = 25.0

MIN_SEGMENT_S = 0.064  # two chunks: shorter bursts are noise that happens to sound like a voice
MIN_PAUSE_S = 0.1  # shorter pauses do not split a segment
PAD_S = 0.03  # kept on each side of a segment, for soft beginnings and endings

BLOCK_CHUNKS = 1875  # 60 s: how much of a waveform is in memory at a time
CONTEXT = 64  # samples before a chunk that the model also hears
STATE = 128  # width of the model's memory

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
    NoSpeech.SILENCE: N_("The recording is silent."),
    NoSpeech.NO_SPEECH: N_("There is sound in the recording, but no speech was found in it."),
    NoSpeech.TOO_SHORT: N_("There is less than 0.3 s of speech in the recording, which is too little to judge."),
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
    ModelError : silero-vad is not installed with its weights
    """
    if waveform.ndim != 1 or waveform.dtype != np.float32:
        raise AudioError(
            "A waveform must be one channel of 32-bit floats; this one has shape {shape} and type {dtype}.",
            shape=str(waveform.shape),
            dtype=str(waveform.dtype),
        )
    loudest_rms, level = _levels(waveform)
    if not loudest_rms >= SILENCE_RMS:
        return SpeechReport((), 0.0, NoSpeech.SILENCE)
    gain = max(1.0, TARGET_LEVEL / max(level, TARGET_LEVEL / MAX_GAIN))
    segments = _segments(_voice_activity().probabilities(waveform, gain), waveform.size)
    speech_s = sum(segment.end_s - segment.start_s for segment in segments)
    if not segments:
        return SpeechReport((), 0.0, NoSpeech.NO_SPEECH)
    return SpeechReport(segments, speech_s, NoSpeech.TOO_SHORT if speech_s < MIN_SPEECH_S else None)


def _levels(waveform: FloatArray) -> tuple[float, float]:
    """RMS of the loudest chunk, and the magnitude that at least `MIN_SPEECH_S` of sound reaches.

    The second is no plain peak, since one knock on the microphone must not hide that a voice is quiet.
    """
    power = 0.0
    peaks = [np.zeros(1, np.float32)]
    for samples in _blocks(waveform):
        chunks = _whole_chunks(samples)
        power = max(power, float(np.einsum("ij,ij->i", chunks, chunks, dtype=np.float64).max()) / CHUNK)
        peaks.append(np.abs(chunks).max(axis=1))
    loudest = np.sort(np.concatenate(peaks))[-math.ceil(MIN_SPEECH_S * SAMPLE_RATE / CHUNK) :]
    return power**0.5, float(loudest[0])


def _blocks(waveform: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, waveform.size, BLOCK_CHUNKS * CHUNK):
        yield waveform[start : start + BLOCK_CHUNKS * CHUNK]


def _whole_chunks(samples: FloatArray) -> FloatArray:
    """Shape (chunks, CHUNK), the last one filled up with silence."""
    count = -(-samples.size // CHUNK)
    return np.pad(samples, (0, count * CHUNK - samples.size)).reshape(count, CHUNK)


class VoiceActivity:
    """silero-vad over a whole waveform (https://github.com/snakers4/silero-vad, MIT), run by ONNX Runtime.

    The package's own front end imports torch and sets torch's threads for the whole process; the network
    that it ships for sequences needs neither. Nothing is kept between calls, so threads share one instance.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()  # nothing leaves this machine
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the work is too small to share; other threads have models to run
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def probabilities(self, waveform: FloatArray, gain: float) -> FloatArray:
        """Speech probability of every chunk of a waveform (samples,) that is not empty; float32 (chunks,)."""
        context = np.zeros((1, CONTEXT), np.float32)
        hidden = cell = np.zeros((1, 1, STATE), np.float32)
        parts = []
        for block in _blocks(waveform):
            chunks = _whole_chunks(block * np.float32(gain))
            before = np.vstack([context, chunks[:-1, -CONTEXT:]])
            context = chunks[-1:, -CONTEXT:]
            inputs = {"input": np.hstack([before, chunks]), "h": hidden, "c": cell}
            probabilities, hidden, cell = self._session.run(None, inputs)
            parts.append(probabilities)
        return np.concatenate(parts)


@lru_cache(maxsize=1)
def _voice_activity() -> VoiceActivity:
    package = importlib.util.find_spec("silero_vad")  # found and not imported: importing it imports torch
    folder = Path(package.origin).parent if package and package.origin else Path("silero_vad")
    path = folder / "data" / "silero_vad_16k_sequence.onnx"
    try:
        return VoiceActivity(path)
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        raise ModelError(
            "The voice detector could not be loaded from {path}. Install the packages of requirements.txt again.",
            path=str(path),
        ) from error


def _segments(probabilities: FloatArray, samples: int) -> tuple[Segment, ...]:
    """Runs of speech: begun at `THRESHOLD`, ended by a pause of `MIN_PAUSE_S` under `END_THRESHOLD`."""
    chunk_s, length_s = CHUNK / SAMPLE_RATE, samples / SAMPLE_RATE
    runs: list[tuple[float, float]] = []
    start_s = pause_s = None  # where the speech, and the pause inside it, began
    for i, probability in enumerate(probabilities.tolist()):
        now_s = i * chunk_s
        if probability >= THRESHOLD:
            start_s, pause_s = now_s if start_s is None else start_s, None
        elif probability < END_THRESHOLD and start_s is not None:
            pause_s = now_s if pause_s is None else pause_s
            if now_s - pause_s >= MIN_PAUSE_S:
                runs.append((start_s, pause_s))
                start_s = pause_s = None
    if start_s is not None:
        runs.append((start_s, min(length_s, pause_s or length_s)))
    return _padded([run for run in runs if run[1] - run[0] >= MIN_SEGMENT_S], length_s)


def _padded(runs: list[tuple[float, float]], length_s: float) -> tuple[Segment, ...]:
    """Widen runs by `PAD_S`, or by half of the pause between two where that is less."""
    segments = []
    for i, (start_s, end_s) in enumerate(runs):
        before_s = (start_s - runs[i - 1][1]) / 2 if i else start_s
        after_s = (runs[i + 1][0] - end_s) / 2 if i + 1 < len(runs) else length_s - end_s
        segments.append(Segment(start_s - min(PAD_S, before_s), end_s + min(PAD_S, after_s)))
    return tuple(segments)
