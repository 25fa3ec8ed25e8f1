"""What a team lead does in the morning: lay three agents over each other, take the picture along, see to the alerts."""

from __future__ import annotations

import io
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from emostore.store import migrate
from emostore.store.session import create_store
from tests.app.calls import ANGRY, CALM, GLAD, ODD_NAME, call, calls, varied
from tests.e2e.conftest import App, new_app, settled

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def call_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One server for both tests, with three agents and one alert, which only the second test sees to."""
    folder: Path = tmp_path_factory.mktemp("reports")
    store = create_store(f"sqlite:///{folder / 'emostore.db'}")
    migrate.upgrade(store)
    calls(store, ODD_NAME, varied(GLAD, 6))
    calls(store, "Bob", varied({"sad": 0.9, "neutral": 0.1}, 6))
    calls(store, "Cem", varied(CALM, 6))
    call(store, "angry.wav", ANGRY, agent="Dee", session="Case 7")
    store.close()
    app = new_app(folder)
    app.start()
    yield app
    app.kill()


def test_three_agents_are_compared_and_the_picture_is_saved(
    call_centre: App, page: Page, context: BrowserContext
) -> None:
    page.goto(f"{call_centre.url}/compare")
    settled(page)
    for part in ("Zoë", "Bob", "Cem"):
        search = page.get_by_label("Find an agent, a session or a clip")
        search.fill(part)
        search.press("Enter")
        page.locator('[class*="st-key-add_agent"] button').first.click()
        expect(page.locator('[class*="st-key-drop_agent"]').filter(has_text=part)).to_be_visible()
    settled(page)
    radar = page.locator(".vega-embed svg").first
    expect(radar).to_be_visible()
    # The name of markup is drawn as it was written, and nothing of it became part of the page.
    expect(radar.get_by_text("Bob", exact=True)).to_be_visible()
    assert page.locator('[data-testid="stMain"] b', has_text="Zoë").count() == 0
    with page.expect_download() as download:
        page.locator(".st-key-png_radar button").click()
    image = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert download.value.suggested_filename == "comparison.png"
    assert image.format == "PNG"
    assert len(image.convert("RGB").getcolors(1 << 24) or []) > 100  # something is drawn
    # A click on a name in the legend hides its polygon.
    points = radar.locator('[aria-roledescription="circle"]')
    before = points.count()
    radar.get_by_text("Bob", exact=True).click()
    expect(points).to_have_count(before * 2 // 3)

    shared = context.new_page()
    shared.goto(page.url)
    settled(shared)
    assert len(urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)["of"]) == 3
    expect(shared.locator('[class*="st-key-drop_agent"]')).to_have_count(3)


def test_an_acknowledged_alert_survives_a_restart(call_centre: App, page: Page) -> None:
    page.goto(f"{call_centre.url}/alerts")
    settled(page)
    card = page.locator('[class*="st-key-alert_"]')
    expect(card).to_have_count(1)
    expect(card).to_contain_text("angry + disgusted at 80.0 %, which is over 60 %")
    card.get_by_role("button", name=re.compile("Acknowledge")).click()
    expect(page.get_by_text("No alert is open.")).to_be_visible()

    call_centre.kill()
    call_centre.start()
    page.goto(f"{call_centre.url}/alerts?state=acknowledged")
    settled(page)
    expect(card).to_have_count(1)
    expect(card).to_contain_text("Acknowledged")
    card.get_by_role("link", name=re.compile("angry.wav")).click()
    settled(page)
    expect(page.get_by_role("heading", name="angry.wav")).to_be_visible()
    expect(page).to_have_url(re.compile(r"clip\?.*id=\d+"))
