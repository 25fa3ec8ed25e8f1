"""The Home page: empty, with clips of today, with old ones only, and with an invented call centre."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.services.invented import demo
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.ui.home import overview
from tests.app.conftest import text
from tests.app.stored import NOW, saved


def links(at: AppTest) -> list[str]:
    return [link.label for link in at.get("page_link")]


def addresses(at: AppTest, label: str) -> list[str]:
    return [link.proto.query_string for link in at.get("page_link") if link.label.startswith(label)]


def figures(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def test_an_empty_app_says_what_to_do_and_shows_the_three_cases(app: AppTest, data_dir: Path) -> None:
    at = app.run()
    assert not at.exception
    assert links(at) == ["Drop files", "Record your voice"]
    assert [tab.label for tab in at.tabs] == ["Business talk", "Customer complaint", "Teaching voice"]
    assert "mostly neutral (67.4 %)" in text(at)  # as published, not renormalised
    assert "angry (42.1 %) more than disgusted (18.3 %)" in text(at)
    assert "mostly happy (72.4 %)" in text(at)
    said = text(at).replace("\\", "")
    assert "part of the sound is hard to classify" in said
    assert "at 60.4 %, which is over 60 %" in said
    assert "at or under 0.5 %: this voice is fit for children" in said
    assert all(f"Service quality {score}" in said for score in ("61.5", "18.7", "95.0"))
    assert len(at.get("vega_lite_chart")) == 4  # the radar, and a bar chart of each


def test_today_stands_against_the_weeks_before(app: AppTest, store: Store) -> None:
    now = datetime.now(UTC)
    saved(store, name="one.wav", agent="Ana", happened_at=now)
    saved(store, name="two.wav", role="agent", happened_at=now)
    saved(store, name="three.wav", speechless=True, happened_at=now)
    for number in range(28):
        saved(store, name=f"{number}.wav", happened_at=now - timedelta(days=1 + number % 7))
    at = app.run()
    assert not at.exception
    shown = figures(at)
    assert (shown["Clips today"], shown["Speech"], shown["Quality"]) == ("2", "2:00", "16.8")
    assert at.metric[0].delta == "1"  # two against one a day
    assert shown["Open alerts"] == "0"
    assert len(at.get("vega_lite_chart")) == 1  # the mix; the examples are folded away, and not drawn
    assert "All voices but agents' own, scored by six · abcdef12." in text(at).replace("\\", "")
    today = now.date()
    assert addresses(at, "The clips of today") == [f"first={today}&last={today}"]
    assert addresses(at, "The clips of these days") == [f"first={today - timedelta(28)}&last={today}"]
    assert [label for label in links(at) if label.startswith("three\\.wav · no speech")]


def test_where_nothing_is_of_late_the_last_weeks_with_clips_are_shown(app: AppTest, store: Store) -> None:
    saved(store, agent="Ana")
    at = app.run()
    assert not at.exception
    assert "These are the four weeks to 2026-03-31" in text(at)
    assert figures(at)["Clips on that day"] == "1"
    assert addresses(at, "The clips of that day") == ["first=2026-03-31&last=2026-03-31"]
    assert "Nobody's quality has surely changed" in text(at)
    assert links(at)[-1] == "All clips"


def test_without_a_single_score_there_are_only_the_newest_clips(app: AppTest, store: Store) -> None:
    saved(store, speechless=True, happened_at=datetime.now(UTC))
    at = app.run()
    assert not at.exception
    assert not at.get("vega_lite_chart")
    assert "No scored voices of these days" in text(at)


def test_agents_own_voices_are_in_no_report(app: AppTest, store: Store) -> None:
    saved(store, role="agent", agent="Ana", happened_at=datetime.now(UTC))
    at = app.run()
    assert not at.exception
    assert (figures(at)["Clips today"], figures(at)["Quality"]) == ("1", "–")
    assert not at.get("vega_lite_chart")


def test_names_are_text_and_never_markup(app: AppTest, store: Store) -> None:
    saved(store, name="<b>**x**</b> :smile: [a](b).wav", agent="=1+1 *Ana*", happened_at=NOW)
    at = app.run()
    assert not at.exception
    (label,) = [label for label in links(at) if "smile" in label]
    assert label.startswith("\\<b\\>\\*\\*x\\*\\*\\</b\\> \\:smile\\: \\[a\\]\\(b\\)\\.wav")


def test_a_demo_fills_every_part_and_goes_with_one_click(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "DEMO_SIZE", demo.DemoSize(clips=900, agents=3, days=70, seed=2))
    at = app.run()
    at.button(key="make_demo").click().run()
    assert not at.exception
    assert "What you see is invented" in text(at)
    assert len(at.get("vega_lite_chart")) == 1
    assert [label for label in links(at) if "(demo" in label]
    at.button(key="remove_demo").click().run()
    assert not at.exception
    assert reports.count_clips(store) == 0
    assert links(at) == ["Drop files", "Record your voice"]


def test_who_may_not_analyse_is_offered_no_demo(app: AppTest, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    at = app.run()
    assert not at.exception
    assert not [button for button in at.button if button.key == "make_demo"]
