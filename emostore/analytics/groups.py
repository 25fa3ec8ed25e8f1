"""Label groups: emotions that count together under a name, such as negative, positive or a user's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from emostore.analytics.given import NEGATIVE, POSITIVE, nine
from emostore.analytics.saved import Saved, check_choices, check_name, check_version
from emostore.analytics.thresholds import total
from emostore.emotions import BY_NAME, EMOTIONS, EmotionScores
from emostore.errors import SettingsError
from emostore.i18n import N_, Sentence


@dataclass(frozen=True, slots=True)
class LabelGroup(Saved):
    """One to eight emotions, kept in the order of `EMOTIONS`, so that two groups of the same ones are alike.

    All nine always sum to 1, which says nothing of a clip. A version never changes; an edit is the next version.
    Raises `SettingsError` for a group that cannot be.
    """

    name: str
    emotions: tuple[str, ...]
    version: int = 1

    def __post_init__(self) -> None:
        check_name(self.name)
        check_version(self.version)
        object.__setattr__(self, "emotions", check_emotions("emotions", self.emotions))

    def score(self, scores: Mapping[str, float] | EmotionScores) -> float:
        """The sum of the group's emotions in one distribution, in [0, 1], on the values as given.

        It is exact on the numbers as they are written: .421 + .183 is .604. An absent name counts as 0. Raises
        `ScoresError` for what is no distribution.
        """
        values = dict(zip(EMOTIONS, nine(scores), strict=True))
        return min(float(total(values[name] for name in self.emotions)), 1.0)  # rounded scores sum to a little more


def check_emotions(field: str, values: object) -> tuple[str, ...]:
    """One to eight different emotions in the order of `EMOTIONS`. Raises `SettingsError`."""
    found = check_choices(field, values, EMOTIONS)
    if not 0 < len(found) < len(EMOTIONS):
        raise SettingsError(
            "{field} names {found} emotions; it needs one to eight of them.", field=field, found=len(found)
        )
    return tuple(name for name in EMOTIONS if name in found)


def as_sum(emotions: Iterable[str]) -> Sentence:
    """Emotions as a sum: angry + disgusted, in the reader's language."""
    fields = {f"e{number}": BY_NAME[name] for number, name in enumerate(emotions)}
    return Sentence(" + ".join(f"{{{field}}}" for field in fields), fields)


BUILT_IN = (LabelGroup(N_("positive"), POSITIVE), LabelGroup(N_("negative"), NEGATIVE))


def built_in(name: str) -> LabelGroup | None:
    """The group of this name that comes with the program; None if there is none."""
    return next((group for group in BUILT_IN if group.name == name), None)


def same(emotions: Collection[str], groups: Iterable[LabelGroup]) -> LabelGroup | None:
    """The first group of exactly these emotions, in any order; None if there is none."""
    wanted = set(emotions)
    return next((group for group in groups if set(group.emotions) == wanted), None)
