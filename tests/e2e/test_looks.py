"""Every page, in both languages, wide and narrow, light and dark: nothing cut off, nothing foreign, nothing barred."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect

from emostore.store import migrate
from emostore.store.session import create_store
from tests.app import sides
from tests.app.stored import saved
from tests.e2e.conftest import App, new_app, settled

pytestmark = pytest.mark.e2e
Open = Callable[..., Page]

PAGES = (
    "",
    "upload",
    "history",
    "history?days=all&agent=Ana",
    "clip",
    "clip?id=1",
    "session",
    "session?id=2",
    "compare",
    "leaderboard",
    "alerts",
    "label",
    "calibration",
    "data",
    "data?section=draw&examples=all",
    "data?section=export",
    "settings",
)
SERIOUS = ("serious", "critical")
DARK = "rgb(18, 21, 28)"  # the ground of the dark theme

# What is said in Latin letters on Chinese pages, too: names of formats, models, products and of the test's own clip.
LATIN = re.compile(
    r"^(WAV|MP3|M4A|FLAC|OGG|Opus|WebM|WMA|AMR|CSV|XLSX|Parquet|ZIP|JSON|Lines|PNG|SVG|Hz|ID|UTC|GB|MB|kB|B|s|six|nine|abcdef12|call|wav|Ana|pcm_mulaw|"
    r"baseline|Emotion2Vec|emotion2vec_plus_large|Apache|ModelScope|Hugging|Face|FunASR|English|Emostore|EMOSTORE_\w+|"
    r"yyyy|mm|dd|en|zh|CN|de|python|emostore|backup|FILE|agent|team|session|date|time|role|\w*license|https?|com|github\w*|"
    r"alibaba|damo|academy|result|json|[0-9a-f]{8,})$"
)


# Every text that is shown but icons, which are words of a font, what charts draw, and code.
_WORDS = """() => {
    const words = [];
    for (const part of document.querySelectorAll('[data-testid="stMain"], [data-testid="stSidebarNav"]')) {
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const parent = walker.currentNode.parentElement;
            const unread = '[data-testid="stIconMaterial"], [translate="no"], style, script, code, textarea';
            const icon = parent.closest(unread);
            const seen = parent.checkVisibility() && getComputedStyle(parent).fontSize !== "0px";
            if (!icon && seen) words.push(walker.currentNode.data);
        }
    }
    return words.join("\\n");
}"""


_FITS = """() => [document.querySelector('[data-testid="stMain"]'), document.documentElement].every(
    (element) => element.scrollWidth <= element.clientWidth
)"""


# Counts the runs of the page's script that have ended from now on.
_COUNT_RUNS = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    window.runs = 0;
    const count = () => { if (app.dataset.testScriptState === "notRunning") window.runs += 1; };
    new MutationObserver(count).observe(app, { attributeFilter: ["data-test-script-state"] });
}"""


# The colour in which the first chart of a page writes; a page may have none.
_INK = """() => {
    const text = document.querySelector(".vega-embed svg text");
    return text && getComputedStyle(text).fill;
}"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One server for all looks, with a clip and a call to look at."""
    folder: Path = tmp_path_factory.mktemp("looks")
    store = create_store(f"sqlite:///{folder / 'emostore.db'}")
    migrate.upgrade(store)
    saved(store, agent="Ana")
    sides.call(store, sides.AGENT, sides.CUSTOMER, session="客户来电")
    app = new_app(folder)
    app.start()
    yield app
    app.kill()


@pytest.fixture(scope="module")
def opened(browser: Browser, filled: App) -> Iterator[Open]:
    """Opens pages as readers do who come again: one a language, whose browser has kept the code of the app."""
    contexts: dict[str, BrowserContext] = {}

    def open_page(path: str, width: int = 1280) -> Page:
        locale = "zh-CN" if "lang=zh" in path else "en-GB"
        if locale not in contexts:
            contexts[locale] = browser.new_context(locale=locale, reduced_motion="reduce")
        page = contexts[locale].new_page()
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"{filled.url}/{path}")
        settled(page)
        return page

    yield open_page
    for context in contexts.values():
        context.close()


def scrolls_sideways(page: Page, width: int) -> bool:
    """Whether something of the page stays outside a window of this width; charts take a moment to follow it."""
    page.set_viewport_size({"width": width, "height": 844})
    settled(page)
    try:
        page.wait_for_function(_FITS, timeout=5000)
    except TimeoutError:
        return True
    return False


def night_falls(page: Page) -> None:
    """The page turns dark where it stands; its charts follow with the next run, which a reader calls by this key."""
    by_day = page.evaluate(_INK)
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
    page.evaluate(_COUNT_RUNS)
    page.keyboard.press("r")
    page.wait_for_function("window.runs > 0")
    if by_day:
        page.wait_for_function(f"(by_day) => ({_INK})() !== by_day", arg=by_day)


def faults(page: Page, *theirs: str) -> list[tuple[str, list[str]]]:
    """What bars somebody from the page, but for what Streamlit draws itself."""
    page.wait_for_timeout(300)  # in which colours change
    settled(page)
    expect(page.locator('[data-stale="true"]')).to_have_count(0)  # what is about to be replaced is pale
    context = {"include": [['[data-testid="stMain"]']], "exclude": [[selector] for selector in theirs]}
    results = Axe().run(page, context=context)
    return [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in results.response["violations"]
        if fault["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_every_window_and_bars_nobody_by_day_and_by_night(opened: Open, path: str) -> None:
    page = opened(path)
    assert not scrolls_sideways(page, 1280)
    assert faults(page) == []
    assert not scrolls_sideways(page, 390)
    assert not scrolls_sideways(page, 1280)
    night_falls(page)
    # Streamlit writes a chosen option in the primary colour, and white on it: no colour does both on a dark ground.
    assert faults(page, '[data-testid="stButtonGroup"]', '[data-testid="stSlider"]') == []
    page.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_chinese_is_free_of_english_and_fits_every_window(opened: Open, path: str) -> None:
    page = opened(f"{path}{'&' if '?' in path else '?'}lang=zh", 390)
    assert not scrolls_sideways(page, 390)
    seen = page.evaluate(_WORDS)
    assert [word for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", seen) if not LATIN.match(word)] == []
    assert not scrolls_sideways(page, 1280)
    page.close()
