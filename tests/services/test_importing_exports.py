"""What this app exports and an import reads again: the same recordings, channels, sessions and pairs, or a sentence."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emostore.commands import data as commands
from emostore.config import Settings
from emostore.emotions import EMOTIONS
from emostore.services import editing, importing, output
from emostore.services.calibration import labelling
from emostore.services.exports import exporting
from emostore.services.importing import Given, Options
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports import history, reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store, create_store
from emostore.store.writing import clips
from emostore.store.writing.records import Role
from tests.store.samples import MODEL, analysis, recording

SIDES: tuple[Role, Role] = ("agent", "customer")


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def exported(store: Store, what: Any, kind: Any) -> Given:
    return Given(f"{what}.{kind}", io.BytesIO(b"".join(exporting.export(store, HistoryFilter(), what, kind))))


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("windows", "csv", "Its rows are windows, which are parts of clips."),
        ("windows", "jsonl", "Its rows are windows, which are parts of clips."),
        ("embeddings", "csv", "Its rows are embeddings, without scores."),
        ("embeddings", "jsonl", "Its rows are embeddings, without scores."),
        ("labels", "csv", "Labels are imported on the Label page, as CSV"),
        ("labels", "jsonl", "Labels are imported on the Label page, as CSV"),
        ("clips", "xlsx", "Tables are read as CSV"),
        ("clips", "parquet", "Tables are read as CSV"),
    ],
)
def test_what_is_exported_of_parts_of_clips_is_refused_once_and_told_where_it_belongs(
    sqlite_store: Store, config: Settings, what: Any, kind: Any, said: str
) -> None:
    stored = clips.save_many(sqlite_store, [analysis(name) for name in ("a", "b")])
    labelling.save_many(sqlite_store, {(each.clip_id, "Cy"): NewLabel("angry") for each in stored})
    plan = importing.plan(sqlite_store, config, [exported(sqlite_store, what, kind)], Options())
    assert (plan.clips, plan.passed, plan.refused_count) == ([], (), 1)
    assert plan.refused[0].line is None
    assert said in str(plan.refused[0].reason)


def test_an_exported_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert commands._write(tmp_path / "x.csv", [b"ab", b"c"]) == 3
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
    assert (tmp_path / "x.csv").stat().st_mode & 0o777 == 0o640


@pytest.fixture
def other(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store beside the first one."""
    opened = create_store(f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'other.db')}")
    yield opened
    opened.close()


def calls(store: Store) -> None:
    """A call of two channels that sound alike, at a guessed time; two that are one session; and one in a named one."""
    about = {"agent": "Ana"}
    call = recording("call", happened_at_source="upload")
    mono = [recording(name, channel_count=1) for name in ("first", "second", "named")]
    made = [analysis(recording=call, channel=channel, role=role, **about) for channel, role in enumerate(SIDES)]
    made += [analysis(recording=each, session_name="Case 7" if each is mono[2] else None) for each in mono]
    stored = clips.save_many(store, made)
    editing.merge_sessions(store, stored[3].session_id, stored[2].session_id)


def printed(store: Store) -> Given:
    """What `list --json` prints."""
    lines = [output.row_as_json(row, 0.0) for row in reports.latest_clips(store).rows]
    return Given("list.jsonl", io.BytesIO("\n".join(lines).encode()))


def places(store: Store) -> list[tuple[Any, ...]]:
    """Where each clip belongs, with ids that depend on the store told apart only."""
    rows = sorted(history.stream(store), key=lambda row: (row.sha256, row.channel))
    columns = ("sha256", "file_name", "channel", "channel_count", "role", "agent", "session_key", "session_name")
    return [tuple(getattr(row, name) for name in (*columns, "happened_at", "happened_at_source")) for row in rows]


def brought(store: Store, config: Settings, given: Given) -> importing.Imported:
    plan = importing.plan(store, config, [given], Options())
    assert not plan.refused
    return importing.write(store, config, [given], Options(), plan)


