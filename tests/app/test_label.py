"""The Label page and the label on a clip's page: what is asked, what is hidden, and what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.services.calibration import labelling
from emostore.store.calibration import labels
from emostore.store.calibration.labels import NewLabel
from emostore.store.session import Store
from tests.app.conftest import text
from tests.app.labelled import label, many


def opened(app: AppTest, page: str = "label", **asked: str) -> AppTest:
    for name, value in asked.items():
        app.query_params[name] = value
    at = app.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def on_page(at: AppTest) -> int:
    """The clip that is asked about."""
    (button,) = [button for button in at.button if button.key and button.key.startswith("hear_angry_")]
    assert button.key
    return int(button.key.removeprefix("hear_angry_"))


def test_a_clip_is_heard_labelled_and_the_next_one_comes(app: AppTest, store: Store, tmp_path: Path) -> None:
    ids = many(store, 6, sound=tmp_path)
    at = opened(app)
    first = on_page(at)
    assert first in ids
    shown = text(at)
    assert "Drawn at random: it speaks for all clips" in shown
    assert "The model's scores are hidden until you have" in shown
    assert "%" not in shown.replace("95 %", "")  # nothing of what the model said
    assert not [each for each in at.button if each.key == f"save_label_{first}"]
    at.button(key=f"hear_sad_{first}").click().run()
    at.selectbox(key=f"second_sad_{first}").set_value("fearful").run()
    at.selectbox(key=f"intensity_{first}").set_value(4).run()
    at.text_input(key=f"label_comment_{first}").set_value("<b>quiet</b>").run()
    at.button(key=f"save_label_{first}").click().run()
    assert not at.exception
    mine = labelling.mine(store, first)
    assert mine is not None
    assert mine.label == NewLabel("sad", "fearful", 4, "<b>quiet</b>", "random")
    assert on_page(at) != first
    assert "Here the model is least certain" in text(at)  # the next of the mix
    (before,) = [link for link in at.get("page_link") if "see its scores" in link.proto.label]
    assert f"id={first}" in before.proto.query_string
    assert [each.value for each in at.metric][:2] == ["1", "1"]
    assert "19 more until a calibration can be fitted" in str(at.get("progress")[0].proto.text)


def test_a_rerun_asks_about_the_same_clip_and_skipping_about_another(
    app: AppTest, store: Store, tmp_path: Path
) -> None:
    many(store, 3, sound=tmp_path)
    at = opened(app, queue="random")
    asked = on_page(at)
    assert on_page(at.run()) == asked
    seen = {asked}
    for _ in range(2):
        at.button(key="skip").click().run()
        seen.add(on_page(at))
    assert len(seen) == 3
    at.button(key="skip").click().run()
    assert "labelled, or skipped, every clip" in "\n".join(said.value for said in at.success)
    assert labels.counts(store).labels == 0


def test_cannot_tell_asks_for_nothing_more(app: AppTest, store: Store, tmp_path: Path) -> None:
    many(store, 1, sound=tmp_path)
    at = opened(app)
    (asked,) = [on_page(at)]
    at.button(key=f"hear_cannot_tell_{asked}").click().run()
    assert not [box for box in at.selectbox if box.key and box.key.startswith(("second", "intensity"))]
    at.button(key=f"save_label_{asked}").click().run()
    mine = labelling.mine(store, asked)
    assert mine is not None
    assert mine.label.emotion == "cannot_tell"


def test_clips_without_sound_are_not_asked_about(app: AppTest, store: Store) -> None:
    many(store, 2)
    at = opened(app, queue="random")
    assert "every clip whose sound was kept" in "\n".join(said.value for said in at.success)


def test_an_empty_store_leads_to_the_upload(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert "Nothing has been analysed yet" in text(at)
    assert any("upload" in link.proto.page for link in at.get("page_link"))


def test_agreement_is_said_in_words(app: AppTest, store: Store) -> None:
    ids = many(store, 8)
    label(store, ids, rater="Bo")
    assert "not known yet" in text(opened(app))
    label(store, ids, rater="Cem")
    at = opened(app)
    assert "On 8 clips with several labels, raters agree with α = 1.00: their labels can be relied on." in text(at)
    label(store, ids[::-1], rater="Cem")  # now they hear something else
    assert "that is little" in text(opened(app))


def test_a_list_is_looked_at_before_it_is_saved(app: AppTest, store: Store) -> None:
    ids = many(store, 3)
    label(store, ids[:1], rater="Bo")
    rows = f"clip,emotion,rater\n{ids[0]},sad,Bo\n{ids[1]},happy,Bo\n{ids[2]},bored,Bo\n99,sad,Bo\n"
    at = opened(app)
    at.get("file_uploader")[0].set_value(("list.csv", rows.encode(), "text/csv")).run()
    assert not at.exception
    shown = text(at)
    assert "New: **1** · change a label: **1** · there already: 0 · left out: 2" in shown
    assert "Line 4" in shown
    assert "There is no clip 99" in shown
    assert labels.counts(store).labels == 1
    at.button(key="save_list").click().run()
    assert not at.exception
    assert {each.label.emotion for clip_id in ids for each in labels.of_clip(store, clip_id)} == {"sad", "happy"}
    at.get("file_uploader")[0].set_value(("list.csv", b"nothing", "text/csv")).run()
    assert "The list needs a column emotion" in text(at)


def test_others_are_shown_once_one_has_said_something_oneself(app: AppTest, store: Store) -> None:
    (clip_id,) = many(store, 1)
    label(store, [clip_id], rater="*Bo*")
    at = opened(app, "clip", id=str(clip_id))
    assert "Labels by others: 1." in text(at)
    assert "Bo" not in text(at)
    at.session_state["give_label"] = True
    at.run()
    at.button(key=f"hear_happy_{clip_id}").click().run()
    at.button(key=f"save_label_{clip_id}").click().run()
    assert not at.exception
    assert "You heard: **Happy**" in text(at)
    assert "\\*Bo\\*: **Angry**" in text(at)
    mine = labelling.mine(store, clip_id)
    assert mine is not None
    assert mine.label.reason == "chosen"


def test_a_label_is_changed_and_taken_back(app: AppTest, store: Store) -> None:
    (clip_id,) = many(store, 1)
    labelling.save(store, clip_id, NewLabel("happy", intensity=2, reason="random"))
    at = opened(app, "clip", id=str(clip_id))
    at.session_state["change_label"] = True
    at.run()
    assert at.selectbox(key=f"intensity_{clip_id}").value == 2
    at.button(key=f"hear_sad_{clip_id}").click().run()
    at.button(key=f"save_label_{clip_id}").click().run()
    assert not at.exception
    mine = labelling.mine(store, clip_id)
    assert mine is not None
    assert mine.label == NewLabel("sad", intensity=2, reason="random")  # drawn at random it stays
    at.button(key="take_back").click().run()
    assert not at.exception
    assert labelling.mine(store, clip_id) is None
    assert "You heard" not in text(at)


def test_without_the_right_nobody_is_asked(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (clip_id,) = many(store, 1)
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    assert "You do not have the right" in text(opened(app))
    label_free = opened(app, "clip", id=str(clip_id))
    assert not [each for each in label_free.button if each.key and each.key.startswith("hear_")]
