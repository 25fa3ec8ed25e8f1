"""Clips are filtered, the link is passed on, whoever opens it finds the same rows; all of them can be taken away."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from emostore.store import migrate
from emostore.store.session import create_store
from tests.app.stored import saved
from tests.e2e.conftest import WAIT_MS, App, new_app, settled

pytestmark = pytest.mark.e2e

CLIPS = 70  # of which every other one is Ana's, and a page has 50
NASTY = "=1+1 <b>**Ana**</b> مكالمة"


class Served(App):
    """With the routes beside the pages."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "emostore.api", "--port", str(self.port)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One server for all tests, which only read."""
    folder: Path = tmp_path_factory.mktemp("history")
    store = create_store(f"sqlite:///{folder / 'emostore.db'}")
    migrate.upgrade(store)
    now = datetime.now(UTC)
    for number in range(CLIPS):
        happened_at = now - timedelta(hours=3 * number)
        saved(store, name=f"{number:02}.wav", agent=(NASTY, "Bob")[number % 2], happened_at=happened_at)
    store.close()
    served = Served(folder, new_app(folder).port)
    served.start()
    yield served
    served.kill()


def rows(page: Page, first: str) -> list[str]:
    """The rows of the list, as a screen reader is told them, once the first names this file."""
    table = page.locator('[data-testid="stDataFrame"]').last.locator("canvas table tbody tr")
    expect(table.first).to_contain_text(first)
    return table.all_text_contents()


def opened(browser: Browser, address: str) -> tuple[BrowserContext, Page]:
    """A reader who has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(address)
    settled(page)
    return context, page


def test_a_filter_is_set_and_the_link_shows_the_same_rows_to_somebody_else(
    filled: App, page: Page, browser: Browser
) -> None:
    page.goto(f"{filled.url}/history")
    settled(page)
    expect(page.get_by_text("70 clips", exact=True)).to_be_visible()
    page.get_by_role("combobox", name="Agent").click()
    page.get_by_role("option", name=NASTY).click()
    expect(page.get_by_text("35 clips", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name=NASTY)).to_be_visible()  # as it was written, and nothing in bold
    expect(page.locator(".st-key-agent_header .vega-embed")).to_have_count(2)
    settled(page)
    mine = rows(page, "00.wav")
    context, other = opened(browser, page.url)
    expect(other.get_by_text("35 clips", exact=True)).to_be_visible()
    assert rows(other, "00.wav") == mine
    context.close()


def test_a_place_in_the_list_is_in_the_link_too(filled: App, page: Page, browser: Browser) -> None:
    page.goto(f"{filled.url}/history?emotion=angry")
    settled(page)
    page.get_by_role("button", name="Earlier").click()
    expect(page.get_by_role("button", name="Later")).to_be_enabled()
    settled(page)
    mine = rows(page, "50.wav")
    context, other = opened(browser, page.url)
    assert rows(other, "50.wav") == mine
    context.close()


def test_all_that_fits_is_taken_away_not_only_the_page(filled: App, page: Page) -> None:
    page.goto(f"{filled.url}/history?days=all&role=customer")
    settled(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.endswith(".csv")
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        taken = list(csv.DictReader(file))
    assert [row["file_name"] for row in taken] == [f"{number:02}.wav" for number in range(CLIPS)]
    assert taken[0]["agent"] == f"'{NASTY}"
