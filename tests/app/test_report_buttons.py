"""The buttons that take a report away: which there are, what they make, and what a reader is told of an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore import i18n
from emostore.config import settings
from emostore.services.report import FORMATS, Maker
from emostore.store.session import Store
from emostore.ui import report_buttons
from tests.app.calls import call
from tests.services.reported import save_call


def test_an_agents_header_offers_the_agents_report(app: AppTest, store: Store) -> None:
    call(store, "a.wav", agent="Ana")
    app.query_params["agent"] = "Ana"
    app.query_params["days"] = "all"
    at = app.switch_page("pages/history.py").run()
    assert not at.exception
    names = {button.key: button.label for button in at.get("download_button")}
    assert {key: label for key, label in names.items() if (key or "").startswith("report_agent")} == {
        "report_agent_html": "HTML",
        "report_agent_json": "JSON",
        "report_agent_csv": "CSV",
    }


def test_a_clip_offers_the_picture_of_its_scores_over_time(data_dir: Path, store: Store) -> None:
    def script(clip_id: int) -> None:
        from emostore.store.reports import reports
        from emostore.ui import report_buttons
        from emostore.ui.bootstrap import open_store

        view = reports.clip_view(open_store(), clip_id)
        assert view is not None
        report_buttons.for_clip(view)
        report_buttons.for_session(view.session_id, view.session_name)

    _agent, customer = save_call(store)
    with_course = AppTest.from_function(script, args=(customer,)).run()
    without = AppTest.from_function(script, args=(call(store, "short.wav"),)).run()
    assert not with_course.exception
    kinds = [f"report_{what}_{kind}" for what in ("clip", "session") for kind in FORMATS]
    pictures = {"png_report_clip_course", "svg_report_clip_course"}
    assert {button.key for button in with_course.get("download_button")} == {*kinds, *pictures}
    assert {button.key for button in without.get("download_button")} == set(kinds)


def test_a_report_is_made_when_it_is_asked_for(store: Store) -> None:
    clip_id = call(store, "a.wav")
    made = report_buttons._made(lambda maker, kind: maker.clip(clip_id, kind), Maker(store, settings()), "json")
    assert json.loads(made)["clip"]["id"] == clip_id


def test_an_error_is_said_in_the_readers_language(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    chinese = Maker(store, settings(), "zh")
    with pytest.raises(RuntimeError) as named:
        report_buttons._made(lambda maker, kind: maker.clip(99, kind), chinese, "html")
    assert str(named.value) == i18n.explain(named.value.__cause__, "zh")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="日志") as other:
        report_buttons._made(lambda maker, kind: bytes([1 // 0]), chinese, "html")
    assert caplog.records[-1].getMessage().removeprefix("Unexpected error ") in str(other.value)
