"""`python -m emostore import` and `export`: what they print, what they write, and their exit codes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from emostore.__main__ import app
from emostore.analytics.reference import CASES
from emostore.config import settings
from emostore.services import preferences
from emostore.services.calibration import labelling
from emostore.store.calibration import labels
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports import reports
from emostore.store.session import create_store

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMOSTORE_TIME_ZONE", "Asia/Shanghai")
    settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    settings.cache_clear()


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for second, case in enumerate(CASES.values()):
        folder = tmp_path / "outputs" / f"outputs_20240104_22300{second}"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps({"scores": dict(case)}))
    return tmp_path / "outputs"


def test_a_dry_run_prints_and_writes_nothing(run: Run, outputs: Path) -> None:
    result = run("import", outputs, "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == (
        "outputs_20240104_223000: new: neutral 0.675, 2024-01-04 22:30 CST, no agent"
    )
    assert "Doubtful (3): Its time has no time zone; it is read as a time in Asia/Shanghai." in result.stderr
    assert run("list").stdout == ""


def test_results_come_in_once_and_go_out_again(run: Run, outputs: Path, tmp_path: Path) -> None:
    (outputs / "bad.json").write_text("{")
    first = run("import", outputs, "--agent", "Ana", "--time-zone", "UTC", "--model", "emotion2vec_plus_large")
    assert first.exit_code == 1
    assert "outputs/bad.json: refused: It cannot be read as JSON" in first.stderr
    assert "3 new clips and new scores of 0 known clips were imported." in first.stdout
    again = run("import", outputs, "--time-zone", "UTC", "--model", "emotion2vec_plus_large", "--json")
    assert [json.loads(line)["state"] for line in again.stdout.splitlines()] == ["stored"] * 3
    table = tmp_path / "angry.csv"
    assert run("export", table, "--emotion", "angry", "--score", "angry=0.4-0.5").exit_code == 0
    with table.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["agent"], row["revision"]) == ("Ana", "imported")
    assert row["happened_at"] == "2024-01-05T06:30:01+08:00"
    for name in ("all.jsonl", "all.zip", "windows.parquet"):
        what = ("--what", "windows") if name.startswith("windows") else ()
        assert run("export", tmp_path / name, *what).exit_code == 0
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".csv", ".jsonl", ".zip", ".parquet"}


def test_what_is_uncertain_is_printed_and_labels_go_out_and_come_in(run: Run, outputs: Path, tmp_path: Path) -> None:
    assert run("import", outputs, "--time-zone", "UTC").exit_code == 0
    store = create_store(settings().resolved_database_url)
    preferences.save(store, settings(), uncertain_below=0.7)
    (clip_id,) = (row.clip_id for row in reports.latest_clips(store, 3).rows if row.scores and row.scores["sad"] > 0.1)
    labelling.save_many(store, {(clip_id, "Bo"): NewLabel("angry", comment="=1+1")})
    assert run("import", outputs, "--dry-run").stdout.count("(uncertain)") == 2  # 0.421 and 0.675, but not 0.725
    assert run("list").stdout.count("(uncertain)") == 2
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert {row["emotion"]: row["uncertain"] for row in listed} == {"neutral": True, "angry": True, "happy": False}
    for name, *options in (("sure.csv", "--certainty", "certain"), ("heard.csv", "--what", "labels"), ("all.jsonl",)):
        assert run("export", tmp_path / name, *options).exit_code == 0
    tables = ((tmp_path / name).read_text("utf-8-sig").splitlines() for name in ("sure.csv", "heard.csv"))
    (sure,), (heard,) = (list(csv.DictReader(lines)) for lines in tables)
    assert (sure["dominant"], sure["uncertain"]) == ("happy", "false")
    assert (heard["rater"], heard["emotion"], heard["comment"]) == ("Bo", "angry", "'=1+1")
    labelling.remove(store, clip_id, "Bo")
    assert "Labels: 1." in run("import", tmp_path / "all.jsonl").stdout
    assert [each.rater for each in labels.of_clip(store, clip_id)] == ["Bo"]
    store.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "x.txt"), "has no ending that says what to write"),
        (("export", "x.csv", "--what", "sounds"), "is nothing that can be exported"),
        (("export", "x.xlsx", "--what", "embeddings"), "embeddings are exported as csv, parquet, jsonl, not as xlsx"),
        (("export", "x.csv", "--emotion", "tired"), "This filter stands for nothing: emotion=tired"),
        (("export", "x.csv", "--certainty", "perhaps"), "This filter stands for nothing: certainty=perhaps"),
        (("export", "x.csv", "--score", "bored=0-1"), "This filter stands for nothing: bored=0-1"),
        (("export", "x.csv", "--group", "tension"), "This filter stands for nothing: group=tension"),
        (("export", "x.csv", "--sum", "negative:2-1"), "This filter stands for nothing: sum=negative:2-1"),
        (("export", "no/such/folder/x.csv"), "could not be written"),
        (("import", "x", "--time-zone", "Mars/Base"), "is not a time zone"),
        (("import", "x", "--hop", "0"), "would begin every 0.0 s"),
        (("import", "x", "--team", "North"), "without an agent"),
    ],
)
def test_what_cannot_be_meant_is_said_and_ends_with_two(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not [path for path in tmp_path.iterdir() if path.name != "data"]


def test_a_file_that_is_there_is_not_written_over(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert run("export", kept).exit_code == 2
    assert kept.read_text() == "mine"
