"""Fair rankings: against closed forms and a published example, and by simulation with known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import gammainc
from scipy.stats import spearmanr

from emostore.analytics.ranking import LEAST_SESSIONS, AgentSample, Standing, method_sentences, rank
from emostore.analytics.shrinkage import LEAST_PRIOR_DF, clustered, moderated, shrunken
from emostore.i18n import explain

Array = NDArray[np.float64]

# Batting averages of 18 players after 45 times at bat in 1970, and over the rest of the season (Efron & Morris 1975,
# doi:10.1080/01621459.1975.10479864, table 1).
HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
REST = np.array(
    [
        *(0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269),
        *(0.230, 0.264, 0.256, 0.303, 0.264, 0.226, 0.285, 0.316, 0.200),
    ]
)


def sample(agent: int, mean: float, variance: float | None, sessions: int = 100, team: str | None = "A") -> AgentSample:
    return AgentSample(agent, team, sessions, sessions, mean, variance)


def known(means: Array, variances: Array) -> tuple[Array, Array, Array]:
    """Shrunken with variances that are known exactly, in one team."""
    found = shrunken(means, variances, np.full(len(means), 1e12), np.zeros(len(means), int))
    return found.estimates, found.half_widths, found.pull


# The variance of a mean, by session


def naive(sessions: list[list[float]]) -> tuple[float, float]:
    """Mean and its cluster-robust variance, session by session, as the textbook writes it."""
    clips = [score for session in sessions for score in session]
    mean = sum(clips) / len(clips)
    squares = sum(sum(score - mean for score in session) ** 2 for session in sessions)
    m = len(sessions)
    return mean, m / (m - 1) * squares / len(clips) ** 2


def sums(sessions: list[list[float]]) -> tuple[int, Array, Array]:
    rows = np.array([[len(session), sum(session)] for session in sessions], float)
    return len(sessions), rows.sum(axis=0), rows.T @ rows


@given(st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=6), min_size=2, max_size=12))
def test_the_variance_from_sums_is_that_from_sessions_one_by_one(sessions: list[list[float]]) -> None:
    m, total, products = sums(sessions)
    mean, variance, effective = (values[0] for values in clustered([m], [total], [products], [0, 1]))
    expected = naive(sessions)
    assert mean == pytest.approx(expected[0], abs=1e-9)
    assert variance == pytest.approx(expected[1], rel=1e-6, abs=1e-7)
    assert 1 <= effective <= m + 1e-9


def test_sessions_of_one_clip_have_the_ordinary_variance() -> None:
    scores = [61.0, 70.0, 55.5, 80.0]
    m, total, products = sums([[score] for score in scores])
    mean, variance, effective = clustered([m], [total], [products], [0, 1])
    assert (mean[0], effective[0]) == (np.mean(scores), 4)
    assert variance[0] == pytest.approx(np.var(scores, ddof=1) / 4)


def test_clips_that_say_the_same_count_as_one_session() -> None:
    apart, together = [[61.0], [70.0], [55.5]], [[61.0] * 9, [70.0] * 9, [55.5] * 9]
    for agent in (apart, together):
        m, total, products = sums(agent)
        assert clustered([m], [total], [products], [0, 1])[1][0] == pytest.approx(np.var([61, 70, 55.5], ddof=1) / 3)


def test_one_session_leaves_the_variance_unknown() -> None:
    m, total, products = sums([[60.0, 70.0]])
    mean, variance, effective = clustered([m], [total], [products], [0, 1])
    assert mean[0] == 65
    assert np.isnan(variance[0])
    assert effective[0] == 1


def test_one_roll_up_serves_every_linear_score() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.integers(1, 5, (30, 1)), rng.random((30, 3))], axis=1)
    weights = np.array([30.0, 70, -20, 30])
    score = values @ weights
    pair = np.stack([values[:, 0], score], axis=1)
    whole = clustered([30], [values.sum(axis=0)], [values.T @ values], weights)
    direct = clustered([30], [pair.sum(axis=0)], [pair.T @ pair], [0, 1])
    for one, other in zip(whole, direct, strict=True):
        assert one == pytest.approx(other)


# Moderated variances


def test_equal_variances_are_pooled() -> None:
    found = moderated([4.0 / 10, 4.0 / 20, 4.0 / 5], [10, 20, 5])
    assert found is not None
    assert np.isinf(found.prior_df)
    assert found.variances * [10, 20, 5] == pytest.approx(4)
    assert found.df == pytest.approx(32)  # all degrees of freedom there are


def test_variances_that_truly_differ_keep_their_own() -> None:
    rng = np.random.default_rng(0)
    m = np.full(400, 200)
    truth = np.exp(rng.normal(0, 0.5, 400))
    own = truth * rng.chisquare(199, 400) / 199
    found = moderated(own / m, m)
    assert found is not None
    assert found.prior_df == LEAST_PRIOR_DF
    assert np.abs(found.variances * m / truth - 1).mean() < 0.12


def test_the_weight_of_everybody_is_that_of_credibility_theory() -> None:
    rng = np.random.default_rng(1)
    m = np.full(20_000, 40)
    truth = rng.gamma(50, 1 / 50, len(m))  # relative variance 1 / 50
    found = moderated(truth * rng.chisquare(39, len(m)) / 39 / m, m)
    assert found is not None
    assert found.prior_df == pytest.approx(2 * (1 + 1 / 50) * 50, rel=0.15)


def test_an_unknown_variance_is_everybodys() -> None:
    found = moderated([np.nan, 2.0 / 30, 4.0 / 30], [1, 30, 30])
    assert found is not None
    assert found.variances[0] == pytest.approx(3.0)


def test_without_two_sessions_anywhere_nothing_is_known_of_variances() -> None:
    assert moderated([np.nan, np.nan], [1, 1]) is None


def test_sessions_without_any_difference_have_variance_zero() -> None:
    found = moderated([0.0, 0.0], [3, 4])
    assert found is not None
    assert found.variances == pytest.approx([0, 0])


# Shrinkage


@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("k", [4, 5, 12, 60])
def test_with_equal_variances_the_pull_is_the_closed_form(k: int, spread: float) -> None:
    """A flat prior on τ² makes B a gamma variable of shape (k − 3)/2, cut at 1; uncut, its mean is (k − 3)V/S."""
    y = np.random.default_rng(k).normal(60, np.hypot(1, spread), k)
    shape, rate = (k - 3) / 2, ((y - y.mean()) ** 2).sum() / 2
    expected = shape / rate * gammainc(shape + 1, rate) / gammainc(shape, rate)
    estimates, _, pull = known(y, np.ones(k))
    assert pull == pytest.approx(expected, rel=2e-3)
    assert estimates == pytest.approx(y.mean() + (1 - expected) * (y - y.mean()), abs=1e-2 * spread + 5e-3)


def test_eight_schools_agree_with_an_integral_done_another_way() -> None:
    """Rubin 1981, doi:10.3102/10769986006004377: effects of coaching, with standard errors."""
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    v = np.array([15.0, 10, 16, 11, 9, 11, 10, 18]) ** 2

    def likelihood(square: float) -> tuple[float, float]:
        w = 1 / (v + square)
        centre = (w * y).sum() / w.sum()
        return float(np.sqrt(np.prod(w) / w.sum()) * np.exp(-0.5 * (w * (y - centre) ** 2).sum()) * 1e9), float(centre)

    def mean_of(what: Callable[[float], float]) -> float:
        parts = [(0.0, 100.0), (100.0, 1e4), (1e4, 1e7)]
        over = sum(quad(lambda s: what(s) * likelihood(s)[0], *part, limit=200)[0] for part in parts)
        return float(over / sum(quad(lambda s: likelihood(s)[0], *part, limit=200)[0] for part in parts))

    def conditional(school: int, square: float) -> tuple[float, float]:
        b = v[school] / (v[school] + square)
        centre = likelihood(square)[1]
        variance = (1 - b) * v[school] + b**2 / (1 / (v + square)).sum()
        return y[school] + b * (centre - y[school]), variance

    estimates, half, _ = known(y, v)
    for school in range(8):
        mean = mean_of(lambda s, i=school: conditional(i, s)[0])  # type: ignore[misc]
        second = mean_of(lambda s, i=school: conditional(i, s)[1] + conditional(i, s)[0] ** 2)  # type: ignore[misc]
        assert estimates[school] == pytest.approx(mean, abs=0.02)
        assert half[school] == pytest.approx(1.95996 * np.sqrt(second - mean**2), rel=2e-3)


def test_baseball_averages_are_predicted_three_times_as_well() -> None:
    """Published: the averages miss the rest of the season by 17.56 in squares, James–Stein's estimate by 5.01."""
    n, k = 45, len(HITS)
    y, truth = np.sqrt(n) * np.arcsin(2 * HITS / n - 1), np.sqrt(n) * np.arcsin(2 * REST - 1)
    squares = ((y - y.mean()) ** 2).sum()
    james_stein = y.mean() + (1 - (k - 3) / squares) * (y - y.mean())
    assert ((y - truth) ** 2).sum() == pytest.approx(17.56, abs=0.1)
    assert ((james_stein - truth) ** 2).sum() == pytest.approx(5.01, abs=0.1)
    estimates, half, pull = known(y, np.ones(k))
    assert ((estimates - truth) ** 2).sum() < 17.56 / 3
    assert pull[0] < (k - 3) / squares  # the published factor, before it is averaged over spreads above 0 only
    assert (np.abs(estimates - truth) < half).sum() >= 17


