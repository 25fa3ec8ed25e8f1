"""Rules at work: raised with the clip that is saved, asked again when they or what they judge changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from emostore.analytics.alerts import DEFAULT_RULES, AlertRule, findings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import MetadataError
from emostore.services import alerting, editing
from emostore.store.alerts import alert_rules, alerts
from emostore.store.reports import alert_reports, history
from emostore.store.reports.alert_reports import AlertFilter
from emostore.store.session import Store
from emostore.store.writing import clips, edits
from tests.store import rollup_oracle
from tests.store.samples import MODEL, NOON, analysis, recording, statements

ANGER = DEFAULT_RULES[0]
MODEL_OF_NINE = replace(MODEL, classes=EMOTIONS)


def outcome(angry: float, windows: list[float] | None = None) -> clips.Analysed:
    """So much anger in the clip, and in each of its windows."""

    def logits(share: float) -> np.ndarray:
        rest = (1 - share) / 8
        return np.log(np.maximum([share, *[rest] * 8], 1e-6)).astype(np.float32)

    stored = clips.NewWindows(np.stack([logits(share) for share in windows]), 1.0, 3.0) if windows else None
    return clips.Analysed(logits(angry), EmotionScores.from_logits(logits(angry).tolist()), stored)


def save(store: Store, name: str, angry: float, windows: list[float] | None = None, **about: Any) -> clips.Saved:
    about = {"role": "customer", "speech_s": 4.0, **about}
    made = analysis(name, outcome=outcome(angry, windows), model=MODEL_OF_NINE, **about)
    trajectory = None
    if isinstance(made.outcome, clips.Analysed) and made.outcome.windows:
        trajectory = alerting.windows_of(made.outcome, None)
        assert isinstance(made.outcome, clips.Analysed)
    assert isinstance(made.outcome, clips.Analysed)
    found = alerting.raised(
        alerting.active_rules(store),
        made.outcome.scores,
        role=made.clip.role,
        speech_s=made.clip.speech_s,
        windows=trajectory,
    )
    return clips.save(store, replace(made, alerts=found))


def names(store: Store, **wanted: Any) -> list[str]:
    page = alert_reports.queue(store, AlertFilter(**wanted))
    assert page.count == len(page.rows)
    return sorted(row.file_name.removesuffix(".wav") for row in page.rows)


def exact(store: Store) -> bool:
    return rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_the_rules_that_come_with_the_program_are_there_from_the_start_and_only_then(store: Store) -> None:
    (first,) = alerting.active_rules(store)
    assert first.rule == ANGER
    alerting.switch_rule(store, first.id, False)
    assert alerting.active_rules(store) == ()


def test_the_rules_that_come_with_the_program_are_put_in_place_once_by_whoever_is_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others look before the first has committed, as processes do that start together."""
    started = threading.Barrier(3)
    newest = alert_rules.newest

    def look_together(store: Store) -> tuple[alert_rules.RuleView, ...]:
        found = newest(store)
        started.wait(60)
        return found

    monkeypatch.setattr(alert_rules, "newest", look_together)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(alerting.active_rules, [store] * 3))
    assert len({rule.id for rules in answers for rule in rules}) == len(DEFAULT_RULES)
    assert all(len(rules) == len(DEFAULT_RULES) for rules in answers)


def test_an_alert_is_stored_with_its_clip_and_says_what_the_rule_saw(store: Store) -> None:
    saved = save(store, "a", 0.7, agent="Ann", team="North")
    save(store, "b", 0.2)
    save(store, "c", 0.9, role="agent")
    (row,) = alert_reports.queue(store).rows
    assert (row.clip_id, row.rule, row.rule_version, row.severity, row.state) == (
        saved.clip_id,
        "Anger and disgust",
        1,
        "high",
        "open",
    )
    assert (row.value, row.threshold) == (pytest.approx(0.7375), 0.6)
    assert (row.start_s, row.agent, row.team, row.model, row.demo) == (None, "Ann", "North", MODEL.name, False)
    assert AlertRule.from_data(row.rule_data) == ANGER
    assert exact(store)


def test_a_rule_about_windows_names_the_moment(store: Store) -> None:
    alerting.save_rule(store, AlertRule("Outburst", ("angry",), ">", 0.5, "medium", (), sustained_s=2.0))
    save(store, "long", 0.1, [0.0, 0.9, 0.9, 0.1, 0.8, 0.8, 0.8, 0.0], role="agent")
    rows = alert_reports.queue(store, AlertFilter(rule="Outburst")).rows
    assert [(row.severity, row.start_s, row.end_s) for row in reversed(rows)] == [
        ("medium", 2.0, 4.0),
        ("medium", 5.0, 8.0),
    ]


