"""The Session page in its states."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.emotions import EMOTIONS
from emostore.services import editing
from emostore.services.sound import playback
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import records
from emostore.ui import links
from tests.app.conftest import text
from tests.app.sides import AGENT, CUSTOMER, SILENT, Voice, call, session_of
from tests.app.stored import NOW, saved

ODD_NAME = "<b>**Zoë**</b> [a](javascript:alert(1)) $1$ 陈 😀 مريم"


@pytest.fixture
def route() -> Iterator[None]:
    """As in a server that has the route for sound."""
    playback.ROUTE_IS_SERVED.set()
    yield
    playback.ROUTE_IS_SERVED.clear()


def opened(app: AppTest, session_id: object, **address: object) -> AppTest:
    app.query_params["id"] = str(session_id)
    for name, value in address.items():
        app.query_params[name] = str(value)
    return app.switch_page("pages/session.py").run()


def said(at: AppTest) -> str:
    """The words of the page without the marks that escape Markdown."""
    return text(at).replace("\\", "").replace("\u2068", "").replace("\u2069", "")


def handed_over(at: AppTest) -> dict[str, Any]:
    (found,) = at.get("bidi_component")
    data: dict[str, Any] = json.loads(found.proto.json)
    return data


def metrics(at: AppTest) -> dict[str, str]:
    return {each.label: each.value for each in at.metric}


@pytest.mark.usefixtures("route")
def test_a_call_opens_with_what_each_side_sounds_like_then_player_talk_and_sides(
    app: AppTest, store: Store, tmp_path: Path
) -> None:
    clip_ids = call(store, AGENT, CUSTOMER, session="Case 7", folder=tmp_path)
    at = opened(app, session_of(store, clip_ids[0]), t="30")
    assert not at.exception
    assert at.title[0].value == "Case 7"
    words = said(at)
    assert words.index("The customer sounds") < words.index("The agent sounds mostly neutral")
    links = [link.label.replace("\\", "") for link in at.get("page_link")]
    assert "Customer: the worst moment, at 0:41 (Angry)" in links

    data = handed_over(at)
    assert (data["names"], len(data["peaks"]), data["start_s"]) == (["Agent", "Customer"], 2, 30)
    assert ("worst", 41.0, 1) in [(marker["kind"], marker["at_s"], marker["track"]) for marker in data["markers"]]
    assert [turn[:4] for turn in data["turns"]] == [
        [0, 10, 0, EMOTIONS.index("neutral")],
        [12, 18, 1, EMOTIONS.index("neutral")],
        [20, 32, 0, EMOTIONS.index("neutral")],
        [30, 58, 1, EMOTIONS.index("angry")],
    ]

    assert "Of all that is said: Agent 39 %, Customer 61 %." in words
    # 56 s are spoken, 2 of them by both; the answers come after 2 s each
    assert metrics(at)["Silence"] == "10 %"
    assert metrics(at)["Both at once"] == "3 %"
    assert metrics(at)["An answer takes"] == "2.0 s"
    assert len(at.get("vega_lite_chart")) == 3
    table = next(frame.value for frame in at.dataframe if "Interruptions" in frame.value)
    assert table["Talk time"].tolist() == ["0:22", "0:34"]
    assert table["Interruptions"].tolist() == [0, 1]
    assert sum("Service quality" in each.label for each in at.metric) == 1  # the customer's alone
    assert "Voices of agents are for coaching" in words


def test_a_recording_of_one_voice_is_a_session_too(app: AppTest, store: Store) -> None:
    note = records.Note("The sample rate changes inside the recording; it was followed.")
    (clip_id,) = call(store, Voice("unknown", [(3, 27)]), notes=[note])
    at = opened(app, session_of(store, clip_id))
    assert not at.exception
    assert "The voice sounds mostly neutral" in said(at)
    assert "Of the recording, 40 % are speech." in said(at)
    assert metrics(at)["Longest turn"] == "24.0 s"
    assert "swap" not in [button.key for button in at.button]
    assert "not kept" in said(at)
    assert note.message in said(at)


def test_a_side_without_speech_says_so_beside_the_other(app: AppTest, store: Store) -> None:
    clip_ids = call(store, AGENT, SILENT)
    at = opened(app, session_of(store, clip_ids[0]))
    assert not at.exception
    assert "The customer was not heard: no speech was found." in said(at)
    assert "The recording is silent." in said(at)
    assert "Agent 100 %, Customer 0 %" in said(at)


def test_a_channel_that_is_still_analysed_is_announced(app: AppTest, store: Store) -> None:
    (clip_id,) = call(store, AGENT, channels=2)
    at = opened(app, session_of(store, clip_id))
    assert not at.exception
    assert "1 of the 2 channels of this recording are stored so far" in said(at)


def test_clips_from_before_speech_was_kept_have_no_talk_and_all_windows(app: AppTest, store: Store) -> None:
    clip_ids = call(store, AGENT, CUSTOMER, known=False)
    at = opened(app, session_of(store, clip_ids[0]))
    assert not at.exception
    assert "before times of speech were kept" in said(at)
    assert "Silence" not in metrics(at)
    assert handed_over(at)["turns"] == []


def test_a_session_of_several_recordings_shows_the_first_or_the_one_asked_for(app: AppTest, store: Store) -> None:
    first = call(store, AGENT, CUSTOMER, name="first.wav", session="Week")
    second = call(store, AGENT, SILENT, name="second.wav", session="Week")
    session_id = session_of(store, first[0])
    at = opened(app, session_id)
    assert not at.exception
    (listed,) = [frame.value for frame in at.dataframe if "File" in frame.value]
    assert listed["File"].tolist() == ["first.wav", "second.wav"]
    assert listed[""].tolist() == ["▶", ""]
    assert "The customer sounds" in said(at)

    view = reports.clip_view(store, second[0])
    assert view is not None
    at = opened(app, session_id, recording=view.recording_id)
    assert "The customer was not heard" in said(at)
    at = opened(app, session_id, recording=view.recording_id + 99)
    assert "no such recording" in said(at)
    assert "The customer sounds" in said(at)


def test_two_files_of_one_call_stand_side_by_side_on_one_time_line(app: AppTest, store: Store) -> None:
    (first,) = call(store, AGENT, name="agent.wav")
    (second,) = call(store, CUSTOMER, name="customer.wav")
    session_id = editing.pair(store, first, second, 5.0)
    at = opened(app, session_id)
    assert not at.exception
    assert "Agent 39 %, Customer 61 %" in said(at)
    assert metrics(at)["Both at once"] == "5 %"  # 3 s of 65
    assert handed_over(at)["names"] == ["Agent"]
    view = reports.clip_view(store, second)
    assert view is not None
    assert handed_over(opened(app, session_id, recording=view.recording_id))["names"] == ["Customer"]


def test_eight_voices_have_lanes_and_cards_of_their_own(app: AppTest, store: Store) -> None:
    many = [Voice("unknown", [(6 * each, 6 * each + 5)]) for each in range(8)]
    at = opened(app, session_of(store, call(store, *many)[0]))
    assert not at.exception
    assert handed_over(at)["names"] == [f"Channel {number}" for number in range(1, 9)]
    assert "Channel 8 12 %" in said(at)
    assert "Several at once" in metrics(at)


def test_scores_of_two_models_are_not_compared(app: AppTest, store: Store) -> None:
    other = records.ModelRevisionKey("six", "fedcba654321", 2, (*EMOTIONS[:5], "sad"), "none")
    clip_ids = call(store, AGENT, replace(CUSTOMER, model=other))
    at = opened(app, session_of(store, clip_ids[0]))
    assert not at.exception
    assert "different models" in said(at)


def test_names_by_users_are_text_and_never_markup(app: AppTest, store: Store) -> None:
    (clip_id,) = call(store, Voice("customer", [(0, 9)], agent="=HYPERLINK(1) <script>"), session=ODD_NAME)
    at = opened(app, session_of(store, clip_id))
    assert not at.exception
    assert "\\<b\\>\\*\\*Zoë\\*\\*" in str(at.title[0].value)
    assert "\\[a\\]\\(" in str(at.title[0].value)


@pytest.mark.parametrize("identifier", ["999", "abc", "9" * 40])
def test_an_id_that_is_no_session_is_explained(app: AppTest, store: Store, identifier: str) -> None:
    at = opened(app, identifier)
    assert not at.exception
    assert "There is no such session" in said(at)


def test_names_in_links_are_short_and_stay_what_they_are() -> None:
    assert links.named("a" * 50) == f"\u2068{'a' * 35}…\u2069"
    assert links.named("*x* :smile:\n مريم") == "\u2068\\*x\\* \\:\u2060smile\\:\u2060 مريم\u2069"


def test_without_an_id_the_newest_sessions_are_offered(app: AppTest, store: Store) -> None:
    call(store, AGENT, CUSTOMER, session="Case 7")
    saved(store, name="later.wav", happened_at=NOW + timedelta(days=1))
    at = app.switch_page("pages/session.py").run()
    assert not at.exception
    assert [link.label.split("\u2068")[1] for link in at.get("page_link")] == ["later\u2069", "Case 7\u2069"]


def test_an_empty_store_says_where_to_begin(app: AppTest, data_dir: Path) -> None:
    at = app.switch_page("pages/session.py").run()
    assert not at.exception
    assert "Nothing has been analysed yet" in said(at)


def test_without_the_right_to_read_nothing_is_shown(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_ids = call(store, AGENT, CUSTOMER)
    monkeypatch.setattr(access, "can", lambda action, subject=None: False)
    at = opened(app, session_of(store, clip_ids[0]))
    assert not at.exception
    assert "You do not have the right" in said(at)
    assert not at.get("vega_lite_chart")


def test_without_the_right_to_edit_the_sides_cannot_be_swapped(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_ids = call(store, AGENT, CUSTOMER)
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    at = opened(app, session_of(store, clip_ids[0]))
    assert "swap" not in [button.key for button in at.button]


def test_swapping_the_sides_exchanges_their_roles_on_the_page(app: AppTest, store: Store) -> None:
    clip_ids = call(store, AGENT, CUSTOMER)
    at = opened(app, session_of(store, clip_ids[0]))
    at.button(key="swap").click().run()
    assert not at.exception
    assert [reports.clip_view(store, each).role for each in clip_ids] == ["customer", "agent"]  # type: ignore[union-attr]
    assert "The customer sounds mostly neutral" in said(at)
    assert handed_over(at)["names"] == ["Customer", "Agent"]
