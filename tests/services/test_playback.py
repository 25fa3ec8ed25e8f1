"""What is played and drawn of a recording: made once, bounded, in step with the sound, and for those who may."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from emostore import access, api, audio
from emostore.config import Settings, settings
from emostore.errors import AudioError, StoreError
from emostore.services import deleting
from emostore.services.analysis import Analyser, Source
from emostore.services.metadata.descriptions import Description
from emostore.services.sound import cache, media, peaks, playback
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import clips, records
from tests.audio_samples import FORMATS, clicks, noise, tone, write_encoded, write_wav
from tests.services.conftest import LoudnessModel

NOW = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
MODEL = records.ModelRevisionKey("six", "abcdef123456", 2, ("angry", "sad"), "none")
Kept = Callable[..., reports.ClipView]
PLAYED_AS_THEY_ARE = {
    *("pcm_s16.wav", "pcm_s24.wav", "pcm_u8.wav", "float.wav", "tone.flac", "tone.m4a", "tone.mp4", "tone.opus"),
    "tone.webm",
}


@pytest.fixture
def kept(store: Store, config: Settings) -> Kept:
    """Keeps a file as an upload does, and gives its clip."""

    def keep(path: Path, mode: str = "original", clip_count: int = 1) -> reports.ClipView:
        chosen = config.model_copy(update={"keep_audio": mode})
        with audio.open_stream(path) as stream:
            info = stream.info
        sha256 = audio.content_hash(path)
        found = media.keep(path, sha256, chosen)
        recording = records.NewRecording(
            sha256=sha256,
            file_name=path.name,
            byte_count=path.stat().st_size,
            duration_s=1.0,
            sample_rate=info.sample_rate,
            channel_count=info.channels,
            container=info.container,
            codec=info.codec,
            uploaded_at=NOW,
            happened_at=NOW,
            happened_at_source="upload",
            media_path=found.path if found else None,
            media_kind=found.kind if found else None,
        )
        analyses = [
            records.NewAnalysis(records.NewClip(recording, channel, 1.0, 1.0), MODEL, records.NoSpeech("silence"), NOW)
            for channel in range(clip_count)
        ]
        view = reports.clip_view(store, clips.save_many(store, analyses)[0].clip_id)
        assert view is not None
        return view

    return keep


def first_click_s(path: Path, after_s: float = 0.0) -> float:
    """When the sound is first loud, as this project decodes it."""
    waveform = audio.decode(path).waveforms[0]
    begin = int(after_s * audio.SAMPLE_RATE)
    return (begin + int(np.argmax(np.abs(waveform[begin:]) > 0.4))) / audio.SAMPLE_RATE


def test_peaks_are_the_loudest_of_every_hundredth_of_a_second(tmp_path: Path) -> None:
    sound = np.stack([clicks(2.005, every_s=0.5), 0.5 * clicks(2.005, every_s=1.0)])
    found = peaks.of(tuple(sound))
    assert found.duration_s == 2.005
    assert found.levels.shape == (2, 201)
    assert found.loudest == pytest.approx(0.9)
    assert [np.flatnonzero(row).tolist() for row in found.levels] == [[0, 50, 100, 150, 200], [0, 100, 200]]
    assert sorted(set(found.levels[1].tolist())) == [0, 128]
    negative = peaks.of([np.array([-0.5] + [0.25] * 319, np.float32)])
    assert negative.levels.tolist() == [[255, 128]]


def test_peaks_do_not_depend_on_how_the_sound_comes() -> None:
    sound = np.stack([noise(1.23, seed=1), noise(1.23, seed=2)])
    whole = peaks.of(tuple(sound))
    pieces = peaks.measure(2, (sound[:, at : at + 777] for at in range(0, sound.shape[1], 777)))
    assert np.array_equal(whole.levels, pieces.levels)
    assert (whole.loudest, whole.duration_s) == (pieces.loudest, pieces.duration_s)


def test_silence_and_nothing_have_peaks_too() -> None:
    silent = peaks.of([np.zeros(1600, np.float32)])
    assert (silent.levels.tolist(), silent.loudest) == ([[0] * 10], 0.0)
    assert peaks.of([np.zeros(0, np.float32)]).levels.shape == (1, 0)


def test_thinned_peaks_keep_every_click() -> None:
    found = peaks.of([clicks(60.0, every_s=7.0)])
    thin = found.thinned(500)
    assert thin.levels.shape == (1, 500)
    assert (thin.levels > 0).sum() == (found.levels > 0).sum() == 9
    assert found.thinned(6000) is found


def test_peaks_are_made_once_and_made_again_where_the_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_wav(tmp_path / "a.wav", tone(300, 1.0)[None])
    first = peaks.load(source, "ab" * 32, tmp_path, audio.Limits())
    path = cache.path_of("ab" * 32, peaks.KIND, tmp_path)
    assert path.is_file()
    path.write_bytes(path.read_bytes()[:100])
    again = peaks.load(source, "ab" * 32, tmp_path, audio.Limits())
    assert np.array_equal(first.levels, again.levels)
    monkeypatch.setattr(audio, "open_stream", lambda *_: pytest.fail("decoded although the peaks are there"))
    assert peaks.load(source, "ab" * 32, tmp_path, audio.Limits()).duration_s == 1.0
    cache.forget("ab" * 32, tmp_path)
    assert list(path.parent.iterdir()) == []


def test_peaks_of_an_analysis_spare_the_reader_the_decoding(tmp_path: Path) -> None:
    waveform = tone(300, 1.0)
    peaks.save(peaks.of([waveform]), "cd" * 32, tmp_path)
    found = peaks.load(tmp_path / "not there", "cd" * 32, tmp_path, audio.Limits())
    assert found.levels.shape == (1, 100)


def test_a_crash_leaves_no_half_file_and_old_remains_are_swept(tmp_path: Path) -> None:
    path = cache.path_of("ef" * 32, "opus", tmp_path)

    def crash(aside: Path) -> None:
        aside.write_bytes(b"half")
        raise AudioError("gone")

    with pytest.raises(AudioError):
        cache.made(path, crash)
    assert list(path.parent.iterdir()) == []
    left = path.parent / ".make-old"
    left.touch()
    os.utime(left, (0, 0))
    cache.made(path, lambda aside: None)
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(StoreError, match="could not be prepared for listening"):
        cache.made(cache.path_of("ef" * 32, "opus", tmp_path), lambda aside: None)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_one_that_browsers_play(kept: Kept, config: Settings, tmp_path: Path, kind: str) -> None:
    rate = FORMATS[kind][2]
    source = write_encoded(tmp_path / f"x_{kind}", 0.5 * tone(300, 0.5, rate)[None], kind)
    found = playback.sound(kept(source), config)
    assert found is not None
    with av.open(str(found.path)) as container:
        codec = container.streams.audio[0].codec_context.codec.canonical_name
        container_name = container.format.name
    played = {
        "audio/wav": ("wav", {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"}),
        "audio/ogg": ("ogg", {"opus", "vorbis"}),
        "audio/webm": ("matroska,webm", {"opus", "vorbis"}),
        "audio/mp4": ("mov,mp4,m4a,3gp,3g2,mj2", {"aac", "mp3"}),
        "audio/flac": ("flac", {"flac"}),
    }[found.mime_type]
    assert container_name == played[0]
    assert codec in played[1]
    assert (found.path.parts[-3] == media.FOLDER) == (kind in PLAYED_AS_THEY_ARE)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "options"),
    [
        ("mp3", "libmp3lame", 44_100, {"flags": "+qscale", "global_quality": "590"}),
        ("mp3", "libmp3lame", 16_000, {"b": "32000"}),
        ("adts", "aac", 44_100, {}),
        ("asf", "wmav2", 44_100, {"b": "64000"}),
        ("amr", "libopencore_amrnb", 8_000, {}),
    ],
)
def test_a_copy_keeps_the_time_of_what_was_analysed(
    kept: Kept, config: Settings, tmp_path: Path, container: str, codec: str, rate: int, options: dict[str, str]
) -> None:
    sound = np.concatenate([noise(5, rate, 0.05), np.zeros(5 * rate, np.float32), clicks(1, rate, every_s=1.0)])
    sound[-rate : -rate + rate // 100] = 0.9 * np.sign(tone(1000, 0.01, rate) + 1e-9)
    path = tmp_path / f"a.{container}"
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono", options=options)
        for at in range(0, sound.size, 4096):
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + 4096], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    found = playback.sound(kept(path), config)
    assert found is not None
    assert found.path.suffix in {".mp4", ".opus"}
    assert first_click_s(found.path, 8) == pytest.approx(first_click_s(path, 8), abs=0.005)


def test_a_copy_is_made_once(kept: Kept, config: Settings, tmp_path: Path) -> None:
    view = kept(write_encoded(tmp_path / "x_mulaw.wav", tone(300, 0.5, 8000)[None], "mulaw.wav"))
    first = playback.sound(view, config)
    assert first is not None
    before = first.path.stat().st_mtime_ns
    assert playback.sound(view, config) == first
    assert first.path.stat().st_mtime_ns == before


def test_an_opus_copy_is_played_whatever_it_was_made_of(kept: Kept, config: Settings, tmp_path: Path) -> None:
    view = kept(write_encoded(tmp_path / "x_tone.mp3", tone(300, 0.5, 44_100)[None], "tone.mp3"), "opus")
    found = playback.sound(view, config)
    assert found is not None
    assert (found.mime_type, found.path.parts[-3]) == ("audio/ogg", media.FOLDER)


def test_what_was_not_kept_is_not_played(kept: Kept, config: Settings, tmp_path: Path) -> None:
    assert playback.sound(kept(write_wav(tmp_path / "a.wav", tone(300, 0.5)[None]), "none"), config) is None


@pytest.fixture
def client(store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("EMOSTORE_DATA_DIR", str(config.data_dir))
    settings.cache_clear()
    api._store.cache_clear()
    with TestClient(Starlette(routes=api.ROUTES)) as client:
        yield client
    settings.cache_clear()
    api._store.cache_clear()


def test_the_outline_is_sent_whole_channel_by_channel(
    client: TestClient, kept: Kept, config: Settings, tmp_path: Path
) -> None:
    two = kept(write_wav(tmp_path / "a.wav", np.stack([noise(1.5), tone(300, 1.5)])), clip_count=2)
    answer = client.get(f"/audio/{two.sha256}/peaks")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    drawn = playback.outline(two, config)
    assert drawn is not None
    assert answer.content == drawn.levels[0].tobytes() + drawn.levels[1].tobytes()
    gone = kept(write_wav(tmp_path / "b.wav", noise(2)[None]), "none")
    for name in (gone.sha256, "ab" * 32, "AB" * 32, "..%2f.."):
        assert client.get(f"/audio/{name}/peaks").status_code == 404


def test_a_recording_is_ready_once_nothing_has_to_be_made_of_it(kept: Kept, config: Settings, tmp_path: Path) -> None:
    assert playback.is_ready(kept(write_wav(tmp_path / "gone.wav", noise(1)[None]), "none"), config)
    telephone = write_encoded(tmp_path / "x_mulaw.wav", tone(300, 0.5, 8000)[None], "mulaw.wav")
    for view in (kept(write_wav(tmp_path / "a.wav", noise(2)[None])), kept(telephone)):
        assert not playback.is_ready(view, config)
        playback.outline(view, config)
        assert playback.is_ready(view, config) == (view.codec == "pcm_s16le")  # as it is played
        playback.sound(view, config)
        assert playback.is_ready(view, config)


def test_the_route_answers_whole_files_heads_and_ranges(client: TestClient, kept: Kept, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "a.wav", noise(1)[None])
    data = source.read_bytes()
    url = f"/audio/{kept(source).sha256}"
    whole = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cross-origin-resource-policy"] == "same-origin"
    head = client.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(data)))
    for asked, part in (("0-99", data[:100]), ("100-", data[100:]), ("-50", data[-50:]), ("99-9999999", data[99:])):
        answer = client.get(url, headers={"Range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"].endswith(f"/{len(data)}")
    beyond = client.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")


@pytest.mark.parametrize(
    "name", ["ab" * 32, "AB" * 32, "ab", "ab" * 31 + "zz", "..%2f..%2femostore.db", "ab" * 32 + ".opus"]
)
def test_the_route_knows_hashes_and_no_paths(client: TestClient, store: Store, name: str) -> None:
    assert client.get(f"/audio/{name}").status_code == 404


def test_audio_that_was_not_kept_is_not_there(client: TestClient, kept: Kept, tmp_path: Path) -> None:
    view = kept(write_wav(tmp_path / "a.wav", noise(1)[None]), "none")
    assert client.get(f"/audio/{view.sha256}").status_code == 404


def test_the_route_asks_for_the_right_to_every_voice(
    client: TestClient, kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = kept(write_wav(tmp_path / "a.wav", np.stack([noise(1), noise(1)])), clip_count=2)
    url = f"/audio/{view.sha256}"
    assert [client.get(url + more).status_code for more in ("", "/peaks")] == [200, 200]

    def may(action: str, subject: object = None) -> bool:
        return getattr(subject, "channel", 0) != 1

    monkeypatch.setattr(access, "can", may)
    refused = client.get(url)
    assert refused.status_code == 403
    assert "You do not have the right" in refused.text
    assert client.get(f"{url}/peaks").status_code == 403


def test_a_kept_file_that_cannot_be_read_is_explained(
    client: TestClient, kept: Kept, config: Settings, tmp_path: Path
) -> None:
    view = kept(write_encoded(tmp_path / "x_mulaw.wav", tone(300, 0.5, 8000)[None], "mulaw.wav"))
    assert view.media_path is not None
    (config.data_dir / view.media_path).write_bytes(b"\0" * 2000)
    answer = client.get(f"/audio/{view.sha256}")
    assert answer.status_code == 422
    assert "No sound or video format was recognised" in answer.text


def test_what_was_made_of_a_recording_goes_with_it(kept: Kept, store: Store, config: Settings, tmp_path: Path) -> None:
    view = kept(write_encoded(tmp_path / "x_mulaw.wav", tone(300, 0.5, 8000)[None], "mulaw.wav"))
    found = playback.sound(view, config)
    assert found is not None
    peaks.load(found.path, view.sha256, config.data_dir, audio.Limits())
    assert len(list(found.path.parent.iterdir())) == 2
    deleting.delete_clips(store, config, [view.clip_id])
    assert list(found.path.parent.iterdir()) == []


@pytest.mark.usefixtures("talkative")
def test_whoever_opens_an_analysed_recording_does_not_wait_for_its_outline(
    store: Store, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(write_wav(tmp_path / "a.wav", np.stack([noise(1), tone(300, 1.0)])), "a.wav")
    results = list(Analyser(store, config, LoudnessModel()).analyse([source], Description()))
    monkeypatch.setattr(audio, "open_stream", lambda *_, **__: pytest.fail("decoded although the peaks are there"))
    view = reports.clip_view(store, results[0].clip_id or 0)
    assert view is not None
    found = playback.outline(view, config)
    assert found is not None
    assert found.levels.shape == (2, 100)
