"""Wherever a strongest emotion is named, it is said if that is uncertain."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from emostore.config import settings
from emostore.services import preferences
from emostore.store.session import Store
from tests.app.calls import ANGRY, call
from tests.app.conftest import text
from tests.app.test_similar import stored

SURE = {"angry": 0.9, "disgusted": 0.1}


def words(at: AppTest) -> str:
    """Everything that a page says: its text, its links and badges, its tables and its charts."""
    parts = [text(at), *(str(getattr(link, "label", "")) for link in at.get("page_link"))]
    parts += [str(table.value.to_dict()) for table in at.dataframe]
    parts += [str(chart.proto.spec) for chart in at.get("vega_lite_chart")]
    return "\n".join(parts).replace("\\", "")


@pytest.mark.parametrize(
    ("page", "address", "said"),
    [
        ("home", {}, ["doubtful.wav · uncertain (Angry)", "sure.wav · Angry", " · uncertain"]),
        ("history", {"days": "all"}, ["'uncertain (Angry)'", "'Angry'"]),
        ("clip", {}, ["doubtful.wav · uncertain (Angry)", "sure.wav · Angry"]),
        ("clip", {"id": "1"}, ["uncertain]"]),
        ("session", {"id": "1"}, ["uncertain]"]),
        ("alerts", {}, ["uncertain]"]),
        ("compare", {"of": "clip:1"}, ["doubtful.wav (uncertain)"]),
    ],
)
def test_what_is_uncertain_is_called_so(
    app: AppTest, store: Store, page: str, address: dict[str, str], said: list[str]
) -> None:
    call(store, "doubtful.wav", ANGRY)
    call(store, "sure.wav", SURE)
    for name, value in address.items():
        app.query_params[name] = value
    at = app.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    assert "uncertain" not in words(at)  # 0.5 is not below 0.4
    preferences.save(store, settings(), uncertain_below=0.6)
    st.cache_resource.clear()
    at.run()
    assert not at.exception
    for part in said:
        assert part in words(at)
    assert words(at).count("uncertain") == sum("uncertain" in part for part in said) or page == "compare"


def test_the_map_and_similar_clips_say_it_too(app: AppTest, store: Store) -> None:
    preferences.save(store, settings(), uncertain_below=0.99)
    for number in range(5):
        stored(store, f"clip {number}", [1.0, float(number)])
    for page, address in (("history", {"days": "all", "map": "on"}), ("clip", {"id": "1"})):
        for name, value in address.items():
            app.query_params[name] = value
        at = app.switch_page(f"pages/{page}.py").run()
        assert not at.exception
        assert "uncertain" in words(at).replace("'Emotion': {0: 'uncertain", "")
