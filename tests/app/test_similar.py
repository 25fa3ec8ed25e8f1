"""The part of the Clip page with clips that sound alike, in its states."""

from __future__ import annotations

import numpy as np
from streamlit.testing.v1 import AppTest

from emostore.store.session import Store
from emostore.store.writing import clips, records
from tests.app.conftest import text
from tests.app.stored import MODEL, NOW, saved
from tests.store import samples


def stored(store: Store, name: str, vector: list[float], agent: str | None = None) -> int:
    said = samples.analysed()
    outcome = clips.Analysed(said.logits, said.scores, said.windows, np.array(vector))
    new = records.NewAnalysis(samples.clip(name, agent=agent), MODEL, outcome, NOW)
    return clips.save(store, new).clip_id


def opened(app: AppTest, identifier: int) -> AppTest:
    app.query_params["id"] = str(identifier)
    at = app.switch_page("pages/clip.py").run()
    assert not at.exception
    return at


def test_the_most_alike_come_first_each_with_a_link_and_what_was_heard(app: AppTest, store: Store) -> None:
    this = stored(store, "this", [1.0, 0.0])
    stored(store, "far", [0.0, 1.0])
    stored(store, "*near*", [0.9, 0.1], agent="Ana")
    clips.save(store, samples.analysis("another model"))
    at = opened(app, this)
    assert "Sounds like" in [each.value for each in at.subheader]
    links = [str(getattr(each, "label", "")) for each in at.get("page_link")]
    labels = [label for label in links if ".wav" in label]
    assert [("near" in each, "far" in each) for each in labels] == [(True, False), (False, True)]
    assert "\\*near\\*" in labels[0]
    shown = text(at)
    assert shown.index("similarity 0.994") < shown.index("similarity 0.000")
    for part in ("Ana", "Happy", "Among the clips that six"):
        assert part in shown
    assert "another model" not in shown


def test_it_is_said_why_nothing_is_compared(app: AppTest, store: Store) -> None:
    alone = stored(store, "alone", [1.0, 0.0])
    without = saved(store, name="other.wav")  # of zeros: no direction
    silent = saved(store, name="silent.wav", speechless=True)
    assert "No other clip has been analysed with six" in text(opened(app, alone))
    assert "No embedding is stored" in text(opened(app, without))
    assert "Sounds like" not in [each.value for each in opened(app, silent).subheader]
