"""The invented call centre: believable, the same for the same seed, marked, and gone without a trace."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import islice

import numpy as np
import pytest
from sqlalchemy import select

from emostore.analytics.quality import service_quality_score
from emostore.emotions import EMOTIONS
from emostore.errors import SettingsError
from emostore.services import editing
from emostore.services.invented import demo
from emostore.services.invented.demo_names import MARK, agent_name, team_name
from emostore.store import demo_rows
from emostore.store.reports import agent_reports, alert_reports, history, reports
from emostore.store.rollups import rollup_build
from emostore.store.session import Store
from emostore.store.tables.models import Agent, Recording, RecordingSession
from emostore.store.writing import clips
from emostore.store.writing.records import Analysed
from tests.store import rollup_oracle
from tests.store.samples import analysis, row_counts

TODAY = date(2026, 3, 20)
SIZE = demo.DemoSize(clips=600, agents=6, days=30, seed=3)


def test_the_same_seed_invents_the_same_and_another_one_something_else() -> None:
    def first(seed: int) -> list[tuple[object, ...]]:
        size = demo.DemoSize(clips=50, agents=3, days=5, seed=seed)
        made = list(demo.invent(size, TODAY))
        assert len(made) == 50
        return [(each.clip, each.outcome.scores) for each in made if isinstance(each.outcome, Analysed)]

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_agents_differ_and_weeks_have_their_rhythm() -> None:
    size = demo.DemoSize(clips=12_000, agents=8, days=56, seed=5)
    quality: dict[str | None, list[float]] = {}
    weekdays: Counter[int] = Counter()
    complaints = 0
    for each in demo.invent(size, TODAY):
        assert isinstance(each.outcome, Analysed)
        assert date(2026, 1, 24) <= each.clip.recording.happened_at.date() <= TODAY
        weekdays[each.clip.recording.happened_at.weekday()] += 1
        if each.clip.role == "customer":
            quality.setdefault(each.clip.agent, []).append(service_quality_score(each.outcome.scores))
            complaints += each.outcome.scores["angry"] + each.outcome.scores["disgusted"] > 0.6
    means = [float(np.mean(values)) for values in quality.values()]
    error = max(float(np.std(values)) / len(values) ** 0.5 for values in quality.values())
    assert max(means) - min(means) > 6 * error
    assert weekdays[0] > weekdays[4] > 2 * weekdays[6]
    assert 0.005 < complaints / sum(map(len, quality.values())) < 0.1


def test_what_is_invented_is_stored_like_real_calls_and_marked_everywhere(store: Store) -> None:
    heard: list[tuple[int, int]] = []
    assert demo.create(store, SIZE, TODAY, "Asia/Shanghai", lambda done, total: heard.append((done, total))) == 600
    assert heard == [(600, 600)]
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    assert reports.count_clips(store) == 600
    with store.reading() as session:
        assert set(session.scalars(select(Recording.demo))) == {True}
        assert all(name.endswith(MARK) for name in session.scalars(select(Agent.name)))
    page = history.search(store)
    assert {(row.model, row.demo) for row in page.rows} == {("demo", True)}
    board = agent_reports.leaderboard(store)
    assert len(board.rows) == 6
    assert all(row.demo and row.clips > 5 for row in board.rows)
    trends = agent_reports.trends(store, [row.agent_id for row in board.rows])
    assert all(len(points) > 2 for points in trends.points.values())
    assert board.model is not None
    assert board.model.classes == EMOTIONS
    header = agent_reports.agent_header(store, agent_name(0))
    assert header is not None
    assert header.demo
    assert set(header.clips_by_role) == {"agent", "customer", "mixed", "unknown"}
    assert {row.demo for row in alert_reports.queue(store).rows} <= {True}
    assert demo.create(store, SIZE, TODAY, "Asia/Shanghai") == 0


def test_alerts_of_the_past_have_been_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_rows, "_WAITING", 2)
    monkeypatch.setattr(demo_rows, "_JUDGED", 8)
    demo.create(store, demo.DemoSize(clips=700, agents=4, days=20), TODAY)
    states = {state for state, _severity in alert_reports.counts(store)}
    assert {"open", "resolved"} <= states
    assert 2 <= sum(count for (state, _), count in alert_reports.counts(store).items() if state == "open") < 10
    (rule,) = alert_reports.feedback(store)
    assert rule.precision is not None
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_removing_takes_everything_invented_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_rows, "_AT_ONCE", 40)
    clips.save(store, analysis("real", agent="Ann", team="North", role="customer"))
    kept = row_counts(store)
    demo.create(store, demo.DemoSize(clips=200, agents=3, days=9), TODAY)
    clips.save(store, analysis("mine", agent=agent_name(1), session_name=f"Mine {MARK}"))
    first = history.search(store, history.HistoryFilter(agent=agent_name(0))).rows[0]
    editing.move_clips_to_session(store, [first.clip_id], "Monday")
    assert demo.remove(store) == 200
    mine = {"recordings": 2, "clips": 2, "analyses": 2, "scores": 2, "embeddings": 2, "agents": 2, "teams": 2}
    mine |= {"recording_sessions": 3}  # with Monday, which somebody named
    later = {"audit_events", "alert_rules"}
    assert {name: count for name, count in row_counts(store).items() if name not in later} == {**kept, **mine}
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    with store.reading() as session:
        assert sorted(session.scalars(select(Agent.name))) == sorted(["Ann", agent_name(1)])
        assert set(session.scalars(select(Agent.demo))) == {False}
        assert f"Mine {MARK}" in set(session.scalars(select(RecordingSession.name)))
    assert demo.remove(store) == 0


def test_a_demo_can_be_stopped_half_way_and_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_AT_ONCE", 50)
    calls = iter([False, True])
    assert demo.create(store, SIZE, TODAY, cancelled=lambda: next(calls)) == 50
    assert demo.remove(store) == 50
    assert not {"clips", "recordings", "agents", "teams", "model_revisions"} & row_counts(store).keys()
    assert rollup_build.status(store).ready


def test_names_never_come_twice() -> None:
    assert len({agent_name(number) for number in range(demo.MOST_AGENTS)}) == demo.MOST_AGENTS
    assert len({team_name(number) for number in range(500)}) == 500
    assert all(name.endswith(MARK) for name in islice(map(agent_name, range(9)), 9))


@pytest.mark.parametrize(
    ("sizes", "part"),
    [
        ((0, 1, 1, 0), "0 clips cannot be invented; choose 1 to"),
        ((1, 20_000, 1, 0), "20000 agents"),
        ((1, 1, 1, -1), "seed is -1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int, int, int], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        demo.DemoSize(*sizes)
