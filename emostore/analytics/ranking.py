"""A ranking that is fair to those with few calls: shrunken means, intervals, groups of those not told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emostore.analytics.shrinkage import LEAST_TEAM, Shrunken, moderated, shrunken
from emostore.i18n import N_, Sentence

LEAST_SESSIONS = 5
CONFIDENCE = 0.95

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

    All of them are of one model and one scoring profile; agents without a team count as one team. Intervals are cut at
    `limits`, the range of the score.

    Two agents are told apart if their intervals do not overlap, which a reader can check on the bars. For one pair
    that is far stricter than a test at 5 %, and that is meant: a ranking is read as all of its comparisons at once. In
    simulated teams of 5 to 40 agents, fewer than one team in twenty has any pair that is told apart the wrong way.
    """
    if not samples:
        return ()
    found = _shrunken(samples)
    estimates, half = found.estimates, found.half_widths
    known = np.isfinite(half)
    enough = known & (np.array([sample.sessions for sample in samples]) >= least_sessions)
    order = sorted(range(len(samples)), key=lambda i: (not enough[i], -estimates[i], samples[i].agent_id))
    count = int(enough.sum())
    ranked = np.array(order[:count], np.intp)
    edges = np.array([estimates - half, estimates + half])
    best, worst = _rank_range(*edges[:, ranked])
    group, tied = _groups(*edges[:, ranked])
    if limits:
        edges = edges.clip(*limits)
    standings = []
    for place, i in enumerate(order):
        low, high = edges[:, i].tolist() if known[i] else (None, None)
        standing = Standing(samples[i], float(estimates[i]), low, high, float(found.pull[i]))
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


def _shrunken(samples: Sequence[AgentSample]) -> Shrunken:
    """The estimates; half widths are NaN if nobody has two sessions."""
    y = np.array([sample.mean for sample in samples], np.float64)
    raw = np.array([sample.variance_of_mean for sample in samples], np.float64)  # None becomes NaN
    variances = moderated(raw, [sample.independent for sample in samples])
    if variances is None:
        return Shrunken(y, np.full_like(y, np.nan), np.zeros_like(y))
    numbers: dict[str | None, int] = {}
    teams = [numbers.setdefault(sample.team, len(numbers)) for sample in samples]
    return shrunken(y, variances.variances, variances.df, teams, CONFIDENCE)


def _rank_range(low: FloatArray, high: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """One more than are surely better, and as many as are not surely worse, for every interval."""
    surely_better = len(low) - np.searchsorted(np.sort(low), high, side="right")
    surely_worse = np.searchsorted(np.sort(high), low, side="left")
    return 1 + surely_better, len(low) - surely_worse


def _groups(low: FloatArray, high: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Of intervals in the order of ranks: the group of each, and whether it has company there.

    A group reaches down from its first to the one before the next that is told apart from that first.
    """
    group = np.zeros(len(low), np.intp)
    start = number = 0
    while start < len(low):
        number += 1
        apart = high[start:] < low[start]
        end = start + int(apart.argmax()) if apart.any() else len(low)
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
                "Two agents are told apart if their bars do not overlap. Those in one group are not distinguishable "
                "from the first of it; the ranks that are possible for each stand beside the name."
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
