"""The player in a browser: what is heard, where the playhead stands and what is read belong together."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from emostore import audio
from emostore.config import Settings
from emostore.emotions import BY_NAME, EMOTIONS, EmotionScores
from emostore.services.sound import media
from emostore.store import migrate
from emostore.store.reports import reports
from emostore.store.session import Store, create_store
from emostore.store.writing import clips, records
from tests.audio_samples import noise, tone, write_wav
from tests.e2e.conftest import App, new_app, settled

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
MODEL = records.ModelRevisionKey("nine", "abcdef123456", 2, EMOTIONS, "none")
LENGTH_S = 180
CLICK_S = LENGTH_S - 7  # the only loud sound of a track
ANGRY = slice(100, 110)  # windows; all others are neutral
LOUD = 0.4  # of the click and of nothing else
IN_STEP_S = 0.05
TRACKS: dict[str, tuple[int, str, str, dict[str, str]]] = {  # name → rate in Hz, container, codec, its options
    "click-8000.wav": (8_000, "wav", "pcm_s16le", {}),
    "click-16000.wav": (16_000, "wav", "pcm_s16le", {}),
    "click-44100.wav": (44_100, "wav", "pcm_s16le", {}),
    "click-48000.wav": (48_000, "wav", "pcm_s16le", {}),
    "click-variable.mp3": (44_100, "mp3", "libmp3lame", {"flags": "+qscale", "global_quality": "590"}),
    "click-constant.mp3": (16_000, "mp3", "libmp3lame", {"b": "32000"}),
    "click-telephone.wav": (8_000, "wav", "pcm_mulaw", {}),
}

# Beside the player's own drawing, note the time of the sound's clock and the playhead's; in the audio thread, when the
# click comes. Both are laid over each other by the median of their difference, so that a late frame moves nothing.
LISTEN = """async (stage) => {
    const audio = stage.parentElement.querySelector("audio");
    const playhead = stage.firstElementChild.shadowRoot.querySelector("[part=playhead]");
    const total = Number(stage.getAttribute("aria-valuemax"));
    const context = new AudioContext();
    const code = `registerProcessor("ear", class extends AudioWorkletProcessor {
        process([input]) {
            const at = input[0] ? input[0].findIndex((sample) => Math.abs(sample) > LOUD) : -1;
            if (at >= 0) this.port.postMessage(currentTime + at / sampleRate);
            return true;
        }
    })`;
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    const ear = new AudioWorkletNode(context, "ear");
    const source = context.createMediaElementSource(audio);
    source.connect(ear).connect(context.destination);
    let heard = null;
    ear.port.onmessage = ({ data }) => (heard ??= data);
    stage.focus();
    stage.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
    const offsets = [];
    let until = Infinity;  // the click lies a second away: whoever hears it much later began elsewhere
    while (!audio.ended && context.currentTime < (heard === null ? until : heard + 0.3)) {
        await new Promise(requestAnimationFrame);
        if (!audio.paused && audio.readyState > 2) {
            if (until === Infinity) until = context.currentTime + 4;
            offsets.push((parseFloat(playhead.style.left) / 100) * total - context.currentTime);
        }
    }
    audio.pause();
    await context.close();
    const settled = offsets.slice(offsets.length >> 2).sort((a, b) => a - b);
    return { heard: heard === null ? null : heard + settled[settled.length >> 1], frames: offsets.length };
}""".replace("LOUD", str(LOUD))

SCROLLED = """stage => {
    const { scrollLeft, scrollWidth } = stage.firstElementChild.shadowRoot.querySelector(".scroll");
    return [scrollLeft, scrollWidth];
}"""


class Served(App):
    """The app as `make run` starts it, with its route for sound."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "emostore.api", "--port", str(self.port)]


