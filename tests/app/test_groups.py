"""Label groups in the app: made in Settings, they filter the history, begin rules and profiles, are read on clips."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from emostore.services import groups
from emostore.store.session import Store
from tests.app.calls import ANGRY, CALM, GLAD, ODD_NAME, call
from tests.app.conftest import HOME, text
from tests.app.test_history import files

SAD = {"sad": 0.5, "fearful": 0.3, "neutral": 0.2}


def opened(page: str, **asked: str) -> AppTest:
    at = AppTest.from_file(HOME, default_timeout=60)
    for name, value in asked.items():
        at.query_params[name] = value
    return at.run().switch_page(f"pages/{page}.py").run()


def settings_of_groups() -> AppTest:
    at = opened("settings")
    at.session_state["section"] = "Label groups"
    return at.run()


def more_filters(at: AppTest) -> AppTest:
    at.session_state["more_filters"] = True
    return at.run()


@pytest.fixture
def heard(store: Store) -> Store:
    for number, (name, scores) in enumerate({"angry": ANGRY, "sad": SAD, "calm": CALM, "glad": GLAD}.items()):
        call(store, f"{name}.wav", scores, days_ago=number + 1)
    return store


def test_a_group_is_made_changed_and_forgotten_in_settings(store: Store) -> None:
    at = settings_of_groups()
    assert not at.exception
    assert "Happy \\+ Surprised" in text(at)
    assert "Scoring profiles: balanced, published \\(unbounded\\)" in text(at)
    assert at.button(key="save_new_group").disabled
    at.text_input(key="new_group_name_0").set_value(ODD_NAME)
    at.multiselect(key="new_group_emotions_0").set_value(["angry", "disgusted"]).run()
    at.button(key="save_new_group").click().run()
    assert not at.exception
    assert groups.available(store)[2:][0].emotions == ("angry", "disgusted")
    assert "<b>" not in text(at)
    assert "\\<b\\>" in text(at)
    assert at.text_input(key="new_group_name_1").value == ""
    at.session_state[f"edit_group_{ODD_NAME}"] = True
    at.run()
    at.multiselect(key=f"group_emotions_{ODD_NAME}").set_value(["sad"]).run()
    at.button(key=f"save_group_{ODD_NAME}").click().run()
    assert not at.exception
    assert groups.available(store)[2:][0].version == 2
    at.button(key=f"forget_group_{ODD_NAME}").click().run()
    assert not at.exception
    assert groups.available(store)[2:] == ()
    at.session_state["section"] = "Log"
    at.run()
    assert at.dataframe[0].value["Details"].iloc[0].endswith("version 2 · emotions: Sad")


def test_what_is_wrong_with_a_group_is_said(store: Store) -> None:
    at = settings_of_groups()
    at.text_input(key="new_group_name_0").set_value("Bad")
    at.multiselect(key="new_group_emotions_0").set_value(["angry", "disgusted", "sad", "fearful"]).run()
    at.button(key="save_new_group").click().run()
    assert [error.value for error in at.error] == [
        "The group negative already has exactly these emotions\\. Use it, or choose others\\."
    ]
    assert groups.available(store)[2:] == ()


def test_the_history_is_filtered_by_the_sum_and_the_strongest_emotion_of_a_group(heard: Store) -> None:
    groups.make(heard, "frustration", ["angry", "disgusted"])
    for address, expected in (
        ({"group": "negative"}, ["angry.wav", "sad.wav"]),
        ({"group": "frustration"}, ["angry.wav"]),
        ({"group": "positive"}, ["glad.wav"]),
        ({"sum": "frustration:0.8-1"}, ["angry.wav"]),
        ({"sum": "frustration:0.81-1"}, []),
        ({"sum": "negative:0.1-0.2"}, ["calm.wav"]),
        ({"sum": "negative:0.1-1", "group": "negative", "emotion": "sad"}, ["sad.wav"]),
    ):
        at = opened("history", **address)
        assert not at.exception, address
        assert not at.warning, address
        assert files(at) == expected, address


def test_a_group_is_chosen_among_the_filters_and_stands_in_the_address(heard: Store) -> None:
    groups.make(heard, "frustration", ["angry", "disgusted"])
    at = more_filters(opened("history"))
    assert at.selectbox(key="filter_group").options == ["positive", "negative", "frustration"]
    at.selectbox(key="filter_group").set_value("negative").run()
    assert (at.query_params["group"], files(at)) == ("negative", ["angry.wav", "sad.wav"])
    more_filters(at).selectbox(key="filter_sum_of").set_value("frustration").run()
    assert (at.query_params["sum"], files(at)) == ("frustration:0.5-1", ["angry.wav"])
    more_filters(at).slider(key="filter_sum").set_value((0.0, 0.4)).run()
    assert (at.query_params["sum"], files(at)) == ("frustration:0-0.4", ["sad.wav"])
    more_filters(at).selectbox(key="filter_sum_of").set_value(None).run()
    assert "sum" not in at.query_params
    at.button(key="clear_filters").click().run()
    assert not at.exception
    assert (len(files(at)), list(at.query_params)) == (4, [])


def test_a_link_that_names_a_forgotten_group_says_so(heard: Store) -> None:
    groups.make(heard, "frustration", ["angry", "disgusted"])
    groups.forget(heard, "frustration")
    at = opened("history", group="frustration", sum="frustration:0.5-1")
    assert not at.exception
    assert len(files(at)) == 4
    (said,) = at.warning
    assert "group = frustration, sum = frustration\\:0\\.5\\-1" in said.value
