"""The Upload page: files are handed in, followed and shown."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore.services.queue import jobs
from emostore.store.reports import reports
from emostore.store.session import Store
from tests.app.conftest import text
from tests.audio_samples import real_audio


def opened(app: AppTest) -> AppTest:
    return app.switch_page("pages/upload.py").run()


def handed_in(at: AppTest, store: Store, name: str, content: bytes) -> AppTest:
    """Upload a file, press the button, wait until the queue is empty and look again."""
    at.file_uploader[0].upload(name, content)
    at.run()
    at.button(key="analyse").click().run()
    assert jobs.overview(store)
    deadline = time.monotonic() + 60
    while jobs.active(store):
        assert time.monotonic() < deadline, "the worker does not come to an end"
        time.sleep(0.05)
    return at.run()


def test_nothing_can_be_handed_in_before_a_file_is_chosen(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert not at.exception
    assert at.button(key="analyse").disabled


def test_a_voice_is_analysed_with_what_is_known_about_it(app: AppTest, store: Store) -> None:
    speech = (real_audio() / "clips" / "SAD.wav").read_bytes()
    at = opened(app)
    at.text_input(key="about_agent").set_value("Ana")
    at.text_input(key="about_session").set_value("Case 7")
    at.selectbox(key="about_role").set_value("customer")
    at = handed_in(at, store, "sad.wav", speech)
    assert len(at.get("vega_lite_chart")) == 1
    assert not at.exception
    (row,) = reports.latest_clips(store).rows
    assert (row.file_name, row.agent, row.session_name, row.role) == ("sad.wav", "Ana", "Case 7", "customer")
    assert "sad" in text(at)
    assert "stored already" in text(handed_in(at, store, "sad.wav", speech))
    assert reports.count_clips(store) == 1


def test_a_broken_file_is_explained_and_can_be_tried_again(app: AppTest, store: Store) -> None:
    at = handed_in(opened(app), store, "broken.wav", b"no sound at all " * 20)
    assert not at.exception
    assert "broken\\.wav" in str(at.error[0].value)
    assert "is a text file, not a recording" in str(at.error[0].value)
    assert [button.label for button in at.button if "again" in button.label]
    at.button(key="clear").click().run()
    assert not at.error


@pytest.mark.parametrize("source", ["folder", "microphone"])
def test_a_link_opens_the_other_ways_to_upload(app: AppTest, data_dir: Path, source: str) -> None:
    app.query_params["source"] = source
    at = opened(app)
    assert not at.exception
    assert len(at.get("audio_input" if source == "microphone" else "file_uploader")) == 1
