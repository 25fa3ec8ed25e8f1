"""Distances, mean distributions and differences: against other implementations, and by simulation."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from emostore.analytics.comparison import (
    TARGETS,
    TargetProfile,
    averaged,
    comparison_sentences,
    difference,
    distance,
    distances,
    stacked,
)
from emostore.analytics.reference import CASES
from emostore.analytics.resampling import SessionSums, correlation, interval, swapped
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError, ScoresError
from emostore.i18n import explain

Array = NDArray[np.float64]

TRUTH = np.array([0.08, 0.03, 0.03, 0.15, 0.50, 0.03, 0.06, 0.05, 0.07])
ANGRIER = TRUTH + 0.15 * (np.eye(9)[0] - np.eye(9)[4])

rows = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=9, max_size=9).filter(lambda values: sum(values) > 0.1)


def sessions(
    rng: np.random.Generator, m: int, truth: Array = TRUTH, first_id: int = 0, spread: float = 10.0
) -> SessionSums:
    """m sessions of 1 to 3 clips, whose moods differ, with clips of different length."""
    number = np.repeat(np.arange(m), rng.integers(1, 4, m))
    mood = rng.gamma(np.maximum(truth * spread, 1e-3), size=(m, 9))[number]
    clips = rng.gamma(np.maximum(8 * mood / mood.sum(axis=1, keepdims=True), 1e-3))
    clips /= clips.sum(axis=1, keepdims=True)
    return SessionSums.from_clips(first_id + number, rng.lognormal(3, 0.6, len(number)), clips)


# Distances


@given(rows, rows, rows)
def test_the_distance_is_a_metric_from_0_to_1_and_scipys(a: list[float], b: list[float], c: list[float]) -> None:
    found = distances([a, b, c])
    assert found == pytest.approx(found.T, abs=1e-12)
    assert (np.diag(found) == 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0, 2] <= found[0, 1] + found[1, 2] + 1e-9
    assert found[0, 1] ** 2 == pytest.approx(np.nan_to_num(jensenshannon(a, b, base=2)) ** 2, abs=1e-12)


def test_what_has_nothing_in_common_is_1_apart_and_the_same_0() -> None:
    assert distance({"happy": 1.0}, {"sad": 1.0}) == 1
    assert distance(CASES["Teaching voice"], CASES["Teaching voice"]) == 0
    assert distance({"happy": 1.0}, {"happy": 1.0, "sad": 5e-324}) == 0
    assert distance({"happy": 0.5}, {"happy": 1.0}) == 0  # of sums, only their shares count


def test_each_case_is_nearest_to_its_own_target() -> None:
    found = distances(np.concatenate([stacked(list(CASES.values())), stacked([t.scores for t in TARGETS])]))[:3, 3:]
    assert found.argmin(axis=1).tolist() == [0, 1, 2]
    assert np.diag(found).tolist() == [0, 0, 0]
    assert found[0, 1] == pytest.approx(jensenshannon(*stacked([CASES["Business talk"], TARGETS[1].scores]), base=2))


def test_a_sample_of_zeros_has_no_distance() -> None:
    with pytest.raises(ScoresError, match="no distance"):
        distance({}, {"happy": 1.0})
    with pytest.raises(ScoresError, match="tired"):
        distance({"tired": 1.0}, {"happy": 1.0})
    assert distances(np.zeros((0, 9))).shape == (0, 0)
    assert stacked([]).shape == (0, 9)


# Targets


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_target_survives_json_as_given(target: TargetProfile) -> None:
    again = TargetProfile.from_json(target.to_json())
    assert again == target
    assert json.loads(target.to_json())["scores"] == dict(target.scores)
    assert sum(again.scores.values()) == pytest.approx(0.999)  # not renormalised


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "x"}, "scores is missing"),
        ({"name": "x", "scores": [0.1] * 9}, "must be an object with the names angry"),
        ({"name": "x", "scores": {"tired": 1.0}}, "tired is not one of the nine"),
        ({"name": "x", "scores": {"happy": 0.5}}, "sum to 0.5"),
        ({"name": "x", "scores": {"happy": "1"}}, "happy is '1'"),
        ({"name": "x", "scores": {"happy": 1.5}}, "happy is 1.5"),
        ({"name": "", "scores": {"happy": 1}}, "is no name"),
    ],
)
def test_a_target_that_is_no_distribution_is_refused(data: Any, message: str) -> None:
    with pytest.raises(EmostoreError, match=re.escape(message)):
        TargetProfile.from_data(data)


# Means


def test_a_mean_is_weighted_by_seconds_of_speech() -> None:
    happy, sad = np.eye(9)[3], np.eye(9)[6]
    sums = SessionSums.from_clips([1, 1, 2, 3], [10, 20, 30, 0], [happy, sad, sad, happy])
    assert sums.ids.tolist() == [1, 2]  # nobody speaks in the third
    assert sums.mean[[3, 6]] == pytest.approx([10 / 60, 50 / 60])
    found = averaged(sums)
    assert found.scores["happy"] == pytest.approx(1 / 6)
    assert (found.sessions, found.speech_s, found.note) == (2, 60, None)


def test_one_session_has_a_mean_and_no_interval() -> None:
    sums = SessionSums.from_clips([5, 5], [10, 20], np.tile(TRUTH, (2, 1)))
    found = averaged(sums)
    assert list(found.scores.values()) == pytest.approx(TRUTH.tolist())
    assert (found.low, found.high) == (None, None)
    assert found.note is not None
    assert "One session alone" in explain(found.note, "en")
    apart = difference(sums, sessions(np.random.default_rng(0), 9, first_id=10))
    assert (apart.low, apart.high, apart.p_values, apart.real) == (None, None, None, ())
    assert apart.note == found.note


def test_no_speech_is_told() -> None:
    silent = SessionSums.from_clips([1], [0], [TRUTH])
    with pytest.raises(ScoresError, match="no speech"):
        averaged(silent)
    with pytest.raises(ScoresError, match="no speech"):
        difference(sessions(np.random.default_rng(0), 3), silent)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.floats(0.1, 600), rows), min_size=1, max_size=25),
    st.integers(0, 2**32 - 1),
)
def test_intervals_hold_their_mean_within_0_and_1_and_are_the_same_each_time(clips: Any, seed: int) -> None:
    ids, seconds, scores = zip(*clips, strict=True)
    scores = np.array(scores) / np.sum(scores, axis=1, keepdims=True)
    sums = SessionSums.from_clips(ids, seconds, scores)
    assert sums.mean == pytest.approx(np.average(scores, axis=0, weights=seconds))
    bounds = interval(sums, seed)
    if len(set(ids)) == 1:
        assert bounds is None
        return
    assert bounds is not None
    low, high = bounds
    assert ((low >= 0) & (low <= sums.mean) & (sums.mean <= high) & (high <= 1)).all()
    again = interval(sums, seed)
    assert again is not None
    assert (again[0] == low).all()


def test_sessions_that_all_say_the_same_have_no_width() -> None:
    low, high = interval(SessionSums(range(4), [1.0, 2, 3, 4], np.outer([1.0, 2, 3, 4], np.eye(9)[3]))) or (None, None)  # type: ignore[arg-type]
    assert low is not None
    assert low.tolist() == np.eye(9)[3].tolist()
    assert high is not None
    assert high.tolist() == np.eye(9)[3].tolist()


@pytest.mark.parametrize(("m", "least"), [(5, 0.92), (12, 0.92), (60, 0.92), (400, 0.90)])
def test_intervals_hold_the_truth_in_about_95_of_100_cases(m: int, least: float) -> None:
    rng = np.random.default_rng(m)
    held = []
    for _ in range(60):
        low, high = interval(sessions(rng, m)) or (None, None)
        assert low is not None
        held.append((low <= TRUTH) & (high >= TRUTH))
    assert least <= np.mean(held) <= 0.99


def test_clips_of_one_session_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(8)
    scores = rng.dirichlet(TRUTH * 20, 12)
    apart = SessionSums.from_clips(np.arange(12), np.ones(12), scores)
    copied = SessionSums.from_clips(np.repeat(np.arange(12), 50), np.ones(600), np.repeat(scores, 50, axis=0))
    for one, other in zip(interval(apart) or (), interval(copied) or (), strict=True):
        assert other == pytest.approx(one)


@pytest.mark.parametrize(
    "arguments",
    [
        ([1, 1], [1.0, 1.0], np.zeros((2, 9))),
        ([1], [0.0], np.zeros((1, 9))),
        ([1], [np.nan], np.zeros((1, 9))),
        ([1], [1.0], np.full((1, 9), 1.5)),
        ([1], [1.0], np.full((1, 9), -0.1)),
        ([1], [1.0], np.zeros((1, 8))),
        ([1, 2], [1.0], np.zeros((2, 9))),
    ],
)
def test_sums_that_no_scores_can_have_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"shapes|one row|between 0"):
        SessionSums(*arguments)


# Differences


def test_a_large_difference_is_real_and_its_sides_are_opposite() -> None:
    rng = np.random.default_rng(4)
    a, b = sessions(rng, 80, ANGRIER, spread=30), sessions(rng, 80, first_id=1000, spread=30)
    one, other = difference(a, b), difference(b, a)
    assert "angry" in one.real
    assert one.values["angry"] == pytest.approx(0.15, abs=0.05)
    assert one.low is not None
    assert one.high is not None
    assert 0 < one.low["angry"] < 0.15 < one.high["angry"]
    assert other.values["angry"] == -one.values["angry"]
    assert other.real == one.real
    assert one.distance == other.distance == pytest.approx(float(distances([a.mean, b.mean])[0, 1]))
    assert one.note is None


@pytest.mark.parametrize(("m", "n"), [(4, 12), (20, 20), (60, 8)])
def test_where_nothing_differs_nearly_nothing_is_called_real(m: int, n: int) -> None:
    """At most 5 % of comparisons, over all nine emotions; of 100, up to 11 are chance (99.5th percentile)."""
    rng = np.random.default_rng(m)
    false = sum(bool(difference(sessions(rng, m), sessions(rng, n, first_id=1000)).real) for _ in range(100))
    assert false <= 11


def test_the_test_has_the_level_it_claims() -> None:
    """Where nothing differs, the smallest of the nine adjusted p-values is uniform (or a little above)."""
    rng = np.random.default_rng(5)
    smallest = np.array([swapped(sessions(rng, 9), sessions(rng, 15, first_id=99)).min() for _ in range(150)])
    for level in (0.1, 0.25, 0.5):
        assert (smallest <= level).mean() == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 150))


@pytest.mark.parametrize(("m", "n"), [(2, 2), (3, 3), (2, 4)])
def test_too_few_sessions_tell_nothing_and_say_so(m: int, n: int) -> None:
    rng = np.random.default_rng(1)
    a = SessionSums.from_clips(range(m), np.ones(m), rng.dirichlet(np.eye(9)[0] * 500 + 1, m))
    b = SessionSums.from_clips(range(50, 50 + n), np.ones(n), rng.dirichlet(np.eye(9)[3] * 500 + 1, n))
    found = difference(a, b)
    assert found.real == ()
    assert found.note is not None
    assert f"With {m} and {n} sessions" in explain(found.note, "en")


def test_two_channels_of_the_same_calls_are_compared_call_by_call() -> None:
    """What a call does to both sides cancels, so that a small difference within calls is seen."""
    rng = np.random.default_rng(2)
    mood = rng.dirichlet(TRUTH * 6, 40)
    shift = 0.02 * (np.eye(9)[3] - np.eye(9)[4])
    near = [np.clip(mood + sign * shift + rng.normal(0, 0.004, mood.shape), 0, None) for sign in (1, -1)]
    same = [SessionSums.from_clips(range(40), np.ones(40), side / side.sum(axis=1, keepdims=True)) for side in near]
    other = SessionSums(same[1].ids + 1000, same[1].seconds, same[1].sums)  # as if they were other calls
    paired, unpaired = difference(*same), difference(same[0], other)
    assert (correlation(*same) > 0.7).all()
    assert (correlation(same[0], other) == 0).all()
    assert paired.values == unpaired.values
    assert paired.low is not None
    assert unpaired.low is not None
    assert paired.high is not None
    assert unpaired.high is not None
    for name in EMOTIONS:
        assert paired.high[name] - paired.low[name] < 0.8 * (unpaired.high[name] - unpaired.low[name])


@pytest.mark.parametrize("shared", [5, 10])
def test_sets_that_share_sessions_keep_the_level(shared: int) -> None:
    rng = np.random.default_rng(shared)
    false = 0
    for _ in range(100):
        a, b = sessions(rng, 10), sessions(rng, 10, first_id=10 - shared)
        false += bool((swapped(a, b) <= 0.05).any())
    assert false <= 11


def test_a_set_does_not_differ_from_itself() -> None:
    same = sessions(np.random.default_rng(7), 12)
    found = difference(same, same)
    assert found.real == ()
    assert found.distance == 0
    assert found.p_values is not None
    assert set(found.p_values.values()) == {1.0}
    assert pickle.loads(pickle.dumps(found)) == found  # pages cache it


def test_many_sessions_are_grouped_and_still_tell_the_same() -> None:
    rng = np.random.default_rng(3)
    a, b = sessions(rng, 700, ANGRIER, spread=30), sessions(rng, 1500, first_id=10_000, spread=30)
    found = difference(a, b)
    assert {"angry", "neutral"} <= set(found.real)
    low, high = interval(b) or (None, None)
    assert low is not None
    residual = b.sums - b.seconds[:, None] * b.mean
    error = np.sqrt((residual**2).sum(axis=0)) / b.seconds.sum()  # cluster-robust, without resampling
    assert (high - low) / 2 / 1.96 == pytest.approx(error, rel=0.15)


def test_before_and_after_a_date_are_two_sets_of_sessions() -> None:
    rng = np.random.default_rng(6)
    early, late = sessions(rng, 40, spread=30), sessions(rng, 40, ANGRIER, first_id=40, spread=30)
    both = SessionSums(
        np.concatenate([early.ids, late.ids]),
        np.concatenate([early.seconds, late.seconds]),
        np.concatenate([early.sums, late.sums]),
    )
    found = difference(both.where(both.ids >= 40), both.where(both.ids < 40))
    assert found == difference(late, early)
    assert "angry" in found.real


def test_the_method_is_told_with_its_numbers() -> None:
    told = " ".join(explain(sentence, "en") for sentence in comparison_sentences())
    assert "999 times" in told
    assert "one comparison in 20" in told
