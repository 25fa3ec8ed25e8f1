"""What narrows the history of clips."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple


class EmotionGroup(NamedTuple):
    """Emotions that count together, and the name by which an address asks for them."""

    name: str
    emotions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which clips: each field that is not None or empty narrows them.

    Days are whole ones in `time_zone`, the first and the last included. `model` is a name and a revision;
    with it, scores are that model's, and `emotion`, `scores` and `status` ask about them, otherwise about the
    newest analysis of each clip. `scores` has emotions with the least and the most that they may reach.
    `group` asks that the strongest emotion is one of a group's, `group_sum` has a group with the least and the
    most that the sum of its scores may reach; with `emotion` and `scores` they are what is asked of scores.
    `alert` is the state of an alert of the clip, or `any`. `agent` and `team` are names. `labelled` clips are those
    that a rater has labelled. `certain` asks whether the strongest emotion is certain: its score is not below what
    users chose for that, `uncertain_below`, which is filled in when the filter is asked.
    """

    agent: str | None = None
    team: str | None = None
    session_id: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    emotion: str | None = None
    role: str | None = None
    model: tuple[str, str] | None = None
    status: str | None = None
    scenario: str | None = None
    domain: str | None = None
    language: str | None = None
    time_zone: str = "UTC"
    scores: tuple[tuple[str, float, float], ...] = ()
    alert: str | None = None
    labelled: bool = False
    group: EmotionGroup | None = None
    group_sum: tuple[EmotionGroup, float, float] | None = None
    certain: bool | None = None
    uncertain_below: float | None = None

    @property
    def asks_scores(self) -> bool:
        """Whether it narrows by scores, so that only clips that have some can fit."""
        return bool(self.emotion is not None or self.scores or self.group or self.group_sum or self.certain is not None)
