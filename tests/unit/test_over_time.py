"""Quality over time and who moved: against sums done by hand, and by simulation with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from emostore.analytics.over_time import LEAST_SESSIONS, changes, qualities, score_means
from emostore.analytics.quality import BALANCED, PUBLISHED, service_quality_score
from emostore.emotions import EMOTIONS

Array = NDArray[np.float64]
Side = tuple[Array, Array, Array]


def side(clips: Array, positive: Array, negative: Array, neutral: Array) -> Side:
    """Sessions, sums and products of k groups from arrays of shape (k, sessions); a session without clips is none."""
    values = np.stack([clips, positive * clips, negative * clips, neutral * clips], -1)  # (k, sessions, 4)
    return (clips > 0).sum(axis=1), values.sum(axis=1), np.einsum("ksi,ksj->kij", values, values)


def simulated(rng: np.random.Generator, truth: Array, sessions: int) -> Side:
    """Sessions of one to four clips that share a mood; truth is the mean of positive."""
    k = len(truth)
    clips = rng.integers(1, 5, (k, sessions)).astype(float)
    clips[np.arange(sessions) >= rng.integers(3, sessions + 1, k)[:, None]] = 0
    spread = 0.1
    mood = np.clip(truth[:, None] + spread * (rng.gamma(2, 1, (k, sessions)) - 2) / np.sqrt(2), 0, 1)
    return side(clips, mood, 0.2 * np.ones_like(mood), (0.8 - mood) * np.ones_like(mood))


def test_quality_of_a_time_is_that_of_its_mean_scores() -> None:
    scores = dict(zip(EMOTIONS, (0.1, 0.05, 0.05, 0.2, 0.3, 0.1, 0.1, 0.05, 0.05), strict=True))
    one = side(np.array([[1.0, 3.0]]), *(np.full((1, 2), part) for part in (0.25, 0.3, 0.3)))
    for profile in (BALANCED, PUBLISHED):
        (found,) = qualities(*one, profile)
        assert found.value == pytest.approx(service_quality_score(scores, profile))
        assert (found.low, found.high) == pytest.approx((found.value, found.value))  # both sessions were the same


def test_one_session_alone_has_no_interval_and_borrows_one_from_other_times() -> None:
    lone = side(np.array([[2.0, 0.0]]), *(np.array([[part, 0.0]]) for part in (0.3, 0.2, 0.5)))
    (alone,) = qualities(*lone)
    assert (alone.low, alone.high) == (None, None)
    rng = np.random.default_rng(1)
    others = simulated(rng, np.full(5, 0.4), 30)
    both = [np.concatenate([a, b]) for a, b in zip(lone, others, strict=True)]
    first, *rest = qualities(*both)
    assert first.value == alone.value
    assert first.low is not None
    assert first.high is not None
    assert first.high - first.low > max(each.high - each.low for each in rest if each.high and each.low)


def test_no_times_are_no_figures() -> None:
    nothing = side(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1)))
    assert qualities(*nothing) == ()
    assert changes(nothing, nothing) == ()


def test_intervals_end_where_the_score_does() -> None:
    rng = np.random.default_rng(3)
    clips = np.ones((3, 2))
    high = side(clips, np.where(rng.random((3, 2)) < 0.5, 1.0, 0.9), np.zeros((3, 2)), np.zeros((3, 2)))
    for found in qualities(*high):
        assert found.high is not None
        assert found.high <= 100


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.3, 0.5, 4000)
    sessions, sums, products = simulated(rng, truth, 25)
    slope = BALANCED.part_coefficients()
    quality = slope @ np.stack([np.ones_like(truth), truth, np.full_like(truth, 0.2), 0.8 - truth])
    inside = [
        found.low is not None and found.high is not None and found.low <= true <= found.high
        for found, true in zip(qualities(sessions, sums, products), quality, strict=True)
    ]
    assert 0.93 <= np.mean(inside) <= 0.97


def test_who_did_not_move_is_no_mover() -> None:
    rng = np.random.default_rng(7)
    truth = rng.uniform(0.3, 0.5, 1000)
    found = changes(simulated(rng, truth, 20), simulated(rng, truth, 20))
    assert len(found) <= 10  # of 1000, of whom 50 would stand out at one in twenty


def test_who_moved_is_found_with_the_right_sign_the_largest_first() -> None:
    rng = np.random.default_rng(9)
    truth = rng.uniform(0.4, 0.5, 200)
    moved = np.zeros(200)
    moved[:10], moved[10:20] = 0.2, -0.2
    found = changes(simulated(rng, truth, 40), simulated(rng, truth + moved, 40))
    assert len({change.index for change in found} & set(range(20))) >= 16  # the others have too few sessions to say
    assert all(np.sign(change.estimate) == np.sign(moved[change.index]) for change in found if change.index < 20)
    assert len([change for change in found if change.index >= 20]) <= 5
    sizes = [abs(change.estimate) for change in found]
    assert sizes == sorted(sizes, reverse=True)
    for change in found:
        assert change.low <= change.estimate <= change.high
        assert change.low > 0 or change.high < 0


def test_few_sessions_are_no_before() -> None:
    rng = np.random.default_rng(11)
    few = LEAST_SESSIONS - 1
    clips = np.ones((1, few))
    before = side(clips, rng.uniform(0.1, 0.2, (1, few)), clips * 0.2, clips * 0.3)
    now = simulated(rng, np.array([0.9]), 30)
    assert changes(before, now) == ()


def test_score_means_by_group_are_those_of_its_clips_and_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(13)
    groups, each = 400, 24
    group = np.repeat(np.arange(groups), each)
    session = group * 100 + np.tile(np.arange(each) // 2, groups)  # two clips a session
    mood = rng.dirichlet(np.full(9, 2.0), groups * each // 2)
    scores = 0.5 * np.repeat(mood, 2, axis=0) + 0.5 * rng.dirichlet(np.full(9, 2.0), groups * each)
    found = score_means(group, session, scores)
    assert list(found[7]) == list(EMOTIONS)
    assert [estimate.value for estimate in found[7].values()] == pytest.approx(scores[group == 7].mean(axis=0).tolist())
    truth = 1 / 9
    inside = [one.low <= truth <= one.high for of in found.values() for one in of.values() if one.low and one.high]
    assert 0.93 <= np.mean(inside) <= 0.97


def test_one_clip_has_means_and_no_interval() -> None:
    (found,) = score_means([3], [1], np.full((1, 9), 1 / 9)).values()
    assert {(one.value, one.low, one.high) for one in found.values()} == {(1 / 9, None, None)}
    assert score_means([], [], np.zeros((0, 9))) == {}
