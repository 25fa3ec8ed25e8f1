"""How far raters agree beyond chance: Krippendorff's alpha for names, with missing values.

Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*: https://repository.upenn.edu/handle/20.500.14332/2089
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np


def alpha(ratings: Iterable[tuple[Hashable, Hashable]]) -> float | None:
    """Alpha of (clip, value) pairs, one for each rating; who rated does not matter.

    1 is full agreement, 0 what chance gives, below 0 less than that. Clips rated once are left out, for nothing can be
    compared. None if none is left, or if only one value ever occurs, so that chance agrees fully, too.
    """
    pairs = list(ratings)
    clips = {clip: number for number, clip in enumerate(dict.fromkeys(clip for clip, _ in pairs))}
    values = {value: number for number, value in enumerate(dict.fromkeys(value for _, value in pairs))}
    counts = np.zeros((len(clips), len(values)))  # how often each clip was called each value
    for clip, value in pairs:
        counts[clips[clip], values[value]] += 1
    counts = counts[counts.sum(axis=1) > 1]
    raters = counts.sum(axis=1)
    totals = counts.sum(axis=0)
    n = totals.sum()
    expected = n * n - (totals**2).sum()  # times n − 1: pairs of unlike values if clips did not matter
    if not len(counts) or expected == 0:
        return None
    unlike = ((raters**2 - (counts**2).sum(axis=1)) / (raters - 1)).sum()
    return float(1 - (n - 1) * unlike / expected)
