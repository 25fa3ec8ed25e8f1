"""Roll-ups equal a recomputation from the rows, whatever was done, in whatever order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from emostore.emotions import EmotionScores
from emostore.errors import MetadataError
from emostore.store.alerts import alert_rules, alerts
from emostore.store.calibration import calibrations
from emostore.store.rollups import rollup_build, rollup_sql, rollups
from emostore.store.session import Store
from emostore.store.tables.models import (
    ROLES,
    ActiveCalibration,
    Agent,
    Analysis,
    Base,
    Calibration,
    Clip,
    ModelRevision,
    Recording,
    RecordingSession,
)
from emostore.store.tables.report_models import ALERT_STATES, CLUSTER_VALUES, EVERYBODY, MOMENTS, Alert, RollupState
from emostore.store.writing import clips, deletes, edits
from tests.store import rollup_oracle
from tests.store.samples import MODEL, NOON, OTHER_MODEL, analysed, analysis, recording, sha

AGENTS = ("Ann", "Bob", "Cyd")
SESSIONS = (None, "Monday", "Case 7")
ZONES = ("UTC", "Asia/Shanghai", "America/New_York")

agents = st.sampled_from((None, *AGENTS))
somebody = st.sampled_from(AGENTS)
hours = st.integers(-800, 800)
which = st.integers(0, 5)


def op(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(name), *arguments)


scored = st.tuples(st.sampled_from("abcdef"), st.integers(0, 1), st.booleans(), st.integers(0, 2))
SAVE = op(
    "save", st.lists(scored, min_size=1, max_size=4), agents, st.sampled_from(ROLES), st.sampled_from(SESSIONS), hours
)
CHANGE = st.one_of(
    op("delete_clips", st.lists(which, min_size=1, max_size=3)),
    op("delete_session", which),
    op("delete_agent", somebody, st.booleans()),
    op("merge_agents", somebody, somebody),
    op("merge_sessions", which, which),
    op("move_clips", st.lists(which, min_size=1, max_size=3), st.sampled_from(("Monday", "Case 9"))),
    op("set_role", st.lists(which, min_size=1, max_size=3), st.sampled_from(ROLES)),
    op("set_agent", st.lists(which, min_size=1, max_size=3), agents),
    op("set_happened_at", which, hours),
    op("calibrate", st.booleans()),
    op("set_state", which, st.sampled_from(ALERT_STATES)),
    op("ask_rules_again", which, st.integers(0, 2)),
    op("choose_zone", st.sampled_from(ZONES), st.booleans()),
)


class Actions:
    """What can be done to a store, by names and numbers that need not mean anything in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.transaction() as session:
            self.rule = alert_rules.add_version(session, "Anger", {}, "Ana")
            session.execute(update(RollupState).values(built_to=None))

    def run(self, name: str, *arguments: Any) -> None:
        with suppress(MetadataError):  # there is nothing by that name or number
            getattr(self, name)(*arguments)

    def save(self, given: list[Any], agent: str | None, role: Any, session_name: str | None, hour: int) -> None:
        made = []
        for name, channel, other, count in given:
            seed = sum(map(ord, name)) + channel + 2 * other
            logits = np.random.default_rng(seed).normal(0, 2, 9).astype(np.float32)
            model = OTHER_MODEL if other else MODEL
            found = tuple(clips.NewAlert(self.rule, "high", 0.7, 0.6, float(i), i + 1.0) for i in range(count))
            source = recording(name, happened_at=NOON + timedelta(hours=hour))
            heard = None if seed % 5 == 0 else seed % 7 / 3
            about = {"agent": agent, "role": role, "session_name": session_name, "speech_s": heard}
            one = analysis(name, channel, recording=source, model=model, outcome=analysed(logits, model), **about)
            made.append(clips.NewAnalysis(one.clip, one.model, one.outcome, one.analysed_at, alerts=found))
        clips.save_many(self.store, made)

    def delete_clips(self, numbers: list[int]) -> None:
        self.edit(deletes.delete_clips, self.some(Clip.id, numbers))

    def delete_session(self, number: int) -> None:
        self.edit(deletes.delete_session, self.some(RecordingSession.id, [number])[0])

    def delete_agent(self, name: str, with_clips: bool) -> None:
        self.edit(lambda session: deletes.delete_agent(session, name, with_clips=with_clips))

    def merge_agents(self, source: str, target: str) -> None:
        self.edit(edits.merge_agents, source, target)

    def merge_sessions(self, source: int, target: int) -> None:
        self.edit(edits.merge_sessions, *self.some(RecordingSession.id, [source, target])[:2])

    def move_clips(self, numbers: list[int], name: str) -> None:
        self.edit(edits.move_clips, self.some(Clip.id, numbers), name)

    def set_role(self, numbers: list[int], role: str) -> None:
        self.edit(edits.set_role, self.some(Clip.id, numbers), role)

    def set_agent(self, numbers: list[int], agent: str | None) -> None:
        self.edit(edits.set_agent, self.some(Clip.id, numbers), agent)

    def set_happened_at(self, number: int, hour: int) -> None:
        self.edit(edits.set_happened_at, self.some(Recording.id, [number])[0], NOON + timedelta(hours=hour))

    def calibrate(self, activated: bool) -> None:
        """A new calibration; the one before it goes, or the new one does."""
        model = self.some(ModelRevision.id, [0])[0]
        scores = EmotionScores.from_raw([0.5, *[0.0625] * 8])
        with edits.changing(self.store) as session:
            new = calibrations.add(session, model, "flat", {})
            found = session.scalars(select(Analysis.id).where(Analysis.model_revision_id == model))
            calibrations.save_scores(session, new, dict.fromkeys(found, scores))
            before = calibrations.activate(session, new) if activated else new
            calibrations.remove(session, before)
            # Saving goes on under version 1.
            session.execute(update(Calibration).where(Calibration.model_revision_id == model).values(version=1))

    def set_state(self, number: int, state: Any) -> None:
        self.edit(alerts.set_state, self.some(Alert.id, [number]), state, "Ana")

    def ask_rules_again(self, number: int, count: int) -> None:
        found = [clips.NewAlert(self.rule, "high", 0.8, 0.6, 2.0 * i, 2 * i + 0.5) for i in range(count)]
        self.edit(alerts.replace, "Anger", {self.some(Analysis.id, [number])[0]: found})

    def choose_zone(self, zone: str, interrupted: bool) -> None:
        steps = iter([False, interrupted])
        rollup_build.ensure(self.store, zone, cancelled=lambda: next(steps, interrupted))

    def edit(self, function: Callable[..., object], *arguments: Any) -> None:
        with edits.changing(self.store) as session:
            function(session, *arguments)

    def some(self, column: Any, numbers: list[int]) -> list[int]:
        with self.store.reading() as session:
            found = list(session.scalars(select(column).order_by(column)))
        if not found:
            raise MetadataError("There is nothing.")
        return [found[number % len(found)] for number in numbers]