@pytest.mark.parametrize("how", ["csv", "jsonl", "zip", "list"])
def test_recordings_keep_their_channels_and_sessions_and_are_known_where_they_came_from(
    sqlite_store: Store, other: Store, config: Settings, how: str
) -> None:
    calls(sqlite_store)
    what = "results" if how == "zip" else "clips"
    given = printed(sqlite_store) if how == "list" else exported(sqlite_store, what, how)
    here = importing.plan(sqlite_store, config, [given], Options())
    assert [clip.state for clip in here.clips] == ["stored"] * 5
    assert brought(other, config, given).new == 5
    assert places(other) == places(sqlite_store)
    again = exported(other, "clips", "csv")
    assert brought(sqlite_store, config, again).new == 0
    assert {row.revision for row in history.stream(other)} <= {MODEL.revision, f"imported, {MODEL.revision}"}
    assert [clip.state for clip in importing.plan(other, config, [again], Options()).clips] == ["stored"] * 5


@pytest.mark.parametrize(("what", "kind"), [("clips", "jsonl"), ("results", "zip")])
@pytest.mark.parametrize("named", [None, "Case 7"])
def test_a_paired_call_is_one_again_and_can_be_taken_apart(
    store: Store, other: Store, config: Settings, what: Any, kind: Any, named: str | None
) -> None:
    made = [
        analysis(recording=recording(name, channel_count=1), role=role, session_name=named)
        for name, role in zip(("x_agent", "x_caller"), SIDES, strict=True)
    ]
    before = [each.session_id for each in clips.save_many(store, made)]
    assert (before[0] == before[1]) == bool(named)
    first, second = (each.clip_id for each in clips.save_many(store, made))
    editing.pair(store, first, second, -2.5, roles=SIDES)
    brought(other, config, exported(store, what, kind))
    assert places(other) == places(store)
    views = [reports.clip_view(other, row.clip_id) for row in sorted(history.stream(other), key=lambda row: row.role)]
    agent, caller = (view for view in views if view is not None)
    assert (agent.partner_id, caller.partner_id) == (caller.clip_id, agent.clip_id)
    assert (agent.starts_s, caller.starts_s) == (2.5, 0.0)
    assert brought(other, config, exported(store, what, kind)).new == 0
    for each, clip_id in ((store, first), (other, agent.clip_id)):
        editing.unpair(each, clip_id)
    assert places(other) == places(store)


def test_lines_of_before_are_still_read(sqlite_store: Store, other: Store, config: Settings) -> None:
    calls(sqlite_store)
    lines = [json.loads(line) for line in exported(sqlite_store, "clips", "jsonl").source.read().splitlines()]  # type: ignore[union-attr]
    old = [{name: line[name] for name in line.keys() - {"session_key", "session_name", "pair"}} for line in lines]
    given = Given("old.jsonl", io.BytesIO("\n".join(map(json.dumps, old)).encode()))
    assert brought(other, config, given).new == 5
    assert sorted(row.session_name for row in history.stream(other)) == ["Case 7", "call", "call", "first", "second"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sha256": "xyz"}, "sha256 is xyz, which is no SHA-256."),
        ({"channel": "left"}, "channel is left, which is not a number."),
        ({"channel_count": "0"}, "channel_count is 0, which is not a number."),
        ({"channel": "64"}, "channel is 64, which is not a number."),
        (
            {"session_key": f"recording:{'cd' * 32}", "session_name": "x" * 201},
            "The name of the session has 201 characters; 200 are allowed. Shorten it.",
        ),
    ],
)
def test_a_row_that_names_no_possible_place_is_refused(
    sqlite_store: Store, config: Settings, changed: dict[str, str], said: str
) -> None:
    row = {"file": "a", "sha256": "ab" * 32, "channel": "1", **dict.fromkeys(EMOTIONS, "0"), "sad": "1"} | changed
    given = Given("x.csv", io.BytesIO(f"{','.join(row)}\n{','.join(row.values())}\n".encode()))
    plan = importing.plan(sqlite_store, config, [given], Options())
    assert [str(each.reason) for each in plan.refused] == [said]


def test_the_name_of_an_unnamed_session_is_cleaned_as_every_other(store: Store, config: Settings) -> None:
    row = {"file": "a", "sha256": "ab" * 32, **dict.fromkeys(EMOTIONS, "0"), "sad": "1"}
    row |= {"session_key": f"recording:{'cd' * 32}", "session_name": "other\x07 file"}
    brought(store, config, Given("x.csv", io.BytesIO(f"{','.join(row)}\n{','.join(row.values())}\n".encode())))
    (found,) = history.stream(store)
    assert (found.session_key, found.session_name) == (f"recording:{'cd' * 32}", "other file")
