"""The reference engine: a checkpoint recognised by FunASR's own network, one waveform at a time.

Slow and plain, it is what the app's own forward pass is compared with. FunASR's `AutoModel` is passed by:
it may ask the network for updates, sets torch to four threads whatever the machine has, unpickles the
weights itself and goes on with random numbers where some are missing. Its network class alone gives the
same scores (a test compares them).
"""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emostore.emotions import EMOTIONS
from emostore.engine import weights
from emostore.engine.checkpoint import CONFIG, Checkpoint, describe, load_weights
from emostore.engine.checkpoint_config import FRAME_SAMPLES
from emostore.engine.hardware import physical_cores
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
from emostore.errors import AudioError, EmostoreError, ModelError

if TYPE_CHECKING:
    from torch import Tensor

_HOP_SAMPLES = round(HOP_S * SAMPLE_RATE)
_HOP_FRAMES = _HOP_SAMPLES // FRAME_SAMPLES
_HOPS_PER_WINDOW = round(WINDOW_S / HOP_S)


class FunasrRecognizer:
    """A loaded checkpoint, on CUDA where there is one. Threads may share it; inside, one runs at a time.

    `head_weight`, float32 (9, dim), and `head_bias`, float32 (9,), turn an embedding into logits; a class
    that the model cannot produce has weight 0 and bias −inf.
    """

    def __init__(self, checkpoint: Checkpoint, model: Any, device: str) -> None:
        self._model, self._device = model, device
        self._normalize = bool(checkpoint.model_conf.get("normalize"))
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
        self._weight: FloatArray = model.proj.weight.cpu().numpy()[rows]  # (classes, dim)
        self._bias: FloatArray = model.proj.bias.cpu().numpy()[rows]  # (classes,)
        self.head_weight = np.zeros((len(EMOTIONS), checkpoint.dim), np.float32)
        self.head_bias = np.full(len(EMOTIONS), -np.inf, np.float32)
        self.head_weight[self._columns], self.head_bias[self._columns] = self._weight, self._bias

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None, device: str | None = None) -> FunasrRecognizer:
        """Load a FunASR checkpoint directory.

        `threads` are CPU threads, the physical cores by default; torch has one such number for the whole
        process, and it is set here, once, where the CPU is used. `device` is a torch device, CUDA where
        there is one by default. Raises `ModelError` naming what is wrong with the checkpoint.
        """
        checkpoint = describe(path)
        tensors = load_weights(checkpoint)  # refused before FunASR, which takes seconds to import
        import torch

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = _build(checkpoint, tensors).to(device)
        if device == "cpu":
            torch.set_num_threads(threads or physical_cores())
        return cls(checkpoint, model, device)

    @property
    def info(self) -> ModelInfo:
        """Name, revision, width and classes of the checkpoint."""
        return self._info

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        """Recognise waveforms of float32, mono, 16 kHz, shape (samples,); see `Recognizer.recognize`."""
        return [self._recognize(waveform) for waveform in waveforms]

    def _recognize(self, waveform: FloatArray) -> Recognition | EmostoreError:
        try:
            check_waveform(waveform)
            return self._pool(waveform)
        except EmostoreError as error:
            return error

    def _pool(self, waveform: FloatArray) -> Recognition:
        """Mean of all frames and of each window's frames, through the head.

        The head is linear, so the sums over each hop are kept as `classes` numbers, not as frames: four
        hours of audio take a megabyte.
        """
        hops = math.ceil(waveform.size / _HOP_SAMPLES)
        total = np.zeros(self._info.dim)
        sums = np.zeros((hops, len(self._columns)))
        counts = np.zeros(hops)
        for start, end in chunk_bounds(waveform.size):
            frames = self._frames(waveform[start:end]).astype(np.float64)
            firsts = np.arange(0, len(frames), _HOP_FRAMES)
            pooled = np.add.reduceat(frames, firsts, axis=0)  # (hops of the chunk, dim)
            here = start // _HOP_SAMPLES + np.arange(len(firsts))
            total += pooled.sum(axis=0)
            sums[here] += pooled @ self._weight.T
            counts[here] += np.diff(firsts, append=len(frames))
        embedding = (total / counts.sum()).astype(np.float32)
        if not np.isfinite(embedding).all():
            raise AudioError(
                "The audio is too loud to be computed with: its largest sample is {peak:g}, and 1 is full scale.",
                peak=float(np.abs(waveform).max()),
            )
        windows = np.array(
            [
                sums[i : i + _HOPS_PER_WINDOW].sum(axis=0) / counts[i : i + _HOPS_PER_WINDOW].sum()
                for i in range(len(window_bounds(waveform.size)))
            ]
        )
        logits = self._logits(self._weight @ embedding.astype(np.float64))
        return Recognition(logits, embedding, Windows(self._logits(windows), HOP_S, WINDOW_S))

    def _logits(self, projected: np.ndarray[Any, np.dtype[np.float64]]) -> FloatArray:
        """Add the bias and put (…, classes) into the product's order: float32 (…, 9), −inf elsewhere."""
        logits = np.full((*projected.shape[:-1], len(EMOTIONS)), -np.inf, np.float32)
        logits[..., self._columns] = projected + self._bias
        return logits

    def _frames(self, chunk: FloatArray) -> FloatArray:
        """The network's output for one chunk: float32 (frames, dim), frame i around sample 320 · i."""
        import torch

        try:
            with self._lock, torch.inference_mode():
                source = torch.tensor(chunk, device=self._device)
                if self._normalize:
                    source = torch.nn.functional.layer_norm(source, source.shape)
                features = self._model.extract_features(source.view(1, -1), padding_mask=None)
                frames: FloatArray = features["x"][0].cpu().numpy()
                return frames
        except torch.OutOfMemoryError as error:
            raise ModelError(
                "The graphics card has too little free memory for {seconds:.0f} s of audio. "
                "Close other programs that use it, then try again.",
                seconds=chunk.size / SAMPLE_RATE,
            ) from error


