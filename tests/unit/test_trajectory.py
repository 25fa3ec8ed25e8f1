"""Trends, changes and moments of series whose answer is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from emostore.analytics import trajectory as paths
from emostore.analytics.trajectory import Change, Trajectory
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError

FloatArray = NDArray[np.float64]


def rows(**columns: ArrayLike) -> FloatArray:
    """Scores (n, 9) of the named emotions; what is left of 1 is neutral."""
    n = max(np.size(values) for values in columns.values())
    scores = np.zeros((n, len(EMOTIONS)))
    for name, values in columns.items():
        scores[:, EMOTIONS.index(name)] = values
    scores[:, EMOTIONS.index("neutral")] += 1 - scores.sum(axis=1)
    return scores


def path(scored: ArrayLike | None = None, hop_s: float = 1.0, **columns: ArrayLike) -> Trajectory:
    mask = None if scored is None else np.array(scored, bool)
    return Trajectory(rows(**columns), hop_s, 3.0, mask)  # type: ignore[arg-type]


def of(letters: str, strength: float = 0.9) -> Trajectory:
    """One window a letter: a(ngry), h(appy), n(eutral), s(ad); a dot is a pause."""
    names = {"a": "angry", "h": "happy", "n": "neutral", "s": "sad", ".": "neutral"}
    scores = np.full((len(letters), len(EMOTIONS)), (1 - strength) / 8)
    for i, letter in enumerate(letters):
        scores[i, EMOTIONS.index(names[letter])] = strength
    return Trajectory(scores, 1.0, 3.0, np.array([letter != "." for letter in letters]))


def mood(values: FloatArray) -> Trajectory:
    """A trajectory whose positive minus negative is `values`."""
    return path(happy=np.clip(values, 0, 1), sad=np.clip(-values, 0, 1))


def at(name: str, values: FloatArray) -> float:
    return float(values[EMOTIONS.index(name)])


def test_the_slope_of_a_line_is_its_rise_a_window_and_a_minute() -> None:
    found = paths.slopes(path(hop_s=0.5, happy=[0.1, 0.2, 0.3, 0.4]))
    assert found is not None
    assert at("happy", found.per_window) == pytest.approx(0.1)
    assert at("neutral", found.per_window) == pytest.approx(-0.1)
    assert at("happy", found.per_minute) == pytest.approx(12.0)
    assert at("sad", found.per_window) == 0


@given(arrays(np.float64, some.integers(2, 40), elements=some.floats(0, 1)))
def test_slope_and_deviation_are_those_of_numpy(values: FloatArray) -> None:
    found = path(angry=values)
    slopes, deviation = paths.slopes(found), paths.deviation(found)
    assert slopes is not None
    assert deviation is not None
    assert at("angry", slopes.per_window) == pytest.approx(np.polyfit(np.arange(len(values)), values, 1)[0], abs=1e-9)
    assert at("angry", deviation) == pytest.approx(np.std(values, ddof=0))


def test_the_deviation_divides_by_the_number_of_windows() -> None:
    deviation = paths.deviation(path(happy=[0.0, 1.0]))
    assert deviation is not None
    assert at("happy", deviation) == 0.5


def test_one_window_has_no_slope_no_change_and_no_trend() -> None:
    one = path(happy=[0.7])
    assert (paths.slopes(one), paths.trend(one)) == (None, None)
    assert paths.changes(one) == paths.clear_changes(one) == ()
    assert paths.deviation(one) == pytest.approx(np.zeros(9))


def test_no_window_at_all_is_answered_too() -> None:
    none = Trajectory(np.zeros((0, 9)), 1.0, 3.0)
    assert (paths.slopes(none), paths.deviation(none), paths.trend(none)) == (None, None, None)
    assert (paths.worst(none), paths.best(none)) == (None, None)
    assert paths.changes(none) == paths.clear_changes(none) == ()
    assert set(paths.shares(none).values()) == {0.0}
    assert [len(kept) for kept in paths.thin(none)] == [0] * 9


def test_every_change_of_the_dominant_emotion_is_listed_with_its_window() -> None:
    assert paths.changes(of("nnahhn")) == (
        Change(2, "neutral", "angry"),
        Change(3, "angry", "happy"),
        Change(5, "happy", "neutral"),
    )
    assert paths.changes(of("nnnn")) == ()


def test_of_equal_scores_the_first_emotion_is_dominant() -> None:
    found = path(angry=[0.4, 0.3], happy=[0.4, 0.5])
    assert paths.changes(found) == (Change(1, "angry", "happy"),)
    assert paths.changes(path(angry=[0.5, 0.5], sad=[0.5, 0.5])) == ()
    assert paths.shares(path(angry=[0.5], sad=[0.5]))["angry"] == 1


def test_pauses_have_no_part_in_any_figure_but_pass_as_time() -> None:
    masked = path(scored=[1, 0, 0, 1, 1], happy=[0.0, 1.0, 1.0, 0.3, 0.4])
    slopes, deviation = paths.slopes(masked), paths.deviation(masked)
    assert slopes is not None
    assert deviation is not None
    assert at("happy", slopes.per_window) == pytest.approx(0.1)  # through (0, 0), (3, 0.3), (4, 0.4)
    assert at("happy", deviation) == pytest.approx(np.std([0, 0.3, 0.4]))
    assert paths.changes(of("n.a.a")) == (Change(2, "neutral", "angry"),)
    assert paths.shares(of("n.aa.a"))["angry"] == 0.75
    assert paths.shares(of("...."))["neutral"] == 0


@pytest.mark.parametrize(
    ("letters", "found"),
    [
        ("nnnnannnnannn", ()),  # one loud word
        ("nnnnaaannnnnn", ()),  # three windows share one second of sound
        ("nnnnaaaannnnn", (Change(4, "neutral", "angry"), Change(8, "angry", "neutral"))),
        ("nanananananan", ()),  # jitter
        ("nnnnaahhaahhn", ()),  # nobody holds
        ("nnnnaahhhhhhh", (Change(6, "neutral", "happy"),)),
        ("nnnna..a.aann", (Change(4, "neutral", "angry"),)),  # a pause breaks nothing off
        ("annnnnnn", ()),  # the first window alone does not reign
        ("nna", ()),
    ],
)
def test_a_clear_change_is_held_and_jitter_is_none(letters: str, found: tuple[Change, ...]) -> None:
    assert paths.clear_changes(of(letters)) == found


def test_a_clear_change_leads_by_the_margin() -> None:
    near = path(happy=[0.4] * 4 + [0.54] * 6)  # neutral 0.46: ahead by 0.08
    far = path(happy=[0.4] * 4 + [0.56] * 6)
    assert len(paths.changes(near)) == len(paths.changes(far)) == 1
    assert paths.clear_changes(near) == ()
    assert paths.clear_changes(far) == (Change(4, "neutral", "happy"),)


@given(some.text("ahns.", min_size=1, max_size=60))
def test_clear_changes_follow_on_one_another(letters: str) -> None:
    found = paths.clear_changes(of(letters))
    assert all(one.after == two.before and one.index < two.index for one, two in pairwise(found))
    assert all(change.before != change.after for change in found)


@pytest.mark.parametrize(("sign", "verdict"), [(1, "improving"), (-1, "worsening")])
def test_a_real_trend_under_noise_is_found(sign: int, verdict: str) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 300)
    found = paths.trend(mood(sign * np.linspace(-0.4, 0.4, 300) + noise))
    assert found is not None
    assert found.verdict == verdict
    assert found.change == pytest.approx(sign * 0.8, abs=0.1)
    assert found.per_minute == pytest.approx(sign * 0.8 / 299 * 60, abs=0.03)
    assert found.p_value is not None
    assert found.p_value < 0.001


def test_what_is_certain_but_slight_is_steady() -> None:
    found = paths.trend(mood(np.linspace(0, 0.08, 5000)))
    assert found is not None
    assert (found.verdict, found.p_value) == ("steady", 0.0)


def test_too_little_to_test_is_steady_and_says_so() -> None:
    found = paths.trend(of("hhss"))
    assert found is not None
    assert (found.verdict, found.p_value) == ("steady", None)
    assert found.change < -1


@pytest.mark.parametrize(("phi", "n", "most"), [(0.0, 60, 0.07), (0.7, 100, 0.075), (0.9, 300, 0.08)])
def test_steady_noise_is_seldom_called_a_trend(phi: float, n: int, most: float) -> None:
    """At a level of 5 %, also where each value leans on the one before; without the correction it is over 30 %."""
    generator = np.random.default_rng(3)
    noise = lfilter([1], [1, -phi], generator.standard_normal((1000, n + 200)), axis=1)[:, 200:]
    values = 0.25 * noise * np.sqrt(1 - phi**2)
    answers = [paths.trend(mood(np.clip(series, -1, 1))) for series in values]
    called = np.mean([answer is not None and answer.verdict != "steady" for answer in answers])
    assert called <= most
    tested = [answer.p_value for answer in answers if answer and answer.p_value is not None]
    assert len(tested) > 900
    assert np.mean(np.array(tested) < 0.05) > 0.02  # the test is not simply deaf


def test_the_worst_and_the_best_moment_are_sustained() -> None:
    letters = list("n" * 60)
    letters[10] = "a"  # one window, however strong, is no moment
    letters[30:36] = "ssssss"
    letters[50:55] = "hhhhh"
    found = of("".join(letters))
    worst, best = paths.worst(found), paths.best(found)
    assert worst is not None
    assert best is not None
    assert (worst.index, worst.emotion, best.index, best.emotion) == (30, "sad", 50, "happy")
    assert (worst.start_s, worst.end_s) == (31.0, 36.0)  # from the middle of what the windows share with those before
    assert worst.score == pytest.approx(0.9 + 3 * 0.0125)
    assert found.index_at(worst.start_s) == worst.index


def test_a_moment_does_not_reach_over_a_pause() -> None:
    worst = paths.worst(of("aa.........aannnssssn"))
    assert worst is not None
    assert worst.emotion == "sad"
    short = paths.worst(of("aa.ss.aa"))  # no stretch is long enough, so the longest there are count
    assert short is not None
    assert (short.index, short.end_s - short.start_s) == (0, 3.0)


def test_times_and_windows_belong_together() -> None:
    found = of("nnnnn")
    assert [found.boundary_s(i) for i in range(4)] == [0, 2, 3, 4]
    assert [found.index_at(time) for time in (0, 1.9, 2.0, 2.9, 3.0, 99)] == [0, 0, 1, 1, 2, 4]


def test_softmax_of_windows_is_that_of_clips() -> None:
    logits = np.array([[3, 2, 0, 0, 1, -np.inf, 0, -np.inf, -np.inf], [800.0, 0, 0, 0, 0, 0, 0, 0, 0]])
    for row, scores in zip(logits, paths.window_scores(logits), strict=True):
        assert tuple(scores) == pytest.approx(EmotionScores.from_logits(row.tolist()).vector, abs=1e-12)
    assert paths.window_scores(logits)[0, 5] == 0


def test_four_hours_are_drawn_with_few_points_and_every_extreme() -> None:
    generator = np.random.default_rng(4)
    scores = generator.dirichlet(np.full(9, 0.5), 14_400)
    scores[7_777] = np.eye(9)[EMOTIONS.index("fearful")]
    scored = np.ones(14_400, bool)
    scored[3000:3600] = False
    long = Trajectory(scores, 1.0, 3.0, scored)
    kept = paths.thin(long, 1000)
    for column, indices in zip(scores.T, kept, strict=True):
        assert len(indices) <= 1000
        assert (np.diff(indices) > 0).all()
        drawn = indices[scored[indices]]
        assert (column[drawn].max(), column[drawn].min()) == (column[scored].max(), column[scored].min())
        assert not scored[indices].all()  # the pause is drawn as a gap
    assert 7_777 in kept[EMOTIONS.index("fearful")]
    assert np.array_equal(paths.thin(of("nasn"))[0], [0, 1, 2, 3])


def test_what_is_no_trajectory_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Trajectory(np.zeros((3, 8)), 1.0, 3.0)
    with pytest.raises(ValueError, match="mask"):
        Trajectory(rows(happy=[0.1, 0.2]), 1.0, 3.0, np.ones(3, bool))
    with pytest.raises(ValueError, match="positive"):
        Trajectory(rows(happy=[0.1]), 0.0, 3.0)
    with pytest.raises(ScoresError, match="window 1 are no distribution"):
        Trajectory(np.vstack([rows(happy=[0.1]), np.full((1, 9), np.nan)]), 1.0, 3.0)
    unscored = Trajectory(np.vstack([rows(happy=[0.1]), np.full((1, 9), np.nan)]), 1.0, 3.0, np.array([True, False]))
    assert paths.shares(unscored)["neutral"] == 1
    with pytest.raises(ValueError, match="two points"):
        paths.thin(unscored, 1)


def test_windows_are_scored_where_a_fifth_of_them_is_speech() -> None:
    segments = [[0.0, 0.6], [4.0, 4.5], [8.5, 8.6], [8.7, 9.2]]
    mask = paths.speech_mask(segments, 10, 1.0, 3.0)
    # By window from i to i + 3 s, the seconds of speech: .6 0 .5 .5 .5 0 .4 .6 .6 .2
    assert mask.tolist() == [True, False, False, False, False, False, False, True, True, False]
    assert paths.speech_mask([], 3, 1.0, 3.0).tolist() == [False] * 3
    assert paths.speech_mask([[0.0, 99.0]], 4, 1.0, 3.0).all()
    assert paths.speech_mask([[0.1, 0.4]], 1, 1.0, 3.0).tolist() == [True]  # a clip of half a second
    assert paths.speech_mask([[0.0, 1.0]], 0, 1.0, 3.0).shape == (0,)


@given(
    some.lists(some.floats(0.01, 5.0), max_size=30),
    some.integers(0, 40),
    some.sampled_from([0.5, 1.0, 2.0]),
)
def test_the_mask_of_speech_is_that_of_summing_window_by_window(steps: list[float], n: int, hop_s: float) -> None:
    segments = np.cumsum(steps)[: len(steps) // 2 * 2].reshape(-1, 2)
    spoken = [
        sum(max(0.0, min(end, i * hop_s + 3.0) - max(start, i * hop_s)) for start, end in segments) for i in range(n)
    ]
    mask = paths.speech_mask(segments, n, hop_s, 3.0)
    clear = [abs(seconds - 0.6) > 1e-6 for seconds in spoken]
    expected = [seconds > 0 if n == 1 else seconds >= 0.6 for seconds in spoken]
    assert [m for m, sure in zip(mask.tolist(), clear, strict=True) if sure] == [
        e for e, sure in zip(expected, clear, strict=True) if sure
    ]