def click_track(path: Path) -> Path:
    """Noise, a tone and silence, so that a variable bit rate varies; near the end one click of 10 ms."""
    rate, container, codec, options = TRACKS[path.name]
    third = LENGTH_S // 3
    sound = np.concatenate([noise(third, rate, 0.05), tone(300, third, rate, 0.05), np.zeros(third * rate, np.float32)])
    sound[CLICK_S * rate : CLICK_S * rate + rate // 100] = 0.9 * np.where(np.arange(rate // 100) // 4 % 2, 1, -1)
    if codec == "pcm_s16le":
        return write_wav(path, sound[None], rate)
    # Without that header nothing in an MP3 of a variable rate tells where its seconds lie.
    without = {"write_xing": "0"} if "variable" in path.name else {}
    with av.open(str(path), "w", format=container, options=without) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono", options=options)
        resampler = av.AudioResampler(stream.format.name, "mono", rate)
        for at in range(0, sound.size, 65_536):
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + 65_536], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def scores_over_time() -> NDArray[np.float32]:
    """Logits (windows, 9): neutral, and angry in `ANGRY`."""
    logits = np.tile(np.linspace(0, 0.8, 9, dtype=np.float32), (LENGTH_S - 2, 1))
    logits[:, EMOTIONS.index("neutral")] = 3
    logits[ANGRY, EMOTIONS.index("angry")] = 5
    return logits


def store_clip(store: Store, settings: Settings, path: Path) -> int:
    with audio.open_stream(path) as stream:
        info = stream.info
    sha256 = audio.content_hash(path)
    kept = media.keep(path, sha256, settings)
    recording = records.NewRecording(
        sha256=sha256,
        file_name=path.name,
        byte_count=path.stat().st_size,
        duration_s=LENGTH_S,
        sample_rate=info.sample_rate,
        channel_count=1,
        container=info.container,
        codec=info.codec,
        uploaded_at=NOW,
        happened_at=NOW,
        happened_at_source="upload",
        media_path=kept.path if kept else None,
        media_kind=kept.kind if kept else None,
    )
    logits = scores_over_time()
    outcome = records.Analysed(
        logits[0], EmotionScores.from_logits(logits[0].tolist()), records.NewWindows(logits, 1.0, 3.0)
    )
    clip = records.NewClip(recording, 0, LENGTH_S, LENGTH_S, role="customer")
    return clips.save(store, records.NewAnalysis(clip, MODEL, outcome, NOW)).clip_id


class TwoVoices(App):
    """A page with nothing but a player of two voices."""

    @property
    def page(self) -> str:
        return PAGE_OF_TWO

    @property
    def command(self) -> list[str]:
        script = self.data_dir / "page.py"
        script.write_text(self.page, encoding="utf-8")
        return [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(self.port)]


class OfHours(TwoVoices):
    """A page with nothing but a player of four hours."""

    @property
    def page(self) -> str:
        return PAGE_OF_HOURS


# The agent speaks the first 30 s, calm; then the customer does, angry.
PAGE_OF_TWO = """
import numpy as np, streamlit as st
from emostore.analytics.trajectory import Trajectory
from emostore.services.sound import peaks
from emostore.ui.player import Marker, Track, player

calm, angry = np.eye(9)[[4] * 58], np.eye(9)[[0] * 58]
first = np.arange(58) < 29
sound = np.random.default_rng(0).normal(0, 0.1, (2, 16000 * 60)).astype(np.float32)
sound[0, 480000:] = sound[1, :480000] = 0
st.title("Two")
player(
    url=None,
    duration_s=60.0,
    peaks=peaks.of(tuple(sound)),
    tracks=[
        Track("Agent", 0, Trajectory(calm, 1.0, 3.0, first)),
        Track("Customer", 1, Trajectory(angry, 1.0, 3.0, ~first), missing=("unknown",)),
    ],
    markers=[
        Marker(5.0, "change", "first in time"),
        Marker(50.0, "alert", "first in weight", 1),
        Marker(40.0, "label", "said by a person", 1),
    ],
    key="player",
)
"""

# Four hours, neutral but for one window: on a screen, 14 windows share a pixel.
PEAK_S = 9000
PAGE_OF_HOURS = f"""
import numpy as np, streamlit as st
from emostore.analytics.trajectory import Trajectory
from emostore.ui.player import Track, player

scores = np.eye(9)[[4] * (4 * 3600 - 2)]
scores[{PEAK_S}] = np.eye(9)[0]
st.title("Hours")
path = Trajectory(scores, 1.0, 3.0)
player(url=None, duration_s=4 * 3600.0, peaks=None, tracks=[Track("Voice", None, path)], key="player")
"""

