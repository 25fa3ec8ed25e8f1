"""Labels out and in again: as a list, with their clips, in other databases; nobody's words are lost or run."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pyarrow import parquet

from emostore import access
from emostore.config import Settings
from emostore.services import importing
from emostore.services.calibration import label_list, labelling
from emostore.services.exports import exporting
from emostore.services.importing import Given, Options
from emostore.store import audit
from emostore.store.calibration import label_reading, labels
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports import history
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store, create_store
from emostore.store.writing import clips, edits
from tests.store.samples import NOON, analysis

EVERYTHING = HistoryFilter(time_zone="Asia/Shanghai")
SAID = datetime(2025, 2, 3, 4, 5, 6, 789, UTC)
HEARD = {
    ("a", 0, "=Bo"): NewLabel("angry", "surprised", 4, "=1+1", "random"),
    ("a", 0, "喆 \u0645"): NewLabel("cannot_tell", comment='\'=2, "quoted"\nand more', reason="disagreeing"),
    ("a", 1, "Cy"): NewLabel("happy", intensity=1, comment="@SUM(A1)", reason="uncertain"),
    ("b", 0, "me"): NewLabel("sad", reason="imported", comment="x" * 2000),
    ("b", 0, "Cy"): NewLabel("sad", reason="chosen"),
}


@pytest.fixture
def other(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A second database, with the same clips under other numbers."""
    opened = create_store(f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'other.db')}")
    fill(opened, ("b", 0), ("none", 0), ("a", 1), ("a", 0))
    yield opened
    opened.close()


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def fill(store: Store, *channels: tuple[str, int]) -> dict[tuple[str, int], int]:
    """Clips of recordings by their names, two channels each; the ids of the clips."""
    saved = clips.save_many(store, [analysis(name, channel) for name, channel in channels])
    return {channel: each.clip_id for channel, each in zip(channels, saved, strict=True)}


def labelled(store: Store) -> dict[tuple[str, int], int]:
    """Three clips and one that nobody labels, with what was heard in them."""
    ids = fill(store, ("a", 0), ("a", 1), ("b", 0), ("none", 0))
    times = {(ids[name, channel], rater): SAID for name, channel, rater in HEARD}
    given = {(ids[name, channel], rater): label for (name, channel, rater), label in HEARD.items()}
    labelling.save_many(store, given, times)
    return ids


def told(store: Store) -> dict[tuple[str, int, str], tuple[NewLabel, datetime]]:
    """Every label by the name of its file, its channel and its rater."""
    rows = {row.clip_id: row for row in history.stream(store)}
    found = {}
    for clip_id, views in label_reading.of_clips(store, rows.keys()).items():
        for view in views:
            name = rows[clip_id].file_name.removesuffix(".wav")
            found[name, rows[clip_id].channel, view.rater] = (view.label, view.labelled_at)
    return found


def taken(store: Store, what: exporting.What, kind: exporting.Format, wanted: HistoryFilter = EVERYTHING) -> bytes:
    return b"".join(exporting.export(store, wanted, what, kind))


def given(data: bytes) -> list[Given]:
    return [Given("x.jsonl", io.BytesIO(data))]


def bring(store: Store, config: Settings, data: bytes) -> importing.Imported:
    plan = importing.plan(store, config, given(data), Options())
    assert not plan.refused
    return importing.write(store, config, given(data), Options(), plan)


def test_labels_move_between_databases_and_back_and_come_in_once(store: Store, other: Store, config: Settings) -> None:
    ids = labelled(store)
    everything = told(store)
    assert everything == {key: (label, SAID) for key, label in HEARD.items()}
    checked = label_list.check(other, taken(store, "labels", "csv"))
    assert (checked.new, checked.changed, checked.problems) == (len(HEARD), 0, ())
    label_list.save(other, checked)
    assert told(other) == everything
    events = len(audit.page(other, 100).rows)
    again = label_list.check(other, taken(store, "labels", "csv"))
    assert (again.new, again.changed, again.problems) == (0, 0, ())
    label_list.save(other, again)
    assert (told(other), len(audit.page(other, 100).rows)) == (everything, events)

    for name, channel, rater in HEARD:
        labelling.remove(store, ids[name, channel], rater)
    lines = taken(other, "clips", "jsonl")
    plan = importing.plan(store, config, given(lines), Options())
    assert (plan.count("stored"), len(plan.wanted), plan.labels) == (4, 3, len(HEARD))
    assert bring(store, config, lines).labels == len(HEARD)
    assert told(store) == everything
    assert importing.plan(store, config, given(lines), Options()).wanted == frozenset()
    assert bring(store, config, lines).labels == 0
    kept = [row.details for row in audit.page(store, 100).rows if row.details.get("what") == "label"]
    assert len(kept) == 3 * len(HEARD)  # said, taken back, brought


