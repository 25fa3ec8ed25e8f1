"""Scores as they are given: checked, in order, never renormalised."""

from __future__ import annotations

import math
from collections.abc import Mapping

from emostore.emotions import BY_NAME, EMOTIONS, SUM_TOLERANCE, EmotionScores
from emostore.errors import ScoresError

POSITIVE = ("happy", "surprised")
NEGATIVE = ("angry", "disgusted", "fearful", "sad")
UNCLEAR = ("other", "unknown")


def nine(scores: Mapping[str, float]) -> tuple[float, ...]:
    """The scores in `EMOTIONS` order; an absent name counts as 0.

    Raises `ScoresError` for a name that is not one of the nine, a value that is not in [0, 1] or a sum above 1 by
    more than rounding. A sum below 1 is left as it is: what was published in three decimals stays so.
    """
    if isinstance(scores, EmotionScores):
        return scores.vector
    strangers = [str(name) for name in scores if name not in BY_NAME]
    if strangers:
        raise ScoresError(
            "{found} is not one of the nine emotions ({allowed}).",
            found=", ".join(strangers),
            allowed=", ".join(EMOTIONS),
        )
    values = tuple(float(scores.get(name, 0.0)) for name in EMOTIONS)
    for name, value in zip(EMOTIONS, values, strict=True):
        if not 0 <= value <= 1 + SUM_TOLERANCE:  # false for NaN too
            raise ScoresError("The score of {name} is {value}; it must lie between 0 and 1.", name=name, value=value)
    total = math.fsum(values)
    if total > 1 + SUM_TOLERANCE + 1e-9:
        raise ScoresError(
            "The scores sum to {total:.4f}; a distribution sums to 1, give or take {tolerance} for rounding.",
            total=total,
            tolerance=SUM_TOLERANCE,
        )
    return values
