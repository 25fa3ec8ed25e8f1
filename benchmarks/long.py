"""A long call of two channels: from its upload to its page, the memory it takes, and how quickly hours of it open.

python -m benchmarks.long [--minutes 60] [--hours 4] [--visited-hours 2] [--json PATH]
python -m benchmarks.long --only visited       in Chromium, from the address to the player that can be played

The sound is the real call of the test audio over and over, where that is present, and else a made one; the model is
the bundled one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright

from benchmarks.app import ROOT, Server, resident_mib, seconds, settle
from emostore.audio import decode
from tests.audio_samples import shared_audio

RATE = 8000
CALL = "amazon-transcribe-live-call-analytics__Auto_Repairs_40_UTC_{}.wav"
REPEATS = 5
VISITS = 11  # the first of which finds a server that has just started
LOADED = "audio => audio.readyState || new Promise((done) => audio.addEventListener('loadedmetadata', () => done(1)))"


def call() -> NDArray[np.int16]:
    """Some minutes of two voices that take turns: (samples, 2)."""
    folder = shared_audio()
    if folder is None:
        random = np.random.default_rng(0)
        times = np.arange(60 * RATE) / RATE
        voices = [np.sin(2 * np.pi * pitch * times * (1 + 0.01 * np.sin(9 * times))) for pitch in (140, 210)]
        turns = [(times // 5 % 2 == side) * random.uniform(0.2, 0.4, times.size) for side in range(2)]
        sound = np.stack([voice * turn for voice, turn in zip(voices, turns, strict=True)], axis=1)
    else:
        sides = [decode(folder / "calls" / CALL.format(side)).waveforms[0][::2] for side in ("agent", "caller")]
        length = min(map(len, sides))
        sound = np.stack([side[:length] for side in sides], axis=1)
    return np.asarray(np.round(sound * 32767), np.int16)


def write(path: Path, duration_s: float) -> Path:
    """The call over and over as a WAV of two channels at 8 kHz."""
    piece = call()
    left = round(duration_s * RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        while left > 0:
            file.writeframes(piece[:left].tobytes())
            left -= len(piece)
    return path


def uploaded(folder: Path, minutes: float) -> dict[str, float]:
    """Seconds from the button to the settled page of the session, and MiB of the server's memory, idle and at most."""
    path = write(folder / "call.wav", 60 * minutes)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        server = Server(folder)
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(f"{server.url}/upload")
        settle(page)
        idle = resident_mib(server.process)
        Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # begins a new peak
        page.locator('[data-testid="stFileUploader"] input[type=file]').set_input_files(str(path))
        button = page.locator(".st-key-analyse button:enabled")
        button.wait_for()
        settle(page)

        def analyse() -> None:
            button.click()
            page.locator('[class*="st-key-result_"] .vega-embed').first.wait_for()

        def look() -> None:
            page.goto(f"{server.url}/session?id=1")
            settle(page)
            page.locator(".st-key-player").first.wait_for()

        analysed, shown = seconds(analyse), seconds(look)
        most = resident_mib(server.process, "VmHWM")
        browser.close()
        server.stop()
    return {"minutes": minutes, "analysed_s": analysed, "page_s": shown, "idle_mib": idle, "most_mib": most}


def analysed(folder: Path, hours: float) -> float:
    """Seconds that the command line takes to store a call of so many hours."""
    path = write(folder / "long.wav", 3600 * hours)
    environment = os.environ | {"EMOSTORE_DATA_DIR": str(folder), "EMOSTORE_MODEL": "baseline"}
    command = [sys.executable, "-m", "emostore", "analyze", str(path), "--json"]
    return seconds(lambda: subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True))


def visited(folder: Path, hours: float) -> dict[str, float]:
    """Seconds from the address of a long call to its player, and to the whole page, right after a start and later."""
    analysed(folder, hours)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        server = Server(folder)
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()

        def visit() -> tuple[float, float]:
            began = time.perf_counter()
            page.goto(f"{server.url}/session?id=1", wait_until="commit")
            page.locator(".st-key-player .play").wait_for()
            page.locator(".st-key-player audio").evaluate(LOADED)
            playable = time.perf_counter() - began
            settle(page)
            return playable, time.perf_counter() - began

        first, *later = (visit() for _ in range(VISITS))
        browser.close()
        server.stop()
    playable, whole = (statistics.median(each) for each in zip(*later, strict=True))
    most = max(playable for playable, _ in later)
    return {"hours": hours, "first": first[0], "later": playable, "most": most, "whole": whole}


def opened(folder: Path, hours: float) -> dict[str, Any]:
    """Seconds that the server takes for the pages of one very long call, warm."""
    took = analysed(folder, hours)
    environment = {"EMOSTORE_DATA_DIR": str(folder), "EMOSTORE_MODEL": "baseline"}
    os.environ.update(environment | {"STREAMLIT_LOGGER_LEVEL": "error"})
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=120).run()
    found: dict[str, Any] = {"hours": hours, "analysed_s": took}
    for name in ("session", "clip"):
        app.query_params["id"] = "1"
        app.switch_page(f"pages/{name}.py").run()
        if app.exception:
            raise RuntimeError(app.exception[0].message)
        found[name] = statistics.median(seconds(app.run) for _ in range(REPEATS))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the call that is uploaded")
    parser.add_argument("--hours", type=float, default=4.0, help="of the call whose pages are opened")
    parser.add_argument("--visited-hours", type=float, default=2.0, help="of the call that is opened in Chromium")
    parser.add_argument("--only", choices=("upload", "open", "visited"), help="of the three, only this one")
    parser.add_argument("--json", type=Path, help="write the numbers there as well")
    given = parser.parse_args()
    found: dict[str, Any] = {}
    print("| what | found | goal |\n| --- | --- | --- |")
    if given.only in (None, "upload"):
        with tempfile.TemporaryDirectory() as folder:
            found["upload"] = up = uploaded(Path(folder), given.minutes)
        print(f"| {given.minutes:g} min of two channels at 8 kHz: upload to scores, s | {up['analysed_s']:.1f} | |")
        print(f"| to the settled page of the session, s | {up['analysed_s'] + up['page_s']:.1f} | ≤ 180 |")
        print(f"| memory above the idle app, MiB | {up['most_mib'] - up['idle_mib']:,.0f} | ≤ 1,536 |", flush=True)
    if given.only in (None, "visited"):
        with tempfile.TemporaryDirectory() as folder:
            found["visited"] = seen = visited(Path(folder), given.visited_hours)
        print(f"| {given.visited_hours:g} h: from address to player in Chromium, s | {seen['later']:.2f} | ≤ 2 |")
        print(f"| the slowest of {VISITS - 1} visits, s | {seen['most']:.2f} | ≤ 2 |")
        print(f"| the first visit right after a start of the server, s | {seen['first']:.2f} | |")
        print(f"| from the address to the whole page, s | {seen['whole']:.2f} | |", flush=True)
    if given.only in (None, "open"):
        with tempfile.TemporaryDirectory() as folder:
            found["open"] = pages = opened(Path(folder), given.hours)
        print(f"| {given.hours:g} h of two channels: analysis on the command line, s | {pages['analysed_s']:.0f} | |")
        print(f"| page of the session, the server's time, s | {pages['session']:.2f} | ≤ 1 |")
        print(f"| page of a clip, the server's time, s | {pages['clip']:.2f} | ≤ 1 |")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
