"""Intervals and tests for means over sessions: what would other sessions of the same kind have given?

Sessions are drawn or swapped whole, because clips of one session are alike. Everything is seeded, so that a page says
the same each time it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, stdtrit

from emostore.emotions import EMOTIONS, SUM_TOLERANCE

FloatArray = NDArray[np.float64]

DRAWS = 999
CONFIDENCE = 0.95
_MOST_DRAWN = 300  # more sessions than these are first added up into so many random groups, which bounds the time
_MOST_SWAPPED = 100  # the same for the smaller side of a test
_FLOOR = 1e-6  # a mean score below this has no logit worth the name
_STILL = 1e-9  # a standard error of equal numbers, but for their last digits
_TINY = 1e-24


@dataclass(frozen=True, slots=True, eq=False)
class SessionSums:
    """What m sessions add up to: different `ids` (m,), `seconds` of speech (m,), and `sums` (m, 9) of seconds · scores.

    Raises `ValueError` for sums that no scores can have.
    """

    ids: NDArray[np.int64]
    seconds: FloatArray
    sums: FloatArray

    def __post_init__(self) -> None:
        ids, seconds, sums = (
            np.array(self.ids, np.int64),
            np.array(self.seconds, np.float64),
            np.array(self.sums, np.float64),
        )
        if ids.ndim != 1 or seconds.shape != ids.shape or sums.shape != (len(ids), len(EMOTIONS)):
            raise ValueError(f"shapes (m,), (m,) and (m, 9) are needed, got {ids.shape}, {seconds.shape}, {sums.shape}")
        if len(np.unique(ids)) < len(ids):
            raise ValueError("a session has one row; the same id was given twice")
        most = seconds[:, None] * (1 + SUM_TOLERANCE)
        if not ((seconds > 0) & np.isfinite(seconds)).all() or not ((sums >= 0) & (sums <= most)).all():
            raise ValueError("seconds must be positive, and sums of scores lie between 0 and them")
        for name, values in (("ids", ids), ("seconds", seconds), ("sums", sums)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def from_clips(cls, session_ids: ArrayLike, speech_s: ArrayLike, scores: ArrayLike) -> Self:
        """Sums over clips: session ids (n,), seconds of speech (n,), scores (n, 9). Clips without speech drop out."""
        ids, seconds = np.asarray(session_ids, np.int64), np.asarray(speech_s, np.float64)
        spoken = seconds > 0
        found, row = np.unique(ids[spoken], return_inverse=True)
        seconds = seconds[spoken]
        weighted = seconds[:, None] * np.asarray(scores, np.float64).reshape(-1, len(EMOTIONS))[spoken]
        sums = np.zeros((len(found), len(EMOTIONS)))
        np.add.at(sums, row, weighted)
        return cls(found, np.bincount(row, seconds, len(found)).astype(np.float64), sums)

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: NDArray[np.bool_]) -> SessionSums:
        """Those of the sessions that are chosen, a mask (m,): before a date and after it, for instance."""
        return SessionSums(self.ids[chosen], self.seconds[chosen], self.sums[chosen])

    @property
    def mean(self) -> FloatArray:
        """The mean of the scores weighted by seconds of speech, shape (9,); at least one session is needed."""
        return np.asarray(self.sums.sum(axis=0) / self.seconds.sum())


def interval(sessions: SessionSums, seed: int = 0) -> tuple[FloatArray, FloatArray] | None:
    """Low and high of the mean, (9,) each, at `CONFIDENCE`; None for a single session, which says nothing of others.

    A bootstrap of sessions gives the standard error of the logit of each mean, a t distribution the interval, which so
    stays within 0 and 1 and is skewed as rare emotions are. It is widened by √(m/(m − 1)) for what resampling m
    sessions leaves out; m is the effective number, (Σ seconds)² / Σ seconds², if one session outweighs the others.
    """
    if len(sessions) < 2:
        return None
    rng = np.random.default_rng(seed)
    table = _grouped(np.column_stack([sessions.seconds, sessions.sums]), _MOST_DRAWN, rng)
    m = len(table)
    drawn = rng.integers(0, m, (DRAWS, m)) + m * np.arange(DRAWS)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=DRAWS * m).reshape(DRAWS, m)
    totals = counts @ table
    error = _logit(totals[:, 1:] / totals[:, :1]).std(axis=0)
    effective = table[:, 0].sum() ** 2 / (table[:, 0] ** 2).sum()
    half = stdtrit(effective - 1, (1 + CONFIDENCE) / 2) * np.sqrt(effective / (effective - 1)) * error
    mean = sessions.mean
    low, high = expit(_logit(mean) - half), expit(_logit(mean) + half)
    moved = error > _STILL
    return np.where(moved, np.minimum(low, mean), mean), np.where(moved, np.maximum(high, mean), mean)


def correlation(first: SessionSums, second: SessionSums) -> FloatArray:
    """How the means of two sets go together because they share sessions, (9,) in [−1, 1]; 0 if they share none."""
    _, one, other = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    residuals = [_residuals(sessions) for sessions in (first, second)]
    shared = (residuals[0][one] * residuals[1][other]).sum(axis=0)
    size = np.sqrt((residuals[0] ** 2).sum(axis=0) * (residuals[1] ** 2).sum(axis=0))
    return np.asarray(np.clip(shared / np.maximum(size, _TINY), -1, 1))


def swapped(first: SessionSums, second: SessionSums, seed: int = 0) -> FloatArray:
    """P-values (9,) of no difference between the means, adjusted for looking at nine of them at once.

    If both sets were sessions of one kind, any division of them would be as likely as the one seen. Sessions are
    dealt out again, those that both sets share swapped between them, and the largest of the nine studentised
    differences is noted: single-step max-|t| (Westfall & Young 1993), with t as in Chung & Romano 2013,
    doi:10.1214/13-AOS1090. It keeps the rate of any false finding however few or skewed the sessions are.
    """
    rng = np.random.default_rng(seed)
    _, one, other = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    tables = [np.column_stack([sessions.seconds, sessions.sums]) for sessions in (first, second)]
    own = [np.delete(table, rows, axis=0) for table, rows in zip(tables, (one, other), strict=True)]
    at_once = max(1, -(-min(map(len, own)) // _MOST_SWAPPED))  # sessions that are dealt out together
    own = [_grouped(table, -(-len(table) // at_once), rng) for table in own]
    pool = _moments(np.concatenate(own))
    left, right = _moments(tables[0][one]), _moments(tables[1][other])
    sizes = [len(table) + len(one) for table in own]
    total = pool.sum(axis=0) + left.sum(axis=0) + right.sum(axis=0)

    seen = pool[: len(own[0])].sum(axis=0) + left.sum(axis=0)
    observed = _studentised(seen, total - seen, sizes)
    few = min(map(len, own))
    dealt = np.stack([rng.choice(len(pool), few, replace=False, shuffle=False) for _ in range(DRAWS)])
    chosen = pool[dealt].sum(axis=1)
    if few < len(own[0]):
        chosen = pool.sum(axis=0) - chosen  # the second set was the smaller one
    swap = rng.integers(0, 2, (DRAWS, len(one)))
    chosen = chosen + left.sum(axis=0) + swap @ (right - left)
    largest = _studentised(chosen, total - chosen, sizes).max(axis=1)
    # Differences in the last digits come from the order of sums.
    return np.asarray((1 + (largest[:, None] >= observed * (1 - 1e-9)).sum(axis=0)) / (1 + DRAWS))


def _grouped(table: FloatArray, most: int, rng: np.random.Generator) -> FloatArray:
    """The rows, or sums of rows at random in `most` groups of equal size (give or take one)."""
    if len(table) <= most:
        return table
    starts = np.arange(most) * len(table) // most
    return np.asarray(np.add.reduceat(rng.permutation(table), starts))


def _logit(mean: FloatArray) -> FloatArray:
    return np.asarray(logit(np.clip(mean, _FLOOR, 1 - _FLOOR)))


def _residuals(sessions: SessionSums) -> FloatArray:
    return np.asarray(sessions.sums - sessions.seconds[:, None] * sessions.mean)


def _moments(table: FloatArray) -> FloatArray:
    """What a mean and its variance by session are made of, row by row: seconds w, sums s, s², w·s and w²."""
    w, s = table[:, :1], table[:, 1:]
    return np.column_stack([w, s, s * s, w * s, w * w])


def _studentised(first: FloatArray, second: FloatArray, sizes: list[int]) -> FloatArray:
    """The absolute difference of two means over its standard error, (…, 9), from sums of `_moments` (…, 29)."""
    means, variance = [], np.zeros(1)
    n = len(EMOTIONS)
    for moments, size in ((first, sizes[0]), (second, sizes[1])):
        w, s, squares, products = (
            moments[..., :1],
            moments[..., 1 : n + 1],
            moments[..., n + 1 :],
            moments[..., 2 * n + 1 :],
        )
        mean = s / w
        around = squares[..., :n] - 2 * mean * products[..., :n] + mean**2 * moments[..., -1:]
        variance = variance + np.maximum(around, 0) / w**2 * size / (size - 1)
        means.append(mean)
    return np.asarray(np.abs(means[0] - means[1]) / np.sqrt(variance + _TINY))
