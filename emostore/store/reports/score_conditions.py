"""What a filter of the history asks of scores, as conditions that an index can answer where there is one."""

from __future__ import annotations

from typing import cast

from sqlalchemy import ColumnElement, literal

from emostore.store.reports.history_filter import EmotionGroup, HistoryFilter
from emostore.store.tables.models import HIGH_FROM, Score

Conditions = list[ColumnElement[bool]]

_HALF = 0.501  # no other score can be as high, whatever rounding did to their sum
_ROUNDING = 1e-9  # 0.1 + 0.2 is a trace more than 0.3, and a sum up to 0.3 holds it all the same


def of_scores(wanted: HistoryFilter, lead: str = "") -> Conditions:
    """Conditions on scores; those of a leading group stand in its parts."""
    conditions: Conditions = [] if wanted.emotion is None else [Score.dominant == wanted.emotion]
    if wanted.emotion is None and (implied := dominant(wanted)) is not None:
        conditions.append(Score.dominant == implied)
    for emotion, low, high in wanted.scores:
        conditions += between(emotion, low, high)
    if wanted.group is not None and lead != "group":
        conditions.append(Score.dominant.in_(wanted.group.emotions))
    if wanted.group_sum is not None:
        group, low, high = wanted.group_sum
        total = _sum(group)
        conditions += [total >= low - _ROUNDING] * (low > 0) + [total <= high + _ROUNDING] * (high < 1)
    if wanted.certain is not None and wanted.uncertain_below is not None:
        below = Score.confidence < wanted.uncertain_below
        conditions.append(~below if wanted.certain else below)
    return conditions


def by_emotion(wanted: HistoryFilter) -> list[Conditions]:
    """The clips whose strongest emotion is one of a group's, emotion by emotion: the index has each in order."""
    return [[Score.dominant == name] for name in wanted.group.emotions] if wanted.group is not None else []


def high_parts(wanted: HistoryFilter) -> list[Conditions]:
    """The clips that can reach a group's least sum, in parts that share none and have an index each.

    No index knows a sum. But of k scores that sum to s the highest is at least s / k, so the clips lie among those
    with such a score, if that is high enough to be indexed; a clip counts to the first emotion that has one.
    """
    if wanted.group_sum is None:
        return []
    group, low, _high = wanted.group_sum
    least = (low - _ROUNDING) / len(group.emotions)
    if least < HIGH_FROM:
        return []
    parts: list[Conditions] = []
    before: Conditions = []
    for name in group.emotions:
        column: ColumnElement[float] = getattr(Score, name)
        parts.append([column >= literal(HIGH_FROM, literal_execute=True), column >= least, *before])
        before = [*before, column < least]
    return parts


def dominant(wanted: HistoryFilter) -> str | None:
    """The emotion that must be the strongest: the one asked for, or one that has more than half."""
    more_than_half = (emotion for emotion, low, _high in wanted.scores if low > _HALF)
    return wanted.emotion or next(more_than_half, None)


def between(emotion: str, low: float, high: float) -> Conditions:
    """That an emotion's score lies in a range."""
    column: ColumnElement[float] = getattr(Score, emotion)
    # The index holds only scores from `HIGH_FROM` on, and is used only where a statement says so itself.
    indexed = [column >= literal(HIGH_FROM, literal_execute=True)] if low >= HIGH_FROM else []
    return [*indexed, column >= low, column <= high]


def _sum(group: EmotionGroup) -> ColumnElement[float]:
    first, *others = (cast("ColumnElement[float]", getattr(Score, name)) for name in group.emotions)
    return sum(others, start=first)
