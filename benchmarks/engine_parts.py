"""What the network's arithmetic amounts to, what the machine could do of it, and where the time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from emostore.engine.architecture import Architecture, architecture
from emostore.engine.checkpoint import Checkpoint
from emostore.engine.checkpoint_config import FRAME_SAMPLES
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.kernels import Linear
from emostore.engine.recognizer import SAMPLE_RATE, FloatArray

ROWS_S = 60.0  # seconds of audio whose rows are multiplied at once to measure the matrix rate
RUNS = 5


@dataclass(frozen=True, slots=True)
class Work:
    """Floating-point operations for some clips (a multiplication and an addition are two), and of which kind."""

    front_end: float
    positions: float
    linear: float
    attention: float

    @property
    def flop(self) -> float:
        """All of them."""
        return self.front_end + self.positions + self.linear + self.attention


def work_of(checkpoint: Checkpoint, seconds: Sequence[float]) -> Work:
    """The products of all matrices, kernels and attention scores for clips of these lengths, without padding."""
    arch = architecture(checkpoint)
    front = positions = linear = attention = 0.0
    for each in seconds:
        steps, width = round(each * SAMPLE_RATE), 1
        for channels, kernel, stride in arch.conv_layers:
            steps = (steps - kernel) // stride + 1
            front += 2 * steps * channels * kernel * width
            width = channels
        front += 2 * steps * width * arch.dim
        inside = arch.dim // arch.positional_groups
        positions += 2 * steps * arch.dim * inside * arch.positional_kernel * arch.positional_layers
        tokens = steps + arch.extra_tokens
        linear += len(arch.blocks) * 2 * tokens * arch.dim * (4 * arch.dim + 2 * arch.hidden)
        attention += len(arch.blocks) * 4 * tokens**2 * arch.dim
    return Work(front, positions, linear, attention)


def matrix_rate(checkpoint: Checkpoint, precision: str, device: str) -> float:
    """Operations a second in matrix products of this network's shapes and shares, by the faster of torch's ways."""
    arch, dtype = architecture(checkpoint), getattr(torch, precision)
    frames = round(ROWS_S * SAMPLE_RATE / FRAME_SAMPLES)
    flop = took = 0.0
    for rows, inner, outer, times in _products(arch, frames):
        a, b = (torch.randn(size, device=device, dtype=dtype) for size in ((rows, inner), (outer, inner)))
        packed = Linear(b, None, torch.device(device), dtype)
        ways = (lambda a=a, b=b: torch.nn.functional.linear(a, b), lambda a=a, packed=packed: packed(a))
        flop += times * 2 * rows * inner * outer
        took += times * min(median_s(way, device) for way in ways)
    return flop / took


def _products(arch: Architecture, frames: int) -> list[tuple[int, int, int, int]]:
    """(rows, inner, outer, how often) of the matrix products for so many frames."""
    blocks = len(arch.blocks)
    products = [
        (frames, arch.dim, 3 * arch.dim, blocks),
        (frames, arch.dim, arch.dim, blocks),
        (frames, arch.dim, arch.hidden, blocks),
        (frames, arch.hidden, arch.dim, blocks),
    ]
    rows, width = frames * FRAME_SAMPLES, 1
    for i, (channels, kernel, stride) in enumerate(arch.conv_layers):
        rows //= stride
        if i:  # the first has ten inputs a row: no matrix product to speak of
            products.append((rows, kernel * width, channels, 1))
        width = channels
    return products


def median_s(call: Callable[[], object], device: str) -> float:
    """Median seconds of a call, the graphics card's work included."""
    took = []
    for number in range(RUNS + 1):
        begun = _now(device)
        call()
        if number:
            took.append(_now(device) - begun)
    return statistics.median(took)


STAGES = {
    "_front_end": "convolutions of the waveform",
    "_positions": "positional convolutions",
    "_alibi": "attention bias",
    "_attend": "attention",
    "_linear": "matrices of the blocks",
    "_norm": "norms of the blocks",
}


def stages(recognizer: Emotion2vecRecognizer, clips: Sequence[FloatArray], device: str) -> dict[str, float]:
    """The share of the time that each part of the network takes, timed as it is called; they sum to 1."""
    network: Any = recognizer._network
    took = dict.fromkeys((*STAGES, "frames"), 0.0)
    inside: list[str] = []

    def timed(name: str, method: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            if inside and name != "frames":
                return method(*given)
            if name != "frames":
                inside.append(name)
            begun = _now(device)
            result = method(*given)
            took[name] += _now(device) - begun
            inside.clear()
            return result

        return call

    for name in took:
        setattr(network, name, timed(name, getattr(network, name)))
    begun = _now(device)
    recognizer.recognize(clips)
    whole = _now(device) - begun
    for name in took:
        delattr(network, name)
    shares = {title: took[name] / whole for name, title in STAGES.items()}
    parts = sum(took[name] for name in STAGES)
    return shares | {
        "the rest of the network": (took["frames"] - parts) / whole,
        "reading and pooling": 1 - took["frames"] / whole,
    }


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
