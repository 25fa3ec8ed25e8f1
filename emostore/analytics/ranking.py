"""A ranking that is fair to those with few calls: shrunken means, intervals, groups of those not told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emostore.analytics.shrinkage import LEAST_TEAM, moderated, shrunken
from emostore.i18n import N_, Sentence

LEAST_SESSIONS = 5
CONFIDENCE = 0.95
_BLOCK = 64

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AgentSample:
    """What is known of one agent: the mean score of the clips, and the variance of that mean by session.

    `shrinkage.clustered` makes them from sums. The variance is None (or NaN) where one session alone leaves it
    unknown. `effective_sessions` counts sessions of unequal size as fewer than they are; None takes their number.
    Raises `ValueError` for figures that no clips can have.
    """

    agent_id: int
    team: str | None
    clips: int
    sessions: int
    mean: float
    variance_of_mean: float | None
    effective_sessions: float | None = None

    def __post_init__(self) -> None:
        variance, effective = self.variance_of_mean or 0.0, self.independent
        if not (1 <= self.sessions <= self.clips and 1 - 1e-9 <= effective <= self.sessions + 1e-9):
            raise ValueError(f"{self.clips} clips in {self.sessions} sessions (effectively {effective}) cannot be")
        if not np.isfinite(self.mean) or variance < 0 or np.isinf(variance):
            raise ValueError(f"a mean of {self.mean} with variance {variance} cannot be")

    @property
    def independent(self) -> float:
        """How many sessions of equal size would say as much."""
        return self.sessions if self.effective_sessions is None else self.effective_sessions


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an agent stands.

    `estimate` is the mean moved toward the team's by `pull` (0 to 1), `low` to `high` its interval, None where nobody's
    sessions tell how much they vary. `rank` counts from 1, best first; `rank_from` to `rank_to` are the ranks that
    nothing speaks against. `group` numbers those who cannot be told apart from the first of the group. Rank and
    group are None for an agent below the minimum.
    """

    sample: AgentSample
    estimate: float
    low: float | None
    high: float | None
    pull: float
    rank: int | None = None
    rank_from: int | None = None
    rank_to: int | None = None
    group: int | None = None
    tied: bool = False


def rank(
    samples: Sequence[AgentSample],
    *,
    least_sessions: int = LEAST_SESSIONS,
    limits: tuple[float, float] | None = None,
) -> tuple[Standing, ...]:
    """Standings, best first, those with fewer than `least_sessions` sessions last and without a rank.

    All of them are of one model and one scoring profile. Intervals are cut at `limits`, the range of the score.

    Two agents are told apart if their estimates are farther from each other than √(half width² + half width²) of
    their intervals: then the order is right with a probability of 97.5 % or more. So of all pairs that are told apart,
    however many, at most one in forty is expected to be in the wrong order (false discovery rate of signs). The bound
    holds on average over pairs, not for each of them at once, and shrinkage keeps lucky extremes from being tested.
    """
    if not samples:
        return ()
    y = np.array([sample.mean for sample in samples], np.float64)
    raw = np.array([sample.variance_of_mean for sample in samples], np.float64)  # None becomes NaN
    variances = moderated(raw, [sample.independent for sample in samples])
    if variances is None:
        estimates, half, pull = y, np.full_like(y, np.nan), np.zeros_like(y)
    else:
        numbers: dict[str | None, int] = {}
        teams = [numbers.setdefault(sample.team, len(numbers)) for sample in samples]
        found = shrunken(y, variances.variances, variances.df, teams, CONFIDENCE)
        estimates, half, pull = found.estimates, found.half_widths, found.pull
    low, high = limits or (-np.inf, np.inf)
    known = np.isfinite(half)
    enough = known & (np.array([sample.sessions for sample in samples]) >= least_sessions)
    order = sorted(range(len(samples)), key=lambda i: (not enough[i], -estimates[i], samples[i].agent_id))
    count = int(enough.sum())
    ranked = np.array(order[:count], np.intp)
    best, worst = _rank_range(estimates[ranked], half[ranked])
    group, tied = _groups(estimates[ranked], half[ranked])
    edges = np.clip([estimates - half, estimates + half], low, high).T.tolist()
    standings = []
    for place, i in enumerate(order):
        bounds = edges[i] if known[i] else (None, None)
        standing = Standing(samples[i], float(estimates[i]), bounds[0], bounds[1], float(pull[i]))
        if place < count:
            standing = replace(
                standing,
                rank=place + 1,
                rank_from=int(best[place]),
                rank_to=int(worst[place]),
                group=int(group[place]),
                tied=bool(tied[place]),
            )
        standings.append(standing)
    return tuple(standings)


def _rank_range(estimates: FloatArray, half: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of estimates in falling order: one more than are surely better, and as many as are not surely worse."""
    best, worst = np.ones(len(estimates), np.intp), np.full(len(estimates), len(estimates))
    for start in range(0, len(estimates), _BLOCK):  # a block fits the cache, and a million pairs the memory
        block = slice(start, start + _BLOCK)
        gap = np.maximum(np.subtract.outer(estimates[block], estimates[start:]), 0.0)
        apart = gap * gap > np.add.outer(half[block] ** 2, half[start:] ** 2)
        best[start:] += apart.sum(axis=0)
        worst[block] -= apart.sum(axis=1)
    return best, worst


def _groups(estimates: FloatArray, half: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Of estimates in falling order: the group of each, and whether it has company there.

    A group reaches down from its first to the one before the next that is told apart from that first.
    """
    group = np.zeros(len(estimates), np.intp)
    start = number = 0
    while start < len(estimates):
        number += 1
        apart = estimates[start] - estimates[start:] > np.hypot(half[start], half[start:])
        end = start + int(apart.argmax()) if apart.any() else len(estimates)
        group[start:end] = number
        start = end
    return group, np.bincount(group)[group] > 1


def method_sentences(least_sessions: int = LEAST_SESSIONS) -> tuple[Sentence, ...]:
    """How the ranking is made, in plain words."""
    return (
        Sentence(
            N_(
                "A mean of few calls is partly luck. So every agent's mean is moved toward the mean of the team: "
                "far if there are few sessions or they differ much, hardly if there are many."
            )
        ),
        Sentence(
            N_(
                "The bar shows where the agent's true mean lies, right in {confidence:.0f} of 100 cases. Clips of one "
                "session are alike, so sessions are counted, not clips."
            ),
            {"confidence": 100 * CONFIDENCE},
        ),
        Sentence(
            N_(
                "Agents in one group are not distinguishable from the first of it. Of all pairs in different places "
                "that are told apart, at most one in 40 is expected to be in the wrong order."
            )
        ),
        Sentence(
            N_(
                "Who has fewer than {sessions} sessions is shown without a rank. In a team of fewer than {agents} "
                "agents means are not moved."
            ),
            {"sessions": least_sessions, "agents": LEAST_TEAM},
        ),
    )
