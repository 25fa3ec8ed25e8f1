"""How long a reader waits: pages with many clips, cold and warm, and an upload to its chart, in Chromium.

python -m benchmarks.app [--clips 10000] [--repeats 5] [--json PATH]
python -m benchmarks.app --database URL        the pages only, on a database that is there (of `benchmarks.store`, say)
python -m benchmarks.app --upload-mib 2040    how much memory one large upload takes, and leaves, on Linux
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

from emostore.audio import decode
from emostore.services.invented import demo
from emostore.services.invented.demo_names import agent_name
from emostore.store import migrate
from emostore.store.session import create_store
from tests.audio_samples import shared_audio, write_wav

ROOT = Path(__file__).resolve().parents[1]
AGENTS = 50
PAGES = {
    "Home": "",
    "Upload": "upload",
    "History": "history",
    "History of an agent": f"history?{urlencode({'agent': agent_name(17)})}",
    "Clip": "clip?id=1",
    "Compare of six agents": f"compare?{urlencode([('of', f'agent:{agent_name(each)}') for each in range(6)])}",
    "Leaderboard": "leaderboard",
    "Leaderboard over a year": "leaderboard?days=365",
    "Alerts": "alerts",
}
SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def fill(folder: Path, count: int) -> None:
    """Store `count` invented clips of a year, as the service saves them."""
    store = create_store(f"sqlite:///{folder / 'emostore.db'}")
    migrate.upgrade(store)
    demo.create(store, demo.DemoSize(count, AGENTS, 365), datetime.now(UTC).date())
    store.close()


class Server:
    """The app on a folder, with the database in it unless another one is named."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.database = {"EMOSTORE_DATABASE_URL": database} if database else {}

    def start(self) -> None:
        """Start the server and wait until it answers."""
        environment = os.environ | {"EMOSTORE_DATA_DIR": str(self.folder), "EMOSTORE_MODEL": "baseline"} | self.database
        command = [sys.executable, "-m", "emostore.api", "--port", str(self.port)]  # as `make run` does
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once."""
        self.process.kill()
        self.process.wait()


def settle(page: Page) -> None:
    """Wait until the page is whole: its run has ended and every part is drawn."""
    page.wait_for_selector(SETTLED)
    page.wait_for_selector('[data-testid="stMain"] h1')
    page.wait_for_function("""() => !document.querySelector('[data-testid="stSkeleton"]')""")


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def visit(page: Page, url: str) -> float:
    """From asking for a page to its settled state."""

    def go() -> None:
        page.goto(url, wait_until="commit")
        settle(page)

    return seconds(go)


def upload(page: Page, server: Server, path: Path) -> float:
    """From pressing the button to a drawn chart."""
    page.goto(f"{server.url}/upload")
    settle(page)
    page.locator('[data-testid="stFileUploader"] input[type=file]').set_input_files(str(path))
    button = page.locator(".st-key-analyse button:enabled")
    button.wait_for()
    settle(page)

    def press() -> None:
        button.click()
        page.locator('[class*="st-key-result_"] .vega-embed').first.wait_for()

    return seconds(press)


def uploads(browser: Browser, server: Server, folder: Path, repeats: int) -> list[dict[str, object]]:
    """Ten seconds of speech, each time at another loudness, so that they are never stored already."""
    audio = shared_audio()
    if audio is None:
        return []
    speech = decode(audio / "calls" / "faster-whisper__jfk.flac").waveforms[0][: 10 * 16_000]
    server.start()
    page = browser.new_page()
    times = []
    for number in range(repeats + 1):
        times.append(upload(page, server, write_wav(folder / f"{number}.wav", speech[None] * (1 - number / 100))))
        page.get_by_role("button", name="Clear the finished").click()
        page.locator('[class*="st-key-result_"]').wait_for(state="detached")
    page.close()
    server.stop()
    warm = round(statistics.median(times[1:]), 2)
    return [{"what": "10 s clip: button to chart", "cold_s": round(times[0], 2), "warm_median_s": warm}]


def resident_mib(process: subprocess.Popen[bytes], what: str = "VmRSS") -> int:
    """MiB of memory that a process holds, or, as `VmHWM`, held at most. Raises `OSError` where Linux does not tell."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) // 1024
    raise OSError(f"this system does not tell {what}")


def upload_memory(mib: int) -> dict[str, int]:
    """MiB of memory that the server holds before, at most during, and after the upload of `mib` MiB of silence."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path, size = Path(folder) / "silence.wav", mib * 2**20
        header = struct.pack(
            "<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 2, 48_000, 192_000, 4, 16, b"data", size
        )
        with path.open("wb") as file:  # most of it a hole that takes no space on the disk
            file.write(header)
            file.truncate(size + len(header))
        server = Server(Path(folder))
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(f"{server.url}/upload")
        settle(page)
        idle = resident_mib(server.process)
        page.locator('[data-testid="stFileUploader"] input[type=file]').set_input_files(str(path))
        page.locator(".st-key-analyse button:enabled").click()
        page.get_by_text("The recording is silent.").first.wait_for()
        time.sleep(5)  # the worker tidies up
        found = {"idle": idle, "most": resident_mib(server.process, "VmHWM"), "after": resident_mib(server.process)}
        browser.close()
        server.stop()
    return found


def measure(count: int, repeats: int, database: str | None) -> list[dict[str, object]]:
    """The rows of the table: each page after a fresh start of the server and again; then uploads, on a new database."""
    rows: list[dict[str, object]] = []
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        if database is None:
            fill(Path(folder), count)
        server = Server(Path(folder), database)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, path in PAGES.items():
            server.start()
            page = browser.new_page()
            cold = visit(page, f"{server.url}/{path}")
            warm = [visit(page, f"{server.url}/{path}") for _ in range(repeats)]
            page.close()
            server.stop()
            rows.append({"what": name, "cold_s": round(cold, 2), "warm_median_s": round(statistics.median(warm), 2)})
        rows += [] if database else uploads(browser, server, Path(folder), repeats)
        browser.close()
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--database", help="a database with clips, instead of filling one")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--upload-mib", type=int, help="measure only the memory of an upload of this size")
    options = parser.parse_args()
    if options.upload_mib:
        print("MiB of memory of the server:", upload_memory(options.upload_mib))
        return
    rows = measure(options.clips, options.repeats, options.database)
    print(f"{'what':<50}{'cold s':>8}{'warm s':>8}")
    for row in rows:
        print(f"{row['what']:<50}{row['cold_s']:>8}{row.get('warm_median_s', ''):>8}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
