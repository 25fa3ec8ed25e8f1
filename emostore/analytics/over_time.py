"""What a figure was in each of several times, and who moved most between two of them, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from emostore.analytics.quality import BALANCED, ScoringProfile
from emostore.analytics.ranking import CONFIDENCE
from emostore.analytics.shrinkage import clustered, moderated, shrunken
from emostore.emotions import EMOTIONS

FloatArray = NDArray[np.float64]
LEAST_SESSIONS = 5  # of one side of a change; fewer are no before and no after


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its interval, which is None where nothing tells how much sessions vary."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """How far the agent in row `index` moved, drawn toward how everybody moved, and the interval of that."""

    index: int
    before: float
    now: float
    estimate: float
    low: float
    high: float


def qualities(
    sessions: ArrayLike, sums: ArrayLike, products: ArrayLike, profile: ScoringProfile = BALANCED
) -> tuple[Estimate, ...]:
    """The mean quality of each of k times, or groups, with an interval that is right in 95 of 100 cases.

    Parameters
    ----------
    sessions, sums, products : shapes (k,), (k, 4) and (k, 4, 4), as `shrinkage.clustered` takes them, of the values
        clips, positive, negative and neutral; each has clips.
    profile : turns them into a quality score; intervals end where its scores do.

    Sessions vary, so the interval comes from them. A time with few of them borrows how much they vary from the others
    (`shrinkage.moderated`); the means themselves are left where they are.
    """
    return _estimates(sessions, sums, products, profile.part_coefficients(), _limits(profile))


def score_means(groups: ArrayLike, sessions: ArrayLike, scores: ArrayLike) -> dict[int, dict[str, Estimate]]:
    """The means of the nine scores in each group of clips (a day, a week, all), with intervals as in `qualities`.

    `groups` (n,) and `sessions` (n,) number those of each clip, `scores` has shape (n, 9); every clip counts the same.
    """
    numbers, values = np.asarray(groups, np.int64), np.asarray(scores, np.float64)
    if not len(numbers):
        return {}
    keys, cluster = np.unique(np.stack([numbers, np.asarray(sessions, np.int64)], 1), axis=0, return_inverse=True)
    clips_of: FloatArray = np.bincount(cluster).astype(np.float64)
    sums_of = np.stack([np.bincount(cluster, column) for column in values.T], 1)  # (clusters, 9)
    names, starts = np.unique(keys[:, 0], return_index=True)

    def total(each: NDArray[Any]) -> FloatArray:
        return np.asarray(np.add.reduceat(each, starts, axis=0), np.float64)

    count, clips, squared = total(np.ones(len(keys))), total(clips_of), total(clips_of**2)
    found: dict[int, dict[str, Estimate]] = {int(name): {} for name in names}
    for number, emotion in enumerate(EMOTIONS):
        mine = sums_of[:, number]
        crossed = total(clips_of * mine)
        products = np.stack([squared, crossed, crossed, total(mine**2)], 1).reshape(-1, 2, 2)
        estimates = _estimates(count, np.stack([clips, total(mine)], 1), products, np.array([0.0, 1.0]), (0.0, 1.0))
        for name, estimate in zip(names.tolist(), estimates, strict=True):
            found[name][emotion] = estimate
    return found


def changes(
    before: tuple[ArrayLike, ArrayLike, ArrayLike],
    now: tuple[ArrayLike, ArrayLike, ArrayLike],
    profile: ScoringProfile = BALANCED,
) -> tuple[Change, ...]:
    """Agents whose quality surely moved, the largest change first; each side as (sessions, sums, products).

    Of many agents some change by luck alone. So every change is drawn toward the mean change, the less is known of it
    the farther (`shrinkage.shrunken`), and only those are given whose interval then leaves out 0.
    """
    counts = np.minimum(*(np.asarray(side[0], np.float64) for side in (before, now)))
    rows = np.flatnonzero(counts >= LEAST_SESSIONS)
    if not len(rows):
        return ()
    sides = []
    for side in (before, now):
        sessions, sums, products = (np.asarray(values, np.float64)[rows] for values in side)
        means, variances, effective = clustered(sessions, sums, products, profile.part_coefficients())
        steadied = moderated(variances, effective)
        if steadied is None:  # not with `LEAST_SESSIONS` above 1
            return ()
        sides.append((means, steadied.variances, steadied.df))
    (first, first_variance, first_df), (last, last_variance, last_df) = sides
    variance = first_variance + last_variance
    # Welch–Satterthwaite: degrees of freedom of a sum of two variances.
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(variance > 0, variance**2 / (first_variance**2 / first_df + last_variance**2 / last_df), np.inf)
    found = shrunken(last - first, variance, np.minimum(df, 1e9), np.zeros(len(rows), np.intp), CONFIDENCE)
    low, high = found.estimates - found.half_widths, found.estimates + found.half_widths
    sure = np.flatnonzero((low > 0) | (high < 0))
    order = sure[np.lexsort((rows[sure], -np.abs(found.estimates[sure])))]
    return tuple(
        Change(*values)
        for values in zip(
            *(each[order].tolist() for each in (rows, first, last, found.estimates, low, high)), strict=True
        )
    )


def _estimates(
    sessions: ArrayLike, sums: ArrayLike, products: ArrayLike, weights: FloatArray, limits: tuple[float, float]
) -> tuple[Estimate, ...]:
    counts = np.asarray(sessions, np.float64)
    if not len(counts):
        return ()
    means, variances, effective = clustered(counts, sums, products, weights)
    found = moderated(variances, effective)
    if found is None:
        return tuple(Estimate(value, None, None) for value in means.tolist())
    half = stdtrit(np.maximum(found.df, 1.0), (1 + CONFIDENCE) / 2) * np.sqrt(found.variances)
    ends = np.clip([means - half, means + half], *limits)
    return tuple(Estimate(*values) for values in zip(means.tolist(), *ends.tolist(), strict=True))


def _limits(profile: ScoringProfile) -> tuple[float, float]:
    intercept, slopes = profile.coefficients()
    return intercept + float(slopes.min()), intercept + float(slopes.max())
