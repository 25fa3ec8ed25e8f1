"""The History page: filters that live in the URL, pages of clips, one agent's header, and what is said of nothing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.store.reports import history as stored_history
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.ui import exports
from emostore.ui.history import history
from tests.app.conftest import text
from tests.app.stored import NOW, saved

OF_THESE_TESTS = {"days": "all"}  # their clips are older than the usual 90 days
MARKUP = "<b>**x**</b> [a](javascript:alert) $1$ :smile: =1+1 مكالمة 😀"


def opened(app: AppTest, **filters: str) -> AppTest:
    if not {"first", "last", "days"} & filters.keys():
        filters = OF_THESE_TESTS | filters
    for name, value in filters.items():
        app.query_params[name] = value
    return app.switch_page("pages/history.py").run()


def clips(at: AppTest) -> Any:
    """The list of clips; None where there is none."""
    return next((frame.value for frame in at.dataframe if "File" in frame.value), None)


def files(at: AppTest) -> list[str]:
    return [] if clips(at) is None else list(clips(at)["File"])


def labels(at: AppTest) -> list[str]:
    return [link.label for link in at.get("page_link")]


def test_clips_are_listed_the_latest_first(app: AppTest, store: Store) -> None:
    saved(store, name="old.wav", happened_at=NOW - timedelta(days=1), agent="Ana")
    saved(store, name="new.wav", agent="Bob")
    at = opened(app)
    assert not at.exception
    assert files(at) == ["new.wav", "old.wav"]
    row = clips(at).iloc[0]
    assert (row["Agent"], row["Emotion"], row["Voice"], row["Model"]) == ("Bob", "Angry", "Customer", "six")
    assert row["Confidence"] == pytest.approx(0.605, abs=0.001)
    assert row["Quality"] == pytest.approx(16.8, abs=0.05)
    assert "2 clips" in text(at)


def test_a_link_brings_its_filter_with_it(app: AppTest, store: Store) -> None:
    first = saved(store, name="old.wav", happened_at=NOW - timedelta(days=1), agent="Ana", team="Blue")
    saved(store, name="new.wav", agent="Bob")
    view = reports.clip_view(store, first)
    assert view is not None
    both = ["new.wav", "old.wav"]
    for name, value, expected in (
        ("agent", "Ana", ["old.wav"]),
        ("team", "Blue", ["old.wav"]),
        ("session", str(view.session_id), ["old.wav"]),
        ("emotion", "angry", both),
        ("emotion", "happy", []),
        ("angry", "0.6-1", both),
        ("angry", "0-0.5", []),
        ("role", "agent", []),
        ("alert", "open", []),
        ("first", "2026-03-31", ["new.wav"]),
        ("last", "2026-03-30", ["old.wav"]),
        ("model", "six@abcdef123456", both),
    ):
        app.query_params.clear()
        at = opened(app, **{name: value})
        assert not at.exception, name
        assert not at.warning, name
        assert files(at) == expected, name
        assert ("No clip fits these filters" in text(at)) == (not expected)


def test_without_a_period_the_last_90_days_are_shown(app: AppTest, store: Store) -> None:
    now = datetime.now(UTC)
    saved(store, name="new.wav", happened_at=now)
    saved(store, name="edge.wav", happened_at=now - timedelta(days=89))
    saved(store, name="old.wav", happened_at=now - timedelta(days=91))
    at = app.switch_page("pages/history.py").run()
    assert at.selectbox(key="filter_days").value == "90"
    assert files(at) == ["new.wav", "edge.wav"]
    at.selectbox(key="filter_days").set_value("7").run()
    assert (files(at), at.query_params["days"]) == (["new.wav"], "7")
    at.selectbox(key="filter_days").set_value("all").run()
    assert len(files(at)) == 3
    at.selectbox(key="filter_days").set_value("dates").run()
    assert at.query_params["last"] == str(now.date())
    at.date_input(key="filter_last").set_value((now - timedelta(days=1)).date()).run()
    assert files(at) == ["edge.wav"]
    at.selectbox(key="filter_days").set_value("90").run()
    assert not {"first", "last", "days"} & set(at.query_params)  # the usual needs no words


def test_old_clips_only_are_explained_and_one_step_away(app: AppTest, store: Store) -> None:
    saved(store)
    at = app.switch_page("pages/history.py").run()
    assert "The newest is of 2026-03-31" in text(at)
    assert "Show all days" in labels(at)


def test_what_is_chosen_goes_into_the_url_and_can_be_cleared(app: AppTest, store: Store) -> None:
    saved(store, name="a.wav", agent="Ana", team="Blue")
    saved(store, name="b.wav", agent="Bob")
    at = opened(app)
    at.selectbox(key="filter_agent").set_value("Ana").run()
    assert (files(at), at.query_params["agent"]) == (["a.wav"], "Ana")
    at.session_state["more_filters"] = True
    at.run()
    at.selectbox(key="filter_team").set_value("Blue").run()
    at.session_state["more_filters"] = True  # a browser keeps it open, AppTest does not
    at.run()
    at.slider(key="filter_angry").set_range(0.5, 0.7).run()
    assert (at.query_params["team"], at.query_params["angry"]) == ("Blue", "0.5-0.7")
    assert files(at) == ["a.wav"]
    at.session_state["more_filters"] = True
    at.run()
    at.slider(key="filter_angry").set_range(0.9, 1.0).run()
    assert files(at) == []
    at.button(key="clear_filters").click().run()
    assert set(at.query_params) == set()


def test_pages_follow_each_other_without_a_gap(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    for number in range(5):
        saved(store, name=f"{number}.wav", happened_at=NOW + timedelta(minutes=number))
    at = opened(app)
    assert files(at) == ["4.wav", "3.wav"]
    assert at.button(key="later").disabled
    at.button(key="earlier").click().run()
    assert files(at) == ["2.wav", "1.wav"]
    at.button(key="earlier").click().run()
    assert files(at) == ["0.wav"]
    assert at.button(key="earlier").disabled
    at.button(key="later").click().run()
    assert files(at) == ["2.wav", "1.wav"]
    at.selectbox(key="filter_emotion").set_value("angry").run()
    assert files(at) == ["4.wav", "3.wav"]  # another filter begins at its first page
    assert "before" not in at.query_params


@pytest.mark.parametrize(
    "filters",
    [
        {"agent": "nobody", "team": MARKUP, "session": "999", "model": "a@b@c"},  # they could be there, and are not
        {"agent": " ", "session": "9" * 40, "first": "yesterday", "last": "2026-02-30", "days": "-3", "angry": "nan-1"},
        {
            "emotion": "tired",
            "alert": "loud",
            "role": "'; DROP TABLE clips; --",
            "first": "0001-01-01",
            "sad": "0.9-0.1",
        },
    ],
)
def test_parts_of_an_edited_url_that_say_nothing_are_named_and_left_out(
    app: AppTest, store: Store, filters: dict[str, str]
) -> None:
    saved(store)
    at = opened(app, **(OF_THESE_TESTS | filters))
    assert not at.exception
    assert not at.error
    (said,) = [each.value for each in at.warning]
    for name, value in filters.items():
        assert f"{name} \\=" in said or f"{name} =" in said
        assert value[:20].isalnum() is False or value[:20] in said
    assert "<b>" not in said  # escaped, so that it is shown as it was written
    assert files(at) == (["call.wav"] if filters.get("days") is None else [])


@pytest.mark.parametrize("cursor", ["rubbish", "20260331T060500000000Z-" + "9" * 40])
def test_a_place_that_says_nothing_is_the_first_page(app: AppTest, store: Store, cursor: str) -> None:
    saved(store)
    at = opened(app, before=cursor)
    assert not at.exception
    assert files(at) == ["call.wav"]


def test_inverted_dates_are_explained(app: AppTest, store: Store) -> None:
    saved(store)
    at = opened(app, first="2026-04-02", last="2026-04-01")
    assert not at.exception
    assert "The first day is after the last one" in text(at)
    assert clips(at) is None


def test_dates_of_another_page_do_not_stand_in_the_way(app: AppTest, store: Store) -> None:
    saved(store)
    at = app.switch_page("pages/alerts.py").run()
    at.switch_page("pages/history.py").run()
    at.selectbox(key="filter_days").set_value("dates").run()
    at.date_input(key="filter_first").set_value(NOW.date()).run()
    assert not at.exception
    assert files(at) == ["call.wav"]


def test_an_empty_store_says_where_to_begin(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert not at.exception
    assert "Nothing has been analysed yet" in text(at)


def test_without_the_right_to_read_nothing_is_shown(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(store)
    monkeypatch.setattr(access, "can", lambda action, subject=None: False)
    at = opened(app)
    assert not at.exception
    assert "You do not have the right" in text(at)
    assert clips(at) is None


class TestAgent:
    def test_an_agent_stands_beside_the_team_with_intervals(self, app: AppTest, store: Store) -> None:
        for week in range(4):
            for who, team in (("Ana", "Blue"), ("Bob", "Blue"), ("Eve", "Red")):
                at_time = NOW - timedelta(days=7 * week)
                saved(store, name=f"{who}{week}.wav", agent=who, team=team, happened_at=at_time)
        at = opened(app, agent="Ana")
        assert not at.exception
        shown = {metric.label: metric.value for metric in at.metric}
        assert (shown["Quality"], shown["Clips"]) == ("16.8", "4")
        assert "The mean quality is 16.8, in 95 of 100 cases truly between 16." in text(at)
        assert "That of team Blue is 16.8." in text(at)
        assert at.metric[0].delta in ("0", "0.0")  # beside the team, of which all clips are alike
        assert len(at.get("vega_lite_chart")) == 2
        assert "scored by six" in text(at)
        assert at.segmented_control(key="url_by").value == "week"
        means = next(frame.value for frame in at.dataframe if "Mean" in frame.value)
        assert list(means["Emotion"]) == ["Angry", "Disgusted", "Fearful", "Happy", "Neutral", "Sad"]  # as six can give
        assert means["Mean"].iloc[0] == pytest.approx(0.605, abs=0.001)
        at.selectbox(key="url_figure").set_value("angry").run()
        assert (len(at.get("vega_lite_chart")), at.query_params["figure"]) == (2, "angry")
        at.segmented_control(key="url_by").set_value("day").run()
        assert not at.exception
        assert at.query_params["by"] == "day"

    def test_one_clip_has_a_mean_and_no_interval(self, app: AppTest, store: Store) -> None:
        saved(store, agent="Ana")
        at = opened(app, agent="Ana")
        assert not at.exception
        shown = {metric.label: metric.value for metric in at.metric}
        assert (shown["Quality"], shown["Clips"]) == ("16.8", "1")
        assert "how sure that is, too few sessions tell. That of everybody is 16.8." in text(at)

    def test_agents_own_voices_are_not_averaged(self, app: AppTest, store: Store) -> None:
        saved(store, agent="Ana", role="agent")
        at = opened(app, agent="Ana")
        assert not at.exception
        assert "there is none of these days: Agent 1" in text(at)
        assert not at.metric
        assert files(at) == ["call.wav"]  # which is there for coaching, clip by clip
        at = opened(app, agent="Ana", role="agent")
        assert "No means are made of agents' own voices" in text(at)
        assert not at.get("vega_lite_chart")

    def test_an_agent_without_clips_of_these_days(self, app: AppTest, store: Store) -> None:
        saved(store, agent="Ana")
        at = opened(app, agent="Ana", days="7")
        assert not at.exception
        assert "No scored clip of this agent is of these days." in text(at)

    def test_a_figure_that_is_none_is_the_usual_one(self, app: AppTest, store: Store) -> None:
        saved(store, agent="Ana")
        at = opened(app, agent="Ana", figure=MARKUP, by="year")
        assert not at.exception
        assert at.selectbox(key="url_figure").value == "quality"

    def test_names_are_text_and_never_markup(self, app: AppTest, store: Store) -> None:
        saved(store, name=MARKUP + ".wav", agent=MARKUP, team=MARKUP, session_name=MARKUP)
        at = opened(app, agent=MARKUP)
        assert not at.exception
        assert not at.warning
        (row,) = clips(at).to_dict("records")
        assert (row["Agent"], row["File"], row["Session"]) == (MARKUP, MARKUP + ".wav", MARKUP)  # cells show no markup
        for part in at.subheader:
            assert "**x**" not in part.value
            assert "\\[a\\]\\(" in part.value


def test_what_is_taken_away_is_all_that_fits_and_nothing_else(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    taken: list[bytes] = []

    def clicked(label: str, *, data: Any, key: str, **_: object) -> None:
        if key.startswith("export_"):
            taken.append(data())

    monkeypatch.setattr(exports.st, "download_button", clicked)
    for number in range(5):
        saved(store, name=f"{number}.wav", agent="Ana", happened_at=NOW + timedelta(minutes=number))
    saved(store, name="other.wav", agent="Bob")
    opened(app, agent="Ana")
    rows = list(csv.DictReader(io.StringIO(taken[0].decode("utf-8-sig"))))
    assert [row["file_name"] for row in rows] == ["4.wav", "3.wav", "2.wav", "1.wav", "0.wav"]
    assert taken[1][:4] == b"PAR1"
    assert taken[2][:2] == b"PK"


def test_a_file_too_large_for_memory_is_not_offered(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_history, "COUNTED", 1)
    saved(store, name="a.wav")
    saved(store, name="b.wav")
    at = opened(app)
    assert not at.exception
    assert "1+ clips" in text(at)
    assert "or start it with `make run`" in text(at)
    assert not at.get("download_button")
