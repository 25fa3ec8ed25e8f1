"""Sessions, agents, sets of clips and targets side by side: mean distributions, distances, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr

from emostore.analytics.given import nine
from emostore.analytics.reference import CASES
from emostore.analytics.resampling import DRAWS, SessionSums, correlation, interval, swapped
from emostore.analytics.saved import Saved, check_name, check_number, shown
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError, SettingsError
from emostore.i18n import N_, Sentence

FloatArray = NDArray[np.float64]

REAL_BELOW = 0.05  # chance of calling any difference real where there is none
_PLENTY = round(1 / REAL_BELOW)  # ways to deal out sessions, of which the one seen can be that rare

_SMALLEST = 1e-300  # of which half is still a number
_ONE_SESSION = N_("One session alone has no interval: nothing tells how much others would differ from it.")


@dataclass(frozen=True, slots=True)
class TargetProfile(Saved):
    """Nine scores to come near to, by name, as given. Raises `SettingsError` or `ScoresError` for anything else."""

    name: str
    scores: Mapping[str, float]

    def __post_init__(self) -> None:
        check_name(self.name)
        if not isinstance(self.scores, Mapping):
            raise SettingsError(
                "{field} is {found}; it must be an object with the names {allowed}.",
                field="scores",
                found=shown(self.scores),
                allowed=", ".join(EMOTIONS),
            )
        scores = {str(name): check_number(str(name), value, 0, 1) for name, value in self.scores.items()}
        EmotionScores.from_raw(scores)  # a distribution, but for rounding
        object.__setattr__(self, "scores", scores)


TARGETS = (
    TargetProfile(N_("Business"), CASES["Business talk"]),
    TargetProfile(N_("Complaint"), CASES["Customer complaint"]),
    TargetProfile(N_("Encouraging teaching"), CASES["Teaching voice"]),
)


def distances(samples: ArrayLike) -> FloatArray:
    """Jensen–Shannon distances between all of k distributions (k, 9): (k, k), base 2, from 0 (same) to 1.

    The square root of the divergence, which makes it a metric (Endres & Schindelin 2003, doi:10.1109/TIT.2003.813506).
    Rows are divided by their sums. Raises `ScoresError` for a row of zeros.
    """
    p = np.asarray(samples, np.float64).reshape(-1, len(EMOTIONS))
    totals = p.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        raise ScoresError("A sample whose nine scores are all 0 has no distance from another.")
    p = p / totals
    p[p < _SMALLEST] = 0.0
    middle = (p[:, None] + p[None]) / 2
    apart = rel_entr(p[:, None], middle).sum(axis=2)  # from each to the middle; its transpose from the other
    return np.asarray(np.sqrt(np.clip((apart + apart.T) / (2 * np.log(2)), 0, 1)))


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The Jensen–Shannon distance between two distributions; an absent name counts as 0."""
    return float(distances([nine(one), nine(other)])[0, 1])


@dataclass(frozen=True, slots=True)
class MeanDistribution:
    """The mean of some sessions, weighted by seconds of speech; `low` and `high` are None where `note` says why."""

    scores: Mapping[str, float]
    low: Mapping[str, float] | None
    high: Mapping[str, float] | None
    sessions: int
    speech_s: float
    note: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """First minus second, emotion by emotion, with the interval of each.

    `p_values` are adjusted for looking at nine emotions at once; `real` names the emotions whose difference is more
    than chance, in order. All three are empty or None where there are too few sessions, as `note` says.
    """

    values: Mapping[str, float]
    low: Mapping[str, float] | None
    high: Mapping[str, float] | None
    p_values: Mapping[str, float] | None
    real: tuple[str, ...]
    distance: float
    note: Sentence | None = None


def averaged(sessions: SessionSums, seed: int = 0) -> MeanDistribution:
    """The mean distribution of a session, an agent or any set, with intervals (`resampling.interval`).

    Raises `ScoresError` if there is no speech in it.
    """
    _check_speech(sessions)
    bounds = interval(sessions, seed)
    return MeanDistribution(
        scores=_named(sessions.mean),
        low=_named(bounds[0]) if bounds else None,
        high=_named(bounds[1]) if bounds else None,
        sessions=len(sessions),
        speech_s=float(sessions.seconds.sum()),
        note=None if bounds else Sentence(_ONE_SESSION),
    )


