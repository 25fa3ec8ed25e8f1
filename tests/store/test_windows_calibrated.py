"""Windows follow the calibration that is read: in alerts, whoever saves or flips meanwhile, on pages and in files."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emostore.analytics.alerts import AlertRule
from emostore.analytics.calibration import Calibration, Head, Scaling
from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services import alerting, editing
from emostore.services.calibration import calibrating
from emostore.services.exports import exporting
from emostore.services.report import Maker
from emostore.services.views import session_view
from emostore.store.alerts import rule_previews
from emostore.store.calibration import calibrations
from emostore.store.reports import alert_reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.writing import clips, edits, records
from tests.store import rollup_oracle
from tests.store.samples import MODEL, analysis, recording, statements

NINE = replace(MODEL, classes=EMOTIONS)
KEY = (NINE.name, NINE.revision)
COOL = Calibration(scaling=Scaling.of_temperature(8))
OUTBURST = AlertRule("Outburst", ("angry",), ">", 0.6, "medium", (), sustained_s=2.0)
CALM = AlertRule("Calm", ("neutral",), ">=", 0.13, "low", (), sustained_s=4.0)  # holds under the calibration only
SPOKEN = np.array([[0.0, 9.0]])


def logits_of(seed: int, rows: int = 12) -> np.ndarray:
    """Windows as sure as a label: five of a mood, some of no emotion; an emotion that the model never gives."""
    logits = np.random.default_rng(seed).uniform(0, 2, (rows, 9)).astype(np.float32)
    logits[:, EMOTIONS.index("neutral")] += 8
    logits[2:7, EMOTIONS.index(("angry", "sad")[seed % 2])] += 16
    logits[:, 8] = -np.inf
    return logits


def made(seed: int, **about: Any) -> records.NewAnalysis:
    logits = logits_of(seed)
    mean = np.where(np.isfinite(logits[0]), np.where(np.isfinite(logits), logits, 0).mean(axis=0), -np.inf)
    scores = EmotionScores.from_logits(mean.tolist())
    vector = np.ones(NINE.dim, np.float32)
    outcome = clips.Analysed(mean.astype(np.float32), scores, clips.NewWindows(logits, 1.0, 3.0), vector)
    given = {"role": "customer", "speech_s": 9.0, "segments": SPOKEN, "duration_s": 14.0, **about}
    given["recording"] = recording(f"c{seed}", duration_s=14.0, channel_count=1, domain=given.pop("domain", None))
    return analysis(f"c{seed}", outcome=outcome, model=NINE, **given)


def save(store: Store, *seeds: int, **about: Any) -> list[int]:
    """Clips with the alerts of their raw scores, as analysing gives them; their ids."""
    rules, told = alerting.active_rules(store), []
    for seed in seeds:
        one = made(seed, **about)
        assert isinstance(one.outcome, clips.Analysed)
        windows = alerting.windows_of(one.outcome, SPOKEN)
        found = alerting.raised(rules, one.outcome.scores, role=one.clip.role, speech_s=9.0, windows=windows)
        told.append(replace(one, alerts=found))
    return [each.clip_id for each in calibrating.save_many(store, told)]


def begun(store: Store, *seeds: int) -> None:
    for rule in (OUTBURST, CALM):
        alerting.save_rule(store, rule)
    save(store, *seeds)


def read(store: Store, calibration_id: int) -> int:
    """Have a calibration read, and wait until its alerts are there."""
    calibrating.activate(store, calibration_id)
    calibrating.wait(store, 60)
    assert calibrating.progress(store, calibration_id).done
    return calibration_id


def raw(store: Store) -> int:
    return next(each.id for each in calibrations.listed(store, KEY) if each.version == 1)


def alerts(store: Store, rule: str | None = None) -> list[tuple[Any, ...]]:
    """Every alert, to the bit, without its id."""
    rows = alert_reports.queue(store, limit=500).rows
    found = [(r.file_name, r.rule, r.severity, r.value, r.threshold, r.start_s, r.end_s, r.state) for r in rows]
    return sorted((each for each in found if rule in (None, each[1])), key=str)


def files(store: Store, rule: str) -> list[str]:
    return sorted({each[0] for each in alerts(store, rule)})


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Of logits as they are stored; computed on its own."""
    powers = np.exp(logits.astype(np.float16).astype(np.float64) / temperature)
    return np.asarray(powers / powers.sum(axis=1)[:, None])


