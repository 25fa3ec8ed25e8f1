"""What goes through the network together must be what each clip gets alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emostore.engine import batching
from emostore.engine.architecture import architecture
from emostore.engine.batching import CHUNK_FRAMES, OVERLAP_FRAMES, STRETCH_FRAMES
from emostore.engine.checkpoint import describe
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.network import Network
from emostore.engine.recognizer import MIN_SAMPLES, FloatArray, Recognition
from tests.engine import tiny_checkpoint

EXACT = 1e-5
LENGTHS = st.integers(MIN_SAMPLES, 40_000)


@pytest.fixture(scope="module")
def recognizer() -> Emotion2vecRecognizer:
    return Emotion2vecRecognizer.load(tiny_checkpoint.shared(), device="cpu", threads=1, precision="float32")


def sound(samples: int, kind: int) -> FloatArray:
    return tiny_checkpoint.probe(kind % 24, 2.5)[:samples]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LENGTHS, min_size=2, max_size=7), st.randoms(use_true_random=False))
def test_any_lengths_in_any_order_are_what_they_are_alone(
    recognizer: Emotion2vecRecognizer, lengths: list[int], random: Any
) -> None:
    clips = [sound(length, kind) for kind, length in enumerate(lengths)]
    alone = [recognizer.recognize([clip])[0] for clip in clips]
    order = list(range(len(clips)))
    random.shuffle(order)
    together = recognizer.recognize([clips[i] for i in order])
    for i, found in zip(order, together, strict=True):
        wanted = alone[i]
        assert isinstance(found, Recognition)
        assert isinstance(wanted, Recognition)
        np.testing.assert_allclose(found.logits, wanted.logits, atol=EXACT * 10)
        np.testing.assert_allclose(found.embedding, wanted.embedding, atol=EXACT)
        np.testing.assert_allclose(found.windows.logits, wanted.windows.logits, atol=EXACT * 10)


def test_nothing_leaks_from_a_neighbour_at_any_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip beside a deafening one gives, after every stage, what it gives beside silence."""
    checkpoint = describe(tiny_checkpoint.shared())
    tensors = tiny_checkpoint.tensors(checkpoint)
    network = Network(architecture(checkpoint), tensors, torch.device("cpu"), torch.float32)
    stages: list[list[torch.Tensor]] = []
    for name in ("_front_end", "_positions", "_block"):
        inner = getattr(network, name)

        def watched(*args: Any, inner: Any = inner) -> torch.Tensor:
            found: torch.Tensor = inner(*args)
            stages[-1].append(found.clone())
            return found

        monkeypatch.setattr(network, name, watched)
    clip = torch.from_numpy(sound(16_000, 3))
    frames, lead = network.count_frames(clip.numel()), network._lead
    for neighbour in (torch.zeros(9_000), 1000 * torch.from_numpy(sound(9_000, 5))):
        stages.append([])
        network.frames([neighbour, clip, neighbour])
    start = lead + network.count_frames(9_000) + lead
    assert len(stages[0]) == 2 + len(network.architecture.blocks)
    for quiet, loud in zip(*stages, strict=True):
        assert torch.equal(quiet[start : start + frames], loud[start : start + frames])
        assert not torch.equal(quiet[: lead + 1], loud[: lead + 1])


@settings(max_examples=300)
@given(st.integers(1, 40_000), st.integers(4 * OVERLAP_FRAMES, 3000))
def test_stretches_cover_every_frame_once(frames: int, most: int) -> None:
    stretches = batching.cut(0, frames, most)
    total, how_often = np.zeros(frames), np.zeros(frames)
    for stretch in stretches:
        assert stretch.frames <= most
        total[stretch.start : stretch.start + stretch.frames] += stretch.weights
        how_often[stretch.start : stretch.start + stretch.frames] += 1
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert how_often.max() <= 2
    if len(stretches) > 1:
        assert min(stretch.frames for stretch in stretches) > most // 4
    assert (len(stretches) == 1) == (frames <= most)


@pytest.mark.parametrize(("frames", "longest"), [(1, 1), (CHUNK_FRAMES, CHUNK_FRAMES), (CHUNK_FRAMES + 1, 776)])
def test_a_clip_is_whole_up_to_a_chunk_and_then_in_shorter_stretches(frames: int, longest: int) -> None:
    assert max(stretch.frames for stretch in batching.cut(0, frames)) == longest


@pytest.mark.parametrize("frames", [CHUNK_FRAMES + 1, 10_000, 720_000])
def test_stretches_of_a_long_clip_are_neither_long_nor_short(frames: int) -> None:
    lengths = [stretch.frames for stretch in batching.cut(0, frames)]
    assert STRETCH_FRAMES // 2 < min(lengths) <= max(lengths) <= STRETCH_FRAMES


def test_a_stretch_and_its_halves_count_the_same() -> None:
    for stretch in batching.cut(0, 4000):
        halves = stretch.halves()
        assert halves is not None
        whole = np.zeros(4000)
        for half in halves:
            assert half.frames < stretch.frames
            whole[half.start : half.start + half.frames] += half.weights
        np.testing.assert_allclose(whole[stretch.start : stretch.start + stretch.frames], stretch.weights, atol=1e-6)
    assert batching.cut(0, 2 * OVERLAP_FRAMES)[0].halves() is None


@settings(max_examples=200)
@given(st.lists(st.integers(1, CHUNK_FRAMES), max_size=40), st.integers(1, 4 * CHUNK_FRAMES))
def test_batches_hold_every_stretch_once_within_the_budget(lengths: list[int], budget: int) -> None:
    stretches = [each for clip, frames in enumerate(lengths) for each in batching.cut(clip, frames)]
    found = batching.batches(stretches, budget)
    assert sorted(each.clip for batch in found for each in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or sum(each.frames for each in batch) <= budget for batch in found)
    flat = [each.frames for batch in found for each in batch]
    assert flat == sorted(flat, reverse=True)
