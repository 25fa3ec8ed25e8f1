"""The outline of a recording's sound: how loud every hundredth of a second is, for drawing without decoding."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emostore import audio
from emostore.services.sound import cache

PER_SECOND = 100
BIN = audio.SAMPLE_RATE // PER_SECOND  # samples
KIND = "peaks.npz"


@dataclass(frozen=True, slots=True)
class Peaks:
    """Largest magnitudes, uint8 of shape (channels, n): 255 is `loudest`, the recording's loudest sample.

    Each row covers `duration_s` in `n` equal parts.
    """

    levels: NDArray[np.uint8]
    loudest: float
    duration_s: float

    def thinned(self, most: int) -> Peaks:
        """With at most `most` parts a channel, each as loud as the loudest of what it stands for."""
        channels, n = self.levels.shape
        factor = -(-n // most)
        if factor <= 1:
            return self
        filled = np.pad(self.levels, ((0, 0), (0, -n % factor)))
        return Peaks(filled.reshape(channels, -1, factor).max(axis=2), self.loudest, self.duration_s)

    def together(self) -> Peaks:
        """One row for all channels, as loud as the loudest of them."""
        return replace(self, levels=self.levels.max(axis=0, keepdims=True))


class Meter:
    """Collects peaks from blocks of sound, float32 (channels, samples) at 16 kHz, as they are decoded."""

    def __init__(self, channels: int) -> None:
        self._rest = np.empty((channels, 0), np.float32)
        self._parts = [np.empty((channels, 0), np.float32)]
        self._samples = 0

    def add(self, block: audio.FloatArray) -> None:
        """The next piece of the recording."""
        self._samples += block.shape[1]
        block = np.concatenate([self._rest, block], axis=1)
        whole = block.shape[1] - block.shape[1] % BIN
        self._parts.append(_magnitudes(block[:, :whole]))
        self._rest = block[:, whole:]

    def finish(self) -> Peaks:
        """The peaks of everything that was added."""
        short = -self._rest.shape[1] % BIN
        magnitudes = np.concatenate([*self._parts, _magnitudes(np.pad(self._rest, ((0, 0), (0, short))))], axis=1)
        loudest = float(magnitudes.max(initial=0.0))
        levels = np.round(magnitudes * (255 / loudest if loudest else 0)).astype(np.uint8)
        return Peaks(levels, loudest, self._samples / audio.SAMPLE_RATE)


def measure(channels: int, blocks: Iterable[audio.FloatArray]) -> Peaks:
    """The peaks of blocks of sound, in one pass and bounded memory."""
    meter = Meter(channels)
    for block in blocks:
        meter.add(block)
    return meter.finish()


def of(waveforms: Sequence[audio.FloatArray]) -> Peaks:
    """The peaks of decoded channels, float32 (samples,) each; memory-mapped ones are read piece by piece."""
    step = BIN * PER_SECOND * 60
    size = max((waveform.size for waveform in waveforms), default=0)
    blocks = (np.stack([waveform[at : at + step] for waveform in waveforms]) for at in range(0, size, step))
    return measure(len(waveforms), blocks)


def save(peaks: Peaks, sha256: str, data_dir: Path) -> None:
    """Keep the peaks of a recording, so that nobody waits for them. Raises `StoreError` if the disk does not."""
    cache.made(cache.path_of(sha256, KIND, data_dir), lambda aside: _write(peaks, aside))


def load(source: Path, sha256: str, data_dir: Path, limits: audio.Limits, *, name: str | None = None) -> Peaks:
    """The peaks of a recording; the first time, its kept sound at `source` is decoded for them.

    Messages call the recording `name`.

    Raises `AudioError` if it cannot be decoded and `StoreError` if the disk does not take them.
    """
    path = cache.path_of(sha256, KIND, data_dir)
    for _ in range(2):
        cache.made(path, lambda aside: _write(_decoded(source, limits, name), aside))
        found = _read(path)
        if found is not None:
            return found
        path.unlink(missing_ok=True)  # damaged on the disk: it can be made again
    return _decoded(source, limits, name)


def _decoded(source: Path, limits: audio.Limits, name: str | None) -> Peaks:
    with audio.open_stream(source, limits, name=name) as stream:
        return measure(stream.info.channels, stream)


def _write(peaks: Peaks, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, levels=peaks.levels, loudest=peaks.loudest, duration_s=peaks.duration_s)


def _read(path: Path) -> Peaks | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Peaks(stored["levels"], float(stored["loudest"]), float(stored["duration_s"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _magnitudes(samples: audio.FloatArray) -> NDArray[np.float32]:
    """The largest magnitude of every `BIN` samples; their number is a multiple of it."""
    parts = samples.reshape(samples.shape[0], -1, BIN)
    return np.asarray(np.maximum(parts.max(axis=2), -parts.min(axis=2)))
