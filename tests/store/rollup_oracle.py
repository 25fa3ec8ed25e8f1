"""The roll-ups as they ought to be: counted from the rows in plain Python, one number at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from emostore.emotions import EMOTIONS
from emostore.store.session import Store
from emostore.store.tables.models import Analysis, Clip, Score
from emostore.store.tables.report_models import EVERYBODY, NOBODY, Alert, RollupState, clusters, rollups

MICRO = 1_000_000
Rows = dict[tuple[Any, ...], dict[str, int]]


def stored(store: Store) -> tuple[Rows, Rows]:
    """The roll-ups and clusters that are in the tables, by key, without the zeros."""
    with store.reading() as session:
        found = []
        for table in (rollups, clusters):
            names = [column.name for column in table.columns]
            size = len(table.primary_key)
            found.append(
                {
                    tuple(row[:size]): {n: v for n, v in zip(names[size:], row[size:], strict=True) if v}
                    for row in session.execute(select(table))
                }
            )
    return found[0], found[1]


def recomputed(store: Store) -> tuple[Rows, Rows]:
    """The same, from the rows."""
    sums: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    parts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    with store.reading() as session:
        zone = ZoneInfo(session.scalars(select(RollupState.time_zone)).one())
        rows = session.execute(
            select(Clip, Analysis, Score)
            .join(Analysis, Analysis.clip_id == Clip.id)
            .join(Score, Score.analysis_id == Analysis.id)
        ).all()
        counted = (
            select(Alert.analysis_id, func.count()).where(Alert.state != "false_alarm").group_by(Alert.analysis_id)
        )
        alerts: dict[int, int] = dict(session.execute(counted).all())  # type: ignore[arg-type]
    for clip, analysis, score in rows:
        day = clip.happened_at.astimezone(zone).date()
        agent = clip.agent_id or NOBODY
        speech_ms = round((clip.duration_s if clip.speech_s is None else clip.speech_s) * 1000)
        units = {name: round(getattr(score, name) * MICRO) for name in EMOTIONS}
        for key in keys(score.calibration_id, clip.role, day, agent):
            sums[key] += Counter(clips=1, speech_ms=speech_ms, alerts=alerts.get(analysis.id, 0))
            sums[key][f"dominant_{score.dominant}"] += 1
            for name, value in units.items():
                sums[key][f"sum_{name}"] += value
                sums[key][f"weighted_{name}"] += value * speech_ms // 1000
        parts[score.calibration_id, clip.session_id, day, clip.role, agent] += Counter(
            clips=1,
            positive=units["happy"] + units["surprised"],
            negative=units["angry"] + units["disgusted"] + units["fearful"] + units["sad"],
            neutral=units["neutral"],
        )
    for (calibration, _, day, role, agent), cluster in parts.items():
        for key in keys(calibration, role, day, agent):
            sums[key]["sessions"] += 1
            for name, value in moments(cluster).items():
                sums[key][name] += value
    return tuple({key: {n: v for n, v in row.items() if v} for key, row in rows.items()} for rows in (sums, parts))  # type: ignore[return-value]


def keys(calibration: int, role: str, day: date, agent: int) -> list[tuple[Any, ...]]:
    """The rows that count something of a day."""
    monday = day - timedelta(days=day.weekday())
    fourth = monday - timedelta(weeks=(monday - date(2026, 1, 5)).days // 7 % 4)
    starts = ((1, day), (7, monday), (28, fourth))
    return [(calibration, span, role, first, who) for span, first in starts for who in (agent, EVERYBODY)]


def moments(cluster: Counter[str]) -> dict[str, int]:
    """The products of a cluster, rounded half up where both factors are scores."""
    names = ("clips", "positive", "negative", "neutral")
    products = {}
    for i, first in enumerate(names):
        for second in names[i:]:
            product = cluster[first] * cluster[second]
            products[f"{first}_{second}"] = product if first == "clips" else (2 * product + MICRO) // (2 * MICRO)
    return products
