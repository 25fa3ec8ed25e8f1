"""Alert rules: exact at the threshold, exact in time, honest about what a model cannot hear."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.analytics import alerts
from emostore.analytics.alerts import DEFAULT_RULES, Alert, AlertRule, blind, evaluate, findings
from emostore.analytics.reference import CASES
from emostore.analytics.thresholds import OPERATORS, holds, limit_percent, percent, rows_hold
from emostore.analytics.trajectory import Trajectory
from emostore.emotions import EMOTIONS
from emostore.errors import ScoresError, SettingsError
from emostore.i18n import explain
from emostore.store.tables import report_models
from emostore.store.writing import records

RULE = DEFAULT_RULES[0]


def windows(angry: list[float | None], hop_s: float = 1.0, length_s: float = 3.0) -> Trajectory:
    """Windows with that much anger and the rest neutral; None is a window without speech."""
    scores = np.zeros((len(angry), 9))
    scores[:, EMOTIONS.index("angry")] = [value or 0.0 for value in angry]
    scores[:, EMOTIONS.index("neutral")] = 1 - scores[:, EMOTIONS.index("angry")]
    return Trajectory(scores, hop_s, length_s, np.array([value is not None for value in angry]))


def sustained(seconds: float, **changes: Any) -> AlertRule:
    return AlertRule(
        **({"name": "outburst", "emotions": ("angry",), "operator": ">", "threshold": 0.5} | changes),
        sustained_s=seconds,
    )


def test_the_default_rule_is_raised_by_the_complaint_alone() -> None:
    found = {name: evaluate(RULE, scores) for name, scores in CASES.items()}
    assert found["Customer complaint"] == Alert(RULE, 0.604)
    assert found["Business talk"] is None
    assert found["Teaching voice"] is None
    assert (RULE.emotions, RULE.operator, RULE.threshold, RULE.severity) == (("angry", "disgusted"), ">", 0.6, "high")


def test_an_alert_names_its_rule_value_and_threshold() -> None:
    alert = evaluate(RULE, CASES["Customer complaint"])
    assert alert is not None
    said = "Anger and disgust: angry + disgusted at 60.4 %, which is over 60 %."
    assert explain(alert.sentence, "en") == said


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [(">", False, False, True), (">=", False, True, True), ("<", True, False, False), ("<=", True, True, False)],
)
def test_a_rule_is_exact_at_its_threshold(operator: Any, below: bool, at: bool, above: bool) -> None:
    rule = AlertRule("r", ("angry", "disgusted", "sad"), operator, 0.6)
    for scores, expected in [((0.1, 0.2, 0.299), below), ((0.1, 0.2, 0.3), at), ((0.1, 0.2, 0.301), above)]:
        found = evaluate(rule, dict(zip(("angry", "disgusted", "sad"), scores, strict=True)))
        assert (found is not None) is expected


def test_decimals_are_added_as_they_are_written() -> None:
    assert 0.1 + 0.2 > 0.3  # in binary
    assert evaluate(AlertRule("r", ("angry", "sad"), ">", 0.3), {"angry": 0.1, "sad": 0.2}) is None


@given(st.floats(0.001, 0.999), st.floats(0, 1), st.sampled_from(OPERATORS))
def test_one_score_is_compared_as_it_is(threshold: float, score: float, operator: Any) -> None:
    expected = {">": score > threshold, ">=": score >= threshold, "<": score < threshold, "<=": score <= threshold}
    rule = AlertRule("r", ("happy",), operator, threshold)
    assert (evaluate(rule, {"happy": score}) is not None) is expected[operator]
    assert evaluate(rule, {"happy": threshold}) == (Alert(rule, threshold) if "=" in operator else None)


@given(
    st.lists(st.tuples(*[st.decimals(0, 1, places=3)] * 3), min_size=1, max_size=20),
    st.decimals("0.001", "0.999", places=3),
    st.sampled_from(OPERATORS),
)
def test_rows_of_windows_are_compared_as_exactly_as_clips(rows: Any, limit: Decimal, operator: Any) -> None:
    values = np.array([[float(value) for value in row] for row in rows])
    found = rows_hold(values, operator, float(limit))
    exact = [
        {">": sum(r) > limit, ">=": sum(r) >= limit, "<": sum(r) < limit, "<=": sum(r) <= limit}[operator] for r in rows
    ]
    assert found.tolist() == exact
    assert [holds(row, operator, float(limit)) for row in values] == exact


def test_scores_that_are_no_distribution_are_refused() -> None:
    with pytest.raises(ScoresError):
        evaluate(RULE, {"angry": 0.9, "disgusted": 0.9})


def test_a_rule_holds_for_the_voices_that_it_names() -> None:
    complaint = CASES["Customer complaint"]
    assert [role for role in alerts.ROLES if evaluate(RULE, complaint, role=role)] == ["customer", "mixed", "unknown"]
    everybody = AlertRule("all", ("angry", "disgusted"), ">", 0.6, roles=())
    assert all(evaluate(everybody, complaint, role=role) for role in alerts.ROLES)


@pytest.mark.parametrize(("speech_s", "raised"), [(None, False), (4.999, False), (5.0, True)])
def test_too_little_speech_raises_nothing(speech_s: float | None, raised: bool) -> None:
    rule = AlertRule("r", ("angry",), ">", 0.3, min_speech_s=5.0)
    assert (evaluate(rule, {"angry": 0.9}, speech_s=speech_s) is not None) is raised


# Windows


@pytest.mark.parametrize(("seconds", "raised"), [(3.0, True), (4.0, True), (4.1, False), (0.5, True)])
def test_four_windows_a_second_apart_sustain_four_seconds(seconds: float, raised: bool) -> None:
    series = windows([0.1, 0.6, 0.7, 0.8, 0.9, 0.5, 0.1])
    found = evaluate(sustained(seconds), {"neutral": 1.0}, windows=series)
    if raised:
        # Window 1 takes over from window 0 half a hop before its middle, at 1 + 1; window 5 from window 4 at 5 + 1.
        assert found == Alert(sustained(seconds), pytest.approx(0.75), 2.0, 6.0)
    else:
        assert found is None


def test_a_stretch_that_begins_with_the_recording_begins_at_zero() -> None:
    found = evaluate(sustained(2), {"neutral": 1.0}, windows=windows([0.9, 0.9, 0.1]))
    assert found is not None
    assert (found.start_s, found.end_s) == (0.0, 3.0)


@pytest.mark.parametrize("hop_s", [0.1, 0.3, 0.7])
def test_time_that_is_a_whole_number_of_hops_needs_that_many(hop_s: float) -> None:
    rule = sustained(hop_s * 3)
    assert evaluate(rule, {}, windows=windows([0.9] * 3 + [0.1], hop_s)) is not None
    assert evaluate(rule, {}, windows=windows([0.9] * 2 + [0.1], hop_s)) is None


def test_neither_a_calm_window_nor_a_pause_is_bridged() -> None:
    rule = sustained(4)
    for between in (0.5, None):
        assert evaluate(rule, {}, windows=windows([0.9, 0.9, 0.9, between, 0.9, 0.9, 0.9])) is None


def test_every_stretch_is_found_and_the_longest_is_the_alert() -> None:
    series = windows([0.9] * 3 + [0.1] * 2 + [0.7] * 5 + [0.1] + [0.8] * 5 + [0.1])
    found = findings(sustained(3), {"neutral": 1.0}, windows=series)
    assert [(alert.start_s, alert.end_s) for alert in found] == [(0.0, 4.0), (6.0, 11.0), (12.0, 17.0)]
    assert evaluate(sustained(3), {"neutral": 1.0}, windows=series) == found[1]  # of equal ones the first
    assert explain(found[1].sentence, "en") == (
        "outburst: angry at 70.0 %, which is over 50 %. That is the mean of the windows from 6.0 s to 11.0 s."
    )


def test_a_sustained_rule_looks_at_windows_alone() -> None:
    assert evaluate(sustained(2), {"angry": 1.0}) is None
    assert evaluate(sustained(2), {"angry": 1.0}, windows=windows([])) is None
    assert evaluate(sustained(2), {"angry": 1.0}, windows=windows([0.1] * 9)) is None


def test_little_of_an_emotion_can_be_sustained_too() -> None:
    rule = sustained(3, emotions=("angry", "neutral"), operator="<=", threshold=0.9)
    assert evaluate(rule, {}, windows=windows([0.9] * 5)) is None
    rule = sustained(3, operator="<", threshold=0.2)
    assert [(a.start_s, a.end_s) for a in findings(rule, {}, windows=windows([0.1] * 4 + [None] + [0.1] * 3))] == [
        (0.0, 5.0),
        (6.0, 9.0),
    ]


@given(
    st.lists(st.sampled_from([0.1, 0.5, 0.9, None]), min_size=1, max_size=30),
    st.sampled_from([0.5, 1.0, 2.0, 3.5, 7.0]),
    st.sampled_from([0.5, 1.0]),
)
def test_stretches_are_those_of_a_plain_count(angry: list[float | None], seconds: float, hop_s: float) -> None:
    series = windows(angry, hop_s)
    need, runs, run = math.ceil(seconds / hop_s), [], 0
    for number, value in enumerate([*angry, None]):
        if value is not None and value > 0.5:
            run += 1
            continue
        if run >= need:
            runs.append((series.boundary_s(number - run), series.boundary_s(number)))
        run = 0
    assert [(a.start_s, a.end_s) for a in findings(sustained(seconds), {}, windows=series)] == runs


# What a model cannot produce


def test_a_rule_on_emotions_that_are_never_produced_is_blind() -> None:
    rule = AlertRule("r", ("surprised", "unknown"), ">", 0.3)
    basic = ("angry", "happy", "neutral", "sad")
    told = blind(rule, basic)
    assert told is not None
    assert explain(told, "en") == "This rule is blind here: the model cannot produce surprised, unknown."
    assert evaluate(rule, {"surprised": 0.9}, classes=basic) is None
    assert blind(rule, EMOTIONS) is None


def test_a_sum_of_which_a_part_is_missing_still_tells_much_and_never_little() -> None:
    without = tuple(name for name in EMOTIONS if name != "disgusted")
    much, little = RULE, AlertRule("calm", ("angry", "disgusted"), "<", 0.1)
    told = [blind(rule, without) for rule in (much, little)]
    assert [explain(sentence, "en") for sentence in told if sentence] == [
        "This rule finds less here: the model cannot produce disgusted.",
        "This rule is blind here: the model cannot produce disgusted.",
    ]
    assert evaluate(much, {"angry": 0.7}, classes=without) == Alert(much, 0.7)
    assert evaluate(little, {"angry": 0.05}, classes=without) is None
    assert evaluate(little, {"angry": 0.05}) is not None


# Numbers in sentences


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (0.604, 0.6, "60.4"),
        (0.6, 0.6, "60.0"),
        (0.6002, 0.6, "60.02"),
        (0.60000001, 0.6, "60.000001"),
        (0.005, 0.005, "0.5"),
        (0.00504, 0.005, "0.504"),
        (1.0, 0.6, "100.0"),
    ],
)
def test_a_value_is_shown_as_different_from_its_limit_if_it_is(value: float, limit: float, shown: str) -> None:
    assert percent(value, limit) == shown


@pytest.mark.parametrize(("limit", "shown"), [(0.6, "60"), (0.005, "0.5"), (0.1, "10"), (0.333, "33.3"), (1.0, "100")])
def test_a_limit_is_shown_short(limit: float, shown: str) -> None:
    assert limit_percent(limit) == shown


@pytest.mark.parametrize("severity", alerts.SEVERITIES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_users_name_is_never_taken_for_a_template(operator: Any, severity: Any) -> None:
    rule = AlertRule("{0} {oops} %s", ("sad",), operator, 0.5, severity)
    said = explain(Alert(rule, 0.5).sentence, "en")
    assert said.startswith("{0} {oops} %s: sad at 50.0 %")


# Rules as data

rules = st.builds(
    AlertRule,
    name=st.sampled_from(["Ärger", "投诉", "a"]),
    emotions=st.lists(st.sampled_from(EMOTIONS), min_size=1, max_size=8, unique=True).map(tuple),
    operator=st.sampled_from(OPERATORS),
    threshold=st.floats(0.001, 0.999),
    severity=st.sampled_from(alerts.SEVERITIES),
    roles=st.lists(st.sampled_from(alerts.ROLES), unique=True).map(tuple),
    min_speech_s=st.floats(0, 1000),
    sustained_s=st.none() | st.floats(0.1, 1000),
)


@given(rules)
def test_a_rule_survives_json(rule: AlertRule) -> None:
    again = AlertRule.from_json(rule.to_json())
    assert again == rule
    assert hash(again) == hash(rule)
    assert AlertRule.from_data(rule.as_data()) == rule


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emotions": []}, "names 0 emotions; it needs one to eight"),
        ({"emotions": list(EMOTIONS)}, "names 9 emotions"),
        ({"emotions": "angry"}, "must be a list of angry, disgusted"),
        ({"emotions": ["tired"]}, "emotions is 'tired'; it must be one of angry"),
        ({"emotions": ["angry", "angry"]}, "names one of them twice: angry, angry"),
        ({"emotions": [["angry"]]}, "must be one of"),
        ({"operator": "=="}, "operator is '=='; it must be one of >, >=, <, <="),
        ({"threshold": 60}, "threshold is 60; it must be a number from 0 to 1"),
        ({"threshold": 0}, "must lie between 0 and 1"),
        ({"threshold": 1.0}, "must lie between 0 and 1"),
        ({"threshold": "0.6"}, "threshold is '0.6'"),
        ({"severity": "urgent"}, "low, medium, high"),
        ({"roles": ["boss"]}, "roles is 'boss'; it must be one of agent, customer"),
        ({"roles": None}, "roles is None; it must be a list"),
        ({"min_speech_s": -1}, "min_speech_s is -1"),
        ({"sustained_s": 0}, "sustained_s is 0; it must be a number from 0.1"),
        ({"sustained_s": 1e9}, "sustained_s is 1000000000.0"),
        ({"name": "\u202eevil"}, "visible characters"),
        ({"level": 3}, "'level' is not one of the fields"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        AlertRule.from_data(RULE.as_data() | change)


def test_what_a_rule_needs_is_told() -> None:
    with pytest.raises(SettingsError, match="emotions, operator, threshold is missing"):
        AlertRule.from_data({"name": "r"})


def test_the_words_of_rules_are_those_of_the_store() -> None:
    assert get_args(records.Role) == alerts.ROLES
    assert report_models.SEVERITIES == alerts.SEVERITIES
