"""The two sides of a call on the pages: swapped and paired from a clip's menu, told and offered at the upload."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from emostore.services.queue import jobs
from emostore.store.reports import reports
from emostore.store.session import Store
from tests.app.conftest import text
from tests.app.stored import saved
from tests.audio_samples import noise, write_wav


def opened(app: AppTest, clip_id: int) -> AppTest:
    app.query_params["id"] = str(clip_id)
    return app.switch_page("pages/clip.py").run()


def side(store: Store, clip_id: int) -> tuple[str, int | None, float]:
    view = reports.clip_view(store, clip_id)
    assert view is not None
    return view.role, view.partner_id, view.starts_s


def test_a_file_is_paired_with_the_other_sides_swapped_and_parted_from_its_menu(app: AppTest, store: Store) -> None:
    own, other = saved(store, name="one", role="unknown"), saved(store, name="two", role="mixed")
    at = opened(app, own)
    at.selectbox(key="pair_role").set_value("customer")
    at.number_input(key="pair_offset").set_value(1.5)
    at.text_input(key="pair_searched").set_value("two").run()
    at.button(key=f"pair_with_{other}").click().run()
    assert not at.exception
    assert (side(store, own), side(store, other)) == (("customer", other, 0.0), ("agent", own, 1.5))
    at.button(key="swap_sides").click().run()
    assert (side(store, own)[0], side(store, other)[0]) == ("agent", "customer")
    at.button(key="unpair").click().run()
    assert not at.exception
    assert (side(store, own), side(store, other)) == (("unknown", None, 0.0), ("mixed", None, 0.0))
    at.text_input(key="pair_searched").set_value("nothing like it").run()
    assert "No clip of another file" in text(at)


def test_files_of_two_sides_are_offered_as_pairs_and_become_one_call(
    app: AppTest, store: Store, tmp_path: Path
) -> None:
    at = app.switch_page("pages/upload.py").run()
    at.selectbox(key="about_sides").set_value(("customer", "agent"))
    files = [
        write_wav(tmp_path / name, np.stack([noise(1.0, seed=seed)]))
        for seed, name in enumerate(("x_left.wav", "x_right.wav"))
    ]
    for path in files:
        at.file_uploader[0].upload(path.name, path.read_bytes())
    at.run()
    assert at.checkbox(key="about_pairs").value
    assert "x\\_left\\.wav (Customer) + x\\_right\\.wav (Agent)" in text(at)
    at.button(key="analyse").click().run()
    deadline = time.monotonic() + 60
    while jobs.active(store):
        assert time.monotonic() < deadline, "the worker does not come to an end"
        time.sleep(0.05)
    assert not at.exception
    rows = {row.file_name: row.clip_id for row in reports.latest_clips(store).rows}
    left, right = rows["x_left.wav"], rows["x_right.wav"]
    assert (side(store, left), side(store, right)) == (("customer", right, 0.0), ("agent", left, 0.0))
    again = app.switch_page("pages/upload.py").run()
    assert again.selectbox(key="about_sides").value == ("customer", "agent")  # offered for the next upload, too
