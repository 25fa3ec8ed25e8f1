"""A report is a file: it opens without a network, asks for nothing, and reads on a phone, in the dark and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from emostore.config import Settings
from emostore.services.report import Maker
from emostore.store import migrate
from emostore.store.reports import reports
from emostore.store.session import create_store
from tests.services.reported import NASTY, save_call

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def session_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    store = create_store(f"sqlite:///{folder / 'emostore.db'}")
    migrate.upgrade(store)
    file_name, agent, team, session, _style = NASTY
    (clip_id, _customer) = save_call(store, file_name, agent=agent, team=team, session_name=session)
    view = reports.clip_view(store, clip_id)
    assert view is not None
    file = folder / "report.html"
    file.write_bytes(Maker(store, Settings(data_dir=folder)).session(view.session_id))
    store.close()
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_offline_and_asks_for_nothing(browser: Browser, session_report: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
    )
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(session_report.as_uri())
    assert asked == [session_report.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator(".chart svg:visible").count() == 5  # two bars, a radar, two courses
    results = Axe().run(page)  # it runs beside the page's own policy
    found = [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in results.response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    context.close()
    assert found == []


def test_paper_shows_what_can_be_opened_and_nothing_is_cut_off(browser: Browser, session_report: Path) -> None:
    for width in (688, 703):  # A4 and letter at 96 px an inch, without their margins
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, color_scheme="dark")
        page = context.new_page()
        page.goto(session_report.as_uri())
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.locator("details table").first.is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        context.close()
