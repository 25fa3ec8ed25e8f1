"""The Alerts page: the queue and what is done with it, the rules and what they would find."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.analytics.alerts import AlertRule
from emostore.services import alerting
from emostore.store.alerts import alert_rules
from emostore.store.reports import alert_reports
from emostore.store.session import Store
from emostore.ui.alerts import alerts
from tests.app.calls import ANGRY, CALM, ODD_NAME, SIX, call, mixed
from tests.app.conftest import HOME, text


def opened(app: AppTest, **asked: str) -> AppTest:
    for name, value in asked.items():
        app.query_params[name] = value
    return app.switch_page("pages/alerts.py").run()


def titles(at: AppTest) -> list[str]:
    """The clips of the cards, in their order."""
    return [link.label for link in at.get("page_link") if "clip" in link.proto.page]


def test_the_queue_says_what_was_found_where_and_in_whose_hands_it_is(app: AppTest, store: Store) -> None:
    call(store, "old.wav", ANGRY, days_ago=3)
    call(store, "new.wav", ANGRY, agent="Bob")
    call(store, "calm.wav", CALM)
    at = opened(app)
    assert not at.exception
    assert titles(at) == ["new\\.wav", "old\\.wav"]
    assert "angry \\+ disgusted at 80\\.0 %, which is over 60 %" in text(at)
    assert "Bob" in text(at)
    assert "nobody looks after it" in text(at)
    assert "2 alerts" in text(at)


def test_an_acknowledged_alert_leaves_the_open_ones_and_stays_so(app: AppTest, store: Store) -> None:
    call(store, "one.wav", ANGRY)
    at = opened(app)
    at.button(key="acknowledged_1").click().run()
    assert not at.exception
    assert [said.value for said in at.success] == ["No alert is open."]
    view = alert_reports.get(store, 1)
    assert view is not None
    assert view.state == "acknowledged"
    at.get_by_key("url_state").set_value("acknowledged").run()
    assert titles(at) == ["one\\.wav"]
    at.button(key="false_alarm_1").click().run()
    at.get_by_key("url_state").set_value("false_alarm").run()
    assert titles(at) == ["one\\.wav"]
    assert at.query_params["state"] == "false_alarm"


def test_an_alert_is_given_to_somebody_and_commented(app: AppTest, store: Store) -> None:
    call(store, "one.wav", ANGRY)
    at = opened(app)
    at.session_state["details_1"] = True
    at.run()
    at.text_area(key="comment_1").set_value("<b>called</b> back")
    at.button(key="say_1").click().run()
    assert not at.exception
    assert not at.exception
    assert [event.comment for event in alert_reports.events(store, 1)] == ["<b>called</b> back"]
    at = opened(AppTest.from_file(HOME, default_timeout=60))
    at.session_state["details_1"] = True
    at.run()
    assert "\\<b\\>called" in text(at)
    at.selectbox(key="assignee_1").set_value(access.current_user().name).run()
    assert not at.exception
    view = alert_reports.get(store, 1)
    assert view is not None
    assert (view.assignee, view.comments) == (access.current_user().name, 1)
    assert "looked after by" in text(at)


def test_a_moment_leads_to_its_second_on_the_clip_page(app: AppTest, store: Store) -> None:
    call(store, "one.wav", ANGRY)
    at = opened(app)
    (link,) = [link for link in at.get("page_link") if "clip" in link.proto.page]
    assert "id=1" in link.proto.query_string


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"severity": "low"}, []),
        ({"agent": "Bob"}, ["two\\.wav"]),
        ({"state": "all", "severity": "high"}, ["two\\.wav", "one\\.wav"]),
        ({"last": "2020-01-01"}, []),
    ],
)
def test_a_link_brings_its_filter_with_it(
    app: AppTest, store: Store, asked: dict[str, str], expected: list[str]
) -> None:
    call(store, "one.wav", ANGRY, days_ago=2)
    call(store, "two.wav", ANGRY, agent="Bob")
    at = opened(app, **asked)
    assert not at.exception
    assert titles(at) == expected
    if not expected:
        assert "No alert fits these filters" in text(at)


def test_pages_follow_each_other_without_a_gap(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "PAGE_ROWS", 2)
    for number in range(3):
        call(store, f"{number}.wav", ANGRY, days_ago=10 - number)
    at = opened(app)
    assert titles(at) == ["2\\.wav", "1\\.wav"]
    at.button(key="earlier").click().run()
    assert titles(at) == ["0\\.wav"]
    at.button(key="later").click().run()
    assert titles(at) == ["2\\.wav", "1\\.wav"]


def test_an_edited_url_breaks_nothing(app: AppTest, store: Store) -> None:
    call(store, "one.wav", ANGRY)
    rubbish = {"state": "x", "severity": "x", "rule": "x", "agent": "x", "before": "rubbish", "section": "x"}
    at = opened(app, **rubbish, first="yesterday")
    assert not at.exception
    assert not at.error
    assert titles(at) == ["one\\.wav"]


def test_inverted_days_are_explained(app: AppTest, store: Store) -> None:
    at = opened(app, first="2020-01-02", last="2020-01-01")
    assert not at.exception
    assert "The first day is after the last one" in text(at)


def test_an_empty_store_has_no_open_alert(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert not at.exception
    assert [said.value for said in at.success] == ["No alert is open."]


def test_names_by_users_are_text_and_never_markup(app: AppTest, store: Store) -> None:
    call(store, f"{ODD_NAME}.wav".replace("/", ""), ANGRY, agent=ODD_NAME)
    at = opened(app)
    assert not at.exception
    assert "<b>" not in text(at)
    assert titles(at)[0].startswith("\\<b\\>\\*\\*Zoë")


def test_rules_tell_how_often_they_were_right(app: AppTest, store: Store) -> None:
    for number in range(4):
        call(store, f"{number}.wav", ANGRY)
    alerting.set_state(store, [1, 2, 3], "resolved")
    alerting.set_state(store, [4], "false_alarm")
    at = opened(app, section="rules")
    assert not at.exception
    assert "Of judged alerts 75 % were right. Judged: 4, false alarms among them: 1, in all: 4." in text(at)
    assert "angry \\+ disgusted \\> 60.0%" in text(at)


def test_a_new_rule_tells_what_it_would_find_then_is_saved_and_asked(app: AppTest, store: Store) -> None:
    call(store, "sad.wav", mixed({"sad": 0.9, "neutral": 0.1}, CALM, share=0.9))
    call(store, "calm.wav", CALM)
    at = opened(app, section="rules")
    assert "would have raised 0 alerts in the last 30 days; clips it looked at: 2" in text(at)
    at.multiselect(key="rule_emotions_new").set_value(["sad"]).run()
    assert "would have raised 1 alert in the last 30 days" in text(at)
    assert at.button(key="save_rule_new").disabled  # it has no name
    at.text_input(key="rule_name_new").set_value("<i>Sadness</i>").run()
    at.button(key="save_rule_new").click().run()
    assert not at.exception
    assert {each.name for each in alert_rules.active(store)} == {"Anger and disgust", "<i>Sadness</i>"}
    (raised,) = alert_reports.queue(store).rows
    assert (raised.file_name, raised.rule) == ("sad.wav", "<i>Sadness</i>")
    assert "\\<i\\>Sadness" in text(at)


def test_what_is_wrong_with_a_rule_is_said(app: AppTest, store: Store) -> None:
    at = opened(app, section="rules")
    at.multiselect(key="rule_emotions_new").set_value([]).run()
    assert not at.exception
    assert "The rule names 0 emotions; it needs one to eight of them" in text(at)
    at.multiselect(key="rule_roles_new").set_value([]).run()
    assert "Choose at least one voice." in text(at)


def test_an_edit_is_the_next_version_and_a_rule_can_be_switched_off(app: AppTest, store: Store) -> None:
    call(store, "one.wav", ANGRY)
    at = opened(app, section="rules")
    at.session_state["edit_1"] = True
    at.run()
    at.number_input(key="rule_threshold_1").set_value(90.0).run()
    at.button(key="save_rule_1").click().run()
    assert not at.exception
    (newest,) = alert_rules.active(store)
    assert (newest.version, newest.data["threshold"]) == (2, 0.9)
    assert alert_reports.queue(store).rows == ()  # 80 % is not over 90 %, and nobody had touched the alert
    at.button(key=f"switch_{newest.id}").click().run()
    assert not at.exception
    assert alert_rules.active(store) == ()
    assert "switched off" in "\n".join(str(badge.value) for badge in at.markdown)


def test_a_rule_over_time_counts_only_when_asked_to(app: AppTest, store: Store) -> None:
    call(store, "one.wav", ANGRY)
    at = opened(app, section="rules")
    at.number_input(key="rule_lasting_new").set_value(5.0).run()
    assert "would have raised" not in text(at)
    at.button(key="count_new").click().run()
    assert not at.exception
    assert "would have raised 0 alerts" in text(at)  # the clip has no windows


def test_blind_rules_are_named(app: AppTest, store: Store) -> None:
    call(store, "one.wav", CALM, model=SIX)
    alerting.save_rule(store, AlertRule("Doubt", ("unknown", "other"), ">", 0.3))
    at = opened(app)
    assert not at.exception
    assert "Doubt" in text(at)
    assert "This rule is blind here\\: the model cannot produce unknown, other" in text(at)


def test_a_rule_of_another_version_is_shown_and_said_to_find_nothing(app: AppTest, store: Store) -> None:
    with store.transaction() as session:
        alert_rules.add_version(session, "From tomorrow", {"emotion": "bored"}, "Tim")
    at = opened(app, section="rules")
    assert not at.exception
    assert "cannot be read. It finds nothing." in text(at)


def test_without_the_right_nothing_can_be_changed(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    call(store, "one.wav", ANGRY)
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    at = opened(app)
    assert not at.exception
    assert titles(at) == ["one\\.wav"]
    assert "acknowledged_1" not in [button.key for button in at.button]
    at = opened(app, section="rules")
    assert "new_rule" not in [button.key for button in at.button]
    assert not at.multiselect
