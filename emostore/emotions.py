"""The nine emotions: their order, names and colours, and the distribution over them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from emostore.errors import ScoresError

SUM_TOLERANCE = 0.005  # published scores are rounded to three decimals, so nine of them may miss 1 by this much
_EXACT = 1e-6  # what float32 arithmetic leaves of a sum of nine


@dataclass(frozen=True, slots=True)
class Emotion:
    """One of the nine: `name` is its key everywhere, `en` and `zh` are shown, `color` is sRGB hex."""

    name: str
    en: str
    zh: str
    color: str


# One fixed colour each, everywhere. Found by search: hues that carry the meaning, at least 3:1 on white and on #12151c
# (WCAG 2.2, 1.4.11), then the largest least CIEDE2000 difference for normal and colour-blind sight (Machado 2009,
# Viénot 1999, Brettel 1997, fully blind to one cone). Reached: any two differ by 17.2, to the colour-blind by 9.8;
# neighbours in this order, which touch in stacked areas, by 25.9 and 15.6. tests/unit/test_palette.py holds them to it.
_ALL = (
    Emotion("angry", "Angry", "生气", "#c61711"),
    Emotion("disgusted", "Disgusted", "厌恶", "#6ea15d"),
    Emotion("fearful", "Fearful", "恐惧", "#b27ce7"),
    Emotion("happy", "Happy", "开心", "#bf8002"),
    Emotion("neutral", "Neutral", "中立", "#777f89"),
    Emotion("other", "Other", "其他", "#875843"),
    Emotion("sad", "Sad", "难过", "#0767bc"),
    Emotion("surprised", "Surprised", "吃惊", "#2ea2af"),
    Emotion("unknown", "Unknown", "未知", "#765b77"),
)
BY_NAME: Mapping[str, Emotion] = MappingProxyType({emotion.name: emotion for emotion in _ALL})
EMOTIONS: tuple[str, ...] = tuple(BY_NAME)  # the order of every vector of nine in this product


@dataclass(frozen=True, slots=True)
class EmotionScores(Mapping[str, float]):
    """A distribution over the nine emotions, in `EMOTIONS` order: each in [0, 1], summing to 1.

    It is a mapping from name to score, so every pure function of scores takes it as it is.
    """

    vector: tuple[float, ...]

    def __post_init__(self) -> None:
        _check(self.vector)
        total = math.fsum(self.vector)
        if abs(total - 1) > _EXACT:
            raise ScoresError("The nine scores must sum to 1; these sum to {total:.6f}.", total=total)

    @classmethod
    def from_raw(cls, raw: Mapping[str, float] | Sequence[float]) -> EmotionScores:
        """Scores that another tool rounded, renormalised; an absent name counts as 0.

        Raises `ScoresError` for a name that is not one of the nine, a value that is not a number in
        [0, 1] or a sum farther than `SUM_TOLERANCE` from 1.
        """
        if isinstance(raw, Mapping):
            strangers = [str(name) for name in raw if name not in BY_NAME]
            if strangers:
                raise ScoresError(
                    "{found} is not one of the nine emotions ({allowed}).",
                    found=", ".join(strangers),
                    allowed=", ".join(EMOTIONS),
                )
            raw = [raw.get(name, 0.0) for name in EMOTIONS]
        values = tuple(float(value) for value in raw)
        _check(values)
        total = math.fsum(values)
        if abs(total - 1) > SUM_TOLERANCE + 1e-9:
            raise ScoresError(
                "The scores sum to {total:.4f}; a distribution sums to 1, give or take {tolerance} for rounding.",
                total=total,
                tolerance=SUM_TOLERANCE,
            )
        return cls(tuple(value / total for value in values))

    @classmethod
    def from_logits(cls, logits: Sequence[float]) -> EmotionScores:
        """Softmax of nine logits; −inf gives exactly 0. Raises `ScoresError` if none is finite."""
        values = [float(value) for value in logits]
        top = max(values, default=-math.inf)
        if len(values) != len(EMOTIONS) or not math.isfinite(top) or any(map(math.isnan, values)):
            raise ScoresError("{count} logits with maximum {top} cannot become scores.", count=len(values), top=top)
        weights = [math.exp(value - top) for value in values]
        total = math.fsum(weights)
        return cls(tuple(weight / total for weight in weights))

    @property
    def dominant(self) -> str:
        """Name of the highest score; of equal ones the first in `EMOTIONS` order."""
        return EMOTIONS[self.vector.index(self.confidence)]

    @property
    def confidence(self) -> float:
        """The highest score."""
        return max(self.vector)

    @property
    def margin(self) -> float:
        """How far the highest score is above the second."""
        second, first = sorted(self.vector)[-2:]
        return first - second

    @property
    def entropy(self) -> float:
        """Shannon entropy over its maximum, ln 9: 0 is one certain emotion, 1 is all nine alike."""
        return -math.fsum(p * math.log(p) for p in self.vector if p > 0) / math.log(len(EMOTIONS)) + 0.0

    def __getitem__(self, name: str) -> float:
        try:
            return self.vector[EMOTIONS.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(EMOTIONS)

    def __len__(self) -> int:
        return len(EMOTIONS)


def is_uncertain(confidence: float, below: float) -> bool:
    """Whether a result whose highest score is `confidence` counts as uncertain: it is `below` what users ask for."""
    return confidence < below


def _check(values: Sequence[float]) -> None:
    if len(values) != len(EMOTIONS):
        raise ScoresError("A distribution has nine scores; {count} were given.", count=len(values))
    for name, value in zip(EMOTIONS, values, strict=True):
        if not 0 <= value <= 1 + SUM_TOLERANCE:  # false for NaN too
            raise ScoresError("The score of {name} is {value}; it must lie between 0 and 1.", name=name, value=value)
