"""The Data page: results are looked at before they are stored, drawn without being stored, and taken away."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from emostore import access
from emostore.analytics.reference import CASES
from emostore.services.calibration import labelling
from emostore.services.exports import exporting
from emostore.store.calibration import labels
from emostore.store.reports import reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.ui import bootstrap, exports
from tests.app.conftest import HOME, text
from tests.app.labelled import label
from tests.app.stored import saved
from tests.held import ROWS, WAIT_S, Gate, table

BUSINESS = dict(CASES["Business talk"])
RESULT = json.dumps({"emotion": "neutral", "scores": BUSINESS, "timestamp": "2024-01-04 22:30:00"})


def opened(app: AppTest, **address: str) -> AppTest:
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page("pages/data.py").run()


def chosen(at: AppTest, name: str, content: bytes | str) -> AppTest:
    data = content.encode() if isinstance(content, str) else content
    at.file_uploader[0].upload(name, data)
    return at.run()


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"{name}/result.json", data)
    return buffer.getvalue()


def imported(at: AppTest) -> AppTest:
    """What is planned is stored, and the page tells how it ended."""
    at.button(key="import_now").click().run()
    bootstrap.background_import().wait(WAIT_S)
    return at.run()


def plainly(at: AppTest) -> str:
    """The words of the page without the marks that keep names from being Markdown."""
    return text(at).replace("\\", "")


def metrics(at: AppTest) -> dict[str, str]:
    return {each.label: each.value for each in at.metric}


def test_the_page_begins_with_what_can_be_imported(app: AppTest, store: Store) -> None:
    at = opened(app)
    assert not at.exception
    assert "result.json" in text(at)
    assert "FunASR" in text(at)
    assert not at.button


def test_nothing_is_stored_before_it_is_confirmed_and_then_it_is_linked_to(app: AppTest, store: Store) -> None:
    at = chosen(opened(app), "results.zip", zipped(outputs_20240104_223000=RESULT, other="{"))
    assert not at.exception
    assert metrics(at) == {"New clips": "1", "Further scores": "0", "There already": "0", "Refused": "1"}
    assert "cannot be read as JSON" in text(at)
    assert "it is read as a time in UTC" in text(at)
    assert "No agent is named" in text(at)
    assert "unnamed model · imported" in text(at)
    assert reports.count_clips(store) == 0
    at.text_input(key="import_agent").set_value("Ana")
    at.text_input(key="import_model").set_value("emotion2vec_plus_large")
    at.selectbox(key="import_zone").set_value("Asia/Shanghai").run()
    assert "no time zone" not in text(at)
    imported(at)
    assert not at.exception
    assert at.success[0].value == "1 clip was imported."
    (row,) = reports.latest_clips(store).rows
    assert (row.file_name, row.agent, row.model) == ("outputs_20240104_223000", "Ana", "emotion2vec_plus_large")
    assert f"{row.happened_at:%Y-%m-%d %H:%M}" == "2024-01-04 14:30"
    at = chosen(at, "again.zip", zipped(outputs_20240104_223000=RESULT))
    assert "There is nothing new to import." in text(at)
    assert metrics(at)["There already"] == "1"


def test_an_import_goes_on_whatever_is_clicked_and_its_end_is_told(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    try:
        at = chosen(opened(app), "many.csv", table())
        at.button(key="import_now").click().run()
        assert gate.reached.wait(WAIT_S)
        assert "It goes on when you leave this page" in text(at.run())
        assert not at.metric  # the files are the import's, and their plan is gone
        at.switch_page("pages/upload.py").run()
        assert not at.exception
        another = opened(AppTest.from_file(HOME, default_timeout=60), lang="zh")
        assert another.button(key="import_cancel").label == "取消"
        assert "It goes on when you leave this page" in text(opened(at))
    finally:
        gate.opened.set()
        bootstrap.background_import().wait(WAIT_S)
    assert reports.count_clips(store) == ROWS
    at = opened(at)
    assert at.success[0].value == f"{ROWS} clips were imported."
    at = chosen(at.run(), "many.csv", table())
    assert not at.success
    assert "There is nothing new to import." in text(at)


def test_an_import_can_be_cancelled_and_finished_later(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    try:
        at = chosen(opened(app), "many.csv", table())
        at.button(key="import_now").click().run()
        assert gate.reached.wait(WAIT_S)
        at.run().button(key="import_cancel").click().run()
        assert not at.exception
    finally:
        gate.opened.set()
        bootstrap.background_import().wait(WAIT_S)
    at.run()
    assert "import the same files again to bring the rest" in text(at)
    assert at.success[0].value == "100 clips were imported."
    at = imported(chosen(at, "many.csv", table()))
    assert at.success[0].value == f"{ROWS - 100} clips were imported."


def test_frames_ask_for_their_distance(app: AppTest, store: Store) -> None:
    at = chosen(opened(app), "result_frame.json", json.dumps([[1 / 9] * 9] * 100))
    assert "do not say how far apart they are" in text(at)
    at.number_input(key="import_hop").set_value(20.0).run()
    assert metrics(at)["New clips"] == "1"
    assert "averaged into windows of 3 s" in text(at)


def test_a_team_without_an_agent_is_put_right_first(app: AppTest, store: Store) -> None:
    at = chosen(opened(app), "result.json", RESULT)
    at.text_input(key="import_team").set_value("North").run()
    assert "without an agent" in text(at)
    assert not at.metric


@pytest.mark.parametrize(("examples", "charts"), [("business", 2), ("all", 4)])
def test_a_link_draws_the_published_cases(app: AppTest, store: Store, examples: str, charts: int) -> None:
    at = opened(app, section="draw", examples=examples)
    assert not at.exception
    assert len(at.get("vega_lite_chart")) == charts  # a bar chart each, and one radar chart
    assert "mostly neutral (67.4 %)" in text(at)
    assert reports.count_clips(store) == 0
    if examples == "all":
        assert "A high-priority alert is raised" in plainly(at)
        assert "61.5" in str(at.dataframe[0].value)


def test_what_is_pasted_is_drawn_and_what_is_wrong_with_it_is_said(app: AppTest, store: Store) -> None:
    at = opened(app, section="draw")
    assert not at.get("vega_lite_chart")
    at.text_area(key="drawn_text").set_value(RESULT.replace("0.674", "0.974")).run()
    assert "sum to 1.299" in plainly(at)
    at.text_area(key="drawn_text").set_value(RESULT).run()
    assert len(at.get("vega_lite_chart")) == 2
    at.text_area(key="drawn_text").set_value(RESULT.replace('"neutral", ', '"happy", ') * 8).run()
    assert "There are 8 results; the first 6 are drawn." in text(at)
    assert "The file says happy, but the highest of its scores is that of neutral" in plainly(at)
    at.button(key="example_complaint").click().run()
    assert "angry (42.1 %)" in plainly(at)
    assert at.query_params["examples"] == "complaint"
    assert reports.count_clips(store) == 0


def test_what_fits_the_filters_is_offered_in_every_format(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, bytes] = {}

    def clicked(label: str, *, data: Any, key: str, **_: object) -> None:
        if key.startswith("export_"):
            taken[key.removeprefix("export_")] = data()

    monkeypatch.setattr(exports.st, "download_button", clicked)
    label(store, [saved(store, name="a.wav", agent="Ana")], rater="=Cy")
    saved(store, name="b.wav", agent="Bob")
    for what in exporting.WHATS:
        at = opened(app, section="export", what=what, days="all", agent="Ana")
        assert not at.exception
        assert ("1 labelled clip fits." if what == "labels" else "1 clip fits.") in text(at)
    assert list(taken) == [f"{what}_{kind}" for what in exporting.WHATS for kind in exporting.OFFERED[what]]
    rows = list(csv.DictReader(io.StringIO(taken["clips_csv"].decode("utf-8-sig"))))
    assert [row["file_name"] for row in rows] == ["a.wav"]
    (heard,) = csv.DictReader(io.StringIO(taken["labels_csv"].decode("utf-8-sig")))
    assert (heard["file_name"], heard["rater"], heard["emotion"]) == ("a.wav", "'=Cy", "angry")
    assert [json.loads(line)["file_name"] for line in taken["clips_jsonl"].splitlines()] == ["a.wav"]
    assert zipfile.ZipFile(io.BytesIO(taken["results_zip"])).namelist() == [
        "outputs_20260331_060500/result.json",
        "outputs_20260331_060500/embedding.npy",
    ]


def test_an_export_of_nothing_says_so(app: AppTest, store: Store) -> None:
    at = opened(app, section="export")
    assert not at.exception
    assert "No clip fits these filters" in text(at)
    assert "No clip with a label fits" in text(opened(app, section="export", what="labels"))


def test_labels_of_clips_that_are_there_are_imported_alone(app: AppTest, store: Store) -> None:
    clip_id = saved(store, name="a.wav")
    label(store, [clip_id], rater="Cy")
    lines = b"".join(exporting.export(store, HistoryFilter(), "clips", "jsonl"))
    labelling.remove(store, clip_id, "Cy")
    at = chosen(opened(app), "x.jsonl", lines)
    assert metrics(at)["Labels"] == "1"
    imported(at)
    assert not at.exception
    assert "Labels that were imported: 1." in str(at.success[0].value)
    assert [each.rater for each in labels.of_clip(store, clip_id)] == ["Cy"]


def test_who_may_not_analyse_imports_nothing(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: action == "read")
    at = opened(app)
    assert not at.exception
    assert "You do not have the right" in str(at.error[0].value)
    assert not at.file_uploader
