"""A zip of another tool's results is looked at, imported and seen as charts; a result is drawn without being stored."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from emostore.analytics.reference import CASES
from tests.e2e.conftest import App, settled

pytestmark = pytest.mark.e2e

COMPLAINT = {"emotion": "angry", "scores": dict(CASES["Customer complaint"]), "timestamp": "2024-01-04 22:30:09"}


def results() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("outputs/outputs_20240104_223000/result.json", json.dumps(COMPLAINT))
        archive.writestr("outputs/outputs_20240104_223100/result.json", json.dumps({"scores": {"angry": 1}}))
    return buffer.getvalue()


def test_a_zip_is_looked_at_imported_and_seen_and_its_folder_is_known(app: App, page: Page, tmp_path: Path) -> None:
    page.goto(f"{app.url}/data")
    settled(page)
    chooser = page.locator('[data-testid="stFileUploader"] input[type=file]')
    chooser.set_input_files({"name": "results.zip", "mimeType": "application/zip", "buffer": results()})
    expect(page.get_by_text("There are no scores for disgusted")).to_be_visible()
    expect(page.get_by_text("it is read as a time in UTC")).to_be_visible()
    page.get_by_role("button", name="Import 1 clip").click()
    expect(page.get_by_text("1 clip was imported.")).to_be_visible()
    settled(page)
    page.get_by_role("link", name="outputs_20240104_223000").click()
    settled(page)
    expect(page.get_by_role("heading", name="outputs_20240104_223000")).to_be_visible()
    expect(page.locator(".vega-embed")).to_have_count(1)
    expect(page.get_by_text("angry + disgusted at 60.5 %, which is over 60 %").first).to_be_visible()
    zipfile.ZipFile(io.BytesIO(results())).extractall(tmp_path / "mine")
    page.goto(f"{app.url}/data?source=folder")
    settled(page)
    chooser.set_input_files(str(tmp_path / "mine"))
    expect(page.get_by_text("There is nothing new to import.")).to_be_visible()


def test_what_is_pasted_is_seen_at_once_and_stored_nowhere(app: App, page: Page) -> None:
    page.goto(f"{app.url}/data?section=draw")
    settled(page)
    page.get_by_role("textbox", name="JSON").fill(json.dumps(COMPLAINT))
    page.keyboard.press("Control+Enter")
    expect(page.locator(".vega-embed")).to_have_count(2)
    settled(page)
    page.get_by_role("button", name="All three").click()
    expect(page.get_by_role("tab")).to_have_count(3)
    page.get_by_role("tab", name="Teaching voice").click()
    expect(page.get_by_text("fit for children")).to_be_visible()
    page.goto(f"{app.url}/history?days=all")
    settled(page)
    expect(page.get_by_text("Nothing has been analysed yet")).to_be_visible()
