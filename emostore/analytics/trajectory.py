"""How emotion moves through a recording: trends, changes, moments, and what of them a reader can be told.

Everything is counted over the *scored* windows of a `Trajectory`: those in which somebody speaks. A pause is no
emotion, so its windows have no part in any figure; they do count as time that passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from emostore.emotions import EMOTIONS
from emostore.errors import ScoresError

FloatArray = NDArray[np.float64]

POSITIVE = ("happy", "surprised")
NEGATIVE = ("angry", "disgusted", "fearful", "sad")

# A change is told when another emotion leads the one that reigns by this much, for this long without a break.
# Windows of 3 s that begin every second share two thirds of their sound, so one loud word makes three of them alike.
MARGIN = 0.1
HOLD_S = 4.0

SUSTAINED_S = 5.0  # a moment is the mean of this much, so that one window alone makes none
NOTABLE = 0.25  # below this mean, the worst or best moment is not worth a click

ALPHA = 0.05  # how often steady noise may be called a trend
LEAST_CHANGE = 0.1  # of the mood, first to last window: a long recording makes the smallest slope certain
LEAST_EFFECTIVE = 6.0  # independent values below which no trend is tested

# Of a window that must be speech for its scores to count. The model's answer is a mean over all of the window, so with
# less it tells more of the pause; with more, short answers ("yes", 0.6 s) in a window of 3 s would be left out.
LEAST_SPEECH = 0.2

TOUCH_S = 0.001  # a seek lands this near where it was meant to

Verdict = Literal["improving", "worsening", "steady"]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Nine scores a window: `scores` of shape (n, 9), row i from `i * hop_s` for `length_s` seconds.

    `scored` of shape (n,) is False where nobody speaks; by default all are scored. Raises `ScoresError` if a scored
    row is no distribution, and `ValueError` for shapes that do not fit.
    """

    scores: FloatArray
    hop_s: float
    length_s: float
    scored: NDArray[np.bool_] = None  # type: ignore[assignment]  # never None once it is made

    def __post_init__(self) -> None:
        scores = np.array(self.scores, np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(EMOTIONS):
            raise ValueError(f"scores must have shape (windows, 9), got {scores.shape}")
        if not (self.hop_s > 0 and self.length_s > 0):
            raise ValueError(f"hop and length must be positive, got {self.hop_s} s and {self.length_s} s")
        scored = np.ones(len(scores), bool) if self.scored is None else np.array(self.scored, bool)
        if scored.shape != (len(scores),):
            raise ValueError(f"the mask must have shape ({len(scores)},), got {scored.shape}")
        for row in np.flatnonzero(scored & ~_is_distribution(scores))[:1]:
            raise ScoresError(
                "The scores of window {index} are no distribution over the nine emotions; they sum to {total:.4f}.",
                index=int(row),
                total=float(scores[row].sum()),
            )
        scores.flags.writeable = scored.flags.writeable = False
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "scored", scored)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def rows(self) -> NDArray[np.intp]:
        """The indices of the scored windows, in order."""
        return np.flatnonzero(self.scored)

    def boundary_s(self, index: int) -> float:
        """When window `index` takes over from the one before: half a hop before its middle, and 0 for the first."""
        return max(0.0, index * self.hop_s + (self.length_s - self.hop_s) / 2) if index else 0.0

    def index_at(self, time_s: float) -> int:
        """The window whose middle is nearest to a time, the later of two. Raises `ValueError` if there is no window."""
        if not len(self):
            raise ValueError("a trajectory without windows has none at any time")
        return int(np.clip(np.floor((time_s + TOUCH_S - self.length_s / 2) / self.hop_s + 0.5), 0, len(self) - 1))


@dataclass(frozen=True, slots=True)
class Change:
    """At window `index` the dominant emotion is no longer `before` but `after`."""

    index: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Slopes:
    """Least-squares slopes of the nine scores, each of shape (9,): a window, and a minute."""

    per_window: FloatArray
    per_minute: FloatArray


@dataclass(frozen=True, slots=True)
class Trend:
    """Where the mood went: `change` is what the fitted line gains from the first scored window to the last.

    The mood is positive minus negative, from −1 to 1. `p_value` is None where there is too little to test.
    """

    verdict: Verdict
    per_minute: float
    change: float
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Moment:
    """The strongest stretch of its kind: its time, mean score and strongest emotion; `index` is its first window."""

    index: int
    start_s: float
    end_s: float
    score: float
    emotion: str


