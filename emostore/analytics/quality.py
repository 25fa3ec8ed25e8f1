"""The service quality score: one number from a distribution, by a profile of weights that users can edit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from emostore.analytics.given import NEGATIVE, POSITIVE, UNCLEAR, nine
from emostore.analytics.groups import as_sum, check_emotions
from emostore.analytics.saved import Saved, check_choice, check_name, check_number, check_version
from emostore.emotions import BY_NAME, EMOTIONS, EmotionScores
from emostore.errors import SettingsError
from emostore.i18n import N_, Sentence

Kind = Literal["balanced", "published"]

WEIGHTS = ("positive", "calm", "engagement", "clarity")
_SUM_WITHIN = 1e-9
_DECIMALS = 10  # scores in a few decimals give quality in a few decimals, not 61.519999999999996


@dataclass(frozen=True, slots=True)
class ScoringProfile(Saved):
    """Four weights that sum to 1, how their parts are put together, and which emotions are positive and negative.

    The parts are positive (happy + surprised unless others are named), calm (1 − the four negative emotions, or those
    named), engagement (positive + neutral, which counts once) and clarity (1 − unknown − other). "balanced" is 100
    times their weighted mean, from 0 to 100. "published" takes calm as 100 − 100 · weight · negative instead, so that
    it is higher by 100 · (1 − weight of calm) and not bounded by 100; old reports were made with it. A version never
    changes; an edit is the next version. So a profile keeps the emotions themselves and not the name of a label group:
    whoever edits a group later changes no ranking of before.
    """

    name: str
    version: int = 1
    positive: float = 0.4
    calm: float = 0.3
    engagement: float = 0.2
    clarity: float = 0.1
    kind: Kind = "balanced"
    positive_emotions: tuple[str, ...] = POSITIVE
    negative_emotions: tuple[str, ...] = NEGATIVE

    def __post_init__(self) -> None:
        check_name(self.name)
        check_choice("kind", self.kind, get_args(Kind))
        check_version(self.version)
        for field in ("positive_emotions", "negative_emotions"):
            object.__setattr__(self, field, check_emotions(field, getattr(self, field)))
        if both := set(self.positive_emotions) & set(self.negative_emotions):
            raise SettingsError(
                "{found} counts as positive and as negative at once. Take it out of one of the two.",
                found=as_sum(name for name in EMOTIONS if name in both),
            )
        for field in WEIGHTS:
            object.__setattr__(self, field, check_number(field, getattr(self, field), 0, 1))
        total = math.fsum(self.weights.values())
        if abs(total - 1) > _SUM_WITHIN:
            raise SettingsError(
                "The four weights sum to {total:.6g}; they must sum to 1. Change {fields} until they do.",
                total=total,
                fields=", ".join(WEIGHTS),
            )

    @property
    def weights(self) -> dict[str, float]:
        """The four weights by name."""
        return {field: getattr(self, field) for field in WEIGHTS}

    def coefficients(self) -> tuple[float, NDArray[np.float64]]:
        """Intercept, and slopes of shape (9,): quality is intercept + slopes @ scores.

        So the mean quality of clips is that of their mean scores, and a database that keeps sums of scores need not
        know the profile. In the published form each part is cut at 0 and 100, which no distribution reaches.
        """
        slopes = np.zeros(len(EMOTIONS))
        for names, weight in (
            (self.positive_emotions, self.positive),
            ({*self.positive_emotions, "neutral"}, self.engagement),
            (self.negative_emotions, -self.calm),
            (UNCLEAR, -self.clarity),
        ):
            slopes[[EMOTIONS.index(name) for name in names]] += 100 * weight
        calm = self.calm if self.kind == "balanced" else 1.0
        return 100 * (calm + self.clarity), slopes

    @property
    def usual_parts(self) -> bool:
        """Whether positive and negative are those of the formula, whose sums by session are kept ready."""
        return (self.positive_emotions, self.negative_emotions) == (POSITIVE, NEGATIVE)

    def part_coefficients(self) -> NDArray[np.float64]:
        """Shape (4,): weights of 1 and of the sums positive, negative and neutral; quality is their sum product.

        The same line as `coefficients` for scores that sum to 1, where clarity is what is neither unknown nor other.
        Raises `ValueError` for a profile without the usual parts, which these sums do not determine.
        """
        if not self.usual_parts:
            raise ValueError(f"{self.name!r} has other parts than the usual ones")
        calm = self.calm if self.kind == "balanced" else 1.0
        clear = self.clarity
        return 100 * np.array(
            [calm, self.positive + self.engagement + clear, clear - self.calm, self.engagement + clear]
        )

    def landmarks(self) -> Sentence:
        """What the number means: the scores of a voice that is wholly negative, unclear, neutral and positive.

        With parts of its own, that of a voice that is wholly of any one emotion, those with equal scores together.
        """
        intercept, slopes = self.coefficients()
        if not self.usual_parts:
            return _landmarks(intercept, slopes)
        at = {name: intercept + float(slopes[EMOTIONS.index(name)]) for name in ("sad", "unknown", "neutral", "happy")}
        return Sentence(
            N_(
                "{sad:.0f}: all negative emotions; {unknown:.0f}: all unknown; {neutral:.0f}: all neutral; "
                "{happy:.0f}: all happy or surprised."
            ),
            at,
        )


def _landmarks(intercept: float, slopes: NDArray[np.float64]) -> Sentence:
    """Emotions by the quality of a voice that is wholly of one, the lowest first."""
    at: dict[float, list[str]] = {}
    for name, slope in zip(EMOTIONS, slopes.tolist(), strict=True):
        at.setdefault(round(intercept + slope, _DECIMALS), []).append(name)
    each = [
        Sentence(N_("{quality:.0f}: all {emotions}"), {"quality": quality, "emotions": tuple(map(BY_NAME.get, names))})
        for quality, names in sorted(at.items())
    ]
    fields = {f"part{number}": part for number, part in enumerate(each)}
    return Sentence("; ".join(f"{{{field}}}" for field in fields) + ".", fields)


BALANCED = ScoringProfile(N_("balanced"))
PUBLISHED = ScoringProfile(N_("published (unbounded)"), kind="published")
BUILT_IN = (BALANCED, PUBLISHED)


def service_quality_score(scores: Mapping[str, float] | EmotionScores, profile: ScoringProfile = BALANCED) -> float:
    """The quality of one distribution, on the values as given: an absent name counts as 0, nothing is renormalised.

    With the default profile 100 · (0.4·positive + 0.3·(1 − negative) + 0.2·engagement + 0.1·clarity), from 0 to 100.
    Raises `ScoresError` for what is no distribution.
    """
    values = nine(scores)
    intercept, slopes = profile.coefficients()
    quality = round(
        intercept + math.fsum(slope * value for slope, value in zip(slopes.tolist(), values, strict=True)), _DECIMALS
    )
    # Scores rounded by others may sum to a little more than 1.
    return min(max(quality, 0.0), 100.0) if profile.kind == "balanced" else quality
