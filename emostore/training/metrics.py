"""Figures of a classifier from its probabilities and the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 15  # equal-width bins of the confidence, for ECE

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def confusion(truth: Labels, said: Labels, classes: int) -> Labels:
    """Counts, shape (classes, classes): row the truth, column what was said."""
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def uar(truth: Labels, said: Labels, among: Sequence[int] | None = None) -> float:
    """Unweighted average recall over the classes that occur (or over those of `among` that do)."""
    classes = [c for c in (np.unique(truth) if among is None else among) if (truth == c).any()]
    return float(np.mean([(said[truth == c] == c).mean() for c in classes]))


def accuracy(truth: Labels, said: Labels) -> float:
    """Weighted accuracy (WA): the share that is right."""
    return float((truth == said).mean())


def ece(probabilities: Floats, truth: Labels) -> float:
    """Expected calibration error of the top class over `BINS` equal-width bins (Naeini et al. 2015)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = [abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(np.sum(gaps))