# The colour of the pixel in the middle of the drawn scores of a voice, at a share of the width; transparent is none.
PIXEL = """(stage, [lane, share]) => {
    const canvas = stage.firstElementChild.shadowRoot.querySelector(".wrapper > canvas");
    const ratio = canvas.width / canvas.clientWidth;
    const y = (16 + lane * 88 + 16 + 36) * ratio;
    const [r, g, b, a] = canvas.getContext("2d").getImageData(canvas.width * share, y, 1, 1).data;
    return a ? "#" + [r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("") : null;
}"""


# The colour of each column of pixels near the top of the only voice.
COLUMNS = """stage => {
    const canvas = stage.firstElementChild.shadowRoot.querySelector(".wrapper > canvas");
    const ratio = canvas.width / canvas.clientWidth;
    const row = canvas.getContext("2d").getImageData(0, (16 + 10) * ratio, canvas.width, 1).data;
    const hex = (part) => part.toString(16).padStart(2, "0");
    return Array.from({ length: canvas.width }, (_, x) => "#" + [...row.slice(4 * x, 4 * x + 3)].map(hex).join(""));
}"""


# How many pixels of the waveform the click is wide, at three tenths of its height: none where it is not in sight.
CLICK_PX = """stage => {
    const canvases = stage.firstElementChild.shadowRoot.querySelectorAll(".canvases canvas");
    const wide = [...canvases].map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, canvas.height * 0.35, canvas.width, 1);
        return data.filter((alpha, i) => i % 4 === 3 && alpha > 127).length * canvas.clientWidth / canvas.width;
    });
    return wide.reduce((sum, each) => sum + each, 0);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("player")


@pytest.fixture(scope="module")
def clip_ids(folder: Path) -> dict[str, int]:
    """Every click track as a stored clip, and one whose sound was not kept."""
    settings = Settings(data_dir=folder)
    store = create_store(settings.resolved_database_url)
    migrate.upgrade(store)
    (folder / "source").mkdir()
    found = {name: store_clip(store, settings, click_track(folder / "source" / name)) for name in TRACKS}
    silent = write_wav(folder / "source" / "gone.wav", noise(LENGTH_S, 8000)[None], 8000)
    found["gone.wav"] = store_clip(store, settings.model_copy(update={"keep_audio": "none"}), silent)
    store.close()
    return found


@pytest.fixture(scope="module")
def served(folder: Path, clip_ids: dict[str, int]) -> Iterator[App]:
    app = Served(folder, new_app(folder).port)
    app.start()
    yield app
    app.kill()


def opened(page: Page, app: App, clip_id: int, more: str = "") -> Locator:
    """The stage of a clip's player."""
    page.goto(f"{app.url}/clip?id={clip_id}{more}")
    settled(page)
    stage = page.locator(".stage")
    expect(stage).to_have_attribute("aria-valuemax", re.compile(rf"{LENGTH_S}\.\d\d"))
    return stage


def position(stage: Locator) -> float:
    return float(stage.get_attribute("aria-valuenow") or "nan")


def read_out(page: Page) -> list[float]:
    return [float(text) for text in page.locator(".readout dd").all_text_contents()]


@pytest.mark.parametrize("name", TRACKS)
def test_the_playhead_is_where_the_sound_is_at_the_end_of_a_recording(
    page: Page, served: App, folder: Path, clip_ids: dict[str, int], name: str
) -> None:
    decoded = audio.decode(folder / "source" / name).waveforms[0]  # what the scores belong to
    click_s = float(np.argmax(np.abs(decoded) > LOUD)) / audio.SAMPLE_RATE
    assert click_s == pytest.approx(CLICK_S, abs=0.1)
    stage = opened(page, served, clip_ids[name], f"&t={CLICK_S - 1}")
    expect(stage).to_have_attribute("aria-valuenow", f"{CLICK_S - 1:.2f}")
    page.locator(".controls .total").click()  # a browser plays nothing before it was touched
    found = stage.evaluate(LISTEN)
    assert found["heard"] is not None, "the click was not heard where it lies"
    assert found["heard"] == pytest.approx(click_s, abs=IN_STEP_S)


