"""Figures of scores against labels, and agreement of raters: by hand, by scikit-learn and as published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, recall_score

from emostore.analytics.agreement import alpha
from emostore.analytics.reliability import (
    FEW_LABELS,
    cautions,
    coverage,
    diagram,
    difference,
    ece,
    figures,
    folds,
    losses,
    wilson,
)
from emostore.training import metrics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def made(n: int = 800, seed: int = 0) -> tuple[Floats, Ints]:
    """Scores and truths that go together, somewhat."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 9, n)
    z = rng.standard_normal((n, 9)) + 2 * np.eye(9)[y]
    p = np.exp(1.7 * z)
    return p / p.sum(axis=1, keepdims=True), y


def top(confidence: list[float], right: list[int]) -> tuple[Floats, Ints]:
    """Scores whose highest is the first emotion's, with these confidences."""
    p = np.zeros((len(confidence), 9))
    p[:, 0], p[:, 1] = confidence, 1 - np.array(confidence)
    return p, 1 - np.array(right)


def test_figures_agree_with_scikit_learn() -> None:
    p, y = made()
    found = figures(p, y)
    assert found.count == 800
    assert found.wa == pytest.approx((p.argmax(1) == y).mean())
    assert found.uar == pytest.approx(recall_score(y, p.argmax(1), average="macro"))
    assert found.nll == pytest.approx(log_loss(y, p, labels=range(9)))
    assert found.brier == pytest.approx(brier_score_loss(y, p, labels=range(9), scale_by_half=False))
    assert found.ece == pytest.approx(metrics.ece(p, y))
    np.testing.assert_array_equal(found.confusion, confusion_matrix(y, p.argmax(1), labels=range(9)))


def test_calibration_error_of_known_cases() -> None:
    p, y = top([0.95, 0.95, 0.95, 0.55], [1, 1, 1, 0])
    for binning in ("width", "mass"):
        assert ece(p, y, 15, binning) == pytest.approx(0.75 * 0.05 + 0.25 * 0.55)
    assert ece(*top([1.0] * 4, [1] * 4)) == 0


def test_bins_of_equal_mass_hold_alike_many_and_keep_equal_confidences_together() -> None:
    p, y = made(1000)
    assert {each.count for each in diagram(p, y, 10, "mass")} == {100}
    same = diagram(*top([0.8] * 50 + [0.9] * 50, [1] * 100), 10, "mass")
    assert [(each.low, each.high, each.count) for each in same] == [(0.8, 0.8, 50), (0.9, 0.9, 50)]


def test_the_diagram_shows_every_clip_once_with_its_interval() -> None:
    p, y = made()
    found = diagram(p, y)
    assert sum(each.count for each in found) == len(y)
    for each in found:
        assert each.low <= each.confidence <= each.high
        assert each.accuracy_low <= each.accuracy <= each.accuracy_high
        interval = binomtest(round(each.accuracy * each.count), each.count).proportion_ci(0.95, "wilson")
        assert (each.accuracy_low, each.accuracy_high) == pytest.approx((interval.low, interval.high))


def test_a_share_of_none_or_all_has_an_interval_within_bounds() -> None:
    low, high = wilson([0, 20], [20, 20])
    np.testing.assert_allclose(low, [0, 0.8389], atol=1e-4)
    np.testing.assert_allclose(high, [0.1611, 1], atol=1e-4)


def test_an_impossible_truth_is_a_large_loss_and_not_an_infinite_one() -> None:
    p, y = top([1.0], [0])
    assert 20 < losses(p, y)[0] < 30


def test_what_is_kept_is_right_more_often() -> None:
    p, y = top([0.9, 0.9, 0.8, 0.6], [1, 1, 1, 0])
    found = coverage(p, y)
    np.testing.assert_allclose(found.threshold, [0.6, 0.8, 0.9])
    np.testing.assert_allclose(found.coverage, [1, 0.75, 0.5])
    np.testing.assert_allclose(found.accuracy, [0.75, 1, 1])
    assert (found.low <= found.accuracy).all()
    assert (found.accuracy <= found.high).all()
    assert found.threshold_for(0.9) == 0.8
    assert found.threshold_for(0.7) == 0.6
    assert coverage(*top([0.9, 0.6], [0, 1])).threshold_for(0.9) is None


