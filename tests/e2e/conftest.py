"""The real app in a process of its own, and a real browser in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
WAIT_MS = 30_000  # a cold start on a busy machine; what is waited for is a state, never a time


@dataclass
class App:
    """A server of the app on a data folder; it can be killed and started again on the same folder."""

    data_dir: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(self.port)]

    def start(self) -> None:
        environment = os.environ | {
            "EMOSTORE_DATA_DIR": str(self.data_dir),
            "EMOSTORE_MODEL": "baseline",
            "EMOSTORE_LANGUAGE": "en",
        }
        log = (self.data_dir / "server.log").open("ab")
        self.process = subprocess.Popen(self.command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, (self.data_dir / "server.log").read_text()
                time.sleep(0.1)
        raise AssertionError("The server did not start")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


def new_app(data_dir: Path) -> App:
    """An app that is not started yet, on a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return App(data_dir, probe.getsockname()[1])


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = new_app(tmp_path)
    app.start()
    yield app
    app.kill()


@pytest.fixture(scope="module")
def reader(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests of a file, so that the app's code is compiled once for tests that share a server."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def context(reader: BrowserContext) -> Iterator[BrowserContext]:
    """Without a page, a cookie or anything stored by a page: nothing but code is kept from one test to the next."""
    yield reader
    for page in reader.pages:
        page.evaluate("localStorage.clear()")
        page.close()
    reader.clear_cookies()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose console must stay free of errors; a screenshot is kept when the test fails."""
    page = context.new_page()
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # On a page below the root Streamlit first asks for its server below that page, and is told 404.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            errors.append(f"{message.text} {message.location['url']}")

    page.on("console", on_console)
    # Nothing is fetched from anywhere but the app.
    page.on("request", lambda request: errors.append(request.url) if not _is_ours(request.url) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    # While a test restarts the server, the page cannot reach it, in the words of the browser or of Streamlit.
    unreached = ("net::ERR", "WebSocket", "reaching server endpoint", "dynamically imported module")
    assert [text for text in errors if not any(words in text for words in unreached)] == []


def _is_ours(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:"))


def settled(page: Page) -> None:
    """Wait until Streamlit has finished its run."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=WAIT_MS)
    page.wait_for_selector('[data-testid="stMain"] h1', timeout=WAIT_MS)
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0)  # parts whose code the browser still loads