def test_a_click_on_the_worst_moment_leads_to_its_sound_and_its_scores(
    page: Page, served: App, clip_ids: dict[str, int]
) -> None:
    stage = opened(page, served, clip_ids["click-8000.wav"])
    assert read_out(page)[EMOTIONS.index("neutral")] > 0.5
    page.get_by_role("button", name="Most negative").click()
    expect(stage).to_have_attribute("aria-valuenow", f"{ANGRY.start + 1:.2f}")
    calm, angry = (EmotionScores.from_logits(scores_over_time()[i].tolist()).vector for i in (0, ANGRY.start))
    assert read_out(page) == pytest.approx(angry, abs=0.0006)
    assert "Angry 0.8" in (stage.get_attribute("aria-valuetext") or "")
    expect(page.locator(".spoken")).to_contain_text("1:41 of 3:00 · Angry")
    assert page.locator("audio").evaluate("audio => audio.currentTime") == pytest.approx(ANGRY.start + 1, abs=0.01)

    stage.press("Shift+ArrowLeft")
    expect(stage).to_have_attribute("aria-valuenow", f"{ANGRY.start:.2f}")
    assert read_out(page) == pytest.approx(calm, abs=0.0006)


def test_keys_and_clicks_seek_zoom_and_play(page: Page, served: App, clip_ids: dict[str, int]) -> None:
    stage = opened(page, served, clip_ids["click-8000.wav"])
    stage.press("ArrowRight")
    assert position(stage) == 5
    stage.press("PageUp")
    assert position(stage) == 35
    stage.press("End")
    assert position(stage) == LENGTH_S
    stage.press("Home")
    assert position(stage) == 0
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] / 4, "y": 80})
    assert position(stage) == pytest.approx(LENGTH_S / 4, abs=LENGTH_S / box["width"])

    out = page.get_by_role("button", name="Zoom out")
    expect(out).to_be_disabled()
    stage.press("+")
    stage.press("+")
    expect(out).to_be_enabled()
    left, width = stage.evaluate(SCROLLED)
    assert width == pytest.approx(4 * box["width"], abs=2)
    stage.click(position={"x": 10, "y": 80})
    assert position(stage) == pytest.approx((left + 10) / width * LENGTH_S, abs=LENGTH_S / width)
    stage.press("-")
    stage.press("-")
    expect(out).to_be_disabled()

    stage.press("Home")
    sound = page.locator("audio")
    page.get_by_label("Speed").select_option("2")
    assert sound.evaluate("audio => [audio.paused, audio.playbackRate]") == [True, 2]
    stage.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".controls .now")).to_have_text(
        re.compile("^0:(0[1-9]|[1-5][0-9])$")
    )  # a busy machine looks late
    stage.press(" ")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    at = sound.evaluate("audio => audio.currentTime")
    assert at >= 1
    assert position(stage) == pytest.approx(at, abs=0.01)

    stage.press(" ")  # a run of the page does not stop the sound
    page.get_by_text("中文", exact=True).click()
    expect(page.locator(".readout")).to_contain_text("生气")
    assert sound.evaluate("audio => [audio.paused, audio.playbackRate]") == [False, 2]


def expect_the_exact_click(page: Page, stage: Locator) -> None:
    """As near as one gets, a hundredth of a second is 2 pixels wide; of the outline that came at once, a part is 6."""
    enlarge = page.get_by_role("button", name="Zoom in")
    while enlarge.is_enabled():
        enlarge.click()
    page.wait_for_function(
        f"(stage) => {{ const wide = ({CLICK_PX})(stage); return wide > 0 && wide <= 4; }}", arg=stage.element_handle()
    )


