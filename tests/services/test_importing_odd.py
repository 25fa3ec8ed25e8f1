"""Odd files that people do have: rounded results that look alike, times as numbers, milliseconds, names in GB18030."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from emostore.config import Settings
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services import importing
from emostore.services.importing import Given, bounded, json_lines
from emostore.store.session import Store
from tests.services.test_importing import imported, one, result, rows, zipped

SAD = {name: float(name == "sad") for name in EMOTIONS}
FRAMES = [list(SAD.values())] * 204


def line(**changes: Any) -> dict[str, Any]:
    """A clip as our own exports write it."""
    return {
        "format": "emostore clip",
        "version": 1,
        "sha256": "ab" * 32,
        "file_name": "call.wav",
        "channel": 0,
        "channel_count": 1,
        "role": "customer",
        "happened_at": "2026-03-31T14:05:00+08:00",
        "happened_at_source": "given",
        "uploaded_at": "2026-03-31T14:05:00+08:00",
        "duration_s": 4.0,
        "recording_duration_s": 4.0,
        "byte_count": 64_044,
        "sample_rate": 8000,
        "container": "wav",
        "codec": "pcm",
        "analysed_at": "2026-03-31T14:05:00+08:00",
        "status": "analysed",
        "logits": [0.0] * 9,
        "scores": dict.fromkeys(EMOTIONS, 1 / 9),
        "model": {"name": "a", "revision": "1", "dim": 1, "classes": list(EMOTIONS)},
        **changes,
    }


def doubts(store: Store, config: Settings, value: Any) -> str:
    plan = importing.plan(store, config, [one(value)], importing.Options())
    return " ".join(str(doubt) for doubt, _ in plan.doubts)


def test_calls_that_sound_the_same_are_told_apart_by_their_names(sqlite_store: Store, config: Settings) -> None:
    calls = zipped({f"call{each}/result.json": json.dumps(result(SAD)) for each in "AB"})
    assert imported(sqlite_store, config, calls).new == 2
    assert imported(sqlite_store, config, one(result(SAD), "callC.json")).new == 1
    assert imported(sqlite_store, config, calls).new == 0


@pytest.mark.parametrize("stamp", [1_704_378_600, 1_704_378_600.0, 1_704_378_600_000])
def test_a_time_may_be_a_number_since_1970(sqlite_store: Store, config: Settings, stamp: float) -> None:
    assert imported(sqlite_store, config, one(result(timestamp=stamp))).new == 1
    assert imported(sqlite_store, config, one(result(timestamp=stamp + 60_000))).new == 1
    times = {row.happened_at for row in rows(sqlite_store)}
    assert datetime(2024, 1, 4, 14, 30, tzinfo=UTC) in times
    assert len(times) == 2


def test_a_small_number_is_no_time_of_day(sqlite_store: Store, config: Settings) -> None:
    assert "does not say when" in doubts(sqlite_store, config, result(timestamp=12.5))


def test_a_time_as_a_spreadsheet_writes_it(sqlite_store: Store, config: Settings) -> None:
    table = f"file,time,{','.join(EMOTIONS)}\na.wav,2024/1/2 10:00,{','.join(map(str, SAD.values()))}\n"
    assert imported(sqlite_store, config, one(table, "scores.csv")).new == 1
    assert rows(sqlite_store)[0].happened_at == datetime(2024, 1, 2, 2, tzinfo=UTC)  # read in Shanghai


@pytest.mark.parametrize("length", ["1e18", "1e300", "20000000"])
def test_no_clip_is_longer_than_any_recording(sqlite_store: Store, config: Settings, length: str) -> None:
    table = f"file,duration_s,{','.join(EMOTIONS)}\na.wav,{length},{','.join(map(str, SAD.values()))}\n"
    plan = importing.plan(sqlite_store, config, [one(table, "scores.csv")], importing.Options())
    assert (len(plan.clips), [str(each.reason)[:11] for each in plan.refused]) == (0, ["It would be"])


def test_milliseconds_that_look_like_seconds_are_a_doubt(sqlite_store: Store, config: Settings) -> None:
    assert "every 20 s" in doubts(sqlite_store, config, {"frames": FRAMES, "frame_shift": 20})
    assert "every 20 s" not in doubts(sqlite_store, config, {"frames": FRAMES, "frame_shift_ms": 20})
    assert "begins every" not in doubts(sqlite_store, config, {"frames": FRAMES, "frame_shift": 1})


def test_names_of_a_zip_are_read_as_windows_in_chinese_writes_them(sqlite_store: Store, config: Settings) -> None:
    name = "投诉誠/result.json"  # whose last letter ends with the byte of a backslash
    stored = name.encode("gb18030")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x" * len(stored), json.dumps(result()))
    data = buffer.getvalue().replace(b"x" * len(stored), stored)  # no word on its encoding
    assert imported(sqlite_store, config, Given("results.zip", io.BytesIO(data))).new == 1
    assert rows(sqlite_store)[0].file_name == "投诉誠"


def test_answers_in_lists_of_lists_are_clips(sqlite_store: Store, config: Settings) -> None:
    answers = [[{"key": key, "labels": list(EMOTIONS), "scores": list(SAD.values())}] for key in ("one", "two")]
    assert imported(sqlite_store, config, one(answers, "answers.json")).new == 2


@pytest.mark.parametrize(
    "change", [{"uploaded_at": "0001-01-01T00:00:00+14:00"}, {"analysed_at": "9999-12-31T23:00:00Z"}]
)
def test_times_that_no_database_holds_refuse_their_line_alone(
    sqlite_store: Store, config: Settings, change: dict[str, str]
) -> None:
    lines = "\n".join(json.dumps(each) for each in (line(), line(sha256="cd" * 32, **change)))
    plan = importing.plan(sqlite_store, config, [one(lines, "clips.jsonl")], importing.Options())
    assert (len(plan.clips), [each.line for each in plan.refused]) == (1, [2])
    assert imported(sqlite_store, config, one(lines, "clips.jsonl")).new == 1


def test_every_text_of_a_line_is_cleaned() -> None:
    found = json_lines.read(
        line(codec="p\0cm", container="w\0av", model={**line()["model"], "revision": "1\0", "licence": "\0MIT"})
    )
    assert (found.facts["codec"], found.facts["container"]) == ("pcm", "wav")
    assert (found.model.revision, found.model.licence) == ("1", "MIT")


def test_a_name_that_stands_twice_among_many_is_found_soon() -> None:
    """In time proportional to the names: a million of them are within the limits of a file."""
    names = [f"n{number}" for number in range(200_000)]
    data = "{" + ",".join(f'"{name}":0' for name in [*names, names[-1]]) + "}"
    with pytest.raises(EmostoreError, match="n199999 stands twice"):
        bounded.json_value(data.encode())