def chunk_bounds(samples: int) -> list[tuple[int, int]]:
    """Start and end sample of the parts in which a clip is recognised: one of up to `CHUNK_S`, else several.

    The parts are equally long, to the second, so none is short of context. Each is normalised by itself
    and knows nothing of its neighbours. They begin on a whole hop, so windows never share a frame's hop.
    """
    count = math.ceil(samples / (CHUNK_S * SAMPLE_RATE))
    starts = [math.ceil(i * samples / count / _HOP_SAMPLES) * _HOP_SAMPLES for i in range(count)]
    return list(zip(starts, [*starts[1:], samples], strict=True))


def _build(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> Any:
    """FunASR's network with the checkpoint's weights, float32 on the CPU, ready to infer."""
    import torch

    kind = network_class()
    conf = copy.deepcopy(dict(checkpoint.model_conf))
    try:
        # Without storage, so that nothing is drawn at random and an absurd width costs no memory.
        with torch.device("meta"):
            model = kind(model_conf=conf, vocab_size=len(checkpoint.labels))
    except Exception as error:  # whatever another project's constructor makes of a file's values
        raise ModelError(
            "The network that {path} describes cannot be built: {problem}. Download it again.",
            path=str(checkpoint.path / CONFIG),
            problem=" ".join(f"{type(error).__name__}: {error}".split()).rstrip("."),
        ) from error
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state = weights.take(tensors, shapes, checkpoint.prefixes, checkpoint.weights)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def network_class() -> Any:
    """FunASR's class; importing it imports all of FunASR, once, in about five seconds."""
    try:
        with _undisturbed():
            from funasr.models.emotion2vec.model import Emotion2vec
    except ImportError as error:
        raise ModelError(
            "FunASR is not installed ({problem}). Run: pip install -r requirements.txt", problem=str(error)
        ) from error
    return Emotion2vec


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep logging, warnings, standard output and torch's threads as they are: the import changes all four."""
    import torch

    root = logging.getLogger()
    handlers, level, threads = list(root.handlers), root.level, torch.get_num_threads()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
