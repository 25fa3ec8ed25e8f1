"""Windows under a calibration: known scores, what has no part in it, and what nobody can change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emostore.analytics.calibration import RAW, Calibration, Head, Priors, Scaling, apply
from emostore.analytics.trajectory import speech_mask, window_scores
from emostore.emotions import EmotionScores
from emostore.services.calibration import over_time

EVEN = (1 / 9,) * 9
RISING = tuple((np.arange(1.0, 10) / 45).tolist())
HEAD = Head(np.ones((9, 4), np.float32), np.zeros(9, np.float32))
LOGITS = (8 * np.random.default_rng(3).standard_normal((40, 9))).astype(np.float32)
LOGITS[:, [2, 8]] = -np.inf


def by_hand(logits: NDArray[Any], factors: Any, biases: Any, wanted: Any) -> NDArray[np.float64]:
    """A scaling and a prior over even ones, number by number, of logits as they are stored."""
    found = []
    for row in logits.astype(np.float16).astype(np.float64).tolist():
        moved = [value * factor + bias for value, factor, bias in zip(row, factors, biases, strict=True)]
        weights = [math.exp(value - max(moved)) * share for value, share in zip(moved, wanted, strict=True)]
        found.append([weight / math.fsum(weights) for weight in weights])
    return np.array(found)


def test_a_temperature_gives_known_scores() -> None:
    logits = np.array([[8, 0, 0, 0, 0, 0, 0, 0, -np.inf], [16, 16, 0, 0, *[-np.inf] * 5]])
    found = over_time.scores(logits, Calibration(scaling=Scaling.of_temperature(8)))
    e = math.e
    assert found[0] == pytest.approx([e / (e + 7), *[1 / (e + 7)] * 7, 0], abs=1e-15)
    assert found[1] == pytest.approx([e**2 / (2 * e**2 + 2)] * 2 + [1 / (2 * e**2 + 2)] * 2 + [0] * 5, abs=1e-15)
    assert over_time.scores(logits)[0, 0] > 0.99  # which raw is a label rather than a score


def test_every_stage_that_needs_no_embedding_is_applied() -> None:
    factors, biases = np.linspace(0.05, 1, 9), np.linspace(-1, 2, 9)
    scaling, shares = Scaling(tuple(factors), tuple(biases)), Priors(EVEN, RISING)
    wanted = by_hand(LOGITS, factors, biases, RISING)
    for heads in ({}, {"phone": HEAD}):
        found = over_time.scores(LOGITS, Calibration(heads, scaling, shares))
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=0)
        assert (found[:, [2, 8]] == 0).all()
    np.testing.assert_array_equal(found, apply(Calibration({}, scaling, shares), LOGITS.astype(np.float16)))


@pytest.mark.parametrize("calibration", [RAW, Calibration({"phone": HEAD}), Calibration(trained=HEAD)])
def test_what_holds_nothing_of_windows_leaves_them_raw_to_the_bit(calibration: Calibration) -> None:
    stored = LOGITS.astype(np.float16)
    found = over_time.scores(LOGITS, calibration)
    assert found.tobytes() == window_scores(stored).tobytes()
    for row, logits in zip(found, stored.tolist(), strict=True):
        assert row == pytest.approx(EmotionScores.from_logits(logits).vector, abs=1e-12)
    behind = Calibration(trained=HEAD, scaling=Scaling.of_temperature(4), priors=Priors(EVEN, RISING))
    assert over_time.scores(LOGITS, behind).tobytes() == found.tobytes()


def test_which_windows_count_is_not_a_matter_of_their_scores() -> None:
    segments = np.array([[2.0, 9.0], [20.0, 21.5]])
    raw = over_time.trajectory(LOGITS, 1.0, 3.0, segments)
    cool = over_time.trajectory(LOGITS, 1.0, 3.0, segments, Calibration(scaling=Scaling.of_temperature(8)))
    assert raw.scored.tolist() == cool.scored.tolist() == speech_mask(segments, 40, 1.0, 3.0).tolist()
    assert over_time.trajectory(LOGITS, 1.0, 3.0).scored.all()
    assert (cool.hop_s, cool.length_s) == (1.0, 3.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8), st.floats(0.01, 3000), st.floats(0.02, 50), st.floats(0, 1))
def test_windows_are_distributions_whatever_the_stages(
    seed: int, silent: int, spread: float, temperature: float, weight: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((20, 9)) * spread).astype(np.float16)
    masked = rng.choice(9, silent, replace=False)
    logits[:, masked] = -np.inf
    shares = rng.dirichlet(np.full(9, 0.3), 11).clip(2e-6)
    shares /= shares.sum(axis=1, keepdims=True)
    source, target, *together = shares.tolist()
    priors = Priors(tuple(source), tuple(target), weight, tuple(map(tuple, together)))
    found = over_time.scores(logits, Calibration({"phone": HEAD}, Scaling.of_temperature(temperature), priors))
    assert (found[:, masked] == 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


def test_it_is_said_which_stage_windows_cannot_have() -> None:
    scaling = Scaling.of_temperature(4)
    assert over_time.left_out(RAW, None) is None
    assert over_time.left_out(Calibration({"phone": HEAD}, scaling), "room") is None
    assert over_time.left_out(Calibration(scaling=scaling), "phone") is None
    assert "are without that stage" in str(over_time.left_out(Calibration({"phone": HEAD}, scaling), "phone"))
    for alone in (Calibration({"phone": HEAD}), Calibration(trained=HEAD, scaling=scaling)):
        assert "are as the model gave them" in str(over_time.left_out(alone, "phone"))
    assert over_time.left_out(Calibration(trained=HEAD), None) is not None


def test_a_calibration_is_looked_for_once_and_raw_never() -> None:
    class View:
        parameters = Calibration(scaling=Scaling.of_temperature(4)).as_data()

    asked: list[int] = []

    def find(calibration_id: int) -> Any:
        asked.append(calibration_id)
        return View()

    read = over_time.reader(find)
    assert [read(each).is_raw for each in (None, 7, 7, None, 8, 7)] == [True, False, False, True, False, False]
    assert asked == [7, 8]
