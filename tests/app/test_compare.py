"""The Compare page: what is chosen lives in the URL, and everything that can be asked for is shown or explained."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.store.session import Store
from tests.app.calls import ANGRY, CALM, GLAD, NOW, ODD_NAME, SIX, call, calls, varied
from tests.app.conftest import text

CASES = ["case:business", "case:complaint", "case:teaching"]


def opened(app: AppTest, *things: str, **more: str) -> AppTest:
    app.query_params["of"] = list(things)
    for name, value in more.items():
        app.query_params[name] = value
    return app.switch_page("pages/compare.py").run()


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


def radar_names(at: AppTest) -> list[str]:
    """The samples in the legend of the radar chart."""
    (shown,) = [param for param in charts(at)[0]["params"] if "select" in param]
    return [value["sample"] for value in shown["value"]]


def table(at: AppTest, number: int = 0) -> list[dict[str, Any]]:
    return at.dataframe[number].value.to_dict("records")


def test_without_anything_chosen_it_says_what_to_do(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert not at.exception
    assert "Choose up to 6 agents, sessions or clips" in text(at)
    assert not at.get("vega_lite_chart")


def test_the_three_cases_are_one_click_away_and_shown_as_published(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    at.button(key="cases").click().run()
    assert not at.exception
    assert at.query_params["of"] == CASES
    assert radar_names(at) == ["Business talk", "Customer complaint", "Teaching voice"]
    rows = {row["Emotion"]: row for row in table(at)}
    assert rows["Neutral"]["Business talk"] == "0.674"  # as published, not renormalised
    assert rows["Angry"]["Customer complaint"] == "0.421"
    assert rows["Happy"]["Teaching voice"] == "0.724"
    assert "nothing tells how much others would differ" in text(at)


def test_agents_are_found_added_and_taken_away(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 6))
    calls(store, "Anton", varied(ANGRY, 6))
    at = opened(app)
    at.text_input(key="searched").set_value("an").run()
    at.button(key="add_agent:Ana").click().run()
    assert at.query_params["of"] == "agent:Ana"
    at.text_input(key="searched").set_value("an").run()
    assert at.button(key="add_agent:Ana").disabled
    at.button(key="add_agent:Anton").click().run()
    assert not at.exception
    assert radar_names(at) == ["Ana", "Anton"]
    at.button(key="drop_agent:Ana").click().run()
    assert at.query_params["of"] == "agent:Anton"
    assert radar_names(at) == ["Anton"]


def test_a_difference_that_is_real_is_named_with_its_interval(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 8))
    calls(store, "Bob", varied(ANGRY, 8))
    at = opened(app, "agent:Ana", "agent:Bob")
    assert not at.exception
    assert "\u2068Ana\u2069 and \u2068Bob\u2069 really differ in: **Angry, Disgusted, Happy" in text(at)
    rows = {row["Emotion"]: row for row in table(at, 1)}
    assert rows["Happy"]["More than chance"].startswith("yes (p = 0.0")
    assert rows["Happy"]["Difference"].startswith("+")
    assert ": clips 8, sessions 8, speech 8:00" in text(at)


def test_agents_alike_do_not_differ(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 8))
    calls(store, "Bob", varied(GLAD, 8))
    at = opened(app, "agent:Ana", "agent:Bob")
    assert "No difference between \u2068Ana\u2069 and \u2068Bob\u2069 is more than chance." in text(at)


def test_an_agent_with_one_clip_has_no_interval_and_that_is_said(app: AppTest, store: Store) -> None:
    calls(store, "Ana", [CALM])
    calls(store, "Bob", varied(ANGRY, 5))
    at = opened(app, "agent:Ana", "agent:Bob")
    assert not at.exception
    assert "One session alone has no interval" in text(at)
    assert {row["Emotion"]: row for row in table(at)}["Neutral"]["Ana"] == "0.700"


def test_before_and_after_a_date_are_two_samples_of_one_agent(app: AppTest, store: Store) -> None:
    calls(store, "Ana", [*varied(GLAD, 6), *varied(ANGRY, 6)])  # one a day, the first yesterday
    at = opened(app, "agent:Ana", split=str((NOW - timedelta(days=6.5)).date()))
    assert not at.exception
    assert radar_names(at) == ["Ana, before", "Ana, after"]
    assert "really differ" in text(at)


def test_sessions_and_clips_are_compared_by_their_numbers(app: AppTest, store: Store) -> None:
    one = call(store, "one.wav", GLAD, session="Case 7")
    call(store, "two.wav", ANGRY, session="Case 7")
    at = opened(app, "session:1", f"clip:{one}")
    assert not at.exception
    assert radar_names(at) == ["Case 7", "one.wav"]
    rows = {row["Emotion"]: row for row in table(at)}
    assert rows["Happy"]["Case 7"].startswith("0.350")
    assert rows["Happy"]["one.wav"] == "0.700"


def test_two_things_of_one_name_stay_apart(app: AppTest, store: Store) -> None:
    call(store, "Ana.wav", GLAD, agent="Case", session="Case")
    at = opened(app, "agent:Case", "session:1")
    assert not at.exception
    assert radar_names(at) == ["Case", "Case (2)"]


def test_models_are_never_mixed_and_the_reader_is_asked_which_counts(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 3))
    call(store, "by six.wav", ANGRY, agent="Bob", model=SIX)
    at = opened(app, "agent:Ana", "agent:Bob")
    assert not at.exception
    assert "scores of two models are never mixed" in text(at)
    assert radar_names(at) == ["Bob"]  # the newest model counts until another is chosen
    assert "Ana has no clip with scores of six" in text(at)
    assert "six cannot give Other, Surprised, Unknown. They are not measured, not zero." in text(at)
    at.selectbox(key="filter_model").set_value("nine@abcdef123456").run()
    assert radar_names(at) == ["Ana"]
    assert at.query_params["model"] == "nine@abcdef123456"


def test_voices_of_agents_are_left_out_until_they_are_asked_for(app: AppTest, store: Store) -> None:
    call(store, "customer.wav", GLAD)
    call(store, "agent.wav", ANGRY, role="agent")
    at = opened(app, "agent:Ana")
    assert {row["Emotion"]: row for row in table(at)}["Happy"]["Ana"] == "0.700"
    at.selectbox(key="url_voice").set_value("agent").run()
    assert {row["Emotion"]: row for row in table(at)}["Angry"]["Ana"] == "0.500"
    assert "AI Act" in text(at)


def test_what_is_not_there_is_explained(app: AppTest, store: Store) -> None:
    call(store, "one.wav")
    at = opened(app, "agent:Ana", "agent:nobody", "session:999", "clip:999", "clip:" + "9" * 18)
    assert not at.exception
    assert not at.error
    for name in ("nobody", "Session 999", "Clip 999", "Clip " + "9" * 18):
        assert f"{name} is not there" in text(at)
    assert radar_names(at) == ["Ana"]


def test_what_cannot_be_compared_is_left_out_and_that_is_said(app: AppTest, store: Store) -> None:
    call(store, "one.wav")
    rubbish = ["", "x", "agent:", "clip:abc", "clip:-1", "session:１", "case:tired", "clip:" + "9" * 40]
    at = opened(app, *rubbish, "agent:" + "x" * 999, "agent:Ana")
    assert not at.exception
    assert not at.error
    assert "names nothing that can be compared" in text(at)
    assert radar_names(at) == ["Ana"]


def test_more_than_six_are_cut_and_that_is_said(app: AppTest, store: Store) -> None:
    identifiers = calls(store, "Ana", varied(GLAD, 7))
    at = opened(app, *(f"clip:{identifier}" for identifier in identifiers))
    assert not at.exception
    assert "7 things are named; the first 6 of them are compared." in text(at)
    assert len(radar_names(at)) == 6


def test_inverted_dates_are_explained(app: AppTest, store: Store) -> None:
    call(store, "one.wav")
    at = opened(app, "agent:Ana", first="2026-04-02", last="2026-04-01")
    assert not at.exception
    assert "The first day is after the last one" in text(at)
    assert not at.get("vega_lite_chart")


def test_days_without_a_clip_are_explained(app: AppTest, store: Store) -> None:
    call(store, "one.wav")
    at = opened(app, "agent:Ana", first="2020-04-01", last="2020-04-02")
    assert not at.exception
    assert "Ana has no clip with scores of nine in these days and voices." in text(at)


def test_a_mean_is_kept_as_a_target_and_forgotten_again(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 5))
    app.session_state["manage_targets"] = True
    at = opened(app, "agent:Ana", *CASES)
    before = table(at, -1)
    at.text_input(key="target_name").input("Ours").run()
    at.button(key="keep_target").click().run()
    assert not at.exception
    after = table(at, -1)
    assert after[0].keys() - before[0].keys() == {"Ours"}
    assert after[0]["Ours"] == "0.000"
    app.session_state["manage_targets"] = True
    at.run()
    at.button(key="forget_target").click().run()
    assert table(at, -1) == before


def test_an_edited_url_breaks_nothing(app: AppTest, store: Store) -> None:
    call(store, "one.wav")
    at = opened(app, "agent:Ana", *CASES, model="a@b@c", voice="'; --", one="9", split="soon", first="yesterday")
    assert not at.exception
    assert not at.error
    assert len(radar_names(at)) == 4


def test_names_by_users_are_text_and_never_markup(app: AppTest, store: Store) -> None:
    calls(store, ODD_NAME, varied(GLAD, 5))
    calls(store, "=SUM(A1)", varied(ANGRY, 5))
    at = opened(app, f"agent:{ODD_NAME}", "agent:=SUM(A1)")
    assert not at.exception
    assert radar_names(at) == [ODD_NAME, "=SUM(A1)"]
    assert "<b>" not in text(at)
    assert "\\<b\\>\\*\\*Zoë" in text(at)
    assert "\\<b\\>\\*\\*Zoë" in at.button(key=f"drop_agent:{ODD_NAME}").label


def test_in_chinese_everything_is_said_in_chinese(app: AppTest, data_dir: Path) -> None:
    at = opened(app, *CASES, lang="zh")
    assert not at.exception
    assert at.dataframe[0].value.iloc[0, 0] == "生气"


def test_without_the_right_to_read_nothing_is_shown(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(store, "one.wav")
    monkeypatch.setattr(access, "can", lambda action, subject=None: False)
    at = opened(app, "agent:Ana")
    assert not at.exception
    assert "You do not have the right" in text(at)
    assert not at.get("vega_lite_chart")
