"""Emotions that a model cannot give: those that it says so of, and those that it was never seen to give.

While a head that was trained on labels is read, there are also those that it was not taught (see `training`).

A softmax gives every class something, if only 1e-30. So where the raw score of an emotion is exactly 0 in each of the
latest `LATEST` clips of a model, and these are `LEAST` at least, its output for that emotion is cut off somewhere,
whatever the model declares. Scores that another tool rounded before they came here can look the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from emostore.analytics.calibration.stages import masked_by
from emostore.emotions import EMOTIONS
from emostore.store.calibration import masked
from emostore.store.calibration.masked import Given
from emostore.store.reports.report_views import ModelInUse
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store

LEAST = 200  # clips
LATEST = 1_000


@dataclass(frozen=True, slots=True)
class Masked:
    """Emotions in their order: the `declared` a model says that it cannot give, the `seen` were 0 in all of `clips`.

    The `untaught` are others that the trained head never gives whose scores are read.
    """

    declared: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    clips: int = 0
    untaught: tuple[str, ...] = ()

    @property
    def never(self) -> tuple[str, ...]:
        """Those that a model says it can give, and that are not given."""
        return tuple(name for name in EMOTIONS if name in (*self.seen, *self.untaught))


Reader = Callable[[Model], Masked]


def of(store: Store, model: Model) -> Masked:
    """What a model, by name and revision, cannot give; nothing for one that is not known."""
    return _told(masked.given(store, model, LATEST))


def reader(given: Callable[[Model, int], Given | None]) -> Reader:
    """What models cannot give, each looked up once: in a store (`partial(given, store)`) or within a transaction."""
    return cache(lambda model: _told(given(model, LATEST)))


def honest(store: Store, model: ModelInUse | None) -> ModelInUse | None:
    """The model with only those `classes` that it was seen to give, too."""
    if model is None:
        return None
    never = of(store, (model.name, model.revision)).never
    return replace(model, classes=tuple(name for name in model.classes if name not in never)) if never else model


def _told(found: Given | None) -> Masked:
    if found is None:
        return Masked()
    declared = tuple(name for name in EMOTIONS if name not in found.classes)
    zero = [name for name, highest in zip(EMOTIONS, found.highest, strict=True) if highest == 0.0]
    seen = tuple(name for name in zero if name in found.classes) if found.clips >= LEAST else ()
    silent = masked_by(found.trained_bias) if found.trained_bias is not None else ()
    untaught = tuple(name for name in silent if name not in (*declared, *seen))
    return Masked(declared, seen, found.clips, untaught)
