"""Activating a calibration: beside what is read, while others save, through a kill, and back again."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from emostore.analytics.calibration import Calibration as Stages
from emostore.analytics.calibration import Head, Priors, Scaling, apply
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import MetadataError, SettingsError
from emostore.services import alerting, editing
from emostore.services.calibration import calibrating
from emostore.store.calibration import calibrations, rescoring
from emostore.store.reports import alert_reports
from emostore.store.reports.alert_reports import AlertFilter
from emostore.store.rollups import rollups
from emostore.store.session import Store
from emostore.store.tables.models import ActiveCalibration, Analysis, Calibration, Clip, Recording, Score
from emostore.store.writing import clips, edits, records
from tests.store import rollup_oracle
from tests.store.samples import MODEL, analysis, recording

NINE = replace(MODEL, classes=EMOTIONS)
KEY = (NINE.name, NINE.revision)
COOL = Stages(scaling=Scaling.of_temperature(4))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "AT_ONCE", 7)


def made(name: object, seed: int, **about: Any) -> records.NewAnalysis:
    rng = np.random.default_rng(seed)
    logits = (4 * rng.standard_normal(9)).astype(np.float32)
    logits[8] = -np.inf
    scores = EmotionScores.from_logits(logits.tolist())
    outcome = clips.Analysed(logits, scores, None, rng.standard_normal(MODEL.dim).astype(np.float32))
    return analysis(name, outcome=outcome, model=NINE, **{"role": "customer", "speech_s": 3.0, **about})


def save(store: Store, first: int, count: int) -> None:
    """Clips of several agents and domains, with what the rules find in them."""
    for seed in range(first, first + count):
        domain = ("phone", "room", None)[seed % 3]
        about = recording(f"c{seed}", domain=domain)
        calibrating.save_many(
            store, [with_alerts(store, made(f"c{seed}", seed, recording=about, agent=f"A{seed % 3}"))]
        )


def with_alerts(store: Store, one: records.NewAnalysis) -> records.NewAnalysis:
    assert isinstance(one.outcome, clips.Analysed)
    rules = alerting.active_rules(store)
    return replace(
        one, alerts=alerting.raised(rules, one.outcome.scores, role=one.clip.role, speech_s=3.0, windows=None)
    )


def stored(store: Store, calibration_id: int) -> dict[int, tuple[float, ...]]:
    """Every row of a calibration, bit for bit, by analysis."""
    columns = (Score.analysis_id, *(getattr(Score, name) for name in (*EMOTIONS, "confidence", "entropy")))
    with store.reading() as session:
        rows = session.execute(select(*columns, Score.dominant).where(Score.calibration_id == calibration_id))
        return {row[0]: tuple(row[1:]) for row in rows}


def active(store: Store) -> int:
    with store.reading() as session:
        return session.scalars(select(ActiveCalibration.calibration_id)).one()


def analysed(store: Store) -> dict[int, tuple[Any, str | None]]:
    with store.reading() as session:
        rows = session.execute(select(Analysis.id, Analysis.logits).where(Analysis.status == "analysed"))
        return {row[0]: row[1] for row in rows}


def bring(store: Store, stages: Stages, name: str = "cool") -> int:
    identifier = calibrating.create(store, KEY, name, stages)
    calibrating.activate(store, identifier)
    calibrating.wait(store, 60)
    assert calibrating.progress(store, identifier).done
    return identifier


def angry_clips(store: Store) -> set[str]:
    return {row.file_name for row in alert_reports.queue(store, AlertFilter(state=None)).rows}


def test_everything_is_scored_before_anybody_reads_it(store: Store) -> None:
    save(store, 0, 20)
    raw = active(store)
    before = stored(store, raw)
    alerts = angry_clips(store)
    assert alerts
    identifier = bring(store, COOL)
    assert active(store) == identifier != raw
    found = stored(store, identifier)
    logits = analysed(store)
    assert found.keys() == logits.keys()
    for key, row in found.items():
        wanted = EmotionScores(tuple(apply(COOL, logits[key])[0].tolist()))
        assert row[:9] == wanted.vector
        assert row[9:11] == pytest.approx((wanted.confidence, wanted.entropy), abs=1e-12)
        assert row[11] == wanted.dominant
        assert row[8] == 0  # which the model cannot produce
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    assert angry_clips(store) < alerts  # nothing that cool is over the threshold for sure
    assert stored(store, raw) == before


def test_rolling_back_gives_the_same_bits_and_alerts(store: Store) -> None:
    save(store, 0, 12)
    raw = active(store)
    before, alerts = stored(store, raw), angry_clips(store)
    first = bring(store, COOL)
    calibrating.activate(store, raw)
    calibrating.wait(store, 60)
    assert active(store) == raw
    assert stored(store, raw) == before
    assert angry_clips(store) == alerts
    save(store, 12, 5)  # not under the first any more …
    kept = stored(store, first)
    assert len(kept) == 12
    calibrating.activate(store, first)
    calibrating.wait(store, 60)
    again = stored(store, first)  # … until it is read again
    assert len(again) == 17
    assert {key: again[key] for key in kept} == kept
    assert active(store) == first
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_what_others_save_meanwhile_is_scored_under_both_and_no_reader_sees_a_part(store: Store) -> None:
    save(store, 0, 30)
    stop, errors = threading.Event(), []

    def saver(first: int) -> None:
        try:
            for seed in range(first, first + 15):
                save(store, seed, 1)
        except Exception as error:
            errors.append(error)

    def reader() -> None:
        while not stop.is_set():
            with store.reading() as session:
                # In one statement, so that both are of the same moment.
                scored = (
                    select(func.count())
                    .select_from(Score)
                    .join(ActiveCalibration, ActiveCalibration.calibration_id == Score.calibration_id)
                    .scalar_subquery()
                )
                total = select(func.count()).select_from(Analysis).scalar_subquery()
                seen = session.execute(select(scored, total)).one()
            if seen[0] != seen[1]:
                errors.append(seen)

    threads = [threading.Thread(target=saver, args=(1000 * i,)) for i in (1, 2)]
    watching = threading.Thread(target=reader)
    for thread in (*threads, watching):
        thread.start()
    identifier = bring(store, COOL)
    other = bring(store, Stages(scaling=Scaling.of_temperature(2)), "warmer")
    for thread in threads:
        thread.join()
    stop.set()
    watching.join()
    assert errors == []
    assert active(store) == other
    assert stored(store, other).keys() == analysed(store).keys()
    assert len(analysed(store)) == 60
    assert stored(store, identifier).keys() <= analysed(store).keys()
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_a_kill_in_between_leaves_the_old_scores_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, 0, 20)
    raw = active(store)
    before = stored(store, raw)
    identifier = calibrating.create(store, KEY, "cool", COOL)
    with edits.changing(store) as session:
        calibrations.begin(session, identifier)
    batches = iter(range(100))
    calibrating.finish(store, lambda: next(batches) > 2)  # some batches, and the program is ended
    part = len(stored(store, identifier))
    assert 0 < part < 20
    monkeypatch.setattr(rollups, "add", _dies)  # in the middle of a transaction
    with pytest.raises(KeyboardInterrupt):
        calibrating.finish(store)
    monkeypatch.undo()
    monkeypatch.setattr(calibrating, "AT_ONCE", 7)
    assert len(stored(store, identifier)) == part
    assert active(store) == raw
    assert stored(store, raw) == before
    assert rescoring.progress(store, identifier) == (part, 20)
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    monkeypatch.setattr(alerting, "apply", _dies)  # after the flip
    with pytest.raises(KeyboardInterrupt):
        calibrating.finish(store)
    assert active(store) == identifier
    monkeypatch.undo()
    assert not calibrating.progress(store, identifier).done
    calibrating.resume(store)
    calibrating.wait(store, 60)
    assert calibrating.progress(store, identifier).done
    assert len(stored(store, identifier)) == 20
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def _dies(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_domain_is_read_from_stored_embeddings(store: Store) -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.standard_normal((9, MODEL.dim)).astype(np.float32), np.zeros(9, np.float32))
    stages = Stages({"phone": head}, Scaling.of_temperature(2), Priors((1 / 9,) * 9, (0.2, *(0.1,) * 8)))
    save(store, 0, 9)
    identifier = bring(store, stages)
    save(store, 9, 9)  # scored while they are saved, from what is kept of the embedding
    found = stored(store, identifier)
    with store.transaction() as session:
        session.execute(delete(Score).where(Score.calibration_id == identifier))
        session.execute(update(Calibration).where(Calibration.id == identifier).values(state="scoring", scored_to=0))
    while (batch := rescoring.next_batch(store, identifier, 100, with_embeddings=True)) and len(batch.ids):
        assert batch.embeddings is not None
        assert rescoring.save(store, identifier, batch, apply(stages, batch.logits, batch.embeddings, batch.domains))
    again = stored(store, identifier)
    for key, row in found.items():
        assert row[11] == again[key][11]
        assert row[:11] == pytest.approx(again[key][:11], abs=1e-12)
    assert len(again) == 18


def test_a_clip_whose_domain_was_wrong_is_scored_again(store: Store) -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.standard_normal((9, MODEL.dim)).astype(np.float32), np.zeros(9, np.float32))
    save(store, 0, 9)
    raw = active(store)
    untouched = stored(store, raw)
    first = bring(store, Stages({"phone": head}))
    second = bring(store, Stages({"phone": head}, Scaling.of_temperature(2)))
    before = stored(store, first), stored(store, second)
    with store.reading() as session:
        rows = session.execute(
            select(Recording.id, Analysis.id).join(Clip, Clip.recording_id == Recording.id).join(Analysis)
        ).all()
    there = dict(zip(*zip(*rows, strict=True), strict=True))
    editing.set_description(store, list(there)[1:3], domain="phone")
    moved = {there[key] for key in list(there)[1:3]}
    for old, identifier in zip(before, (first, second), strict=True):
        now = stored(store, identifier)
        assert {key for key in now if now[key] != old[key]} == moved
    editing.set_description(store, list(there)[1:2], domain="room")
    editing.set_description(store, list(there)[2:3], domain=None)
    assert (stored(store, first), stored(store, second)) == before
    assert stored(store, raw) == untouched
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_who_does_not_know_of_a_calibration_saves_nothing(store: Store) -> None:
    save(store, 0, 1)
    bring(store, COOL)
    with pytest.raises(records.RecalibratedError):
        clips.save(store, made("late", 99))
    assert len(analysed(store)) == 1
    (saved,) = calibrating.save_many(store, [with_alerts(store, made("late", 99))])
    assert saved.created
    assert saved.scores is not None
    assert saved.scores.vector == stored(store, active(store))[saved.analysis_id][:9]


def test_clips_that_are_deleted_or_moved_meanwhile_are_followed(store: Store) -> None:
    save(store, 0, 9)
    identifier = calibrating.create(store, KEY, "cool", COOL)
    with edits.changing(store) as session:
        calibrations.begin(session, identifier)
    batch = rescoring.next_batch(store, identifier, 9)
    assert batch is not None
    with edits.changing(store) as session:
        ids = list(session.scalars(select(Clip.id).order_by(Clip.id)))
        edits.set_role(session, ids[:3], "agent")
        with rollups.changing(session, Clip.id.in_(ids[8:])):
            session.execute(delete(Clip).where(Clip.id.in_(ids[8:])))
    assert rescoring.save(store, identifier, batch, apply(COOL, batch.logits))
    assert not rescoring.save(store, identifier, batch, apply(COOL, batch.logits))  # somebody has come past it
    assert len(stored(store, identifier)) == 8
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_versions_tell_what_they_are(store: Store) -> None:
    save(store, 0, 2)
    identifier = calibrating.create(store, KEY, " cool ", COOL, fitted_on={"labels": 30}, metrics={"nll": 0.5})
    newest, raw = calibrations.listed(store, KEY)
    assert (newest.id, newest.version, newest.name, newest.active, newest.state) == (
        identifier,
        2,
        "cool",
        False,
        "ready",
    )
    assert (newest.fitted_on, newest.metrics) == ({"labels": 30}, {"nll": 0.5})
    assert newest.created_by
    assert calibrating.parsed(newest) == COOL
    assert (raw.version, raw.active, raw.state) == (1, True, "complete")
    assert calibrating.parsed(raw).is_raw
    with pytest.raises(MetadataError, match="already"):
        calibrating.activate(store, raw.id)
    with pytest.raises(MetadataError):
        calibrating.activate(store, 999)
    with pytest.raises(MetadataError):
        calibrating.create(store, ("none", "0"), "x", COOL)
    with edits.changing(store) as session:
        bad = calibrations.add(session, calibrations.model_id(session, KEY), "bad", {"scaling": 3})
    with pytest.raises(SettingsError):
        calibrating.activate(store, bad)
    assert calibrations.get(store, bad).state == "ready"


def test_the_head_of_a_model_is_kept_once(store: Store) -> None:
    save(store, 0, 1)

    class Giving:
        info = NINE
        head_weight = np.ones((9, MODEL.dim), np.float32)
        head_bias = np.zeros(9, np.float32)

    class Queue:
        info = NINE
        recognizer = Giving()

    assert calibrating.head(store, KEY) is None
    for _ in range(2):
        calibrating.keep_head(store, Queue())  # type: ignore[arg-type]
    found = calibrating.head(store, KEY)
    assert found == Head(Giving.head_weight, Giving.head_bias)
