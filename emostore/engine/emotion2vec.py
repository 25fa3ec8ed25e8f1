"""Emotion2Vec+ checkpoints, recognised by a forward pass of our own: in batches, over time, at any length.

A clip up to `CHUNK_S` gets the scores that FunASR gives it (a test compares them). A longer one is
normalised as a whole, as FunASR does, and read in overlapping stretches (`batching`), so that memory stays
bounded and time grows with its length.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from emostore.config import Precision
from emostore.emotions import EMOTIONS
from emostore.engine import batching, slim
from emostore.engine.architecture import Architecture, architecture
from emostore.engine.batching import FRAMES_PER_S, Stretch
from emostore.engine.checkpoint import Checkpoint, describe
from emostore.engine.checkpoint_config import FRAME_SAMPLES
from emostore.engine.hardware import physical_cores
from emostore.engine.precision import choose
from emostore.engine.recognizer import (
    HOP_S,
    SAMPLE_RATE,
    WINDOW_S,
    FloatArray,
    ModelInfo,
    Recognition,
    Windows,
    blocks,
    check_waveform,
    window_bounds,
)
from emostore.errors import AudioError, EmostoreError, ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Frames that go through the network together. More bring a processor nothing; a graphics card idles with less.
BUDGET_FRAMES = {"cpu": 60 * FRAMES_PER_S, "cuda": 1200 * FRAMES_PER_S}
_HOP_FRAMES = round(HOP_S * FRAMES_PER_S)
_HOPS_PER_WINDOW = round(WINDOW_S / HOP_S)
_NORM_EPS = 1e-5  # of the layer norm over a waveform

logger = logging.getLogger(__name__)


class FrameNetwork(Protocol):
    """What turns waveforms into frames: `network.Network`, or FunASR's (`reference`)."""

    architecture: Architecture
    device: torch.device
    dtype: torch.dtype

    def count_frames(self, samples: int) -> int:
        """Frames of a waveform of so many samples."""
        ...

    def frames(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Features of normalised waveforms, float32 (samples,): float32 (frames, dim) each."""
        ...


class Emotion2vecRecognizer:
    """A loaded checkpoint, on CUDA where there is one. Threads may share it; inside, one runs at a time.

    `head_weight`, float32 (9, dim), and `head_bias`, float32 (9,), turn an embedding into logits; a class
    that the model cannot produce has weight 0 and bias −inf. `precision` names the type that the network
    computes in.
    """

    def __init__(self, checkpoint: Checkpoint, tensors: Mapping[str, Tensor], network: FrameNetwork) -> None:
        self._network = network
        self._device = network.device
        self._normalize = network.architecture.normalize
        self._budget = BUDGET_FRAMES["cuda" if self._device.type == "cuda" else "cpu"]
        self._lock = threading.Lock()
        self._info = ModelInfo(
            name=checkpoint.name,
            revision=checkpoint.revision,
            dim=checkpoint.dim,
            classes=checkpoint.classes,
            licence=checkpoint.licence,
        )
        rows = [checkpoint.labels.index(name) for name in checkpoint.classes]
        self._columns = [EMOTIONS.index(name) for name in checkpoint.classes]
        self.head_weight = np.zeros((len(EMOTIONS), checkpoint.dim), np.float32)
        self.head_bias = np.full(len(EMOTIONS), -np.inf, np.float32)
        self.head_weight[self._columns] = tensors["proj.weight"].numpy()[rows]
        self.head_bias[self._columns] = tensors["proj.bias"].numpy()[rows]
        self.precision = str(network.dtype).removeprefix("torch.")

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int | None = None,
        device: str | None = None,
        precision: Precision = "auto",
        cache_dir: Path | None = None,
    ) -> Emotion2vecRecognizer:
        """Load a FunASR checkpoint directory.

        `threads` are CPU threads, the physical cores by default; torch has one such number for the whole
        process, and it is set here, once, where the CPU is used. `device` is a torch device, CUDA where
        there is one by default. With a `cache_dir`, weights are converted once and mapped from then on
        (`slim`). Raises `ModelError` naming what is wrong with the checkpoint.
        """
        checkpoint = describe(path)
        network = architecture(checkpoint)
        loading = slim.begin(checkpoint, cache_dir)  # in another thread, while torch is imported
        import torch

        from emostore.engine.network import Network

        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        dtype = choose(precision, place)
        tensors = loading.tensors("bfloat16" if dtype == torch.bfloat16 else "float32")
        if place.type == "cpu":
            torch.set_num_threads(threads or physical_cores())
        return cls(checkpoint, tensors, Network(network, tensors, place, dtype))

    @property
    def info(self) -> ModelInfo:
        """Name, revision, width and classes of the checkpoint."""
        return self._info

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        """Recognise waveforms of float32, mono, 16 kHz, shape (samples,); see `Recognizer.recognize`.

        Together or one by one, they get the same. A waveform may be mapped from a file; it is read a
        stretch at a time.
        """
        return self.recognize_pausing(waveforms, lambda: None)

    def recognize_pausing(
        self, waveforms: Sequence[FloatArray], pause: Callable[[], None]
    ) -> list[Recognition | EmostoreError]:
        """`recognize`, with a call of `pause` between two passes; see `PausingRecognizer`."""
        clips: dict[int, _Clip] = {}
        results: list[Recognition | EmostoreError | None] = [None] * len(waveforms)
        for number, waveform in enumerate(waveforms):
            try:
                clips[number] = self._clip(waveform)
            except EmostoreError as error:
                results[number] = error
        stretches = [each for number, clip in clips.items() for each in batching.cut(number, clip.frames)]
        first = True
        waiting = batching.batches(stretches, self._budget)
        while waiting:
            if not first:
                pause()
            first = False
            batch = [stretch for stretch in waiting.pop(0) if results[stretch.clip] is None]
            try:
                for stretch, frames in zip(batch, self._pass(batch, clips), strict=True):
                    clips[stretch.clip].add(stretch, frames)
            except _OutOfMemoryError as error:
                parts = batching.split(batch)
                if parts is None:
                    results[batch[0].clip] = _too_little_memory(batch[0], error)
                    continue
                logger.warning("memory did not suffice for %s; it is done in two parts", _described(batch))
                waiting[:0] = parts
        for number, clip in clips.items():
            if results[number] is None:
                results[number] = self._result(clip)
        return [result for result in results if result is not None]

    def frames(self, waveform: FloatArray) -> Iterator[FloatArray]:
        """The network's output over time, 50 frames a second: float32 (frames, dim), block after block.

        Frame i of all blocks together is around sample 320 · i; `frames @ head_weight.T + head_bias` are its
        logits. Raises `AudioError` where `recognize` answers with one.
        """
        clip = self._clip(waveform)
        held = np.zeros((0, self._info.dim), np.float32)  # what the next stretch overlaps
        stretches = batching.cut(0, clip.frames)
        for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
            try:
                (found,) = self._pass([stretch], {0: clip})
            except _OutOfMemoryError as error:
                raise _too_little_memory(stretch, error) from error
            found *= stretch.weights[:, None]
            found[: len(held)] += held
            done = following.start - stretch.start if following else len(found)
            held = found[done:]
            yield found[:done]

    def _clip(self, waveform: FloatArray) -> _Clip:
        check_waveform(waveform)
        mean, scale = _moments(waveform) if self._normalize else (0.0, 1.0)
        return _Clip(waveform, mean, scale, self._network.count_frames(waveform.size), self.head_weight[self._columns])

    def _pass(self, batch: Sequence[Stretch], clips: Mapping[int, _Clip]) -> list[FloatArray]:
        """The frames of each stretch: float32 (frames, dim). Raises `_OutOfMemoryError`."""
        import torch

        field = self._network.architecture.field
        try:
            with self._lock:
                found = self._network.frames([torch.from_numpy(clips[each.clip].read(each, field)) for each in batch])
                return [frames.cpu().numpy() for frames in found]
        except (torch.OutOfMemoryError, MemoryError) as error:
            torch.cuda.empty_cache()
            raise _OutOfMemoryError from error
        except RuntimeError as error:
            if "allocate memory" not in str(error):  # how torch says it of the computer's own memory
                raise
            raise _OutOfMemoryError from error

    def _result(self, clip: _Clip) -> Recognition | EmostoreError:
        embedding = (clip.total / clip.counts.sum()).astype(np.float32)
        if not np.isfinite(embedding).all():
            return AudioError(
                "The audio is too loud to be computed with: its largest sample is {peak:g}, and 1 is full scale.",
                peak=max(float(np.abs(block).max()) for block in blocks(clip.waveform)),
            )
        logits = self._logits(self.head_weight[self._columns] @ embedding.astype(np.float64))
        return Recognition(logits, embedding, Windows(self._logits(clip.windows()), HOP_S, WINDOW_S))

    def _logits(self, projected: NDArray[np.float64]) -> FloatArray:
        """Add the bias and put (…, classes) into the product's order: float32 (…, 9), −inf elsewhere."""
        logits = np.full((*projected.shape[:-1], len(EMOTIONS)), -np.inf, np.float32)
        logits[..., self._columns] = projected + self.head_bias[self._columns]
        return logits


class _OutOfMemoryError(Exception):
    """The device's memory did not suffice for a batch."""


class _Clip:
    """A waveform and what was summed up of its frames so far.

    The head is linear, so what is kept of each hop are `classes` numbers, not frames: four hours of audio
    take a megabyte.
    """

    def __init__(self, waveform: FloatArray, mean: float, scale: float, frames: int, weight: FloatArray) -> None:
        self.waveform, self.frames = waveform, frames
        self._mean, self._scale, self._weight = np.float32(mean), np.float32(scale), weight
        hops = math.ceil(waveform.size / SAMPLE_RATE / HOP_S)
        self.total = np.zeros(weight.shape[1])  # (dim,)
        self.counts = np.zeros(hops)  # frames of each hop
        self._sums = np.zeros((hops, len(weight)))  # (hops, classes)

    def read(self, stretch: Stretch, field: int) -> FloatArray:
        """The normalised samples of a stretch whose frames see `field` samples each."""
        start = stretch.start * FRAME_SAMPLES
        samples = self.waveform[start : start + (stretch.frames - 1) * FRAME_SAMPLES + field]
        return np.ascontiguousarray((samples - self._mean) * self._scale)

    def add(self, stretch: Stretch, frames: FloatArray) -> None:
        """Sum up frames (frames, dim), each as often as its weight says."""
        weights = stretch.weights.astype(np.float64)
        firsts = np.arange(-(stretch.start % _HOP_FRAMES), stretch.frames, _HOP_FRAMES).clip(min=0)
        pooled = np.add.reduceat(frames * weights[:, None], firsts, axis=0)  # (hops of the stretch, dim)
        here = stretch.start // _HOP_FRAMES + np.arange(len(firsts))
        self.total += pooled.sum(axis=0)
        self._sums[here] += pooled @ self._weight.T
        self.counts[here] += np.add.reduceat(weights, firsts)

    def windows(self) -> NDArray[np.float64]:
        """The mean of each window's frames, through the head's weights: (windows, classes)."""
        count = len(window_bounds(self.waveform.size))
        return _over_windows(self._sums, count) / _over_windows(self.counts[:, None], count)


def _over_windows(hops: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sums of the hops (hops, n) of each of `count` windows: (count, n)."""
    padded = np.pad(hops, ((0, max(0, count + _HOPS_PER_WINDOW - 1 - len(hops))), (0, 0)))
    over: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded, _HOPS_PER_WINDOW, axis=0).sum(axis=-1)
    return over[:count]


def _moments(waveform: FloatArray) -> tuple[float, float]:
    """What the layer norm over a whole waveform subtracts and multiplies with, block by block."""
    mean = sum(float(block.sum(dtype=np.float64)) for block in blocks(waveform)) / waveform.size
    squares = sum(float(np.square(block.astype(np.float64) - mean).sum()) for block in blocks(waveform))
    return mean, 1 / math.sqrt(squares / waveform.size + _NORM_EPS)


def _described(batch: Sequence[Stretch]) -> str:
    seconds = sum(each.frames for each in batch) / FRAMES_PER_S
    return f"{len(batch)} stretches of {seconds:.0f} s together"


def _too_little_memory(stretch: Stretch, cause: _OutOfMemoryError) -> ModelError:
    error = ModelError(
        "There is too little free memory for {seconds:.0f} s of audio. Close other programs that use it, then try "
        "again.",
        seconds=stretch.frames / FRAMES_PER_S,
    )
    error.__cause__ = cause
    return error
