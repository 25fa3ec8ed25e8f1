"""The map of the History page: which clips are on it, and what is said where there are too few."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from emostore.services.neighbours import embedding_map
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from tests.app.conftest import text
from tests.app.stored import saved
from tests.app.test_similar import stored


def opened(app: AppTest, **address: str) -> AppTest:
    for name, value in {"days": "all", "map": "on", **address}.items():
        app.query_params[name] = value
    at = app.switch_page("pages/history.py").run()
    assert not at.exception
    return at


def test_the_map_shows_the_clips_that_fit_and_the_address_keeps_it(app: AppTest, store: Store) -> None:
    for number in range(6):
        stored(store, f"clip {number}", [1.0, float(number)], agent="Ana" if number else "Ben")
    saved(store, name="of zeros.wav", agent="Ana")
    at = opened(app, agent="Ana")
    assert at.toggle(key="map_on").value
    spec = next(json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart") if "clip_id" in chart.proto.spec)
    assert "Map of 5 clips" in spec["description"]
    assert "Near each other lies what six · abcdef12 hears alike" in text(at)
    assert "Shown are 5 of 6" in text(at)
    at.toggle(key="map_on").set_value(False).run()
    assert "map" not in at.query_params
    assert "Near each other" not in text(at)


def test_too_few_clips_make_no_map(app: AppTest, store: Store) -> None:
    stored(store, "only", [1.0, 0.0])
    assert "of those that fit, 1 have one" in text(opened(app))


def test_nothing_analysed_makes_no_map(app: AppTest) -> None:
    assert "Nothing has been analysed yet" in text(opened(app))


def test_a_sample_is_spread_over_time_and_always_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        stored(store, f"clip {number}", np.random.default_rng(number).normal(size=2).tolist())
    monkeypatch.setattr(embedding_map, "MOST", 7)
    monkeypatch.setattr(embedding_map, "AMONG", 19)
    one, other = (embedding_map.draw(store, HistoryFilter()) for _ in range(2))
    assert one is not None
    assert one == other
    assert (len(one.places), one.fitting, one.more) == (7, 19, True)
    ids = [each.clip.clip_id for each in one.places]
    assert ids == [20, 17, 14, 11, 8, 5, 2]