def speech_mask(segments: ArrayLike, n: int, hop_s: float, length_s: float) -> NDArray[np.bool_]:
    """Which windows are scored: those that are speech for at least `LEAST_SPEECH` of their length.

    Parameters
    ----------
    segments : seconds, shape (m, 2), in order and not overlapping: where somebody speaks
    n, hop_s, length_s : window i goes from `i * hop_s` for `length_s` seconds

    Returns
    -------
    bool, shape (n,). A clip of one window, which may end long before its window does, is scored with any speech.
    """
    edges = np.asarray(segments, np.float64).reshape(-1, 2).ravel()
    if not len(edges):
        return np.zeros(n, bool)
    spoken_s = np.concatenate([[0.0], np.cumsum(edges[1::2] - edges[::2])])
    times = np.arange(n) * hop_s
    # Seconds of speech before a time: within a segment it grows with the time, between two it stands still.
    until = np.repeat(spoken_s, 2)[1:-1]
    inside = np.interp(times + length_s, edges, until) - np.interp(times, edges, until)
    return np.asarray(inside > 0) if n == 1 else np.asarray(inside >= LEAST_SPEECH * length_s - 1e-9)


def window_scores(logits: ArrayLike) -> FloatArray:
    """Softmax of window logits (n, 9), row by row; −inf gives exactly 0. Every row needs a finite logit."""
    values = np.asarray(logits, np.float64)
    weights = np.exp(values - values.max(axis=1, keepdims=True, initial=-np.finfo(np.float64).max))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def slopes(trajectory: Trajectory) -> Slopes | None:
    """The least-squares slope of every emotion against the window's index; None for fewer than two windows."""
    rows = trajectory.rows
    if len(rows) < 2:
        return None
    x = rows - rows.mean()
    per_window = x @ trajectory.scores[rows] / (x @ x)
    return Slopes(per_window, per_window * 60 / trajectory.hop_s)


def deviation(trajectory: Trajectory) -> FloatArray | None:
    """The standard deviation (ddof 0) of every emotion, shape (9,); None without a scored window."""
    rows = trajectory.rows
    return np.asarray(trajectory.scores[rows].std(axis=0)) if len(rows) else None


def changes(trajectory: Trajectory) -> tuple[Change, ...]:
    """Every scored window whose dominant emotion is not that of the scored window before it.

    The highest score is dominant; of equal ones, the first in the order of `EMOTIONS`.
    """
    rows = trajectory.rows
    top = trajectory.scores[rows].argmax(axis=1)
    return tuple(
        Change(int(rows[i]), EMOTIONS[top[i - 1]], EMOTIONS[top[i]]) for i in np.flatnonzero(np.diff(top) != 0) + 1
    )


def clear_changes(trajectory: Trajectory, margin: float = MARGIN, hold_s: float = HOLD_S) -> tuple[Change, ...]:
    """The changes without the jitter: those a listener would notice.

    One emotion reigns, at first the strongest in the mean of the first `hold_s` seconds. Another takes over where it
    begins to be dominant in every scored window for `hold_s` seconds, each time by `margin` or more above that one.
    """
    rows = trajectory.rows
    need = max(1, int(np.ceil(hold_s / trajectory.hop_s - 1e-9)))
    if len(rows) < need:
        return ()
    scores = trajectory.scores[rows]
    top = scores.argmax(axis=1).tolist()
    reigning = int(scores[:need].mean(axis=0).argmax())
    found: list[Change] = []
    challenger, since = -1, 0
    for i, leader in enumerate(top):
        if leader == reigning or scores[i, leader] - scores[i, reigning] < margin:
            challenger = -1
        elif leader != challenger:
            challenger, since = leader, i
        if challenger >= 0 and i - since + 1 >= need:
            found.append(Change(int(rows[since]), EMOTIONS[reigning], EMOTIONS[challenger]))
            reigning, challenger = challenger, -1
    return tuple(found)


def shares(trajectory: Trajectory) -> dict[str, float]:
    """Which part of the scored windows each emotion dominates; all nine, summing to 1 unless nothing was scored."""
    rows = trajectory.rows
    counts = np.bincount(trajectory.scores[rows].argmax(axis=1), minlength=len(EMOTIONS))
    return {name: int(count) / max(1, len(rows)) for name, count in zip(EMOTIONS, counts, strict=True)}


