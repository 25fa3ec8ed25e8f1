"""The shapes that reports answer with: plain frozen values, sums and not yet opinions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emostore.emotions import EMOTIONS
from emostore.store.tables.models import RAW_VERSION


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """The model whose scores a report shows, and the calibration that they went through."""

    name: str
    revision: str
    classes: tuple[str, ...]
    model_id: int
    calibration_id: int
    calibration: str
    calibration_version: int

    @property
    def read_under(self) -> int | None:
        """The calibration's id, None being raw."""
        return None if self.calibration_version == RAW_VERSION else self.calibration_id


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over clusters, which suffice for the mean and variance of every score linear in three parts.

    The parts of a clip's scores are positive (happy + surprised), negative (angry + disgusted + fearful +
    sad) and neutral. A cluster is what a session has on one day, in one role, of one agent. `clips`,
    `positive`, `negative` and `neutral` are sums over clips; `positive_neutral`, say, is the sum over
    clusters of the cluster's sum of positive times its sum of neutral.
    """

    clusters: int = 0
    clips: int = 0
    positive: float = 0.0
    negative: float = 0.0
    neutral: float = 0.0
    clips_clips: float = 0.0
    clips_positive: float = 0.0
    clips_negative: float = 0.0
    clips_neutral: float = 0.0
    positive_positive: float = 0.0
    positive_negative: float = 0.0
    positive_neutral: float = 0.0
    negative_negative: float = 0.0
    negative_neutral: float = 0.0
    neutral_neutral: float = 0.0

    @property
    def sums(self) -> NDArray[np.float64]:
        """Clips, positive, negative and neutral; shape (4,)."""
        return np.array([self.clips, self.positive, self.negative, self.neutral], np.float64)

    @property
    def products(self) -> NDArray[np.float64]:
        """The sums over clusters of the products of these four; symmetric, shape (4, 4)."""
        return np.array(
            [
                [self.clips_clips, self.clips_positive, self.clips_negative, self.clips_neutral],
                [self.clips_positive, self.positive_positive, self.positive_negative, self.positive_neutral],
                [self.clips_negative, self.positive_negative, self.negative_negative, self.negative_neutral],
                [self.clips_neutral, self.positive_neutral, self.negative_neutral, self.neutral_neutral],
            ],
            np.float64,
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """What clips add up to. `sums` and `weighted` are of scores, the latter times seconds of speech."""

    clips: int = 0
    alerts: int = 0
    speech_s: float = 0.0
    sums: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    weighted: tuple[float, ...] = (0.0,) * len(EMOTIONS)
    dominant: tuple[int, ...] = (0,) * len(EMOTIONS)
    moments: Moments = field(default_factory=Moments)

    @property
    def scores(self) -> dict[str, float] | None:
        """The mean distribution, each second of speech counting the same; None without clips."""
        if not self.clips:
            return None
        values, weight = (self.weighted, self.speech_s) if self.speech_s > 0 else (self.sums, self.clips)
        total = sum(values)  # what rounding of single clips left of the weight
        return dict(zip(EMOTIONS, (value / (total or weight) for value in values), strict=True))

    @property
    def mean_scores(self) -> dict[str, float] | None:
        """The mean distribution, each clip counting the same; None without clips."""
        return (
            {name: value / self.clips for name, value in zip(EMOTIONS, self.sums, strict=True)} if self.clips else None
        )


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """A day, or the week that begins on it."""

    first_day: date
    totals: Totals


@dataclass(frozen=True, slots=True)
class AgentHeader:
    """One agent over a time, beside the team (or everybody, if `team` is None).

    `clips_by_role` counts all roles, the rest only those asked for.
    """

    agent_id: int
    agent: str
    team: str | None
    demo: bool
    model: ModelInUse | None
    totals: Totals
    clips_by_role: Mapping[str, int]
    series: tuple[SeriesPoint, ...]
    others: Totals
    others_series: tuple[SeriesPoint, ...]


class TrendPoint(NamedTuple):
    """The clips of one span and the sums of their nine scores, for a sparkline.

    A year of a thousand agents has 13,000, so it is a tuple.
    """

    first_day: date
    clips: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """An agent's clips in the roles that are ranked; `mixed` of them are of both voices at once."""

    agent_id: int
    agent: str
    team: str | None
    demo: bool
    clips: int
    mixed: int
    unknown: int  # clips of this agent whose role nobody knows; they are not ranked
    alerts: int
    speech_s: float
    moments: Moments


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Every agent with a clip in the time, by id; `unknown` counts the clips with no known role of all agents."""

    model: ModelInUse | None
    rows: tuple[LeaderboardRow, ...]
    unknown: int


@dataclass(frozen=True, slots=True)
class Trends:
    """How agents, by id, went: a point for each `span_days` (1, 7 or 28) with clips, in order."""

    span_days: int = 1
    points: Mapping[int, tuple[TrendPoint, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompareItem:
    """One of the things to compare, session by session.

    Row i of the arrays is one session: how many clips, their seconds of speech, and the sums of their
    scores times seconds, shape (sessions, 9).
    """

    kind: str  # session, agent or clip
    key: int
    name: str
    demo: bool
    sessions: NDArray[np.int64]
    clips: NDArray[np.int64]
    speech_s: NDArray[np.float64]
    weighted: NDArray[np.float64]
    model: ModelInUse | None

    @property
    def scores(self) -> dict[str, float] | None:
        """The mean distribution, each second of speech counting the same; None without clips."""
        total = self.weighted.sum()
        return dict(zip(EMOTIONS, (self.weighted.sum(axis=0) / total).tolist(), strict=True)) if total > 0 else None


@dataclass(frozen=True, slots=True)
class AlertCursor:
    """Where a page of alerts ended."""

    happened_at: datetime
    alert_id: int


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert with its rule and its clip; `start_s` and `end_s` are its moment, None for the whole clip.

    `confidence` is the highest score of the clip.
    """

    alert_id: int
    state: str
    severity: str
    assignee: str | None
    value: float
    threshold: float
    start_s: float | None
    end_s: float | None
    created_at: datetime
    changed_at: datetime
    rule_id: int
    rule: str
    rule_version: int
    rule_data: Mapping[str, Any]
    analysis_id: int
    clip_id: int
    happened_at: datetime
    file_name: str
    channel: int
    channel_count: int
    role: str
    agent: str | None
    team: str | None
    session_id: int
    session_name: str
    media_kind: str | None
    model: str
    revision: str
    demo: bool
    comments: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, the latest first, and where the pages on both sides go on; `count` is exact unless there are `more`."""

    rows: tuple[AlertView, ...]
    next: AlertCursor | None
    previous: AlertCursor | None
    count: int
    more: bool


@dataclass(frozen=True, slots=True)
class AlertEventView:
    """What somebody did with an alert: what is None was not changed by it."""

    happened_at: datetime
    user: str
    state: str | None
    assignee: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class RuleFeedback:
    """What became of the alerts of a rule, all versions together."""

    rule: str
    by_state: Mapping[str, int]

    @property
    def judged(self) -> int:
        """Alerts that somebody called right (resolved) or wrong (false alarm)."""
        return self.by_state.get("resolved", 0) + self.by_state.get("false_alarm", 0)

    @property
    def precision(self) -> float | None:
        """The share of the judged that was right; None before the first judgement."""
        return self.by_state.get("resolved", 0) / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Mover:
    """An agent in the last four weeks and in the four before."""

    agent_id: int
    agent: str
    team: str | None
    demo: bool
    before: Moments
    now: Moments


@dataclass(frozen=True, slots=True)
class Overview:
    """How things stand: each of the last days (those without clips are left out), and who changed.

    `open_alerts` counts them by severity.
    """

    model: ModelInUse | None
    days: tuple[SeriesPoint, ...]
    open_alerts: Mapping[str, int]
    movers: tuple[Mover, ...]
