"""A folder of calls is handed in; whatever then happens to tab and server, every file gets its answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from emostore.services.queue import jobs
from emostore.store.reports import reports
from emostore.store.session import create_store
from tests.audio_samples import shared_audio
from tests.e2e.conftest import App, settled

AUDIO = shared_audio()
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(AUDIO is None, reason="real test audio is not present"),
]

GOOD, BROKEN = 47, 3


def folder(path: Path) -> Path:
    assert AUDIO is not None
    path.mkdir()
    for clip in sorted((AUDIO / "emodb").glob("*.wav"))[:GOOD]:
        shutil.copy(clip, path)
    (path / "empty.mp3").write_bytes(b"")
    (path / "letter.wav").write_text("This is a letter and no recording.")
    (path / "cut.flac").write_bytes(b"fLaC\0\0\0")
    return path


def test_tab_closed_and_server_killed_midway_every_file_gets_its_answer(
    app: App, context: BrowserContext, tmp_path: Path
) -> None:
    first = context.new_page()
    first.goto(f"{app.url}/upload?source=folder")
    settled(first)
    files = folder(tmp_path / "calls")
    first.locator('[data-testid="stFileUploader"] input[type=file]').set_input_files(str(files))
    button = first.locator(".st-key-analyse button")
    expect(button).to_contain_text("Analyse 50 files")
    settled(first)
    button.click()
    expect(first.get_by_text("of 50")).to_be_visible()
    first.close()
    app.kill()

    app.start()
    page = context.new_page()
    page.goto(f"{app.url}/upload")
    settled(page)
    expect(page.get_by_text("50 of 50 · 3 failed")).to_be_visible(timeout=120_000)
    failures = page.locator('[class*="st-key-failed_"]')
    expect(failures).to_have_count(BROKEN)
    for name, sentence in (
        ("empty.mp3", "is empty (0 bytes)"),
        ("letter.wav", "is a text file, not a recording"),
        ("cut.flac", "cut.flac"),
    ):
        expect(failures.filter(has_text=name)).to_contain_text(sentence)

    store = create_store(f"sqlite:///{app.data_dir / 'emostore.db'}")
    assert reports.count_clips(store) == GOOD
    (job,) = jobs.overview(store)
    assert (job.done, job.failed, job.waiting, job.running) == (GOOD, BROKEN, 0, 0)
    assert len(list((app.data_dir / "staged").iterdir())) == BROKEN  # kept for another try
    page.get_by_role("button", name="Clear the finished").click()
    expect(failures).to_have_count(0)
    assert list((app.data_dir / "staged").iterdir()) == []


def test_a_row_of_the_history_leads_to_its_clip(app: App, page: Page) -> None:
    assert AUDIO is not None
    page.goto(f"{app.url}/upload")
    settled(page)
    page.locator('[data-testid="stFileUploader"] input[type=file]').set_input_files(str(AUDIO / "clips" / "SAD.wav"))
    page.locator(".st-key-analyse button").click()
    expect(page.locator('[class*="st-key-result_"]')).to_be_visible()
    page.goto(f"{app.url}/history?emotion=sad")
    settled(page)
    expect(page.get_by_text("1 clip", exact=True)).to_be_visible()
    table = page.locator('[data-testid="stDataFrame"]')
    table.click(position={"x": 15, "y": 52})  # the first row's mark, under the header of 35 px
    expect(page.get_by_role("heading", name="SAD.wav")).to_be_visible()
