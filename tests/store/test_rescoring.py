"""Scoring under another calibration while others do the same, edit and delete; how much is written at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from emostore.analytics.calibration import Calibration, Scaling
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services.calibration import calibrating
from emostore.store.calibration import calibrations, rescoring
from emostore.store.session import Store, create_store
from emostore.store.tables.models import Analysis, Clip, Score
from emostore.store.writing import clips, deletes, edits, records
from tests.store import rollup_oracle
from tests.store.samples import MODEL, analysis

NINE = replace(MODEL, classes=EMOTIONS)
KEY = (NINE.name, NINE.revision)


def made(number: int) -> records.NewAnalysis:
    logits = (3 * np.random.default_rng(number).standard_normal(9)).astype(np.float32)
    outcome = clips.Analysed(logits, EmotionScores.from_logits(logits.tolist()))
    return analysis(f"c{number}", outcome=outcome, model=NINE, agent=f"A{number % 3}", session_name=f"S{number % 5}")


def begun(store: Store, count: int) -> int:
    """A calibration that is being scored, of so many clips."""
    clips.save_many(store, [made(number) for number in range(count)])
    identifier = calibrating.create(store, KEY, "cool", Calibration(scaling=Scaling.of_temperature(3)))
    with edits.changing(store) as session:
        calibrations.begin(session, identifier)
    return identifier


def count(store: Store, what: Any) -> int:
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(what)) or 0


def test_two_programs_share_the_work_while_clips_are_saved_edited_and_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrating, "AT_ONCE", 3)
    identifier = begun(store, 45)
    with store.reading() as session:
        ids = list(session.scalars(select(Clip.id).order_by(Clip.id)))
    url = store.engine.url.render_as_string(hide_password=False)
    others = [create_store(url), create_store(url)]
    barrier = threading.Barrier(4)

    def finish(each: Store) -> None:
        barrier.wait()
        calibrating.finish(each)

    def change() -> None:
        barrier.wait()
        for first in range(0, 24, 3):
            with edits.changing(store) as session:
                deletes.delete_clips(session, [ids[-1 - first // 3]])
            with edits.changing(store) as session:
                edits.set_role(session, ids[first : first + 9], "customer")

    def save() -> None:
        barrier.wait()
        for number in range(100, 108):
            calibrating.save_many(store, [made(number)])

    steps: list[Callable[[], None]] = [lambda: finish(others[0]), lambda: finish(others[1]), change, save]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(step) for step in steps]:
            done.result(timeout=60)
    for each in others:
        each.close()
    assert calibrating.progress(store, identifier) == calibrating.Progress(45, 45, True)  # 8 came, 8 went
    assert count(store, Analysis) == 45
    assert count(store, Score) == 90  # raw and cool
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_less_is_written_at_once_where_writing_takes_long(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    next_batch = rescoring.next_batch

    def asking(store: Store, calibration_id: int, limit: int, **more: Any) -> Any:
        asked.append(limit)
        return next_batch(store, calibration_id, limit, **more)

    monkeypatch.setattr(rescoring, "next_batch", asking)
    monkeypatch.setattr(calibrating, "AT_ONCE", 5)
    monkeypatch.setattr(calibrating, "_LEAST", 2)
    identifier = begun(store, 9)
    monkeypatch.setattr(calibrating, "HELD_S", 1e-9)  # less than anything takes
    calibrating.finish(store, lambda: len(asked) == 2)
    monkeypatch.setattr(calibrating, "HELD_S", 3600.0)
    calibrating.finish(store)
    assert asked == [5, 2, 5, 5]  # 5 of them, 2 more; then the last 2, and none
    assert calibrating.progress(store, identifier) == calibrating.Progress(9, 9, True)
