"""Whether confidence says how often a model is right, and how often it is, measured on labels.

Every function takes scores (n, 9) and the numbers (n,) of the true emotions in the order of `EMOTIONS`. Figures are
worth something only for scores of clips whose labels took no part in fitting: `folds` says what to leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from emostore.emotions import BY_NAME, EMOTIONS
from emostore.i18n import N_, Sentence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Binning = Literal["width", "mass"]

BINS = 15  # of the confidence, for the calibration error
DIAGRAM_BINS = 10
FOLDS = 10
CONFIDENCE = 0.95
DRAWS = 2000
FEW_LABELS = 200  # below, a calibration error of 0.05 cannot be told from chance
FEW_OF_A_CLASS = 10
FEW_GROUPS = 5
_LEAST = 1e-12  # of a score of the truth in the log-likelihood: 27.6 nats, and not infinitely many
_Z2 = 1.959963984540054**2


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What scores are worth, over `count` clips.

    `wa` is the share that is right (weighted accuracy), `uar` the mean recall of the classes that occur, `nll` the mean
    negative log-likelihood in nats, `brier` the mean squared distance to the truth (0 to 2). The calibration error of
    the highest score is given in `BINS` bins of equal width (`ece`) and of equal mass (`ece_mass`). `confusion` (9, 9)
    counts clips by truth (row) and highest score (column).
    """

    count: int
    wa: float
    uar: float
    nll: float
    brier: float
    ece: float
    ece_mass: float
    confusion: Ints


@dataclass(frozen=True, slots=True)
class Bin:
    """Clips with a confidence from `low` to `high`: their mean confidence, the share right and its interval."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """What is left, and how much of it is right, if clips with a confidence below a threshold are *uncertain*.

    Arrays of one length, by rising threshold: each distinct confidence once, coverage falling from 1. `low` and `high`
    bound the accuracy at `CONFIDENCE` (Wilson).
    """

    threshold: Floats
    coverage: Floats
    accuracy: Floats
    low: Floats
    high: Floats

    def threshold_for(self, accuracy: float) -> float | None:
        """The lowest threshold with at least this share right, and at none above it surely less; None without one."""
        no_worse = np.flip(np.logical_and.accumulate(np.flip(self.high >= accuracy)))
        enough = no_worse & (self.accuracy >= accuracy)
        return float(self.threshold[enough.argmax()]) if enough.any() else None


def figures(scores: ArrayLike, labels: ArrayLike) -> Figures:
    """All of them. Raises `ValueError` without clips, or for labels that are not numbers of emotions."""
    p, y = _checked(scores, labels)
    said = p.argmax(axis=1)
    truth = np.eye(len(EMOTIONS))[y]
    table = np.bincount(y * len(EMOTIONS) + said, minlength=len(EMOTIONS) ** 2).reshape(2 * (len(EMOTIONS),))
    occurring = table.sum(axis=1) > 0
    recalls = np.diag(table)[occurring] / table.sum(axis=1)[occurring]
    return Figures(
        len(y),
        float((said == y).mean()),
        float(recalls.mean()),
        float(losses(p, y).mean()),
        float(((p - truth) ** 2).sum(axis=1).mean()),
        ece(p, y),
        ece(p, y, binning="mass"),
        table.astype(np.int64),
    )


def losses(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Negative log-likelihood of each clip's truth, (n,), in nats."""
    p, y = _checked(scores, labels)
    return np.asarray(-np.log(np.maximum(p[np.arange(len(y)), y], _LEAST)))


def ece(scores: ArrayLike, labels: ArrayLike, bins: int = BINS, binning: Binning = "width") -> float:
    """Expected calibration error of the highest score: mean gap between confidence and share right, over bins.

    Bins of equal width divide [0, 1] (Naeini et al. 2015); bins of equal mass hold as many clips each, give or take
    one, with equal confidences kept together (Nguyen & O'Connor 2015).
    """
    return sum(each.count * abs(each.accuracy - each.confidence) for each in _bins(scores, labels, bins, binning)) / (
        len(np.asarray(labels))
    )


def diagram(
    scores: ArrayLike, labels: ArrayLike, bins: int = DIAGRAM_BINS, binning: Binning = "width"
) -> tuple[Bin, ...]:
    """The reliability diagram: bins that hold any clips, by rising confidence, with Wilson intervals."""
    return _bins(scores, labels, bins, binning)


def coverage(scores: ArrayLike, labels: ArrayLike) -> Coverage:
    """How many clips are kept, and how many of these are right, by the lowest confidence that is kept."""
    p, y = _checked(scores, labels)
    confidence = p.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum((p.argmax(axis=1) == y)[order])
    sorted_confidence = confidence[order]
    last = np.append(np.flatnonzero(np.diff(sorted_confidence)), len(y) - 1)[::-1]  # of equal confidences all count
    kept = last + 1
    low, high = wilson(right[last], kept)
    return Coverage(sorted_confidence[last], kept / len(y), right[last] / kept, low, high)


