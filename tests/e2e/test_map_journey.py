"""A point of the map is clicked, and the clip that it stands for opens, with those that sound like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from emostore.store import migrate
from emostore.store.session import create_store
from tests.app.test_similar import stored
from tests.e2e.conftest import App, new_app, settled

pytestmark = pytest.mark.e2e


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[App]:
    store = create_store(f"sqlite:///{tmp_path / 'emostore.db'}")
    migrate.upgrade(store)
    for number in range(6):
        stored(store, f"clip {number}", [1.0, float(number)])
    store.close()
    app = new_app(tmp_path)
    app.start()
    yield app
    app.kill()


def test_a_click_on_the_map_opens_the_clip(mapped: App, page: Page) -> None:
    page.goto(f"{mapped.url}/history?days=all&map=on")
    settled(page)
    point = page.get_by_label("clip 3.wav: Happy")
    point.scroll_into_view_if_needed()
    point.click()
    page.wait_for_url("**/clip?id=4")
    settled(page)
    expect(page.get_by_role("heading", name="Sounds like")).to_be_visible()
    expect(page.get_by_role("link", name="clip 2.wav")).to_be_visible()