def trend(trajectory: Trajectory) -> Trend | None:
    """Whether the mood improves, worsens or is steady; None for fewer than two scored windows.

    A t-test of the least-squares slope at level `ALPHA`, with the number of values reduced to that of independent ones,
    n·(1 − r)/(1 + r) for a lag-1 autocorrelation r of the residuals (Santer et al. 2000, doi:10.1029/1999JD901105),
    since neighbouring windows share their sound. A sample's r is too low by (2 + 4r)/n in the mean, with two fitted
    parameters, and is raised by that. A certain slope is still steady if it gains less than `LEAST_CHANGE`.
    """
    rows = trajectory.rows
    n = len(rows)
    if n < 2:
        return None
    mood = _total(trajectory, POSITIVE)[rows] - _total(trajectory, NEGATIVE)[rows]
    x = rows - rows.mean()
    slope = float(x @ mood / (x @ x))
    change = slope * float(rows[-1] - rows[0])
    p_value = _p_value(x, mood - mood.mean() - slope * x, slope)
    certain = p_value is not None and p_value < ALPHA and abs(change) >= LEAST_CHANGE
    verdict: Verdict = "steady" if not certain else "improving" if change > 0 else "worsening"
    return Trend(verdict, slope * 60 / trajectory.hop_s, change, p_value)


def worst(trajectory: Trajectory) -> Moment | None:
    """The stretch with the most of the negative emotions; None without a scored window."""
    return _moment(trajectory, NEGATIVE)


def best(trajectory: Trajectory) -> Moment | None:
    """The stretch with the most of the positive emotions; None without a scored window."""
    return _moment(trajectory, POSITIVE)


def thin(trajectory: Trajectory, points: int = 1000) -> tuple[NDArray[np.intp], ...]:
    """For each emotion the windows to draw, in order: at most `points` of them, with every extreme among them.

    Time is cut into equal parts, and the lowest and highest scored window of each is kept, so that a peak of one window
    in four hours is drawn as high as it was. Of a part without speech one window is kept, so that its gap is drawn.
    Raises `ValueError` for fewer than two points.
    """
    if points < 2:
        raise ValueError(f"at least two points are needed, got {points}")
    n = len(trajectory)
    if n <= points:
        return (np.arange(n),) * len(EMOTIONS)
    edges = np.linspace(0, n, points // 2 + 1).astype(int)
    low = np.where(trajectory.scored[:, None], trajectory.scores, np.inf)
    high = np.where(trajectory.scored[:, None], trajectory.scores, -np.inf)
    kept = [
        [start + low[start:end].argmin(axis=0), start + high[start:end].argmax(axis=0)]
        for start, end in pairwise(edges)
    ]
    return tuple(np.unique(column) for column in np.array(kept).reshape(-1, len(EMOTIONS)).T)


def _is_distribution(scores: FloatArray) -> NDArray[np.bool_]:
    inside = ((scores >= 0) & (scores <= 1 + 1e-6)).all(axis=1)  # false for NaN too
    return np.asarray(inside & (np.abs(scores.sum(axis=1) - 1) <= 1e-3))


def _total(trajectory: Trajectory, names: tuple[str, ...]) -> FloatArray:
    """The sum of some emotions in every window, shape (n,)."""
    return np.asarray(trajectory.scores[:, [EMOTIONS.index(name) for name in names]].sum(axis=1))


def _p_value(x: FloatArray, residuals: FloatArray, slope: float) -> float | None:
    """Two-sided, of a slope against none; `x` is centred. None where too few independent values are left."""
    n = len(x)
    power = float(residuals @ residuals)
    if n < LEAST_EFFECTIVE or power <= n * 1e-18:  # a straight line to the last digit leaves nothing to test against
        return None if n < LEAST_EFFECTIVE else float(slope == 0)
    r = float(residuals[1:] @ residuals[:-1]) / power
    r = min(max(0.0, r + (2 + 4 * r) / n), 0.999)
    effective = n * (1 - r) / (1 + r)
    if effective < LEAST_EFFECTIVE:
        return None
    error = np.sqrt(power / (effective - 2) / float(x @ x))
    return float(2 * stats.t.sf(abs(slope) / error, effective - 2))


def _moment(trajectory: Trajectory, names: tuple[str, ...]) -> Moment | None:
    """The first of the stretches whose mean is highest. Stretches do not reach over pauses."""
    if not trajectory.scored.any():
        return None
    size = min(max(1, round(SUSTAINED_S / trajectory.hop_s)), _longest_run(trajectory.scored))
    unbroken = np.convolve(trajectory.scored, np.ones(size, int), "valid") == size
    means = np.convolve(np.where(trajectory.scored, _total(trajectory, names), 0.0), np.full(size, 1 / size), "valid")
    first = int(np.where(unbroken, np.round(means, 12), -1.0).argmax())  # rounded: equal stretches stay equal
    columns = [EMOTIONS.index(name) for name in names]
    strongest = trajectory.scores[first : first + size, columns].mean(axis=0).argmax()
    return Moment(
        index=first,
        start_s=trajectory.boundary_s(first),
        end_s=trajectory.boundary_s(first + size),
        score=float(means[first]),
        emotion=names[int(strongest)],
    )


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int((edges[1::2] - edges[::2]).max())
