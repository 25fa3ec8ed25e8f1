"""The Leaderboard page: who is ranked by what, who is not, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.services import scoring
from emostore.store.session import Store
from emostore.ui import leaderboard
from tests.app.calls import ANGRY, CALM, GLAD, ODD_NAME, SIX, call, calls, varied
from tests.app.conftest import text


def opened(app: AppTest, **asked: str) -> AppTest:
    for name, value in asked.items():
        app.query_params[name] = value
    return app.switch_page("pages/leaderboard.py").run()


def places(at: AppTest) -> list[dict[str, Any]]:
    return at.dataframe[0].value.to_dict("records") if len(at.dataframe) else []


def agents(at: AppTest) -> list[str]:
    return [place["Agent"] for place in places(at)]


def drawn(at: AppTest) -> list[str]:
    """The names of the rows of the chart."""
    spec = json.loads(at.get("vega_lite_chart")[0].proto.spec)
    return list(spec["layer"][0]["encoding"]["y"]["sort"])


@pytest.fixture
def three(store: Store) -> Store:
    """Two agents who surely differ, and one with too few sessions."""
    calls(store, "Ana", varied(GLAD, 8))
    calls(store, "Bob", varied(ANGRY, 8))
    calls(store, "Cem", [GLAD, GLAD])
    return store


def test_agents_are_ranked_with_intervals_and_those_with_few_sessions_last(app: AppTest, three: Store) -> None:
    at = opened(app)
    assert not at.exception
    assert agents(at) == ["Ana", "Bob", "Cem"]
    ana, bob, cem = places(at)
    assert (ana["Rank"], bob["Rank"]) == (1, 2)
    assert cem["Rank"] != cem["Rank"]  # no number
    assert cem["Group"] == "too few sessions"
    assert (ana["Group"], bob["Group"]) == ("1", "2")
    assert (ana["Clips"], cem["Clips"]) == (8, 2)
    assert "Agents ranked: 2 · with fewer than 5 sessions: 1" in text(at)
    low, high = map(float, ana["Interval (95 %)"].split(" – "))
    assert low < ana["Quality"] < high
    assert drawn(at) == ["1. Ana", "2. Bob", "Cem"]
    assert "moved toward the mean of the team" in text(at)  # the method, in plain words


def test_agents_who_cannot_be_told_apart_stand_in_one_group(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 6))
    calls(store, "Bob", varied(GLAD, 6))
    groups = {place["Group"] for place in places(opened(app))}
    assert groups == {"1: not distinguishable"}


def test_quality_is_that_of_the_profile_which_can_be_chosen(app: AppTest, store: Store) -> None:
    calls(store, "Ana", [CALM] * 6)
    at = opened(app)
    assert places(at)[0]["As measured"] == pytest.approx(100 * (0.4 * 0.2 + 0.3 * 0.9 + 0.2 * 0.9 + 0.1))
    at.selectbox(key="url_profile").set_value("published (unbounded)@1").run()
    assert not at.exception
    assert places(at)[0]["As measured"] == pytest.approx(40 * 0.2 + 100 - 30 * 0.1 + 20 * 0.9 + 10)
    assert at.query_params["profile"] == "published (unbounded)@1"


def test_an_edited_profile_is_saved_as_a_new_version_and_counts_at_once(app: AppTest, store: Store) -> None:
    calls(store, "Ana", [CALM] * 6)
    at = opened(app)
    at.text_input(key="scoring_name_balanced@1").set_value("Ours")
    at.number_input(key="positive_balanced@1").set_value(0.5).run()
    assert "The four weights sum to 1.1; they must sum to 1." in text(at)
    assert at.button(key="save_scoring").disabled
    at.number_input(key="calm_balanced@1").set_value(0.2).run()
    at.button(key="save_scoring").click().run()
    assert not at.exception
    assert at.query_params["profile"] == "Ours@1"
    assert places(at)[0]["As measured"] == pytest.approx(100 * (0.5 * 0.2 + 0.2 * 0.9 + 0.2 * 0.9 + 0.1))
    at.button(key="save_scoring").click().run()  # the name is filled in, so this is its next version
    assert [scoring.name_of(each) for each in scoring.available(store)][2:] == ["Ours@2"]
    assert scoring.named(store, "Ours@1") is not None


def test_the_name_of_a_built_in_profile_is_refused(app: AppTest, store: Store) -> None:
    calls(store, "Ana", [CALM] * 6)
    at = opened(app)
    at.text_input(key="scoring_name_balanced@1").set_value("balanced").run()
    at.button(key="save_scoring").click().run()
    assert "balanced is built in" in text(at)


def test_unknown_voices_are_counted_and_offered_for_correction_but_never_ranked(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 6))
    for number in range(3):
        call(store, f"unknown {number}.wav", ANGRY, role="unknown")
    at = opened(app)
    assert not at.exception
    assert "whose voice they hold: 3." in text(at)
    (link,) = [link for link in at.get("page_link") if link.label == "Say whose they are"]
    assert "role=unknown" in link.proto.query_string
    assert places(at)[0]["Clips"] == 6


def test_recordings_of_both_voices_count_and_are_labelled(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 5))
    call(store, "both.wav", GLAD, role="mixed")
    place = places(opened(app))[0]
    assert (place["Clips"], place["of both voices"]) == (6, 1)


def test_agents_are_not_ranked_by_their_own_voices_and_it_says_why(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 6), role="agent")
    at = opened(app, voice="agent")
    assert not at.exception
    assert "AI Act, Article 5(1)(f)" in text(at)
    assert not places(at)
    assert not at.get("vega_lite_chart")


def test_where_it_is_allowed_they_are(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: True)
    calls(store, "Ana", varied(GLAD, 6), role="agent")
    assert agents(opened(app, voice="agent")) == ["Ana"]


def test_one_team_at_a_time(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 5), team="North")
    calls(store, "Bob", varied(GLAD, 5), team="South")
    assert agents(opened(app, team="North")) == ["Ana"]


def test_models_are_never_mixed(app: AppTest, store: Store) -> None:
    calls(store, "Ana", varied(GLAD, 5))
    calls(store, "Bob", varied(ANGRY, 5), model=SIX)
    at = opened(app)
    assert not at.exception
    assert agents(at) == ["Bob"]
    at.selectbox(key="filter_model").set_value("nine@abcdef123456").run()
    assert agents(at) == ["Ana"]


def test_many_agents_come_page_by_page(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaderboard, "PAGE_ROWS", 2)
    for name in ("Ana", "Bob", "Cem"):
        calls(store, name, [GLAD])
    at = opened(app)
    assert agents(at) == ["Ana", "Bob"]
    at.session_state["page"] = 2
    at.run()
    assert not at.exception
    assert agents(at) == ["Cem"]


def test_an_agent_with_one_clip_has_no_rank_and_breaks_nothing(app: AppTest, store: Store) -> None:
    calls(store, "Ana", [CALM])
    at = opened(app)
    assert not at.exception
    (place,) = places(at)
    assert place["Interval (95 %)"] == "–"
    assert "Agents ranked: 0 · with fewer than 5 sessions: 1" in text(at)


def test_names_by_users_are_text_and_never_markup(app: AppTest, store: Store) -> None:
    calls(store, ODD_NAME, varied(GLAD, 5), team="=1+1")
    at = opened(app)
    assert not at.exception
    assert agents(at) == [ODD_NAME]
    assert "<b>" not in text(at)
    assert drawn(at) == [f"1. {ODD_NAME}"]


def test_an_empty_store_says_where_to_begin(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert not at.exception
    assert "Nothing has been analysed yet" in text(at)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2020-01-01", "2020-01-02", "No agent has a call with a customer's voice in these days."),
        ("2020-01-02", "2020-01-01", "The first day is after the last one"),
    ],
)
def test_days_without_calls_and_inverted_days_are_explained(
    app: AppTest, store: Store, first: str, last: str, said: str
) -> None:
    calls(store, "Ana", varied(GLAD, 5))
    at = opened(app, first=first, last=last)
    assert not at.exception
    assert said in text(at)
    assert not places(at)


def test_an_edited_url_breaks_nothing(app: AppTest, three: Store) -> None:
    asked = {"team": "nobody", "model": "a@b@c", "voice": "x", "profile": "no@1", "page": "99", "first": "yesterday"}
    at = opened(app, **asked)
    assert not at.exception
    assert not at.error
    assert "stands for nothing here, so it was left out: voice = x" in text(at)
    assert len(agents(at)) == 3


def test_in_chinese_nothing_breaks(app: AppTest, three: Store) -> None:
    at = opened(app, lang="zh")
    assert not at.exception
    assert not at.error
    assert len(at.dataframe) == 1