def test_order_of_rows_and_names_of_teams_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    y, v, df, team = rng.normal(60, 3, 40), rng.uniform(0.5, 4, 40), rng.uniform(5, 50, 40), rng.integers(0, 3, 40)
    shuffle = rng.permutation(40)
    one = shrunken(y, v, df, team)
    other = shrunken(y[shuffle], v[shuffle], df[shuffle], 7 - team[shuffle])
    for name in ("estimates", "half_widths", "pull"):
        assert getattr(other, name) == pytest.approx(getattr(one, name)[shuffle])


def test_scores_on_another_scale_are_estimated_on_that_scale() -> None:
    rng = np.random.default_rng(6)
    y, v = rng.normal(0, 2, 12), rng.uniform(0.5, 4, 12)
    one, other = known(y, v), known(1000 * y + 5e6, 1e6 * v)
    assert other[0] == pytest.approx(1000 * one[0] + 5e6, rel=1e-9)
    assert other[2] == pytest.approx(one[2], rel=1e-6)


def test_a_small_team_is_not_moved() -> None:
    found = shrunken([50.0, 60, 70], [4.0, 4, 4], [1e12] * 3, [0, 0, 0])
    assert found.estimates.tolist() == [50, 60, 70]
    assert found.half_widths == pytest.approx(1.95996 * 2, rel=1e-4)
    assert found.pull.tolist() == [0, 0, 0]


