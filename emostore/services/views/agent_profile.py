"""One agent beside the team: means and how they went, with intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emostore.analytics.over_time import Estimate, qualities, score_means
from emostore.analytics.quality import BALANCED, ScoringProfile
from emostore.store.reports import agent_reports, agent_scores
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.report_views import AgentHeader, Moments
from emostore.store.rollups.rollup_reading import RANKED_ROLES
from emostore.store.rollups.rollups import span_start
from emostore.store.session import Store

WEEKS_FROM = 36  # days from which a week is the better step: more points than five weeks of days are a thicket


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """What the sums of `header` say.

    `quality` and `scores` are of the whole time; `qualities` and `score_series` have an entry for each point of
    `header.series`, `others_qualities` for each of `header.others_series`. A point covers `step_days`.
    """

    header: AgentHeader
    step_days: int
    quality: Estimate | None
    others_quality: Estimate | None
    scores: Mapping[str, Estimate]
    qualities: tuple[Estimate, ...]
    others_qualities: tuple[Estimate, ...]
    score_series: tuple[Mapping[str, Estimate], ...]

    def apart(self, emotion: str) -> bool:
        """Whether the team's mean of an emotion lies outside the agent's interval."""
        mine, others = self.scores[emotion], self.header.others.mean_scores
        if mine.low is None or mine.high is None or others is None:
            return False
        return not mine.low <= others[emotion] <= mine.high


def load(
    store: Store,
    wanted: HistoryFilter,
    *,
    by_week: bool,
    roles: Collection[str] = RANKED_ROLES,
    profile: ScoringProfile = BALANCED,
) -> AgentProfile | None:
    """The agent, the days and the model that a filter names; what else it asks is not about the agent.

    By default of the voices of those the agent speaks with. None if the filter names no agent, or one who is not
    there.
    """
    if wanted.agent is None:
        return None
    days = {"from_date": wanted.from_date, "to_date": wanted.to_date}
    header = agent_reports.agent_header(store, wanted.agent, model=wanted.model, roles=roles, by_week=by_week, **days)
    if header is None:
        return None
    step = 7 if by_week else 1
    whole: Mapping[str, Estimate] = {}
    parts: dict[int, dict[str, Estimate]] = {}
    if header.model is not None and header.series:
        clips = agent_scores.clip_scores(
            store, header.agent_id, header.model.calibration_id, roles, time_zone=wanted.time_zone, **days
        )
        starts = [span_start(day, step) for day in clips.days.tolist()]
        parts = score_means(starts, clips.sessions, clips.scores)
        whole = score_means(np.zeros(len(clips.days)), clips.sessions, clips.scores).get(0, {})
    mine, others = ([point.totals.moments for point in points] for points in (header.series, header.others_series))
    return AgentProfile(
        header=header,
        step_days=step,
        quality=next(iter(quality_of([header.totals.moments], profile)), None) if header.series else None,
        others_quality=next(iter(quality_of([header.others.moments], profile)), None) if header.others_series else None,
        scores=whole,
        qualities=quality_of(mine, profile),
        others_qualities=quality_of(others, profile),
        score_series=tuple(parts.get(point.first_day.toordinal(), {}) for point in header.series),
    )


def quality_of(moments: Sequence[Moments], profile: ScoringProfile = BALANCED) -> tuple[Estimate, ...]:
    """The mean quality of each, with its interval; each has clips."""
    if not moments:
        return ()
    return qualities(*stacked(moments), profile)


def stacked(moments: Sequence[Moments]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters (k,), sums (k, 4) and products (k, 4, 4), as analytics takes them."""
    return (
        np.array([each.clusters for each in moments], np.float64),
        np.array([each.sums for each in moments]).reshape(len(moments), 4),
        np.array([each.products for each in moments]).reshape(len(moments), 4, 4),
    )
