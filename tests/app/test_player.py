"""What the Clip page hands to the player, and what it says of the sound."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from emostore import audio
from emostore.config import settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services.calibration import labelling
from emostore.services.sound import media, peaks, playback
from emostore.services.views.session_view import Voice
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import clips, records
from emostore.ui import player
from emostore.ui.player import clip as on_clip
from tests.app import sides
from tests.app.conftest import text
from tests.app.stored import MODEL, NOW
from tests.audio_samples import noise, write_wav

WINDOWS = 40


@pytest.fixture
def route() -> Iterator[None]:
    """As in a server that has the route for sound."""
    playback.ROUTE_IS_SERVED.set()
    yield
    playback.ROUTE_IS_SERVED.clear()


def stored(store: Store, folder: Path, keep: str = "original") -> tuple[int, str]:
    """The later of two voices, angry in its second half: its id, and the hash of the recording."""
    path = write_wav(folder / "two.wav", np.stack([noise(42, 8000, seed=1), 0.5 * noise(42, 8000, seed=2)]), 8000)
    sha256 = audio.content_hash(path)
    kept = media.keep(path, sha256, settings().model_copy(update={"keep_audio": keep}))
    recording = records.NewRecording(
        sha256=sha256,
        file_name="two.wav",
        byte_count=path.stat().st_size,
        duration_s=42.0,
        sample_rate=8000,
        channel_count=2,
        container="wav",
        codec="pcm_s16le",
        uploaded_at=NOW,
        happened_at=NOW,
        happened_at_source="upload",
        media_path=kept.path if kept else None,
        media_kind=kept.kind if kept else None,
    )
    logits = np.full((WINDOWS, 9), -np.inf, np.float32)
    logits[:, [EMOTIONS.index(name) for name in MODEL.classes]] = 0
    logits[: WINDOWS // 2, EMOTIONS.index("neutral")] = 5
    logits[WINDOWS // 2 :, EMOTIONS.index("angry")] = 5
    outcome = records.Analysed(
        logits[0], EmotionScores.from_logits(logits[0].tolist()), records.NewWindows(logits, 1.0, 3.0)
    )
    both = [
        records.NewAnalysis(records.NewClip(recording, channel, 42.0, 42.0, role="customer"), MODEL, outcome, NOW)
        for channel in range(2)
    ]
    return clips.save_many(store, both)[1].clip_id, sha256


def opened(app: AppTest, identifier: int, **address: str) -> AppTest:
    app.query_params["id"] = str(identifier)
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page("pages/clip.py").run()


def handed_over(at: AppTest) -> dict[str, Any]:
    (found,) = at.get("bidi_component")
    data: dict[str, Any] = json.loads(found.proto.json)
    return data


@pytest.mark.usefixtures("route")
def test_the_player_gets_the_voice_its_scores_and_its_moments(app: AppTest, store: Store, tmp_path: Path) -> None:
    identifier, sha256 = stored(store, tmp_path)
    at = opened(app, identifier, t="12.5")
    assert not at.exception
    data = handed_over(at)
    assert (data["url"], data["duration_s"], data["start_s"]) == (f"/audio/{sha256}", 42.0, 12.5)
    assert (len(data["peaks"]), data["names"]) == (1, ["Customer"])
    assert data["tracks"][0]["missing"] == [EMOTIONS.index(name) for name in ("other", "surprised", "unknown")]
    assert [(marker["kind"], marker["at_s"]) for marker in data["markers"]] == [
        ("worst", WINDOWS / 2 + 1),
        ("change", WINDOWS / 2 + 1),
    ]
    assert "kept as it was uploaded" in text(at)


@pytest.mark.usefixtures("route")
def test_of_a_long_outline_a_screenful_comes_at_once_and_the_address_of_the_rest(
    app: AppTest, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier, sha256 = stored(store, tmp_path)
    data = handed_over(at := opened(app, identifier))
    exact = np.frombuffer(base64.b64decode(data["peaks"][0]), np.uint8)
    assert (len(exact), data["detail"]) == (42 * peaks.PER_SECOND, None)
    monkeypatch.setattr(player, "OVERVIEW", 1000)
    data = handed_over(at.run())
    assert list(base64.b64decode(data["peaks"][0])) == exact.reshape(-1, 5).max(axis=1).tolist()
    assert data["detail"] == {"url": f"/audio/{sha256}/peaks", "channels": 2, "rows": [1]}


@pytest.mark.parametrize("ready", [True, False])
def test_what_stands_below_waits_for_the_player_only_if_its_sound_is_ready(
    ready: bool, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = reports.clip_view(store, stored(store, tmp_path)[0])
    assert view is not None
    drawn = []
    monkeypatch.setattr(playback, "is_ready", lambda *_: ready)
    monkeypatch.setattr(on_clip, "in_force", settings)
    monkeypatch.setattr(on_clip, "_show", lambda *_: drawn.append("player"))
    with on_clip.shown([Voice(view, None, None)], ["Customer"]):
        drawn.append("rest")
    assert drawn == (["player", "rest"] if ready else ["rest", "player"])


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize(
    ("heard", "said", "is_coloured"), [("happy", "Happy", True), ("cannot_tell", "Cannot tell", False)]
)
def test_what_one_heard_oneself_stands_at_the_beginning(
    app: AppTest, store: Store, tmp_path: Path, heard: str, said: str, is_coloured: bool
) -> None:
    identifier, _ = stored(store, tmp_path)
    labelling.save(store, identifier, NewLabel(heard))
    (marker,) = [each for each in handed_over(opened(app, identifier))["markers"] if each["kind"] == "label"]
    assert (marker["at_s"], marker["text"], marker["color"] is not None) == (0.0, said, is_coloured)


@pytest.mark.usefixtures("route")
def test_an_opus_copy_is_called_one(app: AppTest, store: Store, tmp_path: Path) -> None:
    at = opened(app, stored(store, tmp_path, "opus")[0])
    assert "an Opus copy is kept" in text(at)
    assert handed_over(at)["url"]


def test_without_the_audio_the_scores_over_time_are_shown_all_the_same(
    app: AppTest, store: Store, tmp_path: Path
) -> None:
    at = opened(app, stored(store, tmp_path, "none")[0], t="nonsense")
    assert "not kept" in text(at)
    data = handed_over(at)
    assert (data["url"], data["peaks"], data["start_s"]) == (None, [], None)
    assert len(data["markers"]) == 2


def test_a_file_too_large_for_streamlit_alone_is_explained(
    app: AppTest, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier, _ = stored(store, tmp_path)
    monkeypatch.setattr(on_clip, "FALLBACK_BYTES", 1000)
    at = opened(app, identifier)
    assert not at.exception
    assert "Start it with `make run`" in text(at)
    assert handed_over(at)["url"] is None


@pytest.mark.usefixtures("route")
def test_a_damaged_file_is_explained_and_the_scores_stay(app: AppTest, store: Store, tmp_path: Path) -> None:
    identifier, sha256 = stored(store, tmp_path)
    (settings().data_dir / media.path_of(sha256)).write_bytes(b"\0" * 2000)
    at = opened(app, identifier)
    assert not at.exception
    assert "No sound or video format was recognised in two.wav" in text(at)
    assert handed_over(at)["url"] is None


def test_the_player_of_a_call_gets_each_sides_turns_and_scores_only_where_it_speaks(app: AppTest, store: Store) -> None:
    customer = sides.call(store, sides.AGENT, sides.CUSTOMER)[1]
    data = handed_over(opened(app, customer))
    assert data["names"] == ["Customer"]
    scored = base64.b64decode(data["tracks"][0]["scored"])
    assert len(scored) == 58
    assert set(scored[:10]) == {0}
    assert set(scored[31:55]) == {1}
    neutral, angry = (EMOTIONS.index(name) for name in ("neutral", "angry"))
    assert [turn[:4] for turn in data["turns"]] == [[12, 18, 0, neutral], [30, 58, 0, angry]]
    assert data["words"]["columns"] == ["From", "To", "Voice", "Emotion"]