def test_means_without_variance_stay_where_they_are() -> None:
    found = shrunken([50.0, 60, 70, 80], [0.0] * 4, [5.0] * 4, [0] * 4)
    assert found.estimates == pytest.approx([50, 60, 70, 80])
    assert found.half_widths == pytest.approx([0] * 4, abs=1e-9)
    same = shrunken([60.0] * 4, [0.0] * 4, [5.0] * 4, [0] * 4)
    assert same.estimates == pytest.approx([60] * 4)


@settings(deadline=None)
@example([(10.0, 0.0, 0)] * 3 + [(11.0, 5e-324, 0)])
@given(st.lists(st.tuples(st.floats(10, 100), st.floats(0, 400), st.integers(0, 4)), min_size=1, max_size=40))
def test_estimates_lie_between_the_means_of_their_team(agents: list[tuple[float, float, int]]) -> None:
    y, v, team = (np.array(column) for column in zip(*agents, strict=True))
    found = shrunken(y, v, np.full(len(y), 10.0), team)
    assert np.isfinite(found.estimates).all()
    assert np.isfinite(found.half_widths).all()
    assert ((found.pull >= 0) & (found.pull <= 1)).all()
    for number in np.unique(team):
        rows = team == number
        assert (found.estimates[rows] >= y[rows].min() - 1e-6).all()
        assert (found.estimates[rows] <= y[rows].max() + 1e-6).all()


# Known truth


@dataclass(frozen=True)
class Outcome:
    covered: NDArray[np.bool_]
    sessions: NDArray[np.int64]
    raw: float  # mean rank correlation with the truth
    shrunk: float
    wrong: float  # share of teams with any pair told apart the wrong way
    apart: int  # pairs told apart


Noise = Callable[[np.random.Generator, int], Array]

NOISES: dict[str, Noise] = {
    "exponential": lambda rng, n: rng.exponential(size=n) - 1,
    "mirrored exponential": lambda rng, n: 1 - rng.exponential(size=n),
    "lognormal": lambda rng, n: (rng.lognormal(0, 0.5, n) - np.exp(0.125)) / 0.6039,  # of variance 1
    "one call in five is bad": lambda rng, n: np.where(rng.random(n) < 0.2, -2.0, 0.5),
}