def empty(store: Store) -> None:
    with store.transaction() as session:
        session.execute(delete(ActiveCalibration))
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != RollupState.__tablename__:
                session.execute(delete(table))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    beginning=st.lists(SAVE, min_size=2, max_size=3), changes=st.lists(st.one_of(SAVE, CHANGE), min_size=2, max_size=9)
)
def test_rollups_equal_a_recomputation_after_any_changes(
    store: Store, beginning: list[tuple[Any, ...]], changes: list[tuple[Any, ...]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup_build, "_AT_ONCE", 3)
        patch.setattr(rollup_sql, "_MOST_VALUES", 20)
        empty(store)
        actions = Actions(store)
        for operation in beginning + changes:
            actions.run(*operation)
        rollup_build.ensure(store, rollup_build.status(store).time_zone)  # goes on where it was interrupted
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_a_saved_clip_is_counted_by_day_week_and_four_weeks_for_its_agent_and_for_everybody(store: Store) -> None:
    saved = clips.save(store, analysis("a", agent="Ann", role="customer"))
    with store.reading() as session:
        agent = session.scalars(select(Agent.id)).one()
    rows, parts = rollup_oracle.stored(store)
    assert (rows, parts) == rollup_oracle.recomputed(store)
    assert {(key[1], str(key[3]), key[4]) for key in rows} == {
        (span, day, who)
        for span, day in ((1, "2026-03-01"), (7, "2026-02-23"), (28, "2026-02-02"))
        for who in (agent, EVERYBODY)
    }
    assert {(row["clips"], row["sessions"], row["dominant_happy"]) for row in rows.values()} == {(1, 1, 1)}
    assert [key[1] for key in parts] == [saved.session_id]


def test_saving_the_same_again_counts_nothing_twice(store: Store) -> None:
    for _ in range(2):
        clips.save_many(store, [analysis("a", agent="Ann"), analysis("a", 1), analysis("a", agent="Ann")])
    rows, _ = rollup_oracle.stored(store)
    assert rows == rollup_oracle.recomputed(store)[0]
    assert {row["clips"] for row in rows.values()} <= {1, 2}


def test_products_of_a_session_of_a_million_clips_are_exact() -> None:
    large = [[1_000_000, 999_999_999_999, 500_000_000_001, 7], [3_100, 3_099_999_999, 3_099_999_998, 3_099_999_997]]
    found = rollups._moments(np.array(large, np.int64)).tolist()
    for cluster, products in zip(large, found, strict=True):
        wanted = rollup_oracle.moments(Counter(dict(zip(CLUSTER_VALUES, cluster, strict=True))))
        assert dict(zip(MOMENTS, products, strict=True)) == wanted


def test_days_follow_the_reporting_time_zone_once_they_are_made_again(store: Store) -> None:
    clips.save(store, analysis("late", recording=recording("late", happened_at=NOON + timedelta(hours=9))))
    assert rollup_build.status(store) == rollup_build.RollupStatus("UTC", ready=True)
    assert rollup_build.status(store).stale("Asia/Shanghai")
    heard: list[tuple[int, int]] = []
    assert rollup_build.ensure(store, "Asia/Shanghai", lambda done, total: heard.append((done, total)))
    assert heard == [(1, 1)]
    assert not rollup_build.status(store).stale("Asia/Shanghai")
    days = {str(key[3]) for key in rollup_oracle.stored(store)[0] if key[1] == 1}
    assert days == {"2026-03-02"}
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    assert rollup_build.ensure(store, "Asia/Shanghai", lambda *_: pytest.fail("there was nothing to do"))


def test_a_cancelled_rebuild_goes_on_where_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_build, "_AT_ONCE", 2)
    clips.save_many(store, [analysis(name, agent="Ann") for name in "abcde"])
    steps = iter([False, True])
    assert not rollup_build.ensure(store, "Asia/Tokyo", cancelled=lambda: next(steps))
    assert not rollup_build.status(store).ready
    clips.save(store, analysis("f", agent="Bob"))
    with edits.changing(store) as session:
        first = session.scalars(select(Clip.id).order_by(Clip.id)).first()
        edits.set_role(session, [first or 0], "customer")
    assert rollup_build.ensure(store, "Asia/Tokyo")
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_rollups_stay_exact_while_many_save_edit_and_rebuild_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_build, "_AT_ONCE", 3)
    clips.save_many(store, [analysis(f"old {i}", agent="Ann", session_name="Case 7") for i in range(6)])
    barrier = threading.Barrier(4)

    def save(turn: int) -> None:
        barrier.wait()
        for i in range(6):
            about = {"agent": AGENTS[i % 2], "session_name": "Case 7", "role": "customer"}
            clips.save(store, analysis(f"{turn} {i}", **about))
            clips.save(store, analysis(f"old {i}", model=OTHER_MODEL))

    def edit() -> None:
        barrier.wait()
        for i in range(6):
            with edits.changing(store) as session:
                ids = list(session.scalars(select(Clip.id).join(Recording).where(Recording.sha256 == sha(f"old {i}"))))
                edits.set_role(session, ids, "customer")
        with edits.changing(store) as session:
            edits.merge_agents(session, "Ann", "Bob") if _both(session) else None

    def rebuild() -> None:
        barrier.wait()
        rollup_build.ensure(store, "Asia/Shanghai")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(save, 0), pool.submit(save, 1), pool.submit(edit), pool.submit(rebuild)]:
            done.result(timeout=60)
    assert rollup_build.ensure(store, "Asia/Shanghai")
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def _both(session: Session) -> bool:
    return len(list(session.scalars(select(Agent.id).where(Agent.name.in_(["Ann", "Bob"]))))) == 2


def test_a_restored_or_updated_database_waits_for_its_rollups(store: Store) -> None:
    clips.save_many(store, [analysis(name, agent="Ann") for name in "ab"])
    with store.transaction() as session:
        rollup_build.forget(session)
    assert rollup_oracle.stored(store) == ({}, {})
    assert not rollup_build.status(store).ready
    assert rollup_build.ensure(store, "UTC")
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
