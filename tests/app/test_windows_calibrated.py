"""The Clip and Session pages while a calibration is read: moments, current scores and what is said of both."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from emostore.analytics.alerts import AlertRule
from emostore.analytics.calibration import Calibration, Head, Scaling
from emostore.emotions import EMOTIONS
from emostore.services import alerting, editing
from emostore.services.calibration import calibrating
from emostore.store.reports import reports
from emostore.store.session import Store
from tests.app import sides
from tests.app.conftest import text

COOL = Calibration(scaling=Scaling.of_temperature(8))
HEAD = Head(np.ones((9, 2), np.float32), np.zeros(9, np.float32))
LEFT_OUT = "reads the embedding of the whole clip, which moments do not have"


def opened(app: AppTest, page: str, identifier: int) -> AppTest:
    app.query_params["id"] = str(identifier)
    at = app.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def shown(at: AppTest) -> dict[str, Any]:
    (found,) = at.get("bidi_component")
    data: dict[str, Any] = json.loads(found.proto.json)
    return data


def scores(track: dict[str, Any]) -> np.ndarray:
    """What is drawn, and told at the playhead, of a voice: 65535 is 1."""
    return np.frombuffer(base64.b64decode(track["scores"]), "<u2").reshape(-1, 9) / 65535


def drawn_mean(track: dict[str, Any], first: int, end: int) -> float:
    """The mean anger of the windows from `first` to before `end` in which somebody speaks."""
    scored = np.frombuffer(base64.b64decode(track["scored"]), np.uint8)[first:end] > 0
    return float(scores(track)[first:end][scored, EMOTIONS.index("angry")].mean())


def kinds(at: AppTest) -> list[tuple[str, float]]:
    return [(marker["kind"], marker["at_s"]) for marker in shown(at)["markers"]]


def read(store: Store, stages: Calibration) -> None:
    key = (sides.MODEL.name, sides.MODEL.revision)
    calibrating.activate(store, calibrating.create(store, key, "cool", stages))
    calibrating.wait(store, 60)


def test_a_clip_shows_its_windows_as_its_scores_and_says_what_they_cannot_have(app: AppTest, store: Store) -> None:
    alerting.save_rule(store, AlertRule("Outburst", ("angry",), ">", 0.5, sustained_s=10.0))
    (identifier,) = sides.call(store, replace(sides.CUSTOMER, moods=[("neutral", 0), ("angry", 40)]))
    app.run()
    before = opened(app, "clip", identifier)
    assert {"alert", "worst", "change"} <= {kind for kind, _at in kinds(before)}
    read(store, COOL)
    at = opened(app, "clip", identifier)
    e = np.exp(5 / 8)
    (track,) = shown(at)["tracks"]
    drawn = scores(track)[45]  # in which the customer is angry
    assert drawn[EMOTIONS.index("angry")] == pytest.approx(e / (e + 8), abs=1e-4)
    assert drawn[EMOTIONS.index("happy")] == pytest.approx(1 / (e + 8), abs=1e-4)
    assert [kind for kind, _at in kinds(at)] == ["worst"]  # four of nine emotions, but no outburst and no clear change
    assert shown(at)["tracks"][0]["scored"] == shown(before)["tracks"][0]["scored"]
    mean = drawn_mean(track, 29, 58)  # of the windows whose middles lie in the last turn, from 30 s to 58 s
    assert shown(at)["turns"][-1][3:] == [EMOTIONS.index("angry"), pytest.approx(mean, abs=1e-4)]
    assert LEFT_OUT not in text(at)

    read(store, replace(COOL, heads={"phone": HEAD}))
    assert LEFT_OUT not in text(opened(app, "clip", identifier))  # nobody said that it was recorded by a telephone
    view = reports.clip_view(store, identifier)
    assert view is not None
    editing.set_description(store, [view.recording_id], domain="phone")
    at = opened(app, "clip", identifier)
    assert f"One stage of the calibration {LEFT_OUT}" in text(at)
    assert scores(shown(at)["tracks"][0]).tolist() == scores(track).tolist()
    read(store, Calibration(trained=HEAD, scaling=COOL.scaling))
    at = opened(app, "clip", identifier)
    assert f"The calibration {LEFT_OUT}" in text(at)
    assert shown(at)["tracks"] == shown(before)["tracks"]


def test_a_call_shows_both_sides_under_the_calibration(app: AppTest, store: Store) -> None:
    ids = sides.call(store, sides.AGENT, sides.CUSTOMER)
    read(store, COOL)
    at = opened(app.run(), "session", sides.session_of(store, ids[0]))
    e = np.exp(5 / 8)
    for track in shown(at)["tracks"]:
        found = scores(track)[np.frombuffer(base64.b64decode(track["scored"]), np.uint8) > 0]
        np.testing.assert_allclose(found.max(axis=1), e / (e + 8), atol=1e-4)
    assert LEFT_OUT not in text(at)
