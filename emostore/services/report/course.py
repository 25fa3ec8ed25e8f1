"""What a trajectory says, in words, and the moments that its picture marks."""

from __future__ import annotations

from dataclasses import dataclass

from emostore.analytics import trajectory as paths
from emostore.analytics.trajectory import NOTABLE, Moment, Trajectory
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.i18n import N_, Sentence
from emostore.services.views import session_view

DRAWN = 300  # most stretches of a picture; more are narrower than what an eye tells apart


@dataclass(frozen=True, slots=True)
class Marked:
    """A moment that is worth hearing: when it begins and ends (None: it is a point), and what happens."""

    start_s: float
    end_s: float | None
    said: Sentence


@dataclass(frozen=True, slots=True)
class Stretch:
    """The mean scores (9,) of the scored windows whose time lies between two seconds."""

    start_s: float
    end_s: float
    scores: tuple[float, ...]


def moments(path: Trajectory) -> tuple[Marked, ...]:
    """The clear changes, and the worst and the best moment if they are worth it, in order of time."""
    found = [
        Marked(
            path.boundary_s(change.index),
            None,
            Sentence(
                N_("From {before} to {after}."), {"before": BY_NAME[change.before], "after": BY_NAME[change.after]}
            ),
        )
        for change in paths.clear_changes(path)
    ]
    worst, best = paths.worst(path), paths.best(path)
    if worst and worst.score >= NOTABLE:
        found.append(_marked(N_("The worst moment: {emotion}, negative emotions at {score:.1f} % together."), worst))
    if best and best.score >= NOTABLE:
        found.append(_marked(N_("The best moment: {emotion}, positive emotions at {score:.1f} % together."), best))
    return tuple(sorted(found, key=lambda each: each.start_s))


def sentences(path: Trajectory) -> tuple[Sentence, ...]:
    """Which emotions lead for how much of the time, and where the mood goes."""
    shares = paths.shares(path)
    leading = sorted((name for name in EMOTIONS if shares[name] > 0), key=lambda name: -shares[name])[:2]
    said = []
    if len(leading) == 1:
        said.append(Sentence(N_("All of the time, {first} is in the lead."), {"first": BY_NAME[leading[0]]}))
    elif leading:
        first, second = leading
        message = N_("Longest in the lead: {first} ({high:.0f} %), then {second} ({low:.0f} %) of the time.")
        params = {
            "first": BY_NAME[first],
            "high": 100 * shares[first],
            "second": BY_NAME[second],
            "low": 100 * shares[second],
        }
        said.append(Sentence(message, params))
    mood = session_view.course(path)
    said += [mood] if mood else []
    return tuple(said)


def stretches(path: Trajectory, at_most: int = DRAWN) -> tuple[Stretch, ...]:
    """The windows to draw, without those in which nobody speaks; of many, equal times with their mean scores."""
    together = windows_together(path, at_most)
    found = []
    for first in range(0, len(path), together):
        end = min(first + together, len(path))
        rows = path.scores[first:end][path.scored[first:end]]
        if len(rows):
            found.append(Stretch(path.boundary_s(first), _end_s(path, end), tuple(rows.mean(axis=0).tolist())))
    return tuple(found)


def windows_together(path: Trajectory, at_most: int = DRAWN) -> int:
    """How many windows a stretch of `stretches` stands for."""
    return max(1, -(-len(path) // at_most))


def _end_s(path: Trajectory, index: int) -> float:
    """When window `index` takes over; after the last one, its own end."""
    return path.boundary_s(index) if index < len(path) else (len(path) - 1) * path.hop_s + path.length_s


def _marked(message: str, moment: Moment) -> Marked:
    params = {"emotion": BY_NAME[moment.emotion], "score": 100 * moment.score}
    return Marked(moment.start_s, moment.end_s, Sentence(message, params))