def simulate(
    noise: Noise, *, clustered_clips: bool, uneven: bool, together: bool, spread: float = 3.3, seed: int = 11
) -> Outcome:
    """500 teams of 5 to 40 agents with 2 to 200 calls, which differ by 10 where true means differ by `spread`."""
    rng = np.random.default_rng(seed)
    team = np.repeat(np.arange(500), rng.integers(5, 41, 500))
    k = len(team)
    truth = rng.normal(60, 5, 500)[team] + rng.normal(0, spread, k)
    m = rng.integers(2, 201, k)
    agent = np.repeat(np.arange(k), m)
    size = rng.integers(1, 4, len(agent)) if clustered_clips else np.ones(len(agent), int)
    deviation = 10 * np.exp(rng.normal(0, 0.3, k))[agent] if uneven else np.full(len(agent), 10.0)
    # A session has a mood that all its clips share, and each clip some noise of its own.
    total = size * (truth[agent] + deviation * noise(rng, len(agent))) + (
        rng.normal(0, 5, len(agent)) * np.sqrt(size) if clustered_clips else 0.0
    )
    first = np.concatenate([[0], np.cumsum(m)[:-1]])
    rows = np.stack([size, total], axis=1).astype(float)
    products = np.einsum("si,sj->sij", rows, rows)
    means, variances, effective = clustered(m, np.add.reduceat(rows, first), np.add.reduceat(products, first), [0, 1])
    clips = np.add.reduceat(size, first)
    samples = [
        AgentSample(
            i, str(team[i]), int(clips[i]), int(m[i]), float(means[i]), float(variances[i]), float(effective[i])
        )
        for i in range(k)
    ]
    edges = np.flatnonzero(np.diff(team, prepend=-1, append=-1))
    if together:  # one call ranks everybody, each shrunken toward the own team
        standings = rank(samples, least_sessions=1)
    else:
        standings = tuple(s for a, b in pairwise(edges) for s in rank(samples[a:b], least_sessions=1))
    found = {standing.sample.agent_id: standing for standing in standings}
    estimates = np.array([found[i].estimate for i in range(k)])
    bounds = np.array([(found[i].low, found[i].high) for i in range(k)])
    raw, shrunk, wrong, apart = [], [], 0, 0
    for a, b in pairwise(edges):
        raw.append(spearmanr(means[a:b], truth[a:b])[0])
        shrunk.append(spearmanr(estimates[a:b], truth[a:b])[0])
        told = np.greater.outer(bounds[a:b, 0], bounds[a:b, 1])
        apart += int(told.sum())
        wrong += bool((told & np.less.outer(truth[a:b], truth[a:b])).any())
    covered = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
    return Outcome(covered, m, float(np.mean(raw)), float(np.mean(shrunk)), wrong / 500, apart)


@pytest.mark.parametrize(
    ("noise", "options"),
    [
        ("exponential", {"clustered_clips": False, "uneven": False, "together": False}),
        ("exponential", {"clustered_clips": True, "uneven": True, "together": True}),
        ("mirrored exponential", {"clustered_clips": True, "uneven": False, "together": False}),
        ("one call in five is bad", {"clustered_clips": False, "uneven": True, "together": False}),
        ("lognormal", {"clustered_clips": False, "uneven": False, "together": False, "spread": 1.0}),
        ("lognormal", {"clustered_clips": True, "uneven": True, "together": False, "spread": 10.0}),
    ],
)
def test_intervals_hold_the_truth_and_shrinking_ranks_better(noise: str, options: dict[str, Any]) -> None:
    found = simulate(NOISES[noise], **options)
    assert 0.93 <= found.covered.mean() <= 0.97
    assert 0.92 <= found.covered[found.sessions <= 10].mean() <= 0.98  # those with few calls, too
    assert found.shrunk > found.raw
    assert found.wrong < 0.05
    assert found.apart > 500


# Standings


def test_best_come_first_and_those_with_few_sessions_last_without_a_rank() -> None:
    samples = [sample(1, 50, 0.01), sample(2, 70, 0.01), sample(3, 99, 30.0, sessions=LEAST_SESSIONS - 1)]
    standings = rank(samples)
    assert [(s.sample.agent_id, s.rank, s.group) for s in standings] == [(2, 1, 1), (1, 2, 2), (3, None, None)]
    assert standings[2].low is not None
    assert (standings[2].rank_from, standings[2].rank_to, standings[2].tied) == (None, None, False)
    assert [s.rank for s in rank(samples, least_sessions=1)] == [1, 2, 3]


def test_agents_whose_intervals_overlap_are_tied() -> None:
    # Alone in their teams nothing is moved; intervals reach 1.96 to both sides.
    close = rank([sample(1, 60.0, 1, 10_000, team="A"), sample(2, 63.8, 1, 10_000, team="B")])
    apart = rank([sample(1, 60.0, 1, 10_000, team="A"), sample(2, 64.0, 1, 10_000, team="B")])
    assert [(s.group, s.tied, s.rank_from, s.rank_to) for s in close] == [(1, True, 1, 2)] * 2
    assert [(s.group, s.tied, s.rank_from, s.rank_to) for s in apart] == [(1, False, 1, 1), (2, False, 2, 2)]


