"""Agents over time and side by side: the same numbers as the rows give, by any split of the days."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store.reports import agent_reports, comparing, overview
from emostore.store.reports.report_views import Moments
from emostore.store.rollups import rollup_build, rollup_reading
from emostore.store.session import Store
from emostore.store.tables.models import Agent, Analysis, Clip, Score
from emostore.store.writing import clips
from tests.store.samples import MODEL, OTHER_MODEL, analysed, analysis, recording

FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)
DAYS = 120
PARTS = {
    "positive": ("happy", "surprised"),
    "negative": ("angry", "disgusted", "fearful", "sad"),
    "neutral": ("neutral",),
}


@pytest.fixture
def filled(store: Store) -> Store:
    """Calls of three agents over four months, some with two voices, some in named sessions."""
    random = np.random.default_rng(5)
    made = []
    for number in range(90):
        agent, team = [("Ann", "North"), ("Bob", "North"), ("Cyd", "South"), (None, None)][number % 4]
        source = recording(number, happened_at=FIRST + timedelta(days=DAYS * number / 90), demo=number % 4 == 2)
        session_name = f"Case {number // 6}" if number % 3 == 0 else None
        for channel, role in enumerate(("agent", "customer") if number % 5 else ("mixed",)):
            logits = random.normal(0, 1.5, 9).astype(np.float32)
            about = {"agent": agent, "team": team, "role": role, "session_name": session_name}
            made.append(
                analysis(
                    number, channel, recording=source, outcome=analysed(logits), speech_s=random.uniform(0, 9), **about
                )
            )
    made.append(analysis("who", recording=recording("who", happened_at=FIRST), agent="Ann", role="unknown"))
    clips.save_many(store, made)
    clips.save(store, analysis("who", recording=recording("who", happened_at=FIRST), model=OTHER_MODEL))
    return store


def expected(
    store: Store, agent: str, first: date, last: date, roles: tuple[str, ...]
) -> tuple[Moments, dict[str, float]]:
    """Moments and mean scores from the rows, in floating point."""
    clusters: dict[object, np.ndarray] = defaultdict(lambda: np.zeros(4))
    weighted = np.zeros(len(EMOTIONS))
    statement = (
        select(Clip, Score)
        .join(Analysis, Analysis.clip_id == Clip.id)
        .join(Score, Score.analysis_id == Analysis.id)
        .join(Agent, Clip.agent_id == Agent.id)
        .where(Agent.name == agent, Analysis.model_revision_id == 1)
    )
    with store.reading() as session:
        for clip, score in session.execute(statement):
            day = clip.happened_at.date()
            if clip.role in roles and first <= day <= last:
                values = {name: getattr(score, name) for name in EMOTIONS}
                sums = [sum(values[name] for name in names) for names in PARTS.values()]
                clusters[clip.session_id, day, clip.role] += [1, *sums]
                weighted += np.array(list(values.values())) * (
                    clip.duration_s if clip.speech_s is None else clip.speech_s
                )
    rows = np.array(list(clusters.values())).reshape(-1, 4)
    products = rows.T @ rows
    upper = [products[i, j] for i in range(4) for j in range(i, 4)]
    clips_, *sums = rows.sum(axis=0)
    return Moments(len(rows), int(clips_), *sums, *upper), dict(
        zip(EMOTIONS, weighted / (weighted.sum() or 1), strict=True)
    )


def close(found: Moments, wanted: Moments) -> bool:
    values = [[getattr(each, name) for name in Moments.__slots__] for each in (found, wanted)]
    return bool(np.allclose(*values, atol=1e-3))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 1, 1), date(2026, 5, 1)),
        (date(2026, 1, 2), date(2026, 3, 31)),
        (date(2026, 2, 3), date(2026, 2, 3)),
        (date(2026, 2, 2), date(2026, 3, 1)),
    ],
)
@pytest.mark.parametrize("by_week", [False, True])
def test_an_agents_header_has_the_sums_of_the_rows(filled: Store, first: date, last: date, by_week: bool) -> None:
    header = agent_reports.agent_header(
        filled, "Ann", model=(MODEL.name, MODEL.revision), from_date=first, to_date=last, by_week=by_week
    )
    assert header is not None
    moments, scores = expected(filled, "Ann", first, last, ("customer", "mixed"))
    assert close(header.totals.moments, moments)
    if moments.clips:
        assert header.totals.scores == pytest.approx(scores, abs=1e-5)
        assert sum(header.totals.dominant) == header.totals.clips == moments.clips
    assert (header.team, header.demo) == ("North", False)
    days = [point.first_day for point in header.series]
    assert days == sorted(days)
    assert all(day.weekday() == 0 for day in days) or not by_week
    bob, _ = expected(filled, "Bob", first, last, ("customer", "mixed"))
    assert header.others.clips == moments.clips + bob.clips
    assert sum(point.totals.clips for point in header.others_series) == header.others.clips


def test_a_header_counts_every_role_and_knows_agents_without_clips(filled: Store) -> None:
    header = agent_reports.agent_header(filled, "Ann", model=(MODEL.name, MODEL.revision))
    assert header is not None
    assert header.clips_by_role == {"agent": 18, "customer": 18, "mixed": 5, "unknown": 1}
    nowhere = agent_reports.agent_header(filled, "Ann", from_date=date(2020, 1, 1), to_date=date(2020, 2, 1))
    assert nowhere is not None
    assert (nowhere.totals.clips, nowhere.totals.scores, nowhere.series, nowhere.clips_by_role) == (0, None, (), {})
    inverted = agent_reports.agent_header(filled, "Ann", from_date=date(2026, 3, 1), to_date=date(2026, 2, 1))
    assert inverted is not None
    assert inverted.totals.clips == 0
    assert agent_reports.agent_header(filled, "Nobody") is None


def test_an_agent_without_a_team_is_shown_beside_everybody(store: Store) -> None:
    clips.save_many(store, [analysis("a", agent="Ann", role="customer"), analysis("b", agent="Bob", role="customer")])
    header = agent_reports.agent_header(store, "Ann")
    assert header is not None
    assert (header.team, header.totals.clips, header.others.clips) == (None, 1, 2)


@pytest.mark.parametrize(
    "days", [(None, None), (date(2026, 1, 2), date(2026, 3, 31)), (date(2026, 2, 3), date(2026, 2, 9))]
)
def test_the_leaderboard_ranks_customers_and_mixed_voices_and_counts_unknown_ones(
    filled: Store, days: tuple[date | None, date | None]
) -> None:
    first, last = (each or end for each, end in zip(days, (date(2026, 1, 1), date(2026, 5, 1)), strict=True))
    board = agent_reports.leaderboard(filled, model=(MODEL.name, MODEL.revision), from_date=days[0], to_date=days[1])
    assert board.model is not None
    assert board.model.classes == MODEL.classes
    for row in board.rows:
        moments, _ = expected(filled, row.agent, first, last, ("customer", "mixed"))
        assert close(row.moments, moments)
        assert row.clips == moments.clips
        assert row.mixed == expected(filled, row.agent, first, last, ("mixed",))[0].clips
        assert row.unknown == expected(filled, row.agent, first, last, ("unknown",))[0].clips
    assert board.unknown == sum(row.unknown for row in board.rows)
    assert {row.agent: row.demo for row in board.rows}.get("Cyd", True)
    team = agent_reports.leaderboard(filled, model=(MODEL.name, MODEL.revision), team="South")
    assert [row.agent for row in team.rows] == ["Cyd"]


@pytest.mark.parametrize("last", [None, date(2026, 2, 9)])
def test_trends_are_of_the_asked_agents_and_of_whole_spans(filled: Store, last: date | None) -> None:
    days = {"from_date": date(2026, 2, 3), "to_date": last}
    model = (MODEL.name, MODEL.revision)
    board = agent_reports.leaderboard(filled, model=model, **days)
    asked = [row for row in board.rows if row.agent != "Cyd"]
    found = agent_reports.trends(filled, [row.agent_id for row in asked], model=model, **days)
    assert found.span_days == (1 if last else 7)
    assert found.points.keys() == {row.agent_id for row in asked}
    for row in asked:
        points = found.points[row.agent_id]
        assert {(b.first_day - a.first_day).days % found.span_days for a, b in pairwise(points)} <= {0}
        of_whole_spans = sum(point.clips for point in points)
        assert of_whole_spans == row.clips if last else 0 < of_whole_spans <= row.clips
    assert agent_reports.trends(filled, [], model=model) == agent_reports.Trends()


def test_without_a_model_that_of_the_newest_analysis_counts(filled: Store) -> None:
    board = agent_reports.leaderboard(filled)
    assert board.model is not None
    assert (board.model.name, board.model.calibration) == (OTHER_MODEL.name, "raw")
    assert agent_reports.leaderboard(filled, model=("nothing", "0")).model is None


def test_an_empty_store_has_reports_without_rows(store: Store) -> None:
    assert agent_reports.leaderboard(store).rows == ()
    assert agent_reports.series(store) == ()
    found = overview.overview(store, date(2026, 3, 1))
    assert (found.model, found.days, found.movers, dict(found.open_alerts)) == (None, (), (), {})
    assert comparing.compare_item(store, "agent", "Ann") is None


def test_series_follow_the_days_of_the_reporting_time_zone(store: Store) -> None:
    late = recording("late", happened_at=datetime(2026, 3, 1, 23, tzinfo=UTC))
    clips.save(store, analysis("late", recording=late, agent="Ann", team="North", role="customer"))
    rollup_build.ensure(store, "Asia/Shanghai")
    for points in (agent_reports.series(store), agent_reports.series(store, team="North")):
        assert [(point.first_day, point.totals.clips) for point in points] == [(date(2026, 3, 2), 1)]
    assert [point.first_day for point in agent_reports.series(store, by_week=True)] == [date(2026, 3, 2)]
    assert agent_reports.series(store, roles=("agent",)) == ()


@given(st.dates(date(1999, 1, 1), date(2030, 1, 1)), st.integers(-3, 500))
def test_pieces_cover_every_day_once_with_few_rows(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    covered = [
        day
        for piece in rollup_reading.pieces(first, last)
        for start in range(piece.first, piece.last + 1, piece.span)
        for day in range(start, start + piece.span)
    ]
    assert covered == list(range(first.toordinal(), last.toordinal() + 1))
    rows = sum((piece.last - piece.first) // piece.span + 1 for piece in rollup_reading.pieces(first, last))
    assert rows <= max(0, length // 28) + 18


def test_a_session_an_agent_and_a_clip_are_compared_session_by_session(filled: Store) -> None:
    model = (MODEL.name, MODEL.revision)
    agent = comparing.compare_item(filled, "agent", "Ann", model=model, roles=("customer", "mixed"))
    assert agent is not None
    _, scores = expected(filled, "Ann", date(2026, 1, 1), date(2026, 5, 1), ("customer", "mixed"))
    assert agent.scores == pytest.approx(scores)
    assert len(set(agent.sessions.tolist())) == len(agent.sessions) > 10
    halves = [
        comparing.compare_item(filled, "agent", "Ann", model=model, roles=("customer", "mixed"), **{name: day})  # type: ignore[arg-type]
        for name, day in (("to_date", date(2026, 2, 1)), ("from_date", date(2026, 2, 2)))
    ]
    assert sum(int(each.clips.sum()) for each in halves if each) == int(agent.clips.sum())
    session = comparing.compare_item(filled, "session", int(agent.sessions[0]), model=model)
    assert session is not None
    assert len(session.sessions) == 1
    clip = comparing.compare_item(filled, "clip", 1, model=model, roles=("customer",))
    assert clip is not None
    assert (clip.name.endswith(".wav"), clip.clips.tolist(), clip.model is not None) == (True, [1], True)
    assert EmotionScores.from_raw(clip.scores or {}).dominant in EMOTIONS
    assert comparing.compare_item(filled, "clip", 10_000) is None
    assert comparing.compare_item(filled, "session", 10_000) is None


def test_the_overview_tells_the_last_days_and_who_has_clips_in_both_halves(filled: Store) -> None:
    found = overview.overview(filled, date(2026, 4, 20), model=(MODEL.name, MODEL.revision))
    assert {point.first_day for point in found.days} <= {date(2026, 3, 23) + timedelta(days=i) for i in range(29)}
    assert {mover.agent for mover in found.movers} == {"Ann", "Bob", "Cyd"}
    for mover in found.movers:
        for half, first in ((mover.before, date(2026, 3, 2)), (mover.now, date(2026, 3, 30))):
            wanted, _ = expected(filled, mover.agent, first, first + timedelta(days=27), ("customer", "mixed"))
            assert close(half, wanted)
