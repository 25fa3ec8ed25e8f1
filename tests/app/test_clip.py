"""The Clip page in its states."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.analytics.alerts import AlertRule
from emostore.analytics.quality import service_quality_score
from emostore.config import settings
from emostore.services import alerting, preferences
from emostore.store.reports import alert_reports, reports
from emostore.store.session import Store
from tests.app import sides
from tests.app.conftest import text
from tests.app.stored import NOW, saved


def opened(app: AppTest, identifier: object) -> AppTest:
    app.query_params["id"] = str(identifier)
    return app.switch_page("pages/clip.py").run()


def test_a_clip_opens_with_a_sentence_then_its_chart_and_what_is_known(app: AppTest, store: Store) -> None:
    identifier = saved(store, agent="Ana", session_name="Case 7")
    at = opened(app, identifier)
    assert not at.exception
    assert at.title[0].value == "call\\.wav"
    assert "mostly angry (60.5 %)" in text(at)
    assert len(at.get("vega_lite_chart")) == 1
    for part in ("Ana", "1:15", "(a guess: the time of the upload)", "8,000 Hz", "31 Mar 2026"):
        assert part in text(at)
    assert any("Case 7" in link.label for link in at.get("page_link"))
    for finding in ("One emotion dominates: angry with 60.5 %", "high-priority alert is raised"):
        assert finding in text(at).replace("\\", "")
    view = reports.clip_view(store, identifier)
    assert view is not None
    assert view.newest is not None
    quality = service_quality_score(view.newest.scores or {})
    assert [(each.label, each.value) for each in at.metric] == [("Service quality (balanced)", f"{quality:.1f}")]
    assert "six cannot give Other, Surprised, Unknown" in text(at)
    assert "The sample rate changes inside the recording" in text(at)
    assert "not kept" in text(at)


def test_the_quality_of_an_employees_voice_is_not_scored(app: AppTest, store: Store) -> None:
    at = opened(app, saved(store, role="agent"))
    assert not at.exception
    assert "One emotion dominates" in text(at)
    assert not at.metric
    assert "alert" not in text(at)


def test_a_clip_in_chinese_names_everything_in_chinese(app: AppTest, store: Store) -> None:
    app.query_params["lang"] = "zh"
    at = opened(app, saved(store))
    assert not at.exception
    assert "生气" in text(at)
    assert "cannot" not in text(at)


def test_a_clip_without_speech_shows_the_reason_and_no_chart(app: AppTest, store: Store) -> None:
    at = opened(app, saved(store, speechless=True))
    assert not at.exception
    assert "The recording is silent." in text(at)
    assert not at.get("vega_lite_chart")


def test_names_by_users_are_text_and_never_markup(app: AppTest, store: Store) -> None:
    name = "<b>**x**</b> [a](javascript:alert) $1$ :smile: 你好 😀.wav"
    at = opened(app, saved(store, name=name, agent="=HYPERLINK(1) <script>"))
    assert not at.exception
    shown = str(at.title[0].value)
    assert "\\*\\*x\\*\\*" in shown
    assert "\\<b\\>" in shown
    assert "\\[a\\]\\(" in shown
    assert "\\:smile\\:" in shown
    assert "你好 😀" in shown


@pytest.mark.parametrize("identifier", ["999", "-1", "abc", "1; DROP TABLE clips", "9" * 40, "１", ""])
def test_an_id_that_is_no_clip_is_explained(app: AppTest, store: Store, identifier: str) -> None:
    at = opened(app, identifier)
    assert not at.exception
    assert "There is no such clip" in text(at)


def test_without_an_id_the_newest_clips_are_offered(app: AppTest, store: Store) -> None:
    saved(store)
    at = app.switch_page("pages/clip.py").run()
    assert not at.exception
    assert [link.label for link in at.get("page_link")] == ["call\\.wav · Angry · 31 Mar 2026, 06:05:00"]


def test_an_empty_store_says_where_to_begin(app: AppTest, data_dir: Path) -> None:
    at = app.switch_page("pages/clip.py").run()
    assert not at.exception
    assert "Nothing has been analysed yet" in text(at)
    assert len(at.get("page_link")) == 1


def test_without_the_right_to_read_nothing_is_shown(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = saved(store)
    monkeypatch.setattr(access, "can", lambda action, subject=None: False)
    at = opened(app, identifier)
    assert not at.exception
    assert "You do not have the right" in text(at)
    assert not at.get("vega_lite_chart")


def test_a_database_that_cannot_be_used_is_explained(app: AppTest, data_dir: Path) -> None:
    (data_dir / "emostore.db").write_bytes(b"this is no database at all" * 100)
    at = app.run()
    assert not at.exception
    assert "is not a database" in text(at)


def test_what_is_known_of_a_clip_can_be_corrected(app: AppTest, store: Store) -> None:
    identifier = saved(store, agent="Ana")
    at = opened(app, identifier)
    choices = {each.label: each for each in at.selectbox}
    choices["Whose voice it is"].set_value("agent")
    at.text_input[0].set_value("Bea")
    at.text_input[1].set_value("Case 9")
    choices["What it is"].set_value("teaching")
    at.button(key="save_correction").click().run()
    assert not at.exception
    view = reports.clip_view(store, identifier)
    assert view is not None
    assert (view.role, view.agent, view.session_name, view.scenario) == ("agent", "Bea", "Case 9", "teaching")
    assert (view.happened_at, view.domain) == (NOW, None)  # what was not touched stays
    assert "Bea" in text(at)


def test_a_clip_can_be_deleted(app: AppTest, store: Store) -> None:
    at = opened(app, saved(store))
    at.button(key="delete_now").click().run()
    assert not at.exception
    assert reports.count_clips(store) == 0


def test_a_result_below_the_chosen_confidence_is_called_uncertain(app: AppTest, store: Store) -> None:
    identifier = saved(store)
    assert "uncertain" not in text(opened(app, identifier))
    preferences.save(store, settings(), uncertain_below=0.7)
    st.cache_resource.clear()
    assert "uncertain" in text(opened(app, identifier))


def test_an_alert_leads_to_its_moment_and_says_what_became_of_it(app: AppTest, store: Store) -> None:
    (identifier,) = sides.call(store, replace(sides.CUSTOMER, moods=[("angry", 0), ("neutral", 45)]))
    rule = AlertRule("Outburst", ("angry",), ">", 0.5, sustained_s=10.0)
    alerting.save_rule(store, rule)
    alerting.apply(store, rule.name)
    at = opened(app, identifier)
    assert not at.exception
    shown = text(at).replace("\\", "")
    assert "**High** · Outburst" in shown
    assert "Open" in shown
    assert "Longest in the lead: angry (" in shown
    assert "alert is raised" not in shown  # the alert itself stands there instead
    (data,) = (json.loads(each.proto.json) for each in at.get("bidi_component"))
    (alert,) = (marker for marker in data["markers"] if marker["kind"] == "alert")
    assert alert["text"].startswith("Outburst · 0.9")
    assert [turn[:2] for turn in data["turns"]] == [[12, 18], [30, 58]]

    raised = [each.alert_id for each in alert_reports.of_clip(store, identifier)]
    alerting.set_state(store, raised, "false_alarm")
    at = opened(app, identifier)
    assert "Outburst" not in text(at)


def test_another_scoring_profile_is_chosen_in_the_address(app: AppTest, store: Store) -> None:
    app.query_params["profile"] = "published (unbounded)@1"
    at = opened(app, saved(store))
    assert not at.exception
    assert [each.label for each in at.metric] == ["Service quality (published (unbounded))"]
