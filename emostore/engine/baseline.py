"""The bundled model: small enough to ship, served with NumPy alone, trained by `emostore.training`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from emostore.emotions import EMOTIONS
from emostore.engine.features import feature_names, pool
from emostore.engine.frames import Frames, frames
from emostore.engine.recognizer import (
    CHUNK_S,
    HOP_S,
    SAMPLE_RATE,
    WINDOW_S,
    FloatArray,
    ModelInfo,
    Recognition,
    Windows,
    check_waveform,
    window_bounds,
)
from emostore.errors import EmostoreError, ModelError

DEFAULT = Path(__file__).parent.parent / "assets" / "baseline" / "baseline.safetensors"
LICENCE = "Apache-2.0"  # of the weights; the recordings they were trained on are CC0
REACH = np.float32(
    3.0
)  # standard deviations; a feature further out counts as this far (another microphone, not more anger)
_PAUSE_WINDOWS = 30  # pooled between two pauses: half a minute


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of the weights file, all float32.

    `centre` and `scale` (features,) standardise a feature vector; `head_weight` (9, features) and
    `head_bias` (9,), −inf for a class that the model cannot produce, turn an embedding into logits.
    """

    centre: FloatArray
    scale: FloatArray
    head_weight: FloatArray
    head_bias: FloatArray

    def embed(self, vector: FloatArray) -> FloatArray:
        """Feature vector (features,) to embedding (dim,), float32."""
        return np.asarray(np.clip((vector - self.centre) / self.scale, -REACH, REACH), np.float32)


class BaselineRecognizer:
    """The `Recognizer` made of `Weights`. It keeps no state between calls, so threads may share it."""

    def __init__(self, weights: Weights, revision: str) -> None:
        self._weights = weights
        self.head_weight = weights.head_weight
        self.head_bias = weights.head_bias
        classes = tuple(name for name, bias in zip(EMOTIONS, weights.head_bias, strict=True) if np.isfinite(bias))
        self._info = ModelInfo("baseline", revision, weights.head_weight.shape[1], classes, LICENCE)

    @classmethod
    def load(cls, path: Path = DEFAULT) -> BaselineRecognizer:
        """Read a weights file. Raises `ModelError` if it is missing, damaged or of another model."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(
                "The weights file {path} of the bundled model cannot be read. Install the package again.",
                path=str(path),
            ) from error
        return cls(_parse(data, path), hashlib.sha256(data).hexdigest()[:12])

    @property
    def info(self) -> ModelInfo:
        """Name, revision and classes of the model."""
        return self._info

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        """See `Recognizer.recognize`."""
        return self.recognize_pausing(waveforms, lambda: None)

    def recognize_pausing(
        self, waveforms: Sequence[FloatArray], pause: Callable[[], None]
    ) -> list[Recognition | EmostoreError]:
        """See `queue.PausingRecognizer`: it pauses after every half minute of sound."""
        return [self._answer(waveform, pause) for waveform in waveforms]

    def _answer(self, waveform: FloatArray, pause: Callable[[], None]) -> Recognition | EmostoreError:
        try:
            check_waveform(waveform)
        except EmostoreError as error:
            return error
        rows = frames(waveform, pause)
        parts = [rows.cut(start, end) for start, end in window_bounds(waveform.size)]
        pooled = []
        for number, part in enumerate(parts):
            pooled.append(self._weights.embed(pool(part)))
            if number % _PAUSE_WINDOWS == _PAUSE_WINDOWS - 1:
                pause()
        over_time = np.stack(pooled)
        if len(parts) == 1:
            embedding = over_time[0]
        elif waveform.size <= CHUNK_S * SAMPLE_RATE:
            embedding = self._weights.embed(pool(rows))
        else:
            embedding = _mean(over_time, parts)
        return Recognition(self._logits(embedding), embedding, Windows(self._logits(over_time), HOP_S, WINDOW_S))

    def _logits(self, embedding: FloatArray) -> FloatArray:
        return np.asarray(embedding @ self.head_weight.T + self.head_bias, np.float32)


def _mean(embeddings: FloatArray, parts: Sequence[Frames]) -> FloatArray:
    """Mean of window embeddings (windows, dim), weighted by how much voice each window holds: (dim,)."""
    voice = np.array([part.voicing.mean() for part in parts], np.float64) + 1e-6
    return np.asarray(voice / voice.sum() @ embeddings.astype(np.float64), np.float32)


def _parse(data: bytes, path: Path) -> Weights:
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError) as error:
        raise ModelError(
            "The weights file {path} of the bundled model is damaged. Install the package again.", path=str(path)
        ) from error
    size = len(feature_names())
    wanted = {"centre": (size,), "scale": (size,), "head_weight": (len(EMOTIONS), size), "head_bias": (len(EMOTIONS),)}
    for name, shape in wanted.items():
        found = tensors.get(name)
        if found is None or found.shape != shape or found.dtype != np.float32:
            raise ModelError(
                "The weights file {path} does not fit this version: {tensor} must be 32-bit floats of shape {shape}, "
                "found {found}. Install the package again.",
                path=str(path),
                tensor=name,
                shape=str(shape),
                found="nothing" if found is None else f"{found.dtype} {found.shape}",
            )
    weights = Weights(**{name: tensors[name] for name in wanted})
    usable = np.isfinite(weights.head_bias).any() and bool((weights.scale > 0).all())
    if not usable or not all(np.isfinite(tensors[name]).all() for name in ("centre", "scale", "head_weight")):
        raise ModelError(
            "The weights file {path} holds values that are not numbers. Install the package again.", path=str(path)
        )
    return weights
