"""Agents ranked by the quality of their calls: sums from the store, statistics from `analytics.ranking`."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from emostore import access
from emostore.analytics import ranking
from emostore.analytics.quality import BALANCED, ScoringProfile
from emostore.analytics.ranking import AgentSample, Standing
from emostore.analytics.shrinkage import clustered
from emostore.services.exports.exporting import defused
from emostore.store.reports import agent_reports, linear_sums
from emostore.store.reports.linear_sums import LinearSums
from emostore.store.reports.report_views import LeaderboardRow, ModelInUse, Moments, TrendPoint
from emostore.store.session import Store

Model = tuple[str, str]  # name and revision

# Whose voice a rank rests on. A mono recording holds the customer's voice as well; of unknown ones nobody is ranked.
VOICES: Mapping[str, tuple[str, ...]] = MappingProxyType({"customer": ("customer", "mixed"), "agent": ("agent",)})


@dataclass(frozen=True, slots=True)
class Place:
    """An agent with a standing."""

    standing: Standing
    row: LeaderboardRow

    @property
    def mean(self) -> float:
        """The quality as measured, before it was moved toward the team's."""
        return self.standing.sample.mean


@dataclass(frozen=True, slots=True)
class Board:
    """Places, best first, those with too few sessions last; `mean` is that of all their clips.

    `unknown` counts the clips whose voice nobody knows, which are in nobody's rank.
    """

    model: ModelInUse | None
    profile: ScoringProfile
    places: tuple[Place, ...]
    mean: float | None
    unknown: int

    @property
    def ranked(self) -> int:
        """How many agents have a rank."""
        return sum(place.standing.rank is not None for place in self.places)


def board(
    store: Store,
    profile: ScoringProfile = BALANCED,
    *,
    voices: str = "customer",
    model: Model | None = None,
    team: str | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
) -> Board:
    """The agents of a team, or all, ranked over these days by one model's scores under one profile.

    A profile with parts of its own has no sums by session in store: its clips of these days are read, one by one.
    Raises `AccessError` for the voices of agents, unless ranking by them is allowed.
    """
    access.require("read")
    if voices != "customer":
        access.require("rank_agents")
    found = agent_reports.leaderboard(
        store, model=model, team=team, from_date=from_date, to_date=to_date, roles=VOICES[voices]
    )
    rows = {row.agent_id: row for row in found.rows if row.clips}
    sums: Mapping[int, Moments | LinearSums] = {number: row.moments for number, row in rows.items()}
    weights = profile.part_coefficients() if profile.usual_parts else np.array([0.0, 1.0])
    if found.model is not None and not profile.usual_parts:
        used, voiced, line = found.model.calibration_id, VOICES[voices], profile.coefficients()
        read = linear_sums.by_agent(store, used, voiced, line, team=team, from_date=from_date, to_date=to_date)
        # Somebody may save or delete meanwhile: an agent who is in one of the two answers only has no place yet.
        sums = {number: each for number, each in read.items() if number in rows}
    samples = _samples([rows[number] for number in sums], list(sums.values()), weights)
    standings = ranking.rank(samples, limits=_limits(profile))
    places = tuple(Place(each, rows[each.sample.agent_id]) for each in standings)
    total = sum((each.sums for each in sums.values()), start=np.zeros(len(weights)))
    mean = float(weights @ total / total[0]) if sums else None
    return Board(found.model, profile, places, mean, found.unknown)


def trends(
    store: Store,
    places: Sequence[Place],
    profile: ScoringProfile = BALANCED,
    *,
    voices: str = "customer",
    model: Model | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
) -> tuple[int, list[tuple[float, ...]]]:
    """How many days a point is, and the quality as measured of these places, point by point."""
    access.require("read")
    agents = [place.row.agent_id for place in places]
    found = agent_reports.trends(store, agents, model=model, from_date=from_date, to_date=to_date, roles=VOICES[voices])
    return found.span_days, [_qualities(found.points.get(agent_id, ()), profile) for agent_id in agents]


def as_csv(found: Board) -> bytes:
    """The board as a table: UTF-8 with a mark, so that Excel reads Chinese, and with formulas in names defused."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for place in found.places:
        standing, row = place.standing, place.row
        writer.writerow(
            [
                _blank(standing.rank),
                _blank(standing.rank_from),
                _blank(standing.rank_to),
                _blank(standing.group),
                defused(row.agent),
                defused(row.team or ""),
                f"{standing.estimate:.4f}",
                *("" if edge is None else f"{edge:.4f}" for edge in (standing.low, standing.high)),
                f"{place.mean:.4f}",
                row.clips,
                row.mixed,
                row.unknown,
                standing.sample.sessions,
                row.alerts,
                defused(f"{found.profile.name} v{found.profile.version}"),
                found.model.name if found.model else "",
                found.model.revision if found.model else "",
                row.demo,
            ]
        )
    return codecs.BOM_UTF8 + text.getvalue().encode(errors="replace")


_COLUMNS = (
    *("rank", "rank_from", "rank_to", "group", "agent", "team", "quality", "low", "high", "mean"),
    *("clips", "mixed_clips", "unknown_clips", "sessions", "alerts", "profile", "model", "revision", "demo"),
)


def _qualities(points: Sequence[TrendPoint], profile: ScoringProfile) -> tuple[float, ...]:
    found = [each for each in points if each.clips]
    if not found:
        return ()
    intercept, slopes = profile.coefficients()
    sums, clips = np.array([each.scores for each in found]), np.array([each.clips for each in found])
    return tuple((intercept + sums @ slopes / clips).tolist())


def _blank(value: int | None) -> int | str:
    return "" if value is None else value


def _samples(
    rows: Sequence[LeaderboardRow], sums: Sequence[Moments | LinearSums], weights: NDArray[np.float64]
) -> list[AgentSample]:
    """A sample for each row and its sums; `weights` make a score of the values that these add up."""
    if not rows:
        return []
    clusters = np.array([each.clusters for each in sums])
    totals, products = np.stack([each.sums for each in sums]), np.stack([each.products for each in sums])
    means, variances, effective = clustered(clusters, totals, products, weights)
    facts = zip(rows, totals[:, 0].tolist(), clusters.tolist(), means, variances, effective, strict=True)
    return [
        AgentSample(
            row.agent_id,
            row.team,
            round(clips),
            count,
            float(mean),
            None if np.isnan(variance) else float(variance),
            float(np.clip(size, 1, count)),  # what rounding left over
        )
        for row, clips, count, mean, variance, size in facts
    ]


def _limits(profile: ScoringProfile) -> tuple[float, float]:
    """The least and the highest quality that a distribution can have."""
    intercept, slopes = profile.coefficients()
    return intercept + float(slopes.min()), intercept + float(slopes.max())
