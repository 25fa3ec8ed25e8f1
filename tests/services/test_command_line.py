"""`python -m emostore`: what it prints, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from emostore.__main__ import app
from emostore.config import settings
from emostore.emotions import EMOTIONS
from emostore.engine import registry
from tests.services.conftest import LoudnessModel

Tone = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, talkative: None) -> Iterator[Callable[..., Result]]:
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(registry, "load_recognizer", lambda settings: LoudnessModel())
    settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    settings.cache_clear()


def objects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_gives_one_object_a_clip_with_the_nine_scores_in_order(run: Callable[..., Result], tone: Tone) -> None:
    result = run("analyze", tone("call.wav", 0.1, 0.9), "--json", "--role", "agent,customer")
    assert result.exit_code == 0, result.output
    left, right = objects(result)
    assert (left["channel"], right["channel"]) == (0, 1)
    assert (right["file"], right["status"], right["emotion"]) == ("call.wav", "analysed", "angry")
    assert (right["model"], right["revision"]) == ("loudness", "1")
    assert right["duration_s"] == pytest.approx(1.0)
    scores = right["scores"]
    assert isinstance(scores, dict)
    assert list(scores) == list(EMOTIONS)
    assert sum(scores.values()) == pytest.approx(1)
    assert right["confidence"] == max(scores.values())
    assert len(str(right["sha256"])) == 64


def test_two_channels_are_agent_and_customer_unless_something_else_is_said(
    run: Callable[..., Result], tone: Tone
) -> None:
    for name, said, roles in (
        ("a.wav", (), ["agent", "customer"]),
        ("b.wav", ("--roles", "customer,agent"), ["customer", "agent"]),
        ("c.wav", ("--roles", "unknown,unknown"), ["unknown", "unknown"]),
    ):
        assert run("analyze", tone(name, 0.1, 0.2 + 0.1 * len(said) + 0.01 * ord(name[0])), *said).exit_code == 0
        listed = objects(run("list", "--json", "--limit", "2"))
        assert [row["role"] for row in sorted(listed, key=lambda row: str(row["channel"]))] == roles
    wrong = run("analyze", tone("d.wav", 0.3, 0.4), "--roles", "agent")
    assert wrong.exit_code == 2
    assert "name those of the left and the right channel" in wrong.output


def test_files_of_two_sides_become_one_call_if_that_is_asked_for(run: Callable[..., Result], tone: Tone) -> None:
    files = [tone("x_caller.wav", 0.3), tone("x_agent.wav", 0.6), tone("alone.wav", 0.2)]
    assert run("analyze", *files, "--pair").exit_code == 0
    listed = {str(row["file"]): row for row in objects(run("list", "--json"))}
    assert {name: row["role"] for name, row in listed.items()} == {
        "x_caller.wav": "customer",
        "x_agent.wav": "agent",
        "alone.wav": "unknown",
    }
    assert listed["x_caller.wav"]["session"] == listed["x_agent.wav"]["session"] != listed["alone.wav"]["session"]


def test_folders_are_walked_and_one_failure_sets_the_exit_code(
    run: Callable[..., Result], tone: Tone, tmp_path: Path
) -> None:
    tone("calls/a.wav", 0.3)
    tone("calls/deep/b.wav", 0.6)
    (tmp_path / "calls/notes.txt").write_text("no sound")
    (tmp_path / "calls/.hidden.wav").write_text("left out")
    result = run("analyze", tmp_path / "calls", "--json")
    assert result.exit_code == 1
    found = {str(each["file"]): each for each in objects(result)}
    assert {name: each["status"] for name, each in found.items()} == {
        "calls/a.wav": "analysed",
        "calls/deep/b.wav": "analysed",
        "calls/notes.txt": "failed",
    }
    assert "notes.txt" in str(found["calls/notes.txt"]["error"])


def test_no_speech_and_stored_already_are_no_failures(run: Callable[..., Result], tone: Tone) -> None:
    silent = tone("silent.wav", 0.0)
    first, second = run("analyze", silent, "--json"), run("analyze", silent, "--json")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (objects(first)[0]["status"], objects(second)[0]["status"]) == ("no speech", "stored already")
    assert objects(first)[0]["scores"] is None


def test_a_file_that_is_not_there_is_a_failure_with_a_sentence(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("analyze", tmp_path / "gone.wav")
    assert result.exit_code == 1
    assert "gone.wav could not be read" in result.stdout


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--role", "boss", "'boss' is not a role"),
        ("--happened-at", "yesterday", "'yesterday' is not a time"),
        ("--team", "North", "without an agent"),
        ("--scenario", "circus", "'circus' is not a scenario"),
        ("--domain", "moon", "'moon' is not a domain"),
        ("--language", "no language", "is not a language tag"),
        ("--pattern", "{boss}", "{boss} is not a field"),
        ("--csv", "nowhere.csv", "nowhere.csv could not be read"),
    ],
)
def test_a_wrong_description_is_refused_before_anything_is_read(
    run: Callable[..., Result], tone: Tone, option: str, value: str, part: str
) -> None:
    result = run("analyze", tone("a.wav", 0.5), option, value)
    assert result.exit_code == 2
    assert part in result.stderr
    assert "Traceback" not in result.output


def test_list_shows_what_was_analysed_in_the_reporting_time_zone(
    run: Callable[..., Result], tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOSTORE_TIME_ZONE", "Asia/Shanghai")
    settings.cache_clear()
    run("analyze", tone("a.wav", 0.9), "--agent", "Ana", "--happened-at", "2026-03-31T14:05+08:00")
    (row,) = objects(run("list", "--json"))
    assert (row["file"], row["agent"], row["emotion"]) == ("a.wav", "Ana", "angry")
    assert row["happened_at"] == "2026-03-31T06:05:00+00:00"
    assert "2026-03-31 14:05  Ana  a.wav  angry" in run("list").stdout


def test_the_database_can_be_checked_and_upgraded(run: Callable[..., Result]) -> None:
    assert run("db", "check").exit_code == 1
    assert run("db", "upgrade").exit_code == 0
    assert run("db", "check").exit_code == 0


def test_models_are_listed_with_what_they_can_produce(run: Callable[..., Result]) -> None:
    listed = {str(each["name"]): each for each in objects(run("models", "list", "--json"))}
    assert listed["baseline"]["installed"] is True
    assert listed["baseline"]["classes"] == ["angry", "disgusted", "fearful", "happy", "neutral", "sad"]
    assert listed["emotion2vec_plus_large"]["classes"] == list(EMOTIONS)


def test_a_setting_with_a_wrong_value_is_named(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOSTORE_TIME_ZONE", "Mars/Olympus")
    settings.cache_clear()
    result = run("list")
    assert result.exit_code == 2
    assert "EMOSTORE_TIME_ZONE" in result.stderr


def test_names_options_and_a_list_describe_the_files(run: Callable[..., Result], tone: Tone, tmp_path: Path) -> None:
    tone("calls/Ann_20260331.wav", 0.3)
    tone("calls/Bob_20260401.wav", 0.5)
    tone("calls/other.wav", 0.7)
    (tmp_path / "list.csv").write_text("file,agent,role,colour\nother.wav,Cho,boss,red\n")
    options = ("--pattern", "{agent}_{date}", "--csv", tmp_path / "list.csv", "--scenario", "teaching", "--json")
    result = run("analyze", tmp_path / "calls", *options)
    assert result.exit_code == 0, result.output
    assert "Row 2: 'boss' is not a role" in result.stderr
    assert "these columns were left out: colour" in result.stderr
    assert "calls/other.wav does not fit the pattern {agent}_{date}." in result.stderr
    rows = {str(row["file"]): row for row in objects(run("list", "--json"))}
    assert {name: row["agent"] for name, row in rows.items()} == {
        "calls/Ann_20260331.wav": "Ann",
        "calls/Bob_20260401.wav": "Bob",
        "calls/other.wav": "Cho",
    }
    ann = rows["calls/Ann_20260331.wav"]
    assert (ann["happened_at"], ann["happened_at_source"]) == ("2026-03-31T00:00:00+00:00", "name")


def test_a_backup_is_written_and_restored(
    run: Callable[..., Result], tone: Tone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("analyze", tone("a.wav", 0.9), "--agent", "Ana")
    before = run("list", "--json").stdout
    written = run("backup", tmp_path / "backup.zip")
    assert written.exit_code == 0, written.output
    assert "1 recordings, 1 clips, 1 files of audio" in written.stdout
    assert run("restore", tmp_path / "backup.zip").exit_code == 2  # it is not empty
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path / "elsewhere"))
    settings.cache_clear()
    assert run("restore", tmp_path / "backup.zip").stdout == written.stdout
    assert run("list", "--json").stdout == before