@pytest.mark.parametrize("operator", [">", ">=", "<", "<="])
@pytest.mark.parametrize("sustained", [None, 2.0])
def test_a_preview_and_asking_again_find_what_the_rule_finds_clip_by_clip(
    store: Store, operator: Any, sustained: float | None
) -> None:
    random = np.random.default_rng(1)
    scores: dict[str, tuple[float, list[float], str]] = {}
    for number in range(24):
        angry = 0.5 if number % 4 == 0 else float(random.uniform(0, 1))
        windows = [float(share) for share in random.uniform(0, 1, 8)]
        scores[str(number)] = angry, windows, ("customer", "agent", "unknown")[number % 3]
        moment = NOON - timedelta(days=number)
        about = {"recording": recording(number, happened_at=moment), "speech_s": 3.0 if number % 5 else None}
        save(store, str(number), angry, windows, role=scores[str(number)][2], **about)
    threshold = float(np.float64(outcome(0.5).scores["angry"]))  # exactly what some clips have
    rule = AlertRule(
        "Mine", ("angry",), operator, threshold, roles=("customer", "unknown"), min_speech_s=2.0, sustained_s=sustained
    )
    expected = []
    for number, (angry, windows, role) in scores.items():
        made = outcome(angry, windows)
        assert made.windows is not None
        found = findings(
            rule,
            made.scores,
            role=role,  # type: ignore[arg-type]
            speech_s=3.0 if int(number) % 5 else None,
            windows=alerting.windows_of(made, None),
        )
        if found and int(number) < 20:
            expected.append(number)
    first = (NOON - timedelta(days=19)).date()
    counted = alerting.preview(store, rule, from_date=first, to_date=NOON.date())
    assert counted.found == len(expected) > 0
    assert counted.asked >= counted.found
    alerting.save_rule(store, rule)
    applied = alerting.apply(store, "Mine", from_date=first)
    assert sorted({*names(store, rule="Mine")}) == sorted(expected)
    assert (applied.withdrawn, applied.raised >= len(expected)) == (0, True)
    assert alerting.apply(store, "Mine", from_date=first) == alerting.Applied(0, 0)
    assert exact(store)


def test_a_new_version_withdraws_what_it_does_not_find_and_keeps_what_somebody_touched(store: Store) -> None:
    for name, angry in (("a", 0.65), ("b", 0.7), ("c", 0.95), ("d", 0.96)):
        save(store, name, angry)
    rows = {row.file_name: row for row in alert_reports.queue(store).rows}
    alerting.set_state(store, [rows["a.wav"].alert_id], "resolved", "called back")
    alerting.set_state(store, [rows["d.wav"].alert_id], "false_alarm")
    alerting.save_rule(store, replace(ANGER, threshold=0.9))
    assert alerting.apply(store, ANGER.name) == alerting.Applied(raised=1, withdrawn=2)
    rows = {row.file_name: row for row in alert_reports.queue(store).rows}
    assert {name: (row.state, row.rule_version) for name, row in rows.items()} == {
        "a.wav": ("resolved", 1),
        "c.wav": ("open", 2),
        "d.wav": ("false_alarm", 1),
    }
    alerting.switch_rule(store, rows["c.wav"].rule_id, False)
    assert alerting.apply(store, ANGER.name) == alerting.Applied(raised=0, withdrawn=1)
    assert exact(store)


def test_asking_again_tells_how_far_it_is_and_may_be_stopped_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "_TOLD_EVERY", 2)
    monkeypatch.setattr(alerting, "_AT_ONCE", 1)
    for name in "abcde":
        save(store, name, 0.5)
    alerting.save_rule(store, replace(ANGER, threshold=0.4))

    class StopError(Exception):
        """The reader does not want to wait."""

    def stop(done: int) -> None:
        if done == 4:
            raise StopError

    with pytest.raises(StopError):
        alerting.apply(store, ANGER.name, progress=stop)
    assert len(names(store)) == 3
    told: list[int] = []
    assert alerting.apply(store, ANGER.name, progress=told.append) == alerting.Applied(raised=2, withdrawn=0)
    assert told == [2, 4, 5]
    assert exact(store)


def test_a_corrected_role_asks_the_rules_again(store: Store) -> None:
    saved = save(store, "a", 0.8)
    editing.set_role(store, [saved.clip_id], "agent")
    assert names(store) == []
    editing.set_role(store, [saved.clip_id], "mixed")
    assert names(store) == ["a"]
    assert exact(store)