def test_zoomed_in_the_outline_is_as_it_was_measured(page: Page, served: App, clip_ids: dict[str, int]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    stage = opened(page, served, clip_ids["click-8000.wav"], f"&t={CLICK_S}")
    assert [url for url in asked if url.endswith("/peaks")] == []
    expect_the_exact_click(page, stage)
    assert len([url for url in asked if url.endswith("/peaks")]) == 1


def test_a_link_to_a_moment_leads_there_the_second_time_too(
    page: Page, served: App, folder: Path, clip_ids: dict[str, int]
) -> None:
    store = create_store(Settings(data_dir=folder).resolved_database_url)
    view = reports.clip_view(store, clip_ids["click-8000.wav"])
    store.close()
    assert view is not None
    page.goto(f"{served.url}/session?id={view.session_id}")
    settled(page)
    stage = page.locator(".stage")
    for _ in range(2):
        page.get_by_role("link", name="the worst moment").click()
        expect(stage).to_have_attribute("aria-valuenow", f"{ANGRY.start + 1:.2f}")
        settled(page)
        stage.press("Home")
        expect(stage).to_have_attribute("aria-valuenow", "0.00")
    assert page.evaluate("new URLSearchParams(location.search).get('t')") == f"{ANGRY.start + 1:.2f}"


def test_without_sound_the_scores_can_still_be_walked_through(
    page: Page, served: App, clip_ids: dict[str, int]
) -> None:
    stage = opened(page, served, clip_ids["gone.wav"])
    expect(page.get_by_text("The audio of this recording was not kept.")).to_be_visible()
    expect(page.locator("audio")).to_have_count(0)
    expect(page.get_by_role("button", name="Play")).to_have_count(0)
    page.get_by_role("button", name="Most negative").click()
    expect(stage).to_have_attribute("aria-valuenow", f"{ANGRY.start + 1:.2f}")
    assert read_out(page)[EMOTIONS.index("angry")] > 0.8


def test_two_voices_are_drawn_and_read_side_by_side(page: Page, tmp_path: Path) -> None:
    app = TwoVoices(tmp_path, new_app(tmp_path).port)
    app.start()
    try:
        page.goto(app.url)
        settled(page)
        stage = page.locator(".stage")
        expect(stage).to_have_attribute(
            "aria-valuetext", "0:00 of 1:00 · Agent: Neutral 1.000 · Customer: nobody speaks"
        )
        expect(page.locator(".moments button")).to_contain_text(
            ["first in weight", "said by a person", "first in time"]
        )
        neutral, angry = BY_NAME["neutral"].color, BY_NAME["angry"].color
        drawn = [stage.evaluate(PIXEL, place) for place in ([0, 0.2], [0, 0.8], [1, 0.2], [1, 0.8])]
        assert drawn == [neutral, None, None, angry]
        waves = stage.evaluate("stage => stage.firstElementChild.shadowRoot.querySelector('.canvases').children.length")
        assert waves == 2
        page.get_by_role("button", name="first in weight").click()
        expect(stage).to_have_attribute("aria-valuetext", "0:50 of 1:00 · Agent: nobody speaks · Customer: Angry 1.000")
        texts = [voice.locator("dd").all_text_contents() for voice in page.locator(".readout").all()]
        assert texts == [["–"] * 9, ["1.000", *["0.000"] * 7, "–"]]
    finally:
        app.kill()


def test_zoomed_out_one_loud_moment_of_four_hours_is_drawn_as_high_as_it_was(page: Page, tmp_path: Path) -> None:
    app = OfHours(tmp_path, new_app(tmp_path).port)
    app.start()
    try:
        page.goto(app.url)
        settled(page)
        stage = page.locator(".stage")
        expect(page.locator(".thinned")).to_be_visible()
        colors = stage.evaluate(COLUMNS)
        neutral, angry = BY_NAME["neutral"].color, BY_NAME["angry"].color
        assert set(colors) >= {neutral, angry}  # near the top, where a mean of 14 windows would not reach
        assert colors.index(angry) / len(colors) == pytest.approx((PEAK_S + 1.5) / (4 * 3600), abs=2 / len(colors))
        stage.press("End")
        for _ in range(12):
            stage.press("+")
        expect(page.locator(".thinned")).to_be_hidden()
        assert angry not in (seen := stage.evaluate(COLUMNS))
        assert neutral in seen
    finally:
        app.kill()


def test_started_by_streamlit_alone_the_sound_comes_as_its_media(
    page: Page, folder: Path, clip_ids: dict[str, int]
) -> None:
    app = new_app(folder)
    app.start()
    try:
        stage = opened(page, app, clip_ids["click-8000.wav"], f"&t={CLICK_S}")
        sound = page.locator("audio")
        assert "/media/" in (sound.get_attribute("src") or "")
        page.wait_for_function("audio => audio.duration > 0", arg=sound.element_handle())
        assert sound.evaluate("audio => audio.duration") == pytest.approx(LENGTH_S, abs=0.01)
        expect_the_exact_click(page, stage)
    finally:
        app.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_and_nobody_is_barred(
    page: Page, served: App, clip_ids: dict[str, int], scheme: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    opened(page, served, clip_ids["click-8000.wav"])
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    faults = Axe().run(page, context={"include": [[".st-key-player"]]}).response["violations"]
    serious = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in serious] == []
