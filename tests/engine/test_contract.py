"""What every recogniser must do, whatever model is behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.engine.recognizer import (
    HOP_S,
    MIN_SAMPLES,
    SAMPLE_RATE,
    WINDOW_S,
    FloatArray,
    Recognition,
    Recognizer,
    window_bounds,
)
from emostore.engine.registry import load_recognizer
from emostore.errors import AudioError
from tests.engine import tiny_checkpoint

TOLERANCE = 1e-4  # of a logit: float32 sums in another order


@pytest.fixture(scope="module", params=["emotion2vec", "funasr", "baseline"])
def recognizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    model = {"emotion2vec": str(tiny_checkpoint.shared()), "funasr": f"funasr:{tiny_checkpoint.shared()}"}
    data_dir = tmp_path_factory.mktemp("contract")
    return load_recognizer(
        Settings(model=model.get(request.param, request.param), data_dir=data_dir, threads=1, precision="float32")
    )


@pytest.fixture(scope="module")
def clips() -> list[FloatArray]:
    return [tiny_checkpoint.probe(kind, seconds) for kind, seconds in enumerate((0.5, 3.0, 7.3, 1.0))]


def one(recognizer: Recognizer, clip: FloatArray) -> Recognition:
    (result,) = recognizer.recognize([clip])
    assert isinstance(result, Recognition), result
    return result


def assert_same(result: object, expected: Recognition) -> None:
    assert isinstance(result, Recognition), result
    np.testing.assert_allclose(result.logits, expected.logits, atol=TOLERANCE)
    np.testing.assert_allclose(result.embedding, expected.embedding, atol=TOLERANCE)
    np.testing.assert_allclose(result.windows.logits, expected.windows.logits, atol=TOLERANCE)


def test_result_has_the_promised_shapes_and_types(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    result = one(recognizer, clips[2])
    assert result.logits.shape == (len(EMOTIONS),)
    assert result.embedding.shape == (recognizer.info.dim,)
    assert result.windows.logits.shape[1:] == (len(EMOTIONS),)
    assert {a.dtype for a in (result.logits, result.embedding, result.windows.logits)} == {np.dtype(np.float32)}
    assert (result.windows.hop_s, result.windows.length_s) == (HOP_S, WINDOW_S)
    assert np.isfinite(result.embedding).all()


def test_exactly_the_missing_classes_are_minus_infinity(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    result = one(recognizer, clips[2])
    missing = [name in recognizer.info.missing for name in EMOTIONS]
    for logits in (result.logits, *result.windows.logits):
        np.testing.assert_array_equal(np.isneginf(logits), missing)
        np.testing.assert_array_equal(np.isfinite(logits), np.logical_not(missing))
    assert recognizer.info.classes


def test_scores_are_a_distribution_that_differs_between_sounds(recognizer: Recognizer) -> None:
    sounds = [tiny_checkpoint.probe(kind) for kind in range(100, 116)]
    scores = [EmotionScores.from_logits(one(recognizer, sound).logits.tolist()) for sound in sounds]
    assert all(sum(score.vector) == pytest.approx(1) for score in scores)
    assert np.std([score.vector for score in scores], axis=0).max() > 0.01


@pytest.mark.parametrize("seconds", [0.025, 0.5, 2.999, 3.0, 3.001, 4.0, 7.3, 30.5])
def test_windows_are_those_of_the_clip_length(recognizer: Recognizer, seconds: float) -> None:
    clip = tiny_checkpoint.probe(3, seconds)
    assert len(one(recognizer, clip).windows.logits) == len(window_bounds(clip.size))


def test_a_batch_is_the_same_as_one_by_one_in_the_order_asked(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    expected = [one(recognizer, clip) for clip in clips]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        results = recognizer.recognize([clips[i] for i in order])
        for i, result in zip(order, results, strict=True):
            assert_same(result, expected[i])


def test_nothing_asked_is_nothing_answered(recognizer: Recognizer) -> None:
    assert recognizer.recognize([]) == []


def test_bad_waveforms_fail_alone_in_their_place(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    good = clips[1]
    holes = good.copy()
    holes[100] = np.nan
    endless = good.copy()
    endless[-1] = np.inf
    bad = [
        holes,
        endless,
        good[: MIN_SAMPLES - 1],
        good[:0],
        good.astype(np.float64),
        (good * 32767).astype(np.int16),
        np.stack([good, good]),
    ]
    results = recognizer.recognize([good, *bad, good])
    expected = one(recognizer, good)
    assert_same(results[0], expected)
    assert_same(results[-1], expected)
    assert [type(result) for result in results[1:-1]] == [AudioError] * len(bad)
    assert all(str(result) for result in results[1:-1])


def test_the_shortest_clip_that_is_allowed_works(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    assert len(one(recognizer, clips[0][:MIN_SAMPLES]).windows.logits) == 1


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0, 1e-30])
def test_a_constant_signal_gives_defined_results(recognizer: Recognizer, value: float) -> None:
    result = one(recognizer, np.full(2 * SAMPLE_RATE, value, np.float32))
    assert np.isfinite(result.embedding).all()
    assert not np.isnan(result.logits).any()
    assert not np.isnan(result.windows.logits).any()


def test_info_says_which_model_and_does_not_change(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    before = recognizer.info
    one(recognizer, clips[0])
    assert recognizer.info == before
    assert before.name
    assert before.licence
    assert 8 <= len(before.revision) <= 64
    assert set(before.revision) <= set("0123456789abcdef")


def test_threads_that_ask_at_once_get_what_one_gets(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    expected = [one(recognizer, clip) for clip in clips]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(recognizer.recognize, [clips[i % 4], clips[(i + 1) % 4]]) for i in range(8)]
        for i, future in enumerate(asked):
            first, second = future.result()
            assert_same(first, expected[i % 4])
            assert_same(second, expected[(i + 1) % 4])


def test_waveforms_are_not_changed_and_may_be_read_only_views(recognizer: Recognizer, clips: list[FloatArray]) -> None:
    stereo = np.stack([clips[1], clips[1]], axis=1)
    view = stereo[:, 0]  # not contiguous
    view.flags.writeable = False
    before = stereo.copy()
    assert_same(recognizer.recognize([view])[0], one(recognizer, clips[1]))
    np.testing.assert_array_equal(stereo, before)


def test_loading_again_gives_the_loaded_one_wherever_its_weights_are_cached(
    request: pytest.FixtureRequest, recognizer: Recognizer, tmp_path: Path
) -> None:
    name = request.node.callspec.params["recognizer"]
    model = {"emotion2vec": str(tiny_checkpoint.shared()), "funasr": f"funasr:{tiny_checkpoint.shared()}"}
    again = Settings(model=model.get(name, name), data_dir=tmp_path, threads=1, precision="float32")
    assert load_recognizer(again) is recognizer