def test_a_group_reaches_from_its_first_to_the_one_before_the_next_that_is_told_apart() -> None:
    samples = [sample(i, mean, 1.0, 10_000, team=str(i)) for i, mean in enumerate((60.0, 57, 55, 53.5, 40))]
    standings = rank(samples)
    assert [s.group for s in standings] == [1, 1, 2, 2, 3]
    assert [s.tied for s in standings] == [True, True, True, True, False]
    assert [(s.rank_from, s.rank_to) for s in standings] == [(1, 2), (1, 4), (2, 4), (2, 4), (5, 5)]


def brute_force(standings: tuple[Standing, ...]) -> list[tuple[int, int]]:
    ranges = []
    for one in standings:
        better = worse = 0
        for other in standings:
            assert one.low is not None
            assert one.high is not None
            assert other.low is not None
            assert other.high is not None
            better += other.low > one.high
            worse += other.high < one.low
        ranges.append((1 + better, len(standings) - worse))
    return ranges


def test_rank_ranges_count_those_surely_better_and_surely_worse() -> None:
    rng = np.random.default_rng(2)
    samples = [sample(i, float(rng.normal(60, 3)), float(rng.uniform(0.1, 4)), team=str(i % 3)) for i in range(200)]
    standings = rank(samples)
    assert [(s.rank_from, s.rank_to) for s in standings] == brute_force(standings)
    for standing in standings:
        assert standing.rank is not None
        assert standing.rank_from is not None
        assert standing.rank_to is not None
        assert standing.rank_from <= standing.rank <= standing.rank_to


def test_equal_estimates_are_listed_in_the_order_of_agents() -> None:
    assert [s.sample.agent_id for s in rank([sample(9, 60, 1), sample(2, 60, 1)])] == [2, 9]


def test_intervals_are_cut_at_the_limits_of_the_score() -> None:
    (one,) = rank([sample(1, 99, 4)], limits=(10, 100))
    assert one.high == 100
    assert one.low == pytest.approx(99 - 2 * 1.98, abs=0.05)
    assert rank([sample(1, 99, 4)])[0].high == pytest.approx(99 + 2 * 1.98, abs=0.05)


def test_groups_and_ranks_do_not_depend_on_the_limits() -> None:
    samples = [sample(i, 95.0 + i, 1.0, 10_000, team=str(i)) for i in range(10)]
    free, cut = rank(samples), rank(samples, limits=(10, 100))
    assert [(s.rank_from, s.rank_to, s.group) for s in cut] == [(s.rank_from, s.rank_to, s.group) for s in free]


def test_where_nobody_has_two_sessions_there_are_means_and_no_ranks() -> None:
    standings = rank([sample(1, 60, None, sessions=1), sample(2, 70, None, sessions=1)], least_sessions=1)
    assert [(s.sample.agent_id, s.estimate, s.low, s.high, s.rank) for s in standings] == [
        (2, 70, None, None, None),
        (1, 60, None, None, None),
    ]


def test_nobody_makes_an_empty_ranking() -> None:
    assert rank([]) == ()


def test_a_lucky_agent_with_few_sessions_does_not_lead() -> None:
    steady = [sample(i, 60 + i, 0.5, sessions=200) for i in range(8)]
    lucky = AgentSample(99, "A", 6, 6, 69.0, 17.0)
    standings = rank([*steady, lucky])
    found = {s.sample.agent_id: s for s in standings}
    assert found[99].pull > 5 * found[7].pull
    assert found[99].estimate < found[7].estimate < lucky.mean


@pytest.mark.parametrize(
    "figures",
    [
        {"clips": 2, "sessions": 3},
        {"sessions": 0},
        {"mean": float("nan")},
        {"variance_of_mean": -1.0},
        {"variance_of_mean": float("inf")},
        {"effective_sessions": 11.0},
        {"effective_sessions": 0.5},
    ],
)
def test_figures_that_no_clips_can_have_are_refused(figures: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        AgentSample(
            **{"agent_id": 1, "team": None, "clips": 10, "sessions": 10, "mean": 60.0, "variance_of_mean": 1.0}
            | figures
        )


def test_the_method_is_told_with_its_numbers() -> None:
    told = " ".join(explain(sentence, "en") for sentence in method_sentences(7))
    assert "fewer than 7 sessions" in told
    assert "95 of 100" in told