def wilson(right: ArrayLike, count: ArrayLike) -> tuple[Floats, Floats]:
    """Low and high of a share at `CONFIDENCE` (Wilson 1927), from how many of how many."""
    k, n = np.asarray(right, np.float64), np.asarray(count, np.float64)
    middle = (k + _Z2 / 2) / (n + _Z2)
    half = np.sqrt(_Z2) / (n + _Z2) * np.sqrt(k * (n - k) / n + _Z2 / 4)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def difference(before: ArrayLike, after: ArrayLike, groups: ArrayLike, seed: int = 0) -> tuple[float, float, float]:
    """Mean of `after` minus `before`, (n,) each of the same clips, and a bootstrap interval at `CONFIDENCE`.

    Whole groups are drawn, because clips of a speaker are alike; the interval is widened by what few groups leave out
    (t in place of the normal, √(m/(m − 1)), both for m groups; Cameron, Gelbach & Miller 2008). With one group there
    is no interval: it is infinite.
    """
    change = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sums, sizes = np.bincount(group, change), np.bincount(group)
    mean, m = float(change.mean()), len(sizes)
    if m < 2:
        return mean, -np.inf, np.inf
    drawn = np.random.default_rng(seed).integers(0, m, (DRAWS, m))
    error = float((sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)).std())
    half = float(stdtrit(m - 1, (1 + CONFIDENCE) / 2)) * error * (m / (m - 1)) ** 0.5
    return mean, mean - half, mean + half


def folds(groups: ArrayLike, most: int = FOLDS) -> Ints:
    """The fold (n,) in which each clip is held out: groups stay together, the largest first into the smallest fold.

    As many folds as groups, at most `most`: with few speakers, each is left out by itself. If all are of one group,
    clips are held out one by one, or in `most` turns.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    if not len(group):
        return np.zeros(0, np.int64)
    sizes = np.bincount(group)
    if len(sizes) == 1:
        return np.arange(len(group), dtype=np.int64) % most
    filled, where = [0] * min(most, len(sizes)), np.zeros(len(sizes), np.int64)
    for each in np.argsort(-sizes, kind="stable").tolist():
        where[each] = place = filled.index(min(filled))
        filled[place] += int(sizes[each])
    return where[group]


def cautions(labels: ArrayLike, groups: ArrayLike, reasons: Sequence[str]) -> tuple[Sentence, ...]:
    """What keeps figures of these labels from being trusted; `reasons` (n,) say why each clip was labelled."""
    y = np.asarray(labels, np.int64)
    counts = np.bincount(y, minlength=len(EMOTIONS))
    found = []
    if len(y) < FEW_LABELS:
        found.append(Sentence(_FEW, {"found": len(y), "allowed": FEW_LABELS}))
    if np.count_nonzero(counts) == 1:
        found.append(Sentence(_ONE_EMOTION, {"emotion": BY_NAME[EMOTIONS[int(counts.argmax())]]}))
    for name, count in zip(EMOTIONS, counts.tolist(), strict=True):
        if 0 < count < FEW_OF_A_CLASS:
            found.append(Sentence(_FEW_OF, {"emotion": BY_NAME[name], "found": count}))
    number = len(np.unique(np.asarray(groups)))
    if number == 1:
        found.append(Sentence(_ONE_GROUP, {}))
    elif 1 < number < FEW_GROUPS:
        found.append(Sentence(_FEW_GROUPS, {"found": number}))
    picked = sum(reason != "random" for reason in reasons)
    if picked:
        found.append(Sentence(_PICKED, {"found": picked, "count": len(y)}))
    return tuple(found)


_FEW = N_("{found} labels are few: from {allowed} on, a calibration error can be told from chance.")
_ONE_EMOTION = N_("Every label says {emotion}: how well other emotions are told from it is not known.")
_FEW_OF = N_("Only {found} labels say {emotion}: what is said of it here may be chance.")
_ONE_GROUP = N_("All labels come from one session: how well other voices are read is not known.")
_FEW_GROUPS = N_("The labels come from {found} sessions: other voices may differ.")
_PICKED = N_(
    "{found} of {count} labels are of clips that were picked, not drawn at random: figures of all clips may differ."
)


def _bins(scores: ArrayLike, labels: ArrayLike, bins: int, binning: Binning) -> tuple[Bin, ...]:
    p, y = _checked(scores, labels)
    confidence = p.max(axis=1)
    right = p.argmax(axis=1) == y
    if binning == "width":
        number = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    else:
        rank = np.searchsorted(np.sort(confidence), confidence)  # of the first clip that is as sure
        number = rank * bins // len(y)
    counts = np.bincount(number, minlength=bins)
    sure, correct = np.bincount(number, confidence, bins), np.bincount(number, right, bins)
    found = []
    for each in np.flatnonzero(counts).tolist():
        n = int(counts[each])
        inside = confidence[number == each]
        edges = (each / bins, (each + 1) / bins) if binning == "width" else (float(inside.min()), float(inside.max()))
        low, high = wilson(correct[each], n)
        found.append(Bin(*edges, n, float(sure[each] / n), float(correct[each] / n), float(low), float(high)))
    return tuple(found)


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Ints]:
    p, y = np.asarray(scores, np.float64), np.asarray(labels, np.int64)
    if y.ndim != 1 or not len(y) or p.shape != (len(y), len(EMOTIONS)):
        raise ValueError(f"scores (n, 9) and labels (n,) of at least one clip are needed, got {p.shape} and {y.shape}")
    if y.min() < 0 or y.max() >= len(EMOTIONS):
        raise ValueError("labels are numbers of emotions, 0 to 8")
    return p, y
