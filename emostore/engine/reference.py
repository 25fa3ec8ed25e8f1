"""The reference engine: a checkpoint in FunASR's own network, one waveform at a time, to compare with.

FunASR's `AutoModel` is passed by: it may ask the network for updates, sets torch to four threads whatever
the machine has, unpickles the weights itself, runs code that a checkpoint names and goes on with random
numbers where weights are missing. Its network class alone gives the same answers (a test compares them).
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from emostore.config import Precision
from emostore.engine import weights
from emostore.engine.architecture import architecture
from emostore.engine.checkpoint import CONFIG, TOKENS, Checkpoint, describe, load_weights
from emostore.engine.checkpoint_config import FRAME_SAMPLES, read_text
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.hardware import physical_cores
from emostore.engine.recognizer import FloatArray
from emostore.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FunasrAnswer:
    """What FunASR says of a waveform: the score of each label in `tokens.txt`, and float32 (frames, dim)."""

    scores: dict[str, float]
    frames: FloatArray


class FunasrRecognizer(Emotion2vecRecognizer):
    """`Emotion2vecRecognizer` with FunASR's network inside: long recordings and windows as there, only slower."""

    def __init__(self, checkpoint: Checkpoint, network: FunasrNetwork) -> None:
        super().__init__(checkpoint, network.tensors, network)
        self._funasr = network

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int | None = None,
        device: str | None = None,
        precision: Precision = "float32",
        cache_dir: Path | None = None,
    ) -> FunasrRecognizer:
        """Load a FunASR checkpoint directory.

        `threads`, `device` and errors are as in `Emotion2vecRecognizer.load`; FunASR knows one precision,
        float32, and reads `model.pt` at each start, so the other two change nothing.
        """
        checkpoint = describe(path)
        tensors = load_weights(checkpoint)  # refused before FunASR, which takes seconds to import
        import torch

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        network = FunasrNetwork(checkpoint, tensors, device)
        if device == "cpu":
            torch.set_num_threads(threads or physical_cores())
        return cls(checkpoint, network)

    def generate(self, waveform: FloatArray) -> FunasrAnswer:
        """What FunASR's own inference makes of a waveform of float32, mono, 16 kHz, shape (samples,)."""
        with self._lock:
            return self._funasr.generate(waveform)


class FunasrNetwork:
    """FunASR's network with the checkpoint's weights, ready to infer; used as `network.Network` is."""

    def __init__(self, checkpoint: Checkpoint, tensors: dict[str, Tensor], device: str) -> None:
        import torch

        self.architecture = architecture(checkpoint)
        self.device, self.dtype = torch.device(device), torch.float32
        self._labels = [line.strip() for line in read_text(checkpoint.path / TOKENS).rstrip().splitlines()]
        model = _empty(checkpoint)
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        self.tensors = weights.take(tensors, shapes, checkpoint.prefixes, checkpoint.weights)
        model.load_state_dict(self.tensors, strict=True, assign=True)
        self._model = model.eval().requires_grad_(False).to(device)

    def count_frames(self, samples: int) -> int:
        """Frames of a waveform of so many samples."""
        return (samples - self.architecture.field) // FRAME_SAMPLES + 1

    def frames(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Features of normalised waveforms, float32 (samples,), one by one: float32 (frames, dim) each."""
        import torch

        with torch.inference_mode():
            sources = (waveform.to(self.device).view(1, -1) for waveform in waveforms)
            return [self._model.extract_features(source, padding_mask=None)["x"][0] for source in sources]

    def generate(self, waveform: FloatArray) -> FunasrAnswer:
        """See `FunasrRecognizer.generate`. Normalisation, mean, head and masks are FunASR's, too."""
        import torch

        with torch.inference_mode():
            (answer,), _ = self._model.inference(
                [torch.tensor(waveform)],
                key=[""],
                tokenizer=SimpleNamespace(token_list=self._labels),
                device=self.device,
                granularity="frame",  # of the features; scores are of the whole at any rate
                extract_embedding=True,
            )
        return FunasrAnswer(dict(zip(answer["labels"], answer["scores"], strict=True)), np.asarray(answer["feats"]))


def _empty(checkpoint: Checkpoint) -> Any:
    """FunASR's network without storage, so that nothing is drawn at random and an absurd width costs no memory."""
    import torch

    kind = network_class()
    conf = copy.deepcopy(dict(checkpoint.model_conf))
    try:
        with torch.device("meta"):
            return kind(model_conf=conf, vocab_size=len(checkpoint.labels))
    except Exception as error:  # whatever another project's constructor makes of a file's values
        raise ModelError(
            "The network that {path} describes cannot be built: {problem}. Download it again.",
            path=str(checkpoint.path / CONFIG),
            problem=" ".join(f"{type(error).__name__}: {error}".split()).rstrip("."),
        ) from error


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
