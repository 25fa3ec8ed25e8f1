"""What a model cannot give, declared or seen, on both databases."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from emostore.analytics.alerts import AlertRule
from emostore.config import Settings
from emostore.emotions import EMOTIONS
from emostore.services import alerting, importing
from emostore.services.calibration import masked
from emostore.services.calibration.masked import Masked
from emostore.services.exports import exporting
from emostore.services.importing import Given, Options
from emostore.services.views import comparing, watching
from emostore.store.calibration import masked as stored
from emostore.store.reports import alert_reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.writing import clips, edits, records
from tests.store.samples import LOGITS, NOON, analysed, clip, recording, statements

MODEL = records.ModelRevisionKey("large", "1", 16, EMOTIONS[:8], "MIT")  # declares all but "unknown"
KEY = (MODEL.name, MODEL.revision)


def save(store: Store, first: int, count: int, **logits: float) -> None:
    """Clips of one session whose `sad` and `surprised` are cut off, as happens where a mask is left on."""
    row = np.array([*LOGITS[:5], 0.5, -np.inf, -np.inf, -np.inf], np.float32)
    for name, value in logits.items():
        row[EMOTIONS.index(name)] = value
    for number in range(first, first + count):
        new = clip(number, session_name="case", role="customer", agent="Ana", recording=recording(number))
        clips.save(store, records.NewAnalysis(new, MODEL, analysed(row, MODEL), NOON))


def test_an_emotion_that_is_exactly_zero_in_enough_clips_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masked, "LEAST", 6)
    assert masked.of(store, KEY) == Masked()
    save(store, 0, 5)
    assert masked.of(store, KEY) == Masked(("unknown",), (), 5)  # too few to tell
    save(store, 5, 1)
    assert masked.of(store, KEY) == Masked(("unknown",), ("sad", "surprised"), 6)
    assert masked.of(store, ("large", "2")) == Masked()

    used = watching.model_in_use(store)
    assert used is not None
    assert used.classes == ("angry", "disgusted", "fearful", "happy", "neutral", "other")
    assert watching.blindness(AlertRule("r", ("sad", "surprised"), ">", 0.5), used) is not None
    compared = comparing.compare(store, [comparing.Thing("session", "1")])
    assert compared.samples[0].missing == ("sad", "surprised", "unknown")

    # A little is enough: 1e-9 is what a saturated softmax gives.
    save(store, 6, 1, sad=-20.0)
    assert masked.of(store, KEY) == Masked(("unknown",), ("surprised",), 7)


def test_a_rule_that_asks_for_little_of_it_finds_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked, "LEAST", 4)
    little = AlertRule("little", ("sad", "surprised"), "<=", 0.1)
    save(store, 0, 3)
    alerting.save_rule(store, little)
    assert alerting.preview(store, little) == alerting.Preview(3, 3)
    assert alerting.apply(store, "little") == alerting.Applied(3, 0)  # too few clips to tell
    save(store, 3, 1)
    assert alerting.preview(store, little) == alerting.Preview(0, 4)
    assert alerting.apply(store, "little") == alerting.Applied(0, 3)
    with edits.changing(store) as session:
        alerting.ask_again(session, alerting.active_rules(store), [1, 2])
    assert alert_reports.queue(store).rows == ()
    save(store, 4, 1, sad=-20.0, surprised=-20.0)  # it gives both after all
    assert alerting.preview(store, little) == alerting.Preview(5, 5)
    with edits.changing(store) as session:
        alerting.ask_again(session, alerting.active_rules(store), [1, 2])
    assert {each.clip_id for each in alert_reports.queue(store).rows} == {1, 2}


def test_a_rule_is_asked_of_a_new_clip_by_what_was_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked, "LEAST", 4)
    save(store, 0, 4)
    absent = alerting.absent(store)
    much, little = (AlertRule("r", ("sad", "happy"), operator, 0.5) for operator in (">", "<="))
    with statements(store) as sent:
        assert alerting.trusted(MODEL.classes, KEY, [much], absent) == MODEL.classes
    assert not sent  # nothing depends on it
    known = alerting.trusted(MODEL.classes, KEY, [much, little], absent)
    assert set(MODEL.classes) - set(known) == {"sad", "surprised"}
    alerting.save_rule(store, AlertRule("little", ("sad",), "<", 0.5))
    line = b"".join(exporting.export(store, HistoryFilter(), "clips", "jsonl")).splitlines()[0]
    again = json.loads(line) | {"sha256": "0" * 64}
    given = [Given("x.jsonl", io.BytesIO(json.dumps(again).encode()))]
    config = Settings()
    importing.write(store, config, given, Options(), importing.plan(store, config, given, Options()))
    assert alert_reports.queue(store).rows == ()


def test_only_the_latest_clips_are_read(store: Store) -> None:
    save(store, 0, 4, sad=0.0)
    with statements(store) as sent:
        found = stored.given(store, KEY, 3)
    assert found is not None
    assert found.clips == 3
    assert found.highest[EMOTIONS.index("sad")] > 0
    assert found.highest[EMOTIONS.index("surprised")] == 0.0
    assert len([each for each in sent if each.startswith("SELECT")]) == 2
    assert masked.of(store, KEY).seen == ()
