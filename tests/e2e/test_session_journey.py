"""A call of two sides in a browser: the worst moment, a turn, and what follows when the sides are exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from emostore.config import settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store import migrate
from emostore.store.session import create_store
from tests.app.sides import AGENT, CUSTOMER, SILENT, call, session_of, window_logits
from tests.e2e.conftest import App, new_app, settled
from tests.e2e.test_player import Served

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, int]]:
    """The app, and the session of a call in which the customer gets angry at 40 s."""
    folder: Path = tmp_path_factory.mktemp("session")
    (folder / "source").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOSTORE_DATA_DIR", str(folder))
        settings.cache_clear()
        store = create_store(settings().resolved_database_url)
        migrate.upgrade(store)
        clip_ids = call(store, AGENT, CUSTOMER, session="Case 7", folder=folder / "source")
        call(store, AGENT, SILENT, name="second.wav", session="Case 7")
        session_id = session_of(store, clip_ids[0])
        store.close()
    settings.cache_clear()
    app = Served(folder, new_app(folder).port)
    app.start()
    yield app, session_id
    app.kill()


def read_out(page: Page, voice: str) -> list[float]:
    texts = page.get_by_label(f"Scores at the playhead: {voice}").locator("dd").all_text_contents()
    return [float(text) for text in texts]


def test_the_worst_moment_a_turn_and_another_recording_are_one_click_away(page: Page, session: tuple[App, int]) -> None:
    app, session_id = session
    page.goto(f"{app.url}/session?id={session_id}")
    settled(page)
    stage = page.locator(".stage")
    expect(stage).to_have_attribute("aria-valuetext", re.compile("^0:00 of 1:00 · Agent: Neutral"))
    page.get_by_role("link", name="Customer: the worst moment, at 0:41 (Angry)").click()
    expect(stage).to_have_attribute("aria-valuenow", "41.00")
    angry = EmotionScores.from_logits(window_logits(CUSTOMER.moods)[40].tolist())
    assert read_out(page, "Customer") == pytest.approx(angry.vector, abs=0.0006)
    assert angry[EMOTIONS[0]] > 0.9
    expect(page.get_by_label("Scores at the playhead: Agent").locator("dd").first).to_have_text("–")
    sound = page.locator("audio")
    assert sound.evaluate("audio => audio.currentTime") == pytest.approx(41, abs=0.01)

    turns = page.locator(".turns tbody tr")
    expect(turns).to_have_count(4)
    expect(turns.nth(3)).to_have_attribute("aria-current", "true")
    turns.nth(1).get_by_role("button").click()
    expect(stage).to_have_attribute("aria-valuenow", "12.00")
    expect(turns.nth(1)).to_have_attribute("aria-current", "true")
    expect(turns.nth(1)).to_contain_text("Customer")

    recordings = page.locator('[data-testid="stDataFrame"]').first
    for row, said in ((1, "The customer was not heard"), (0, "The customer sounds")):
        settled(page)  # while a page is made, its tables take no clicks
        recordings.click(position={"x": 20, "y": 35 * (row + 1) + 17})
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.locator(".turns tbody tr")).to_have_count(2 if row else 4)


def test_exchanging_the_sides_moves_the_page_and_the_report_of_the_agent(page: Page, session: tuple[App, int]) -> None:
    app, session_id = session

    def quality() -> float:
        page.goto(f"{app.url}/history?agent=Ana&days=all")
        settled(page)
        found = page.locator('.st-key-agent_header [data-testid="stMetricValue"]').first
        expect(found).to_be_visible()
        return float(found.inner_text())

    before = quality()
    page.goto(f"{app.url}/session?id={session_id}")
    settled(page)
    expect(page.locator(".turns tbody tr").first).to_contain_text("Agent")
    page.get_by_role("button", name="Swap sides").click()
    expect(page.locator(".turns tbody tr").first).to_contain_text("Customer")
    expect(page.get_by_text("The customer sounds mostly neutral (94.9 %)")).to_be_visible()
    after = quality()
    assert after > before + 5  # the customer is the calm voice now

    page.goto(f"{app.url}/session?id={session_id}")
    settled(page)
    page.get_by_role("button", name="Swap sides").click()
    expect(page.locator(".turns tbody tr").first).to_contain_text("Agent")
