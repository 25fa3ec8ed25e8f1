"""The nine emotions and distributions over them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError

COMPLAINT = dict(zip(EMOTIONS, (0.421, 0.183, 0.056, 0.002, 0.087, 0.032, 0.124, 0.023, 0.071), strict=True))


def test_the_order_is_the_published_one() -> None:
    assert (
        *("angry", "disgusted", "fearful", "happy", "neutral"),
        *("other", "sad", "surprised", "unknown"),
    ) == EMOTIONS


def test_rounded_scores_are_renormalised() -> None:
    scores = EmotionScores.from_raw(COMPLAINT)
    assert math.isclose(sum(scores.values()), 1)
    assert scores["angry"] == pytest.approx(0.421 / 0.999)
    assert scores.dominant == "angry"
    assert scores.margin == pytest.approx((0.421 - 0.183) / 0.999)


@pytest.mark.parametrize("total", [0.995, 1.005])
def test_a_sum_at_the_edge_of_rounding_is_accepted(total: float) -> None:
    assert EmotionScores.from_raw({"happy": total - 0.5, "sad": 0.5}).dominant in ("happy", "sad")


@pytest.mark.parametrize("total", [0.0, 0.9949, 1.0051, 2.0])
def test_a_sum_beyond_rounding_is_refused(total: float) -> None:
    with pytest.raises(ScoresError, match=r"sum to|between 0 and 1"):
        EmotionScores.from_raw({"happy": total / 2, "sad": total / 2})


@pytest.mark.parametrize(
    "raw",
    [
        {"happy": 1.0, "tired": 0.0},
        {"happy": float("nan")},
        {"happy": -0.1, "sad": 1.1},
        {"happy": float("inf")},
        [1.0],
        [1 / 9] * 8,
    ],
)
def test_what_is_not_a_distribution_is_refused_with_a_sentence(raw: object) -> None:
    with pytest.raises(ScoresError) as caught:
        EmotionScores.from_raw(raw)  # type: ignore[arg-type]
    assert str(caught.value).endswith(".") or str(caught.value).endswith(")")


def test_of_equal_scores_the_first_in_order_is_dominant() -> None:
    assert EmotionScores.from_raw({"sad": 0.5, "fearful": 0.5}).dominant == "fearful"


def test_entropy_runs_from_certain_to_uniform() -> None:
    assert EmotionScores.from_raw({"sad": 1.0}).entropy == 0
    assert EmotionScores.from_raw([1 / 9] * 9).entropy == pytest.approx(1)


def test_a_class_that_cannot_be_produced_scores_exactly_zero() -> None:
    scores = EmotionScores.from_logits([0.0, -math.inf, 0, 0, 0, 0, 0, 0, 0])
    assert scores["disgusted"] == 0
    assert scores["angry"] == pytest.approx(1 / 8)


@pytest.mark.parametrize("logits", [[-math.inf] * 9, [math.nan] * 9, [0.0] * 8, [math.inf] + [0.0] * 8])
def test_logits_without_meaning_are_refused(logits: list[float]) -> None:
    with pytest.raises(ScoresError):
        EmotionScores.from_logits(logits)


@given(st.lists(st.floats(-1000, 1000), min_size=9, max_size=9))
def test_softmax_always_gives_a_distribution_that_keeps_the_order(logits: list[float]) -> None:
    scores = EmotionScores.from_logits(logits)
    assert math.isclose(math.fsum(scores.values()), 1, abs_tol=1e-9)
    assert all(0 <= value <= 1 for value in scores.values())
    assert scores[EMOTIONS[logits.index(max(logits))]] == scores.confidence


@given(st.lists(st.floats(0, 1), min_size=9, max_size=9).filter(lambda values: sum(values) > 0.1))
def test_renormalising_twice_changes_nothing(values: list[float]) -> None:
    once = EmotionScores.from_raw([value / math.fsum(values) for value in values])
    assert EmotionScores.from_raw(dict(once)).vector == pytest.approx(once.vector, abs=1e-12)
