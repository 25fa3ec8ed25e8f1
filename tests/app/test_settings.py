"""The Settings page: choices, models, storage, agents and sessions, the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.config import settings
from emostore.services import preferences
from emostore.store.reports import history, reports
from emostore.store.session import Store
from tests.app.conftest import text
from tests.app.stored import saved


def opened(app: AppTest, section: str | None = None) -> AppTest:
    at = app.switch_page("pages/settings.py").run()
    if section:
        at.session_state["section"] = section
        at.run()
    return at


def test_choices_are_kept_and_what_the_environment_decides_is_fixed(app: AppTest, store: Store) -> None:
    at = opened(app)
    assert not at.exception
    assert "choice_model" not in [box.key for box in at.selectbox]  # EMOSTORE_MODEL is set
    assert "EMOSTORE_MODEL decides: baseline" in text(at)
    at.selectbox(key="choice_time_zone").set_value("Asia/Shanghai")
    at.selectbox(key="choice_keep_audio").set_value("none")
    at.button(key="save_choices").click().run()
    assert not at.exception
    chosen = preferences.load(store, settings())
    assert (chosen.time_zone, chosen.keep_audio, chosen.model) == ("Asia/Shanghai", "none", "baseline")


def test_models_are_shown_with_what_they_can_give_and_nothing_is_asked_of_anybody(app: AppTest, store: Store) -> None:
    at = opened(app, "Models")
    assert not at.exception
    shown = text(at)
    assert "Can give: Angry, Disgusted, Fearful, Happy, Neutral, Sad" in shown
    assert "Can give: all nine" in shown
    assert "Nothing is downloaded, and nobody is asked, before you press a button here." in shown


def test_a_hub_that_does_not_answer_is_explained(app: AppTest, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for hub in ("MODELSCOPE", "HUGGINGFACE"):
        monkeypatch.setenv(f"EMOSTORE_{hub}_URL", "http://127.0.0.1:9")  # nobody listens there
    settings.cache_clear()
    at = opened(app, "Models")
    at.button(key="plan").click().run()
    assert not at.exception
    assert len(at.error) == 1


def test_what_other_models_scored_can_be_analysed_again_only_where_audio_was_kept(app: AppTest, store: Store) -> None:
    saved(store)
    at = opened(app, "Models")
    assert not [button for button in at.button if "again" in button.label]


def test_storage_says_how_much_room_everything_takes(app: AppTest, store: Store) -> None:
    at = opened(app, "Storage")
    assert not at.exception
    assert [metric.label for metric in at.metric] == [
        *("Database", "Audio", "Waiting uploads", "Models", "Free on the disk"),
    ]


def test_agents_are_renamed_merged_and_forgotten(app: AppTest, store: Store) -> None:
    saved(store, name="one.wav", agent="Ana")
    saved(store, name="two.wav", agent="Anna")
    at = opened(app, "Agents and sessions")
    at.selectbox(key="edit_agent").set_value("Ana").run()
    at.selectbox(key="merge_Ana").set_value("Anna").run()
    at.button(key="merge").click().run()
    assert not at.exception
    assert history.options(store).agents == ("Anna",)
    at.selectbox(key="edit_agent").set_value("Anna").run()
    at.text_input(key="rename_Anna").set_value("Anne").run()
    at.button(key="rename").click().run()
    assert history.options(store).agents == ("Anne",)
    at.selectbox(key="edit_agent").set_value("Anne").run()
    at.checkbox(key="with_clips").check().run()
    at.button(key="delete_agent").click().run()
    assert not at.exception
    assert reports.count_clips(store) == 0


def test_the_log_tells_who_did_what(app: AppTest, store: Store) -> None:
    preferences.save(store, settings(), keep_audio="none")
    at = opened(app, "Log")
    assert not at.exception
    table = at.dataframe[0].value
    assert list(table["What"]) == ["changed · settings"]
    assert list(table["Details"]) == ["audio that is kept: to none"]


def test_without_the_right_there_is_nothing_to_set(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action != "administer")
    at = opened(app)
    assert not at.exception
    assert "You do not have the right" in text(at)
