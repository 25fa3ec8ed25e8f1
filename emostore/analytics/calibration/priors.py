"""How frequent each emotion is in a corpus, and which occur together, from its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emostore.analytics.calibration.scaling import Ints, loss
from emostore.analytics.calibration.stages import LEAST_PRIOR, Floats, Priors

WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)  # of the co-occurrence matrix, of which labels choose one
_PSEUDO = 1.0  # clips added to each emotion, so that none is taken for impossible
_STEPS = 1000
_CLOSE = 1e-9


def of_labels(labels: Ints, classes: int = 9) -> tuple[float, ...]:
    """How frequent each emotion is among labels (n,), with one more of each."""
    counts = np.bincount(labels, minlength=classes) + _PSEUDO
    return _bounded(counts / counts.sum())


def of_corpus(scores: Floats, source: Sequence[float]) -> tuple[float, ...]:
    """How frequent each emotion is in a corpus without labels, by expectation–maximisation.

    Saerens, Latinne & Decaestecker 2002, doi:10.1162/089976602753284446: `scores` (n, 9) are posteriors where the
    emotions are as frequent as `source` says; clips of an emotion are taken to sound alike here and there. With a
    pseudo-count each, as in `of_labels`.
    """
    start = np.asarray(source, np.float64)
    ratios = scores / start
    target = start
    for _ in range(_STEPS):
        posterior = ratios * target
        posterior /= posterior.sum(axis=1, keepdims=True)
        counts = posterior.sum(axis=0) + _PSEUDO
        after = counts / counts.sum()
        moved = float(np.abs(after - target).max())
        target = after
        if moved < _CLOSE:
            break
    return _bounded(target)


def together(scores: Floats) -> tuple[tuple[float, ...], ...]:
    """Which emotions occur together: row i has the mean scores of clips, each weighted by its score of i.

    Shape (9, 9), rows sum to 1; a row of an emotion that never occurs stays with itself.
    """
    products = scores.T @ scores
    totals = products.sum(axis=1, keepdims=True)
    rows = np.where(totals > 0, products / np.where(totals > 0, totals, 1), np.eye(len(products)))
    return tuple(tuple(row) for row in (rows / rows.sum(axis=1, keepdims=True)).tolist())


def best_weight(scores: Floats, labels: Ints, priors: Priors) -> float:
    """The weight of the matrix of `priors` for which labels that took no part in it are likeliest."""
    losses = [
        loss(Priors(priors.source, priors.target, weight, priors.together).apply(scores), labels) for weight in WEIGHTS
    ]
    return WEIGHTS[int(np.argmin(losses))]


def _bounded(values: Floats) -> tuple[float, ...]:
    kept = np.maximum(values, 10 * LEAST_PRIOR)
    return tuple((kept / kept.sum()).tolist())