def test_a_label_is_the_same_in_every_format_and_never_a_formula(sqlite_store: Store) -> None:
    labelled(sqlite_store)
    text = list(csv.DictReader(io.StringIO(taken(sqlite_store, "labels", "csv").decode("utf-8-sig"), newline="")))
    typed = parquet.read_table(io.BytesIO(taken(sqlite_store, "labels", "parquet"))).to_pylist()
    lines = [json.loads(line) for line in taken(sqlite_store, "labels", "jsonl").splitlines()]
    heading, *cells = load_workbook(io.BytesIO(taken(sqlite_store, "labels", "xlsx"))).active.iter_rows()
    assert {cell.data_type for row in cells for cell in row} <= {"s", "n", "d"}  # none is a formula
    sheet = [
        {name.value.partition(" ")[0]: cell.value for name, cell in zip(heading, row, strict=True)} for row in cells
    ]
    assert len(text) == len(typed) == len(lines) == len(sheet) == len(HEARD)
    for csv_row, row, line, cell in zip(text, typed, lines, sheet, strict=True):
        label = HEARD[row["file_name"].removesuffix(".wav"), row["channel"], row["rater"]]
        assert (row["emotion"], row["second"], row["intensity"], row["comment"], row["reason"]) == (
            *(label.emotion, label.second, label.intensity, label.comment, label.reason),
        )
        assert row["labelled_at"] == SAID
        assert {**line, "labelled_at": SAID, "happened_at": row["happened_at"]} == row
        for name in ("sha256", "rater", "emotion", "comment", "reason", "intensity"):
            assert cell[name] == row[name], name
        assert not csv_row["comment"].startswith(("=", "@"))
        assert not csv_row["rater"].startswith("=")
        assert csv_row["labelled_at"] == "2025-02-03T12:05:06.000789+08:00"


def test_only_labels_of_clips_that_fit_are_taken(store: Store) -> None:
    labelled(store)
    rows = list(csv.DictReader(io.StringIO(taken(store, "labels", "csv", HistoryFilter(role="agent")).decode())))
    assert rows == []
    assert history.search(store, HistoryFilter(labelled=True)).count == 3
    in_time = HistoryFilter(from_date=NOON.date(), to_date=NOON.date())
    assert len(taken(store, "labels", "jsonl", in_time).splitlines()) == len(HEARD)
    later = HistoryFilter(from_date=NOON.date() + timedelta(days=1))
    assert taken(store, "labels", "jsonl", later) == b""


def test_what_a_rater_said_here_stays(sqlite_store: Store, other: Store, config: Settings) -> None:
    labelled(sqlite_store)
    (clip_id,) = label_reading.find_clips(other, {("a.wav", 1)})["a.wav", 1]
    labelling.save_many(other, {(clip_id, "Cy"): NewLabel("neutral")})
    lines = taken(sqlite_store, "clips", "jsonl")
    plan = importing.plan(other, config, given(lines), Options())
    assert ("A rater said something else of it here; that stays.", 1) in [(str(d), count) for d, count in plan.doubts]
    assert plan.labels == bring(other, config, lines).labels == len(HEARD) - 1
    assert told(other)["a", 1, "Cy"][0] == NewLabel("neutral")


