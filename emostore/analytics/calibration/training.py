"""A head of one's own: multinomial logistic regression from embeddings to what raters heard.

For voices that differ from those the model learnt from. It reads the standardised embedding and beside it what the
model's own head says of it, so that few labels correct what the model knows, and many can overrule it (stacking:
Wolpert 1992). All of that is linear in the embedding, so that the result is one head like any other. How strongly
weights are held back is chosen on labels left out, a group (a session) at a time, by the loss after one temperature,
for a temperature comes next. Every label counts the same: weights by class would make a rare emotion's score say more
than how often it is meant.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from emostore.analytics.calibration import scaling
from emostore.analytics.calibration.applying import softmax
from emostore.analytics.calibration.scaling import Ints
from emostore.analytics.calibration.stages import Floats, Head, Singles
from emostore.analytics.reliability import folds
from emostore.emotions import EMOTIONS
from emostore.errors import SettingsError

LEAST_LABELS = 50  # with embeddings, of emotions that can be learnt
LEAST_OF_A_CLASS = 5  # labels of an emotion; with fewer, the head never gives it
LEAST_GROUPS = 2  # of an emotion, where there are several: else what is learnt may be the sound of one call
FOLDS = 4  # in which the strength is chosen
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse of the penalty, `C` of scikit-learn's LogisticRegression
_STEPS = 300
_CLOSE = 1e-4
_STILL = 1e-3  # of the mean spread: what moves less is as good as constant, and is not blown up
_FLAT = 1e-7  # of the largest variance: along such an axis there is nothing to learn
_N = len(EMOTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """A head, and the logits (n, 9) of the clips it was learnt from, each by a head that had not seen its group.

    `classes` are the numbers of the emotions that it gives, `strength` what was chosen of `STRENGTHS`.
    """

    head: Head
    held_out: Floats
    classes: tuple[int, ...]
    strength: float


def teachable(labels: Ints, groups: Ints) -> tuple[int, ...]:
    """The emotions, by number, of which there are labels (n,) enough to learn them."""
    several = len(np.unique(groups)) > 1
    return tuple(
        number
        for number in range(_N)
        if (labels == number).sum() >= LEAST_OF_A_CLASS
        and (not several or len(np.unique(groups[labels == number])) >= LEAST_GROUPS)
    )


def check(count: int, classes: Sequence[int]) -> None:
    """Raise `SettingsError` if so many labels, all of these emotions, are too few to learn a head from."""
    if len(classes) < 2:
        raise SettingsError(
            "A head takes at least {allowed} labels, from {groups} sessions, of each of two emotions; {found} has as "
            "many. Label clips of other emotions.",
            allowed=LEAST_OF_A_CLASS,
            groups=LEAST_GROUPS,
            found=", ".join(EMOTIONS[number] for number in classes) or "none",
        )
    if count < LEAST_LABELS:
        raise SettingsError(
            "{found} labels are too few to train a head; {allowed} are needed, some hundreds are better.",
            found=count,
            allowed=LEAST_LABELS,
        )


def train(embeddings: Singles, labels: Ints, groups: Ints, classes: Sequence[int], own: Head | None = None) -> Learnt:
    """The head that embeddings (n, dim), all of them numbers, and labels (n,), all of `classes`, teach.

    `own` is the model's head, if it is known. The same of the same, always. Raises `SettingsError` if each emotion was
    heard in one group alone.
    """
    fold = folds(groups, FOLDS)
    numbers = np.unique(fold).tolist()
    with threadpool_limits(1, "blas"):  # many small products, beside clips that are being analysed
        space = _Space(embeddings, own)
        best, least, strength = np.zeros((0, _N)), np.inf, STRENGTHS[0]
        for each in STRENGTHS:  # from much penalty to little, as long as less of it helps
            held_out = np.full((len(labels), _N), -np.inf)
            for number in numbers:
                inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
                rule = _learn(space, inside, labels[inside], each)
                held_out[outside] = rule.logits(space.points[outside])
            told = np.isfinite(held_out[np.arange(len(labels)), labels])
            if not told.any():
                raise SettingsError("Each emotion was heard in one session alone. Label clips of other sessions, too.")
            loss = _loss(held_out[told], labels[told])
            if loss >= least:
                break
            best, least, strength = held_out, loss, each
        rule = _learn(space, np.arange(len(labels)), labels, strength)
    return Learnt(space.head(rule), best, tuple(classes), strength)


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """Weights (9, axes) and biases (9,) on points of a `_Space`; −inf for emotions without a label."""

    weight: Floats
    bias: Floats

    def logits(self, points: Singles) -> Floats:
        return np.asarray(points @ self.weight.T.astype(np.float32) + self.bias)


class _Space:
    """Embeddings as they are learnt from: standardised, the model's logits beside them, turned onto principal axes.

    `points` are (n, axes). Turning changes nothing of what is learnt, for the penalty is the same in every direction;
    with fewer clips than numbers it makes learning quick. No label takes part.
    """

    def __init__(self, embeddings: Singles, own: Head | None) -> None:
        self._centre, each = embeddings.mean(axis=0, dtype=np.float64), embeddings.std(axis=0, dtype=np.float64)
        self._each = np.maximum(each, _STILL * each.mean()) if each.any() else np.ones_like(each)
        self._turn, self._shift = _said(embeddings, own)
        parts = (embeddings - self._centre) / self._each, embeddings @ self._turn + self._shift
        read = np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")
        spread, axes = eigh((read.T @ read).astype(np.float64) / len(read))
        kept = spread > _FLAT * max(float(spread[-1]), 1.0)
        self._axes = axes[:, kept]
        self.points = read @ self._axes.astype(np.float32)

    def head(self, rule: _Rule) -> Head:
        """The rule on embeddings as they are stored: (x − centre) / each · w and (x · turn + shift) · v, as one sum."""
        weight = rule.weight @ self._axes.T
        w, v = weight[:, : len(self._each)] / self._each, weight[:, len(self._each) :]
        bias = rule.bias - w @ self._centre + v @ self._shift
        return Head((w + v @ self._turn.T).astype(np.float32), bias.astype(np.float32))


def _said(embeddings: Singles, own: Head | None) -> tuple[Floats, Floats]:
    """What turns embeddings into the model's logits, (dim, classes) and (classes,): centred, with the variance of a
    whole embedding each, for they are few beside its many numbers."""
    if own is None or own.dim != embeddings.shape[1]:
        return np.zeros((embeddings.shape[1], 0)), np.zeros(0)
    given = np.isfinite(own.bias)
    weight, bias = own.weight[given].astype(np.float64), own.bias[given].astype(np.float64)
    logits = embeddings @ weight.T + bias
    centre, spread = logits.mean(axis=0), float(logits.std(axis=0).mean())
    much = own.dim**0.5 / spread if spread > 0 else 0.0
    return weight.T * much, (bias - centre) * much


def _learn(space: _Space, rows: Ints, labels: Ints, strength: float) -> _Rule:
    """The rule of least loss and penalty."""
    from sklearn.exceptions import ConvergenceWarning  # late: pages that train nothing need it not
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, tol=_CLOSE, max_iter=_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early, a weak penalty is a little stronger
        model.fit(space.points[rows], labels)
    there, found, shift = model.classes_, model.coef_, model.intercept_
    if len(there) == 2:  # one rule for both, as the difference of their logits
        found, shift = np.vstack([-found, found]) / 2, np.concatenate([-shift, shift]) / 2
    weight, bias = np.zeros((_N, found.shape[1])), np.full(_N, -np.inf)
    weight[there], bias[there] = found, shift
    return _Rule(weight, bias)


def _loss(logits: Floats, labels: Ints) -> float:
    return scaling.loss(softmax(scaling.fit(logits, labels).apply(logits)), labels)
