"""`python -m emostore report`: what it writes, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from emostore.__main__ import app
from emostore.config import Settings, settings
from emostore.store.session import Store
from tests.services.reported import save_call

CLIP = ("report", "clip", "1")


@pytest.fixture
def run(store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    save_call(store, session_name="Case 7")
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(config.data_dir))
    monkeypatch.setenv("EMOSTORE_LANGUAGE", "auto")
    settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    settings.cache_clear()


def test_a_page_is_written_in_the_language_that_is_asked_for(run: Callable[..., Result], tmp_path: Path) -> None:
    out = tmp_path / "clip.html"
    out.write_text("the last one")
    assert run(*CLIP, "--out", out).exit_code == 0
    assert '<html lang="en">' in out.read_text(encoding="utf-8")
    assert run(*CLIP, "--language", "zh", "--out", out).exit_code == 0
    assert '<html lang="zh-Hans">' in out.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("clip")] == ["clip.html"]


def test_the_language_of_the_settings_counts_unless_it_is_asked_for(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOSTORE_LANGUAGE", "zh")
    settings.cache_clear()
    assert '<html lang="zh-Hans">' in run(*CLIP, "--out", "-").stdout


def test_numbers_go_to_the_standard_output(run: Callable[..., Result]) -> None:
    for what in (("clip", "2"), ("session", "1"), ("agent", "Ana")):
        content = json.loads(run("report", *what, "--format", "json", "--out", "-").stdout)
        assert content["schema"] == f"emostore.{what[0]}/1"
    days = ("--from", "2026-03-01", "--to", "2026-03-31")
    content = json.loads(run("report", "agent", "Ana", *days, "--format", "json", "--out", "-").stdout)
    assert (content["from"], content["to"], content["agent_voices"]["whole"]["clips"]) == (days[1], days[3], 1)
    table = run("report", "session", "1", "--format", "csv", "--out", "-").stdout
    assert table.splitlines()[0].lstrip("\ufeff").startswith("part,clip_id,file_name")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("clip", "99"), "There is no clip 99."),
        (("session", "99"), "There is no session 99."),
        (("agent", "Nobody"), "There is no agent called Nobody."),
        (("agent", "Ana", "--from", "2026-02-01", "--to", "2026-01-01"), "before they begin"),
        (("clip", "1", "--format", "pdf"), "pdf"),
        (("clip", "1", "--language", "de"), "de"),
    ],
)
def test_what_cannot_be_done_is_said_and_writes_nothing(
    run: Callable[..., Result], tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    result = run("report", *arguments, "--out", tmp_path / "out.html")
    assert result.exit_code == 2
    assert part in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.html").exists()


def test_a_file_that_cannot_be_written_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    for out in (tmp_path / "nowhere" / "clip.html", tmp_path):
        result = run(*CLIP, "--out", out)
        assert result.exit_code == 2
        assert f"The report could not be written to {out}" in result.stderr
