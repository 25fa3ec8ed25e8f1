"""Means of agents that admit how little is known: variance by session, moderated, and shrinkage toward the team.

Three steps, each over arrays with one entry an agent:

1. `clustered`: an agent's mean and the variance of that mean. Clips of one session are alike, so whole sessions are
   what varies (cluster-robust variance; Liang & Zeger 1986, doi:10.1093/biomet/73.1.13).
2. `moderated`: a variance from few sessions is itself noisy, so it is averaged with that of everybody, in the
   proportion of credibility theory (Bühlmann & Straub 1970). Nothing but the first two moments of the variances is
   used, so that skewed calls and agents whose calls are all equal do it no harm.
3. `shrunken`: the true means of a team are taken to be normal around its mean, with a spread that is not known either.
   The estimate is averaged over every spread, weighted by how well it explains the data (flat prior on its square and
   on the team's mean: Morris 1983, doi:10.1080/01621459.1983.10477920, whose k − 3 it reproduces).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

LEAST_TEAM = 4  # with fewer agents the flat prior has no posterior, and a team mean says too little
LEAST_PRIOR_DF = 20.0  # an agent's own variance counts no more than everybody's below this many sessions
_POINTS = 32  # of the grid over spreads, in each pass
_PASSES = 3  # each looks closer at where the last one found anything
_NEGLIGIBLE = 12.0  # below the peak of a log density
_TINY = 1e-300
_MANY = 1e9  # degrees of freedom that make a t distribution normal


def clustered(
    sessions: ArrayLike, sums: ArrayLike, products: ArrayLike, weights: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means, variances of the means, and effective sessions, each of shape (k,), from what a database adds up.

    Every session has a vector of values of which the first is its number n of clips (or its seconds); its score sum is
    S = weights @ values. `sessions` (k,) counts them, `sums` (k, d) adds the vectors up, `products` (k, d, d) their
    outer products: so one roll-up serves every linear score. With values (n, S) the weights are (0, 1).

    The mean is ΣS / Σn; its variance m / (m − 1) · Σ(S − n · mean)² / (Σn)², and NaN for one session. The effective
    number (Σn)² / Σn² is that of sessions of equal size which would weigh as much.
    """
    m, total = np.asarray(sessions, np.float64), np.asarray(sums, np.float64)
    product, weight = np.asarray(products, np.float64), np.asarray(weights, np.float64)
    clips, clips_squared = total[:, 0], product[:, 0, 0]
    means = total @ weight / clips
    centred = np.broadcast_to(weight, total.shape).copy()
    centred[:, 0] -= means  # the weights of the residual S − n · mean
    squares = np.maximum(np.einsum("ki,kij,kj->k", centred, product, centred), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = np.where(m > 1, m / (m - 1) * squares / clips**2, np.nan)
    return means, variances, clips**2 / clips_squared


@dataclass(frozen=True, slots=True, eq=False)
class Moderated:
    """Variances of means and their degrees of freedom, shape (k,); `prior_df` is what everybody's variance weighs."""

    variances: FloatArray
    df: FloatArray
    prior_df: float


def moderated(variances: ArrayLike, sessions: ArrayLike) -> Moderated | None:
    """Average each variance of a mean (NaN: unknown) with that of everybody; None if nobody has two sessions.

    On the scale of one session, s² = variance · sessions with d = sessions − 1 degrees of freedom, the agents' true
    variances have a relative variance h²: what (s² / pooled − 1)² exceeds its expectation 2/d by. The best linear
    estimate weighs the pooled s² like 2(1 + h²) / h² degrees of freedom.
    """
    m = np.asarray(sessions, np.float64)
    own = np.asarray(variances, np.float64) * m
    d = np.where(np.isfinite(own), np.maximum(m - 1, 0.0), 0.0)
    own = np.where(d > 0, own, 0.0)
    total = float(d.sum())
    if total <= 0:
        return None
    pooled = float(d @ own) / total
    if pooled <= 0:
        return Moderated(np.zeros_like(m), np.full_like(m, total), np.inf)
    known = d > 0
    # Squared weights: those with many sessions tell heterogeneity from noise, skewed or not.
    weight, off = d[known] ** 2, own[known] / pooled - 1
    h2 = float(weight @ (off**2 - 2 / d[known]) / (weight @ (1 + 2 / d[known])))
    if h2 <= 0:
        return Moderated(pooled / m, np.full_like(m, total), np.inf)
    prior = max(2 * (1 + h2) / h2, LEAST_PRIOR_DF)
    return Moderated((prior * pooled + d * own) / (prior + d) / m, np.minimum(prior + d, total), prior)


@dataclass(frozen=True, slots=True, eq=False)
class Shrunken:
    """Estimates of true means and half the width of their intervals, shape (k,).

    `pull` is how far each mean was moved toward its team's, from 0 (not at all) to 1 (all the way).
    """

    estimates: FloatArray
    half_widths: FloatArray
    pull: FloatArray


def shrunken(
    means: ArrayLike, variances: ArrayLike, df: ArrayLike, teams: ArrayLike, confidence: float = 0.95
) -> Shrunken:
    """Shrink means toward the means of their teams (numbers in any order, shape (k,), as all the others).

    A mean in a team of fewer than `LEAST_TEAM` stays as it is. The interval is that of a t distribution with the
    posterior's mean and variance. Its degrees of freedom are those of the variance, raised where the estimate hardly
    rests on it (Satterthwaite); that the pull follows from a noisy variance adds 2/df · (B(1 − B)(mean − team mean))².
    """
    y, v, nu = (np.asarray(values, np.float64) for values in (means, variances, df))
    _, team = np.unique(np.asarray(teams), return_inverse=True)
    small = np.bincount(team, minlength=1)[team] < LEAST_TEAM
    estimates, spread, pull, rests = y.copy(), v.copy(), np.zeros_like(y), v.copy()
    rows = np.flatnonzero(~small)
    if len(rows):
        rows = rows[np.argsort(team[rows], kind="stable")]
        found = _posterior(y[rows], v[rows], nu[rows], np.unique(team[rows], return_counts=True)[1])
        estimates[rows], spread[rows], pull[rows], rests[rows] = found
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = nu * np.where(rests > 0, np.clip(spread / rests, 1, _MANY), _MANY) ** 2
    half = stdtrit(np.minimum(raised, _MANY), (1 + confidence) / 2) * np.sqrt(spread)
    return Shrunken(estimates, half, pull)


def _posterior(
    y: FloatArray, v: FloatArray, nu: FloatArray, sizes: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean, variance, pull and the part of the variance that rests on `v`, shape (k,), averaged over spreads.

    Agents lie team after team. The spread τ is looked for on u = τ / (τ + s), in [0, 1], with s of its order.
    """
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def by_team(values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values, starts, axis=-1))

    def by_agent(values: FloatArray) -> FloatArray:
        return np.repeat(values, sizes, axis=-1)

    middle = by_team(y) / sizes
    scale = np.sqrt(np.maximum(by_team(v + (y - by_agent(middle)) ** 2) / sizes, _TINY))
    y = y - by_agent(middle)  # so that large means lose no digits
    low, high = np.zeros(len(sizes)), np.ones(len(sizes))
    for number in range(_PASSES):
        step = (high - low) / _POINTS
        u = low + step * (np.arange(_POINTS)[:, None] + 0.5)  # (points, teams)
        spread = scale * u / (1 - u)
        weight = 1 / (v + by_agent(spread**2))  # (points, agents)
        precision = by_team(weight)
        centre = by_team(weight * y) / precision
        density = (
            0.5 * (by_team(np.log(weight)) - np.log(precision))
            - 0.5 * (by_team(weight * y**2) - precision * centre**2)
            + np.log(spread * scale)
            - 2 * np.log1p(-u)
        )
        density -= density.max(axis=0)
        if number < _PASSES - 1:
            kept = density > -_NEGLIGIBLE
            first = kept.argmax(axis=0)
            last = _POINTS - 1 - kept[::-1].argmax(axis=0)
            low, high = low + step * np.maximum(first - 1, 0), low + step * np.minimum(last + 2, _POINTS)
    chance = np.exp(density)
    chance = by_agent(chance / chance.sum(axis=0))
    pull = v * weight
    gap = y - by_agent(centre)
    means = y - pull * gap
    mean = (chance * means).sum(axis=0)
    variance = (1 - pull) * v + pull**2 * by_agent(1 / precision) + 2 / nu * (pull * (1 - pull) * gap) ** 2
    variance = (chance * (variance + (means - mean) ** 2)).sum(axis=0)
    rests = (chance * (1 - pull) ** 2).sum(axis=0) * v
    return mean + by_agent(middle), variance, (chance * pull).sum(axis=0), rests
