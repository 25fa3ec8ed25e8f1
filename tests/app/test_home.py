"""The Home page, empty and full."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from emostore.store.session import Store
from tests.app.conftest import text
from tests.app.stored import saved


def test_an_empty_app_says_what_to_do_and_shows_the_three_cases(app: AppTest, data_dir: Path) -> None:
    at = app.run()
    assert not at.exception
    assert [link.label for link in at.get("page_link")] == ["Drop files", "Record your voice"]
    assert [tab.label for tab in at.tabs] == ["Business talk", "Customer complaint", "Teaching voice"]
    assert "mostly neutral (67.4 %)" in text(at)  # as published, not renormalised
    assert "angry (42.1 %) more than disgusted (18.3 %)" in text(at)
    assert "mostly happy (72.4 %)" in text(at)
    assert len(at.get("vega_lite_chart")) == 4  # the radar, and a bar chart of each


def test_a_filled_app_counts_what_there_is_and_links_the_newest(app: AppTest, store: Store) -> None:
    saved(store, name="one.wav", agent="Ana")
    saved(store, name="two.wav", speechless=True)
    at = app.run()
    assert not at.exception
    assert {metric.label: metric.value for metric in at.metric} == {
        "Recordings": "2",
        "Clips": "2",
        "Speech": "2:00",
        "Agents": "1",
    }
    labels = [link.label for link in at.get("page_link")]
    assert labels[0].startswith("two\\.wav · no speech")
    assert labels[1].startswith("one\\.wav · Angry")
    assert labels[-1] == "All clips"
    assert not at.get("vega_lite_chart")  # the examples are folded away, and not drawn