def test_who_may_still_label_a_clip_is_not_told_by_others(
    sqlite_store: Store, other: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = labelled(sqlite_store)
    whole = taken(sqlite_store, "clips", "jsonl")
    monkeypatch.setattr(access, "can", lambda action, subject=None: action in ("read", "edit"))
    assert taken(sqlite_store, "labels", "jsonl") == b""
    assert all(json.loads(line)["labels"] == [] for line in taken(sqlite_store, "clips", "jsonl").splitlines())
    labelling.save(sqlite_store, ids["b", 0], NewLabel("angry"))
    mine = [json.loads(line) for line in taken(sqlite_store, "labels", "jsonl").splitlines()]
    assert {each["file_name"] for each in mine} == {"b.wav"}
    assert len(mine) == 3
    monkeypatch.setattr(access, "can", lambda action, subject=None: action in ("read", "analyse"))
    assert len(taken(sqlite_store, "labels", "jsonl").splitlines()) == len(HEARD) + 1  # who labels nothing is told
    plan = importing.plan(other, config, given(whole), Options())
    assert ("Its labels are left out: you do not have the right to label clips.", 3) in [
        (str(doubt), count) for doubt, count in plan.doubts
    ]
    assert plan.labels == bring(other, config, whole).labels == 0


GOOD = {"rater": "Bo", "emotion": "sad", "labelled_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ([GOOD | {"rater": " \n"}], "a rater has a name"),
        ([GOOD | {"rater": "B" * 2000}], "rater"),
        ([GOOD, GOOD | {"rater": " Bo "}], "there twice"),
        ([GOOD | {"emotion": "bored"}], "is not one of the nine emotions"),
        ([GOOD | {"second": "sad"}], "A second emotion stands beside another"),
        ([GOOD | {"intensity": 6}], "The intensity 6 is not one of"),
        ([GOOD | {"intensity": True}], "intensity is True"),
        ([GOOD | {"comment": "x" * 2001}], "comment"),
        ([GOOD | {"reason": "mood"}], "reason is mood"),
        ([GOOD | {"labelled_at": "2026-01-01"}], "labelled_at"),
        ([GOOD | {"labelled_at": "0001-01-01T00:00:00+08:00"}], "in the year 1"),
        ([{**GOOD, "rater": str(number)} for number in range(1001)], "labels is"),
        ("sad", "labels is sad"),
    ],
)
def test_a_label_that_cannot_be_refuses_its_line(sqlite_store: Store, config: Settings, heard: Any, said: str) -> None:
    fill(sqlite_store, ("a", 0))
    line = json.loads(taken(sqlite_store, "clips", "jsonl"))
    (refused,) = importing.plan(
        sqlite_store, config, given(json.dumps(line | {"labels": heard}).encode()), Options()
    ).refused
    assert said in str(refused.reason)


def test_a_list_may_say_when_and_why_and_of_which_recording(sqlite_store: Store) -> None:
    ids = fill(sqlite_store, ("a", 0), ("a", 1), ("b", 0))
    sha256 = {
        row.clip_id: label_reading.hashes(sqlite_store, [row.clip_id])[row.clip_id]
        for row in history.stream(sqlite_store)
    }
    a = sha256[ids["a", 0]]
    text = (
        "sha256,clip_id,channel,emotion,rater,reason,labelled_at\n"
        f"{a},99,1,sad,Bo,random,2026-01-01T00:00:00+01:00\n"  # the hash counts, not the number
        f"{a},,,sad,Bo,,\n"
        f"{'0' * 64},{ids['b', 0]},0,sad,Bo,,\n"
        f",{ids['b', 0]},,sad,Bo,mood,\n"
        f",{ids['b', 0]},,sad,Cy,,2026-01-01\n"
        f",{ids['b', 0]},,sad,{'D' * 2000},,\n"
        f",{ids['b', 0]},,sad,Ed,,\n"
    )
    found = label_list.check(sqlite_store, text.encode())
    assert [each.params["line"] for each in found.problems] == [3, 4, 5, 6, 7]
    assert found.labels == {
        (ids["a", 1], "Bo"): NewLabel("sad", reason="random"),
        (ids["b", 0], "Ed"): NewLabel("sad", reason="imported"),
    }
    label_list.save(sqlite_store, found)
    (stored,) = labels.of_clip(sqlite_store, ids["a", 1])
    assert stored.labelled_at == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_a_label_of_a_clip_that_is_gone_is_left_out(store: Store) -> None:
    ids = fill(store, ("a", 0))
    said = labels.Said("Bo", NewLabel("sad"), SAID)
    assert labelling.restore(store, {(ids["a", 0], "Bo"): said, (10**6, "Bo"): said}) == 1
    with edits.changing(store) as session:
        assert labels.add_missing(session, {(ids["a", 0], "Bo"): said}) == set()
