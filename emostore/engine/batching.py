"""Which stretches of which clips go through a network together.

A clip up to `CHUNK_S` is one stretch, so that nothing is lost of it. A longer one is cut into stretches of
at most `STRETCH_S` which overlap by `OVERLAP_S`. There, frames of both neighbours are mixed with weights
that go from one to the other in equal steps: no seam is left in the trajectory, and no frame counts more
than another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from emostore.engine.checkpoint_config import FRAME_SAMPLES
from emostore.engine.recognizer import CHUNK_S, SAMPLE_RATE, FloatArray

FRAMES_PER_S = SAMPLE_RATE // FRAME_SAMPLES
CHUNK_FRAMES = round(CHUNK_S * FRAMES_PER_S)
# Attention grows with the square of a stretch, and overlaps are computed twice. Against a clip of 10 s, a second
# of a long one takes 1.12 times as long in stretches of 20 s that overlap by 1 s, 1.32 times in 30 s by 2 s
# (bfloat16, one core of an AMD EPYC).
STRETCH_S = 20.0
STRETCH_FRAMES = round(STRETCH_S * FRAMES_PER_S)
OVERLAP_S = 1.0  # the network's convolutions see 0.9 s to either side; further away is attention's part alone
OVERLAP_FRAMES = round(OVERLAP_S * FRAMES_PER_S)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Frames `start` to `start + len(weights)` of the clip number `clip`.

    `weights` is float32 (frames,), what each frame counts: the weights of all stretches of a clip sum to 1
    at every frame.
    """

    clip: int
    start: int
    weights: FloatArray

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.weights)

    def halves(self) -> tuple[Stretch, Stretch] | None:
        """Two shorter ones with the same weights in sum; None where they would be no shorter than an overlap."""
        if self.frames < 4 * OVERLAP_FRAMES:
            return None
        first, second = cut(self.clip, self.frames, self.frames // 2 + OVERLAP_FRAMES)
        return (
            Stretch(self.clip, self.start, first.weights * self.weights[: first.frames]),
            Stretch(self.clip, self.start + second.start, second.weights * self.weights[second.start :]),
        )


def cut(clip: int, frames: int, most: int | None = None) -> list[Stretch]:
    """The stretches of a clip: one, or several of about equal length where it has more than `most` frames.

    Without `most`, a clip of more than `CHUNK_S` is cut into stretches of up to `STRETCH_S`. It must be at
    least twice `OVERLAP_FRAMES`, so that no frame belongs to three.
    """
    if most is None:
        most = frames if frames <= CHUNK_FRAMES else STRETCH_FRAMES
    count = 1 if frames <= most else math.ceil((frames - OVERLAP_FRAMES) / (most - OVERLAP_FRAMES))
    length = math.ceil((frames + (count - 1) * OVERLAP_FRAMES) / count)
    starts = [0, *(round(i * (frames - length) / (count - 1)) for i in range(1, count))]
    ends = [start + length for start in starts[:-1]] + [frames]
    result = []
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        weights = np.ones(end - start, np.float32)
        if i:
            weights[: ends[i - 1] - start] = _rise(ends[i - 1] - start)
        if i + 1 < count:
            weights[starts[i + 1] - start :] = 1 - _rise(end - starts[i + 1])
        result.append(Stretch(clip, start, weights))
    return result


def batches(stretches: Iterable[Stretch], budget: int) -> list[list[Stretch]]:
    """Stretches in groups of at most `budget` frames (or one longer stretch), the longest first.

    Similar lengths come together, and what needs the most memory is tried before anything else was done.
    """
    result: list[list[Stretch]] = []
    room = 0
    for stretch in sorted(stretches, key=lambda each: each.frames, reverse=True):
        if stretch.frames > room or not result:
            result.append([])
            room = budget
        result[-1].append(stretch)
        room -= stretch.frames
    return result


def split(batch: Sequence[Stretch]) -> list[list[Stretch]] | None:
    """A batch that was too much, as smaller ones: half the stretches, or a single one cut; None at the end."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return [list(batch[:middle]), list(batch[middle:])]
    halves = batch[0].halves()
    return [[half] for half in halves] if halves else None


def _rise(count: int) -> FloatArray:
    return ((np.arange(count) + 0.5) / count).astype(np.float32)