def test_a_threshold_does_not_promise_what_higher_ones_break() -> None:
    """Right at the low end only: raising the threshold must not make it worse than promised, but for chance."""
    surely = coverage(*top([0.9] * 20 + [0.5] * 100, [1, 0] * 10 + [1] * 100))
    assert surely.accuracy[0] > 0.9
    assert surely.threshold_for(0.8) is None
    by_chance = coverage(*top([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 1, 1]))
    assert by_chance.threshold_for(0.8) == 0.5


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(2, 12))
def test_a_group_is_held_out_whole(groups: list[int], most: int) -> None:
    fold = folds(groups, most)
    names = np.array(groups)
    if len(set(groups)) > 1:
        assert all(len(set(fold[names == name].tolist())) == 1 for name in set(groups))
        assert len(set(fold.tolist())) == min(most, len(set(groups)))
    assert fold.max() < most


def test_folds_are_of_like_size() -> None:
    counts = np.bincount(folds(np.repeat(np.arange(40), np.arange(1, 41)), 5))
    assert counts.sum() == 820
    assert counts.max() - counts.min() <= 40


def test_a_difference_is_found_where_there_is_one() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 10)
    before = rng.standard_normal(400)
    mean, low, high = difference(before, before + 0.5 + 0.3 * rng.standard_normal(400), groups)
    assert low < mean < high
    assert 0.4 < low < 0.5 < high < 0.6
    assert difference(before, before + 1, np.zeros(400))[1:] == (-np.inf, np.inf)


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for seed in range(200):
        groups = np.repeat(np.arange(12), 8)
        change = rng.standard_normal(12)[groups] + rng.standard_normal(96)
        _, low, high = difference(np.zeros(96), change, groups, seed)
        inside += low <= 0 <= high
    assert 180 <= inside <= 199


def test_few_or_picked_labels_are_named() -> None:
    y = np.array([0] * 150 + [4] * 145 + [6] * 5)
    told = [each.message for each in cautions(y, np.arange(300), ["random"] * 300)]
    assert len(told) == 1
    assert "{emotion}" in told[0]
    assert cautions(y[:295], np.arange(295), ["random"] * 295) == ()
    many = cautions(y[: FEW_LABELS - 1], np.zeros(FEW_LABELS - 1), ["uncertain"] * (FEW_LABELS - 1))
    assert [each.params.get("found") for each in many] == [FEW_LABELS - 1, None, FEW_LABELS - 1]
    assert "one session" in many[1].message
    of_one = cautions(np.zeros(300), np.arange(300), ["random"] * 300)
    assert [str(each) for each in of_one] == [
        "Every label says angry: how well other emotions are told from it is not known."
    ]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        figures(np.zeros((0, 9)), [])
    with pytest.raises(ValueError, match="0 to 8"):
        figures(np.full((1, 9), 1 / 9), [9])


# Agreement of raters


def ratings(*rows: str) -> list[tuple[int, str]]:
    """One row for each rater, a sign for each clip; a dot is no rating."""
    return [(clip, value) for row in rows for clip, value in enumerate(row.split()) if value != "."]


@pytest.mark.parametrize(
    ("rows", "published"),
    [  # the examples A, B and C of Krippendorff 2011
        (("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),
        (("a a b b d c c c e d d a", "b a b b b c c c e d d d"), 0.692),
        (
            (
                "1 2 3 3 2 1 4 1 2 . . .",
                "1 2 3 3 2 2 4 1 2 5 . 3",
                ". 3 3 3 2 3 4 2 2 5 1 .",
                "1 2 3 3 2 4 4 1 2 5 1 .",
            ),
            0.743,
        ),
    ],
)
def test_agreement_is_as_published(rows: tuple[str, ...], published: float) -> None:
    assert alpha(ratings(*rows)) == pytest.approx(published, abs=5e-4)


def test_agreement_at_its_ends() -> None:
    assert alpha(ratings("a b c a", "a b c a")) == 1
    assert alpha(ratings("a a a", "a a a")) is None
    assert alpha(ratings("a b c")) is None
    assert alpha([]) is None
    rng = np.random.default_rng(0)
    by_chance = alpha([(clip, int(value)) for clip in range(4000) for value in rng.integers(0, 9, 2)])
    assert by_chance == pytest.approx(0, abs=0.03)