def difference(first: SessionSums, second: SessionSums, seed: int = 0) -> Difference:
    """First minus second: of two agents, two sets, or one agent after and before a date.

    They may share sessions, as two channels of the same calls do, but no clips: an agent is compared with the others
    of a team, not with the whole of it.

    The interval of a difference is put together from those of the two means (MOVER, Zou & Donner 2008,
    doi:10.1002/sim.3095). A difference is real if the permutation test that looks at all nine at once says so
    (`resampling.swapped`) and its own interval leaves out 0; where nothing differs, that calls any real in at most
    one comparison in twenty. Raises `ScoresError` if there is no speech in one of them.
    """
    for sessions in (first, second):
        _check_speech(sessions)
    values = first.mean - second.mean
    apart = float(distances([first.mean, second.mean])[0, 1])
    bounds = interval(first, seed), interval(second, seed + 1)
    if bounds[0] is None or bounds[1] is None:
        return Difference(_named(values), None, None, None, (), apart, Sentence(_ONE_SESSION))
    below, above = _between(first, second, bounds[0], bounds[1])
    low, high = values - below, values + above
    p_values = swapped(first, second, seed)
    note = _too_few(first, second)
    real = (p_values <= REAL_BELOW) & ((low > 0) | (high < 0)) & (note is None)
    return Difference(
        values=_named(values),
        low=_named(low),
        high=_named(high),
        p_values=_named(p_values),
        real=tuple(name for name, found in zip(EMOTIONS, real, strict=True) if found),
        distance=apart,
        note=note,
    )


def comparison_sentences() -> tuple[Sentence, ...]:
    """How means, intervals and differences are made, in plain words."""
    return (
        Sentence(
            N_(
                "Means are weighted by seconds of speech. Intervals come from drawing whole sessions {draws} times, "
                "because clips of one session are alike; they hold the true mean in about 95 of 100 cases."
            ),
            {"draws": DRAWS},
        ),
        Sentence(
            N_(
                "A difference is called real if dealing the sessions out at random hardly ever makes one as large in "
                "any of the nine emotions: where nothing differs, that happens in at most one comparison in 20."
            )
        ),
        Sentence(
            N_("The distance runs from 0 (the same distribution) to 1 (nothing in common): Jensen–Shannon, base 2.")
        ),
    )


def stacked(samples: Sequence[Mapping[str, float]]) -> FloatArray:
    """Distributions by name as rows (k, 9), for `distances`. Raises `ScoresError` for what is none."""
    return np.array([nine(scores) for scores in samples], np.float64).reshape(-1, len(EMOTIONS))


def _between(
    first: SessionSums,
    second: SessionSums,
    one: tuple[FloatArray, FloatArray],
    other: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """How far the interval of a difference reaches below and above it, (9,) each."""
    together = correlation(first, second)
    down, up = first.mean - one[0], one[1] - first.mean
    other_down, other_up = second.mean - other[0], other[1] - second.mean
    below = down**2 + other_up**2 - 2 * together * down * other_up
    above = up**2 + other_down**2 - 2 * together * up * other_down
    return np.sqrt(np.maximum(below, 0)), np.sqrt(np.maximum(above, 0))


def _too_few(first: SessionSums, second: SessionSums) -> Sentence | None:
    """What to say if sessions can be dealt out in so few ways that chance can never be ruled out."""
    shared = len(np.intersect1d(first.ids, second.ids))
    own = len(first) - shared, len(second) - shared
    ways = comb(sum(own), min(*own, _PLENTY)) * 2 ** min(shared, _PLENTY)
    if own[0] == own[1]:
        ways //= 2  # the same division, with the sides swapped
    if ways >= _PLENTY:
        return None
    return Sentence(
        N_("With {first} and {second} sessions no difference can be told from chance; more of them are needed."),
        {"first": len(first), "second": len(second)},
    )


def _check_speech(sessions: SessionSums) -> None:
    if not len(sessions):
        raise ScoresError("There is no speech to compare. Choose clips in which somebody speaks.")


def _named(values: FloatArray) -> Mapping[str, float]:
    return dict(zip(EMOTIONS, values.tolist(), strict=True))