def test_states_assignees_and_comments_are_remembered_in_order(store: Store) -> None:
    save(store, "a", 0.8)
    (row,) = alert_reports.queue(store).rows
    alerting.assign(store, [row.alert_id], "  Lee ")
    alerting.set_state(store, [row.alert_id], "acknowledged", "I call back\n\ntoday")
    alerting.comment(store, row.alert_id, "done")
    alerting.set_state(store, [row.alert_id], "resolved")
    found = alert_reports.events(store, row.alert_id)
    assert [(event.state, event.assignee, event.comment) for event in found] == [
        (None, "Lee", None),
        ("acknowledged", None, None),
        (None, None, "I call back\n\ntoday"),
        (None, None, "done"),
        ("resolved", None, None),
    ]
    (row,) = alert_reports.queue(store, AlertFilter(assignee="Lee", state="resolved")).rows
    assert (row.comments, row.changed_at >= row.created_at) == (2, True)
    with pytest.raises(MetadataError, match="1 to 4000 characters; this one has 0"):
        alerting.comment(store, row.alert_id, " \n ")
    with pytest.raises(MetadataError, match="There is no such alert any more"):
        alerting.set_state(store, [row.alert_id + 1], "open")
    with pytest.raises(MetadataError, match="is not a state"):
        alerting.set_state(store, [row.alert_id], "gone")  # type: ignore[arg-type]
    assert alert_reports.assignees(store) == ()


def test_the_precision_of_a_rule_comes_from_what_people_said(store: Store) -> None:
    for name in "abcd":
        save(store, name, 0.8)
    ids = [row.alert_id for row in alert_reports.queue(store).rows]
    assert alert_reports.feedback(store)[0].precision is None
    alerting.set_state(store, ids[:2], "resolved")
    alerting.set_state(store, ids[2:3], "false_alarm")
    (found,) = alert_reports.feedback(store)
    assert (found.rule, found.judged, found.precision) == (ANGER.name, 3, pytest.approx(2 / 3))
    assert alert_reports.counts(store) == {("resolved", "high"): 2, ("false_alarm", "high"): 1, ("open", "high"): 1}


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_the_queue_lead_through_every_alert_once_and_back(store: Store, limit: int) -> None:
    for number, hours in enumerate([0, 0, 1, 2, 2]):
        save(store, str(number), 0.8, recording=recording(number, happened_at=NOON + timedelta(hours=hours)))
    everything = [row.alert_id for row in alert_reports.queue(store).rows]
    page = alert_reports.queue(store, limit=limit)
    seen = [page]
    while page.next:
        cursor = alert_reports.read_cursor(alert_reports.write_cursor(page.next))
        page = alert_reports.queue(store, limit=limit, before=cursor)
        seen.append(page)
    assert [row.alert_id for each in seen for row in each.rows] == everything
    for earlier in reversed(seen[:-1]):
        assert page.previous is not None
        page = alert_reports.queue(store, limit=limit, after=page.previous)
        assert page.rows == earlier.rows
    with statements(store) as sent:
        alert_reports.queue(store)
    assert len([each for each in sent if each != "BEGIN"]) == 3


def test_the_queue_is_filtered(store: Store) -> None:
    save(store, "a", 0.8, agent="Ann", team="North")
    save(store, "b", 0.8, agent="Bob", team="South", recording=recording("b", happened_at=NOON + timedelta(days=2)))
    assert names(store, agent="Ann") == names(store, team="North") == names(store, to_date=NOON.date()) == ["a"]
    assert names(store, from_date=date(2026, 3, 2)) == ["b"]
    assert names(store, severity="high", rule=ANGER.name, state="open") == ["a", "b"]
    assert names(store, agent="Nobody") == names(store, rule="Other") == names(store, severity="low") == []


def test_the_history_finds_clips_by_their_alerts(store: Store) -> None:
    saved = save(store, "a", 0.8)
    save(store, "b", 0.8)
    save(store, "c", 0.1)
    (mine,) = alert_reports.of_clip(store, saved.clip_id)
    alerting.set_state(store, [mine.alert_id], "acknowledged")

    def found(alert: str, **wanted: Any) -> list[str]:
        page = history.search(store, history.HistoryFilter(alert=alert, **wanted))
        return sorted(row.file_name for row in page.rows)

    assert found("any") == ["a.wav", "b.wav"]
    assert found("acknowledged") == found("acknowledged", role="customer") == ["a.wav"]
    assert found("open", emotion="angry") == found("open", model=(MODEL.name, MODEL.revision)) == ["b.wav"]
    assert found("resolved") == found("any", model=("other", "1")) == []


def test_a_stored_rule_that_this_version_cannot_read_is_left_out(store: Store) -> None:
    with edits.changing(store) as session:
        alert_rules.add_version(session, "Later", {"name": "Later", "magic": 1}, "Ana")
        alert_rules.add_version(session, "Mine", replace(ANGER, name="Mine").as_data(), "Ana")
    assert [each.rule.name for each in alerting.active_rules(store)] == ["Mine"]


def test_alerts_of_one_analysis_are_counted_from_zero_and_never_twice(store: Store) -> None:
    saved = save(store, "a", 0.8)
    for count in (2, 3, 0, 1):
        with edits.changing(store) as session:
            found = [clips.NewAlert(1, "low", 0.5, 0.4, 2.0 * i, 2 * i + 1.0) for i in range(count)]
            alerts.replace(session, ANGER.name, {saved.analysis_id: found})
        assert len(alert_reports.of_clip(store, saved.clip_id)) == count
        assert exact(store)
