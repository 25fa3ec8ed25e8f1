"""Who talks when: shares, silence, overlap, answers, interruptions and turns, from stretches of speech.

Everything is exact on the stretches that are given, which lie in one time line. What a detector of speech leaves
open, such as pauses that are too short to split a stretch, is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

BREATH_S = 0.3  # a shorter pause ends no turn, even if somebody says "hm" in it
PAUSE_S = 2.0  # a pause of this much ends a turn, even if nobody else speaks in it
OUTLAST_S = 1.0  # who cuts in and goes on for so much longer has taken the word; less is a "yes" or a laugh


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's speech until it pauses for `PAUSE_S`, or for `BREATH_S` if another speaks; `side` is its index."""

    side: int
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """From its first word to its last."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Answer:
    """A silence after which another side speaks than before it; `side` is the one that answers."""

    side: int
    start_s: float
    end_s: float

    @property
    def gap_s(self) -> float:
        """How long the others waited."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Side:
    """What one side does: seconds of speech, its part of all sides' seconds, and what it takes and gives.

    `gap_s` is the median of its answers and `slowest_s` the longest of them, None without one; `monologue_s` is its
    longest turn; `interruptions` are those that it makes.
    """

    talk_s: float
    share: float
    turns: int
    monologue_s: float
    answers: int
    gap_s: float | None
    slowest_s: float | None
    interruptions: int


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation of `length_s` seconds: of these somebody speaks `speech_s`, two or more at once `overlap_s`.

    `silence_s` is the rest. `stretches` are those of each side, `overlaps` those in which two or more speak and
    `silences` those in which nobody does: in order, shape (n, 2).
    """

    length_s: float
    speech_s: float
    overlap_s: float
    silence_s: float
    sides: tuple[Side, ...]
    turns: tuple[Turn, ...]
    answers: tuple[Answer, ...]
    stretches: tuple[FloatArray, ...]
    overlaps: FloatArray
    silences: FloatArray

    @property
    def gap_s(self) -> float | None:
        """The median of all answers; None without one."""
        return median(answer.gap_s for answer in self.answers) if self.answers else None

    @property
    def slowest(self) -> Answer | None:
        """The answer that took longest, the first of equal ones."""
        return max(self.answers, key=lambda answer: answer.gap_s, default=None)


def joined(segments: ArrayLike) -> FloatArray:
    """Stretches (n, 2) in the order of time, those that touch or overlap made one. Raises `ValueError` for others."""
    values = np.asarray(segments, np.float64).reshape(-1, 2) if np.size(segments) else np.empty((0, 2))
    if not (np.isfinite(values).all() and (values[:, 0] <= values[:, 1]).all()):
        raise ValueError("a stretch of speech runs from one time to a later one")
    values = values[values[:, 0] < values[:, 1]]
    if not len(values):
        return values
    values = values[np.argsort(values[:, 0], kind="stable")]
    reach = np.maximum.accumulate(values[:, 1])
    first = np.concatenate([[True], values[1:, 0] > reach[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.stack([values[first, 0], reach[last]], axis=1)


def talk(segments: Sequence[ArrayLike], length_s: float) -> Talk:
    """What the sides of a conversation do to each other.

    Parameters
    ----------
    segments : for each side its stretches of speech, shape (n, 2), in seconds of one time line
    length_s : the end of that line; speech before 0 or after it is cut off

    A side *answers* where it breaks a silence and was not among those who spoke last. It *interrupts* where its turn
    begins while another speaks, and still lasts when that one has been silent for `OUTLAST_S`.

    Raises `ValueError` for a length that is no positive number, and for stretches that end before they begin.
    """
    if not (np.isfinite(length_s) and length_s > 0):
        raise ValueError(f"a conversation has a length, got {length_s} s")
    sides = [joined(np.clip(joined(each), 0, length_s)) for each in segments]
    edges = np.unique(np.concatenate([[0.0, length_s], *(each.ravel() for each in sides)]))
    speaking = np.array([_inside(each, edges[:-1]) for each in sides], bool).reshape(len(sides), len(edges) - 1)
    lengths = np.diff(edges)
    voices = speaking.sum(axis=0)
    talk_s = [float(lengths @ row) for row in speaking]
    speech_s, overlap_s = float(lengths @ (voices > 0)), float(lengths @ (voices > 1))
    turns = _turns(sides)
    answers = _answers(edges, speaking)
    interruptions = [_interruptions(side, turns, sides) for side in range(len(sides))]
    return Talk(
        length_s=length_s,
        speech_s=speech_s,
        overlap_s=overlap_s,
        silence_s=length_s - speech_s,
        sides=tuple(
            _side(side, spoken, sum(talk_s), turns, answers, interruptions[side]) for side, spoken in enumerate(talk_s)
        ),
        turns=turns,
        answers=answers,
        stretches=tuple(sides),
        overlaps=_runs(edges, voices > 1),
        silences=_runs(edges, voices == 0),
    )


def _side(
    side: int, talk_s: float, all_s: float, turns: Sequence[Turn], answers: Sequence[Answer], interruptions: int
) -> Side:
    own = [turn.length_s for turn in turns if turn.side == side]
    gaps = [answer.gap_s for answer in answers if answer.side == side]
    return Side(
        talk_s=talk_s,
        share=talk_s / all_s if all_s else 0.0,
        turns=len(own),
        monologue_s=max(own, default=0.0),
        answers=len(gaps),
        gap_s=median(gaps) if gaps else None,
        slowest_s=max(gaps, default=None),
        interruptions=interruptions,
    )


def _inside(segments: FloatArray, times: FloatArray) -> NDArray[np.bool_]:
    """Whether each time lies in a stretch, its beginning included and its end not."""
    begun = np.searchsorted(segments[:, 0], times, "right")
    ended = np.searchsorted(segments[:, 1], times, "right")
    return begun > ended


def _runs(edges: FloatArray, flags: NDArray[np.bool_]) -> FloatArray:
    """The unbroken stretches of flagged parts; part i runs from `edges[i]` to `edges[i + 1]`."""
    return edges[_ends(flags)]


def _ends(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The first flag of every run, and the one after its last; shape (n, 2)."""
    return np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]))).reshape(-1, 2)


