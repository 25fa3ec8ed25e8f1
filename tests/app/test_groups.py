"""Label groups in the app: made in Settings, they filter the history, begin rules and profiles, are read on clips."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from emostore.services import alerting, groups
from emostore.store.session import Store
from tests.app.calls import ANGRY, CALM, GLAD, ODD_NAME, SIX, call, calls
from tests.app.conftest import HOME, text
from tests.app.test_history import files

SAD = {"sad": 0.5, "fearful": 0.3, "neutral": 0.2}


def opened(page: str, **asked: str) -> AppTest:
    at = AppTest.from_file(HOME, default_timeout=60)
    for name, value in asked.items():
        at.query_params[name] = value
    return at.switch_page(f"pages/{page}.py").run()


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
    assert "More filters: 2" in text(at)
    assert "More filters" in [each.proto.popover.label for each in at.get("popover")]  # as before, so it stays open
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


def test_a_rule_is_made_with_a_group_and_keeps_its_emotions(heard: Store) -> None:
    groups.make(heard, "frustration", ["angry", "disgusted"])
    at = opened("alerts", section="rules")
    assert "**frustration** (angry \\+ disgusted) \\> 60.0%" in text(at)  # the rule that was there
    assert at.selectbox(key="rule_group_new").value == "frustration"
    at.selectbox(key="rule_group_new").set_value("negative").run()
    assert at.multiselect(key="rule_emotions_new").value == ["angry", "disgusted", "fearful", "sad"]
    at.text_input(key="rule_name_new").set_value("Trouble").run()
    at.button(key="save_rule_new").click().run()
    assert not at.exception
    assert "**negative** (angry \\+ disgusted \\+ fearful \\+ sad) \\> 60.0%" in text(at)
    (rule,) = (each.rule for each in alerting.active_rules(heard) if each.rule.name == "Trouble")
    assert rule.emotions == ("angry", "disgusted", "fearful", "sad")
    at.multiselect(key="rule_emotions_new").set_value(["sad"]).run()
    assert at.selectbox(key="rule_group_new").value is None
    at.selectbox(key="rule_group_new").set_value("positive").run()
    assert at.multiselect(key="rule_emotions_new").value == ["happy", "surprised"]
    groups.forget(heard, "frustration")
    at = opened("alerts", section="rules")
    assert "angry \\+ disgusted \\> 60.0%" in text(at)
    assert "frustration" not in text(at)


def test_a_profile_counts_other_groups_and_ranks_by_them(store: Store) -> None:
    calls(store, "Ana", [SAD] * 6)
    groups.make(store, "frustration", ["angry", "disgusted"])
    at = opened("leaderboard")
    assert at.dataframe[0].value["As measured"][0] == pytest.approx(30 * 0.2 + 20 * 0.2 + 10)
    at.text_input(key="scoring_name_balanced@1").set_value("Ours")
    at.selectbox(key="negative_of_balanced@1").set_value(("angry", "disgusted")).run()
    at.button(key="save_scoring").click().run()
    assert not at.exception
    assert at.query_params["profile"] == "Ours@1"
    assert at.dataframe[0].value["As measured"][0] == pytest.approx(30 + 20 * 0.2 + 10)
    assert "10: all angry, disgusted; 30: all other, unknown" in text(at)
    at.selectbox(key="positive_of_Ours@1").set_value(("angry", "disgusted")).run()
    assert "angry + disgusted counts as positive and as negative at once" in text(at)
    assert at.button(key="save_scoring").disabled
    groups.forget(store, "frustration")
    at = opened("leaderboard", profile="Ours@1")
    assert at.selectbox(key="negative_of_Ours@1").value == ("angry", "disgusted")
    assert at.dataframe[0].value["As measured"][0] == pytest.approx(30 + 20 * 0.2 + 10)


def test_a_clip_tells_what_every_group_sums_to(store: Store) -> None:
    groups.make(store, ODD_NAME, ["angry", "disgusted"])
    groups.make(store, "odd", ["other", "unknown"])
    clip = call(store, "angry.wav", ANGRY)
    at = opened("clip", id=str(clip))
    assert not at.exception
    (said,) = (each.value for each in at.caption if "negative" in each.value)
    said = said.replace("\u2068", "").replace("\u2069", "").replace("\xa0", " ")
    assert said.startswith("positive 0.0 % · negative 80.0 % · ")
    assert said.endswith(" 80.0 % · odd 0.0 %")
    assert "\\<b\\>" in said
    rows = {row["Emotion"]: row["Score"] for row in at.table[0].value.to_dict("records")}
    assert (rows["Angry"], rows["Σ negative"], rows["Σ odd"]) == (0.5, 0.8, 0.0)
    six = opened("clip", id=str(call(store, "six.wav", ANGRY, model=SIX)))
    (said,) = (each.value for each in six.caption if "negative" in each.value)
    assert "odd" not in said  # the model can give neither