def test_a_sustained_rule_follows_the_calibration_and_back_to_the_bit(store: Store) -> None:
    begun(store, *range(6))
    before = alerts(store)
    assert (files(store, "Outburst"), files(store, "Calm")) == (["c0.wav", "c2.wav", "c4.wav"], [])
    assert {each[5:7] for each in alerts(store, "Outburst")} == {(3.0, 8.0)}
    first = raw(store)
    read(store, calibrating.create(store, KEY, "cool", COOL))
    assert files(store, "Outburst") == []
    assert files(store, "Calm") == [f"c{seed}.wav" for seed in range(6)]
    (calm,) = (each for each in alerts(store, "Calm") if each[0] == "c1.wav")
    wanted = softmax(logits_of(1), 8)[:9, EMOTIONS.index("neutral")]  # of the windows in which somebody speaks
    assert (calm[3], *calm[5:7]) == (pytest.approx(wanted.mean(), abs=1e-12), 0.0, 10.0)
    assert alerting.preview(store, OUTBURST).found == 0
    assert alerting.preview(store, replace(OUTBURST, threshold=0.3)).found == 3
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    read(store, first)
    assert alerts(store) == before
    assert alerting.preview(store, OUTBURST).found == 3
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_a_clip_has_the_alerts_of_the_scores_that_are_read_when_it_is_saved(store: Store) -> None:
    begun(store, 0)
    identifier = calibrating.create(store, KEY, "cool", COOL)
    with edits.changing(store) as session:
        calibrations.begin(session, identifier)
    (second,) = save(store, 2)  # while the calibration is being scored, and raw scores are read
    assert files(store, "Outburst") == ["c0.wav", "c2.wav"]
    editing.set_role(store, [second], "agent")
    assert files(store, "Outburst") == ["c0.wav", "c2.wav"]
    calibrating.finish(store)
    assert files(store, "Outburst") == []
    assert files(store, "Calm") == ["c0.wav", "c2.wav"]
    (third,) = save(store, 4)
    assert files(store, "Outburst") == []
    editing.set_role(store, [third], "agent")  # asks the rules again
    assert files(store, "Outburst") == []
    saved = [each for each in alerts(store, "Calm") if each[0] == "c4.wav"]
    alerting.apply(store, "Calm")
    assert [each for each in alerts(store, "Calm") if each[0] == "c4.wav"] == saved
    assert len(saved) > 0
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_alerts_are_those_of_the_scores_that_are_read_whoever_is_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a rule is asked again of what is stored, somebody flips the calibration, and somebody saves a clip."""
    begun(store, 0, 2)
    identifier = calibrating.create(store, KEY, "cool", COOL)
    candidates, meanwhile = rule_previews.candidates, iter((lambda: read(store, identifier), lambda: save(store, 4)))

    def disturbed(*given: Any, **options: Any) -> Iterator[rule_previews.Candidate]:
        found = list(candidates(*given, **options))
        happens = next(meanwhile, None)
        if happens is not None:
            happens()
        yield from found

    monkeypatch.setattr(rule_previews, "candidates", disturbed)
    alerting.apply(store, "Outburst")
    assert files(store, "Outburst") == []
    assert next(meanwhile, None) is None
    monkeypatch.undo()
    read(store, raw(store))
    assert files(store, "Outburst") == ["c0.wav", "c2.wav", "c4.wav"]
    meanwhile = iter((lambda: save(store, 6),))
    monkeypatch.setattr(rule_previews, "candidates", disturbed)
    alerting.apply(store, "Outburst")  # which has not seen the clip that is saved meanwhile
    assert files(store, "Outburst") == ["c0.wav", "c2.wav", "c4.wav", "c6.wav"]
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_pages_reports_and_files_have_the_same_windows(store: Store, tmp_path: Path) -> None:
    config = Settings(data_dir=tmp_path)
    first, second = save(store, 0, 1, domain="phone")
    wanted = {0: softmax(logits_of(0), 8), 1: softmax(logits_of(1), 8)}
    untouched = next(exporting.export(store, HistoryFilter(), "clips", "jsonl"))
    with statements(store) as sent:
        session_view.conversation(store, [first, second])
    asked = len(sent)
    read(store, calibrating.create(store, KEY, "cool", COOL))
    with statements(store) as sent:
        found = session_view.conversation(store, [first, second])
    assert found is not None
    assert len([each for each in sent if each != "BEGIN"]) <= asked - sent.count("BEGIN") + 2  # once for both
    assert sum("calibrations.parameters" in each for each in sent) == 1
    for seed, voice in enumerate(found.voices):
        assert voice.path is not None
        np.testing.assert_allclose(voice.path.scores, wanted[seed], rtol=1e-12, atol=0)
        assert (voice.path.scores[:, 8] == 0).all()
        assert voice.path.scored.tolist() == [True] * 9 + [False] * 3
        assert voice.left_out is None

    told = json.loads(Maker(store, config).clip(first, "json"))["clip"]["analysis"]
    np.testing.assert_allclose(told["windows"]["scores"], wanted[0], rtol=1e-12, atol=0)
    assert (told["calibration"]["name"], told["windows"]["left_out"]) == ("cool", None)
    assert told["trajectory"]["worst"]["score"] == pytest.approx(_worst(wanted[0]), abs=1e-9)

    table = b"".join(exporting.export(store, HistoryFilter(), "windows", "csv")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["calibration"] for row in rows} == {"cool"}
    for seed, clip_id in enumerate((first, second)):
        scores = [[float(row[name]) for name in EMOTIONS] for row in rows if int(row["clip_id"]) == clip_id]
        np.testing.assert_allclose(scores, wanted[seed], rtol=1e-12, atol=0)
    lines = next(exporting.export(store, HistoryFilter(), "clips", "jsonl"))
    before, after = ([json.loads(line) for line in each.splitlines()] for each in (untouched, lines))
    for old, new in zip(before, after, strict=True):
        assert new["windows"] == old["windows"]  # raw logits, which an import stores
        assert (old["calibration"], new["calibration"]) == ("raw", "cool")
    with zipfile.ZipFile(io.BytesIO(b"".join(exporting.export(store, HistoryFilter(), "results", "zip")))) as archive:
        frames = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith("result_frame.json")]
    shown = {tuple(each["scores"].values()) for frame in frames for each in frame}
    assert shown == {tuple(map(float, (row[name] for name in EMOTIONS))) for row in rows}

    head = Head(np.ones((9, NINE.dim), np.float32), np.zeros(9, np.float32))
    read(store, calibrating.create(store, KEY, "phone", replace(COOL, heads={"phone": head})))
    found = session_view.conversation(store, [first])
    assert found is not None
    (voice,) = found.voices
    assert voice.path is not None
    np.testing.assert_allclose(voice.path.scores, wanted[0], rtol=1e-12, atol=0)
    assert "without that stage" in str(voice.left_out)
    assert "without that stage" in " ".join(Maker(store, config).clip(first).decode().split())
    read(store, calibrating.create(store, KEY, "trained", Calibration(trained=head, scaling=COOL.scaling)))
    table = b"".join(exporting.export(store, HistoryFilter(), "windows", "csv")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {row["calibration"] for row in rows} == {"raw"}
    angry = [float(row["angry"]) for row in rows if int(row["clip_id"]) == first]
    np.testing.assert_allclose(angry, softmax(logits_of(0), 1)[:, 0], rtol=1e-12)


def _worst(scores: np.ndarray) -> float:
    """The highest mean of the negative emotions over five of the windows in which somebody speaks."""
    negative = scores[:9, [EMOTIONS.index(name) for name in ("angry", "disgusted", "fearful", "sad")]].sum(axis=1)
    return max(float(negative[first : first + 5].mean()) for first in range(5))
