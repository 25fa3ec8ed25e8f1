"""Ten clips are labelled in a browser, a calibration is tried, activated and rolled back, and History follows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from emostore.config import settings
from emostore.emotions import BY_NAME
from emostore.store import migrate
from emostore.store.calibration import calibrations, labels
from emostore.store.session import Store, create_store
from emostore.ui.label.labels import KEYS
from tests.app.labelled import KEY, heard, label, many
from tests.e2e.conftest import App, new_app, settled

pytestmark = pytest.mark.e2e
CLIPS = 60


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[App, Store, list[int]]]:
    """The app with over-confident clips that can be heard, and none of them labelled."""
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    (tmp_path / "source").mkdir()
    store = create_store(settings().resolved_database_url)
    migrate.upgrade(store)
    ids = many(store, CLIPS, sound=tmp_path / "source")
    app = new_app(tmp_path)
    app.start()
    yield app, store, ids
    app.kill()
    store.close()
    settings.cache_clear()


def on_page(page: Page) -> int:
    """The clip that the Label page asks about."""
    classes = page.locator('[class*="st-key-hear_angry_"]').get_attribute("class") or ""
    (number,) = re.findall(r"st-key-hear_angry_(\d+)", classes)
    return int(number)


def history(page: Page, app: App) -> list[str]:
    """The rows of the history, as a screen reader is told them."""
    page.goto(f"{app.url}/history?days=all")
    settled(page)
    rows = page.locator('[data-testid="stDataFrame"]').last.locator("canvas table tbody tr")
    expect(rows.first).to_contain_text("call")
    return rows.all_text_contents()


def test_labels_become_a_calibration_that_history_reads_and_that_can_be_undone(
    page: Page, filled: tuple[App, Store, list[int]]
) -> None:
    app, store, ids = filled
    page.goto(f"{app.url}/label")
    settled(page)
    for done in range(10):
        clip_id = on_page(page)
        verdict = heard(ids.index(clip_id))
        page.keyboard.press(KEYS[verdict])
        save = page.get_by_role("button", name=f"Save “{BY_NAME[verdict].en}” and go on")
        expect(save).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("stMetricValue").first).to_have_text(str(done + 1))
        expect(save).to_be_hidden()
    assert labels.counts(store).clips == 10

    raw = history(page, app)
    label(store, ids)  # by somebody else, who hears the same
    page.goto(f"{app.url}/calibration")
    settled(page)
    page.get_by_role("button", name="Try it out").click()
    expect(page.get_by_role("heading", name="Before it and after it")).to_be_visible()
    expect(page.get_by_text("The scores come nearer to what raters heard, by more than chance")).to_be_visible()
    page.get_by_role("button", name="Keep and activate").click()
    expect(page.get_by_text(re.compile(r"under Temperature .* \(version 2\)"))).to_be_visible()
    newest, _raw = calibrations.listed(store, KEY)
    assert newest.active
    calibrated = history(page, app)
    assert calibrated != raw

    page.goto(f"{app.url}/calibration")
    settled(page)
    page.get_by_role("button", name="Roll back to this").click()
    expect(page.get_by_text("as the model gave them", exact=True).first).to_be_visible()
    assert history(page, app) == raw
