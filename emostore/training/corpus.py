"""EmoDB (Burkhardt et al. 2005): which file is whose, and which emotion it shows."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from emostore.engine.recognizer import SAMPLE_RATE, FloatArray
from emostore.errors import AudioError

# Letter of the German word in the file name. L (Langeweile, boredom) is none of the nine, and calling it
# `other` would teach that class from one emotion alone, so it is left out.
LABELS = {"W": "angry", "E": "disgusted", "A": "fearful", "F": "happy", "N": "neutral", "T": "sad"}
CLASSES = tuple(sorted(LABELS.values()))  # alphabetical, which is the product's order


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One labelled recording: `waveform` is float32, mono, 16 kHz, shape (samples,)."""

    name: str
    speaker: str
    text: str
    label: str
    waveform: FloatArray


def parse_name(name: str) -> tuple[str, str, str | None]:
    """Speaker, text code and emotion (None for boredom) of a file such as `03a01Fa.wav`.

    Raises `ValueError` for a name that does not follow the corpus.
    """
    stem = name.removesuffix(".wav")
    if len(stem) != 7 or not stem[:2].isdigit() or stem[5] not in {*LABELS, "L"}:
        raise ValueError(f"{name} is not named like an EmoDB file (speaker, text, emotion, version: 03a01Fa.wav)")
    return stem[:2], stem[2:5], LABELS.get(stem[5])


def read_corpus(folder: Path) -> list[Utterance]:
    """Every utterance of the six classes, sorted by name.

    Raises `AudioError` if the folder holds none, or a file is not mono 16-bit PCM.
    """
    found = []
    for path in sorted(folder.glob("*.wav")):
        speaker, text, label = parse_name(path.name)
        if label is not None:
            found.append(Utterance(path.stem, speaker, text, label, read_wav(path)))
    if not found:
        raise AudioError("{folder} holds no EmoDB recordings (files such as 03a01Fa.wav).", folder=str(folder))
    return found


def read_wav(path: Path) -> FloatArray:
    """The samples of a mono 16-bit wave file at 16 kHz: float32 in [-1, 1), shape (samples,).

    Another rate is resampled (only the recordings of other corpora have one).
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, shape = file.getframerate(), (file.getnchannels(), file.getsampwidth())
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise AudioError("{path} is not a readable wave file.", path=str(path)) from error
    if shape != (1, 2):
        raise AudioError(
            "{path} has {channels} channels and {width} bytes a sample; 1 and 2 are needed.",
            path=str(path),
            channels=shape[0],
            width=shape[1],
        )
    samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    if rate != SAMPLE_RATE:
        common = gcd(rate, SAMPLE_RATE)
        samples = resample_poly(samples, SAMPLE_RATE // common, rate // common)
    return np.asarray(samples, np.float32)