def _turns(sides: Sequence[FloatArray]) -> tuple[Turn, ...]:
    """Each side's stretches, joined to turns; by their beginnings."""
    found: list[Turn] = []
    for side, own in enumerate(sides):
        pauses = np.stack([own[:-1, 1], own[1:, 0]], axis=1)
        lengths = pauses[:, 1] - pauses[:, 0]
        alone = np.ones(len(pauses), bool)
        for number, other in enumerate(sides):
            if number != side:
                alone &= ~_touched(pauses, other)
        bridged = _bridged(own, (lengths < BREATH_S) | (alone & (lengths < PAUSE_S)))
        found += [Turn(side, start, end) for start, end in bridged.tolist()]
    return tuple(sorted(found, key=lambda turn: (turn.start_s, turn.side)))


def _bridged(segments: FloatArray, over: NDArray[np.bool_]) -> FloatArray:
    """The stretches joined over those of the pauses between them that are flagged."""
    if not len(segments):
        return segments
    ends = np.concatenate([~over, [True]])
    return np.stack([segments[np.concatenate([[True], ~over]), 0], segments[ends, 1]], axis=1)


def _touched(stretches: FloatArray, segments: FloatArray) -> NDArray[np.bool_]:
    """Whether somebody speaks at some time inside each stretch."""
    begun = np.searchsorted(segments[:, 0], stretches[:, 1], "left")
    ended = np.searchsorted(segments[:, 1], stretches[:, 0], "right")
    return begun > ended


def _answers(edges: FloatArray, speaking: NDArray[np.bool_]) -> tuple[Answer, ...]:
    """The silences that somebody else breaks than those who spoke last."""
    found = []
    for begin, end in _ends(np.logical_not(speaking.any(axis=0))).tolist():
        if begin == 0 or end == speaking.shape[1]:
            continue  # before the first word and after the last nobody answers
        before, after = speaking[:, begin - 1], speaking[:, end]
        if not (before & after).any():
            found.append(Answer(int(after.argmax()), float(edges[begin]), float(edges[end])))
    return tuple(found)


def _interruptions(side: int, turns: Sequence[Turn], sides: Sequence[FloatArray]) -> int:
    """How often a side's turn begins inside another's speech and outlasts it."""
    others = [(each, _bridged(each, each[1:, 0] - each[:-1, 1] < OUTLAST_S)) for each in sides if len(each)]
    mine = sides[side]
    count = 0
    for turn in turns:
        if turn.side == side:
            count += any(_cuts_in(turn, said, held) for said, held in others if said is not mine)
    return count


def _cuts_in(turn: Turn, said: FloatArray, held: FloatArray) -> bool:
    """`said` are the other's stretches, `held` the same with their short pauses."""
    place = int(np.searchsorted(said[:, 0], turn.start_s, "left")) - 1
    if place < 0 or turn.start_s >= said[place, 1]:
        return False
    end_s = held[int(np.searchsorted(held[:, 0], turn.start_s, "left")) - 1, 1]
    return bool(turn.end_s >= end_s + OUTLAST_S)
