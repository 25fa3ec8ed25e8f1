from __future__ import annotations

import csv
import hashlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emostore.audio import SAMPLE_RATE, Limits, content_hash, decode, decoding, open_stream
from emostore.audio.container import allowed_demuxers
from emostore.audio.description import recorded_at
from emostore.audio.samples import Resampler
from emostore.errors import AudioError
from tests.audio_samples import (
    FORMATS,
    noise,
    real_audio,
    tone,
    write_encoded,
    write_float_wav,
    write_silent_film,
    write_wav,
)

REFUSABLE = (
    *("missing_wav_header.wav", "test1.raw", "empty_file.mp3", "incomplete.mp3"),
    *("test1_empty.wav", "FunASR__tmp.wav", "invalid_sample_rate.aiff"),
)
UNTRUSTED = ("alac_file.m4a",)  # its index says otherwise than the manifest
LOSSY_S = 0.15
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def amplitude(waveform: np.ndarray, hz: float) -> float:
    """Of a sine of `hz` in the waveform."""
    window = np.hanning(waveform.size)
    turns = np.exp(-2j * np.pi * hz * np.arange(waveform.size) / SAMPLE_RATE)
    return float(abs(2 * np.sum(window * waveform * turns)) / window.sum())


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_keeps_its_channels_apart_and_its_duration(kind: str, tmp_path: Path) -> None:
    rate = FORMATS[kind][2]
    path = write_encoded(tmp_path / kind, np.stack([tone(440, 1.3, rate), tone(1000, 1.3, rate)]), kind)
    audio = decode(path)
    left, right = audio.waveforms
    assert (audio.info.channels, audio.info.sample_rate) == (2, rate)
    assert audio.info.duration_s == pytest.approx(1.3, abs=LOSSY_S)
    assert left.dtype == np.float32
    assert left.shape == right.shape == (round(audio.info.duration_s * SAMPLE_RATE),)
    assert 0.4 < amplitude(left, 440) < 0.6
    assert 0.4 < amplitude(right, 1000) < 0.6
    assert max(amplitude(left, 1000), amplitude(right, 440)) < 0.01
    assert audio.notes == ()


def test_sixteen_bit_samples_at_16_khz_stay_exactly_what_they_are(tmp_path: Path) -> None:
    steps = np.random.default_rng(1).integers(-32000, 32000, (2, 50_001)).astype(np.float32) / 32768
    audio = decode(write_wav(tmp_path / "exact.wav", steps))
    np.testing.assert_array_equal(np.stack(audio.waveforms), steps)


def test_the_first_and_last_moment_survive_resampling(tmp_path: Path) -> None:
    for samples in (1, 3, 50, 4411):
        audio = decode(write_wav(tmp_path / "short.wav", np.full((1, samples), 0.25, np.float32), 44_100))
        assert audio.waveforms[0].size == pytest.approx(samples * SAMPLE_RATE / 44_100, abs=1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
def test_a_stream_in_blocks_gives_bit_for_bit_what_the_whole_gives(rate: int) -> None:
    signal = tone(997, 2.0, rate)[None]
    whole, pieces = Resampler(rate, 1), Resampler(rate, 1)
    expected = np.concatenate([whole.push(signal), whole.flush()], axis=1)
    parts = [pieces.push(signal[:, start : start + 777]) for start in range(0, signal.shape[1], 777)]
    np.testing.assert_array_equal(np.concatenate([*parts, pieces.flush()], axis=1), expected)
    assert expected.shape == (1, 2 * SAMPLE_RATE)
    inner = slice(800, -800)
    np.testing.assert_allclose(expected[0][inner], tone(997, 2.0)[inner], atol=1e-4)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_what_16_khz_cannot_hold_is_removed_and_speech_is_kept(rate: int) -> None:
    for hz, lowest, highest in ((300, -0.01, 0.01), (7000, -0.01, 0.01), (9500, -300, -80)):
        resampler = Resampler(rate, 1)
        out = np.concatenate([resampler.push(tone(hz, 2.0, rate, 0.5)[None]), resampler.flush()], axis=1)[0]
        rms = float(np.sqrt(2 * np.mean(np.square(out[2000:-2000], dtype=np.float64)))) / 0.5
        assert lowest < 20 * np.log10(rms + 1e-12) < highest


def test_twelve_channels_are_decoded_where_the_limit_allows_them(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "many.wav", np.stack([tone(200 + 100 * i, 0.5, 8_000) for i in range(12)]), 8_000)
    with pytest.raises(AudioError, match="12 channels; 1 to 8 are accepted"):
        decode(path)
    waveforms = decode(path, Limits(max_channels=12)).waveforms
    assert [round(amplitude(w, 200 + 100 * i), 1) for i, w in enumerate(waveforms)] == [0.5] * 12


def test_a_recording_over_the_duration_limit_is_refused_while_it_is_decoded(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", noise(30.0)[None])
    with open_stream(path, Limits(max_duration_s=5.0)) as stream:
        blocks = iter(stream)
        seen = sum(next(blocks).shape[1] for _ in range(2))
        with pytest.raises(AudioError, match="longer than 5 s"):
            next(blocks)
    assert 3 * SAMPLE_RATE < seen <= 5 * SAMPLE_RATE


def test_a_file_over_the_byte_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "big.wav", noise(1.0)[None])
    with pytest.raises(AudioError, match=r"big.wav has 32,044 bytes or more; at most 1,000"):
        decode(path, Limits(max_bytes=1000))


def test_a_file_that_grows_past_the_limit_while_it_is_read_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_wav(tmp_path / "growing.wav", noise(20.0)[None])
    size = path.stat().st_size

    def decode_growing() -> None:
        with open_stream(path, Limits(max_bytes=size + 1000)) as stream, path.open("ab") as file:
            file.write(noise(20.0).tobytes())  # the header is not corrected, as in a live recording
            file.flush()
            for block in stream:
                assert block.shape[0] == 1

    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # a length that was never filled in
    path.write_bytes(data)
    with pytest.raises(AudioError, match="or more; at most"):
        decode_growing()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"max_duration_s": -1.0}, {"max_channels": 0}])
def test_limits_are_positive(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Limits(**limits)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"ID3", "No sound or video format"),
        (b"\0" * 5000, "No sound or video format"),
        (b"Dear Sir or Madam,\n" * 50, "is a text file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "is a picture"),
        (b"PK\x03\x04" + b"\0" * 100, "ZIP archive"),
        (b"%PDF-1.7\n" + b"x" * 100, "PDF document"),
    ],
)
def test_what_is_no_recording_is_refused_with_what_it_is(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "call.mp3"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=f"call.mp3.*{sentence}|{sentence}.*call.mp3"):
        decode(path)


def test_a_header_without_sound_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "header.wav", np.empty((1, 0), np.float32))
    with pytest.raises(AudioError, match="no sound after it"):
        decode(path)


def test_a_film_without_sound_is_refused_and_the_message_may_name_the_upload(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"holiday.mp4 has no sound in it, only video"):
        decode(write_silent_film(tmp_path / "film.mp4"), name="holiday.mp4")


def test_missing_files_folders_and_pipes_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="could not be read"):
        decode(tmp_path / "nowhere.wav")
    with pytest.raises(AudioError):
        decode(tmp_path)
    with pytest.raises(AudioError, match="could not be read"):
        content_hash(tmp_path / "nowhere.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="is not a file"):
        decode(tmp_path / "pipe.wav")


def test_a_file_can_make_the_decoder_open_no_other_file(tmp_path: Path) -> None:
    secret = write_wav(tmp_path / "secret.wav", tone(440, 1.0)[None])
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\na=control:file://{secret}\n",
        f'<?xml version="1.0"?><MPD><Period><BaseURL>file://{secret}</BaseURL></Period></MPD>',
    ):
        for name in ("list.m3u8", "list.ffconcat", "list.sdp", "list.mpd", "list.wav"):
            (tmp_path / name).write_text(text)
            with pytest.raises(AudioError, match=r"playlist|text file"):
                decode(tmp_path / name)
    allowed = set(allowed_demuxers().split(","))
    assert {"wav", "mp3", "mov", "amr", "asf"} <= allowed
    assert not allowed & {"hls", "concat", "dash", "image2", "sdp", "rtsp", "lavfi", "tty", "alsa"}


def test_values_that_are_no_numbers_are_silenced_and_noted(tmp_path: Path) -> None:
    signal = tone(440, 1.0, 48_000)[None].copy()
    signal[0, [100, 200, 300]] = np.nan, np.inf, 1e30
    audio = decode(write_float_wav(tmp_path / "bad.wav", signal, 48_000))
    assert np.isfinite(audio.waveforms[0]).all()
    assert [str(note) for note in audio.notes] == ["3 samples were not numbers and were silenced."]


def test_a_clipped_recording_is_noted(tmp_path: Path) -> None:
    audio = decode(write_wav(tmp_path / "loud.wav", np.clip(4 * tone(440, 1.0), -1, 1)[None]))
    assert [str(note) for note in audio.notes] == [
        "66.5 per cent of the samples are at full scale: the recording is clipped."
    ]


def test_a_cut_off_file_gives_what_is_there_and_says_how_much_is_missing(tmp_path: Path) -> None:
    path = write_encoded(tmp_path / "tone.flac", noise(10.0, 44_100)[None], "tone.flac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = decode(path)
    assert 4 < audio.info.duration_s < 6
    assert any("its header says 10.00 s" in str(note) for note in audio.notes)


def test_a_damaged_mp3_gives_what_can_be_decoded_with_a_note_and_a_ruined_one_is_refused(tmp_path: Path) -> None:
    path = write_encoded(tmp_path / "tone.mp3", noise(10.0, 44_100)[None], "tone.mp3")
    data = bytearray(path.read_bytes())
    data[50_000:60_000] = np.random.default_rng(2).bytes(10_000)
    path.write_bytes(data)
    assert decode(path).info.duration_s > 8
    data[2_000:] = np.random.default_rng(3).bytes(len(data) - 2_000)
    path.write_bytes(data)
    try:
        assert decode(path).info.duration_s < 5
    except AudioError as error:
        assert "tone.mp3" in str(error)  # noqa: PT017 (either answer is right)


def test_of_several_sound_tracks_one_is_used_and_noted(tmp_path: Path) -> None:
    audio = decode(write_encoded(tmp_path / "two.mka", tone(440, 1.0, 192_000)[None], "tone.mka", tracks=2))
    assert audio.info.channels == 1
    assert "2 sound tracks" in str(audio.notes[0])


def test_a_change_of_rate_and_channels_inside_a_recording_is_followed(tmp_path: Path) -> None:
    first = write_encoded(tmp_path / "a.mp3", tone(440, 1.0, 44_100)[None], "tone.mp3")
    kinds = {**FORMATS, "slow.mp3": ("mp3", "libmp3lame", 16_000)}
    FORMATS.update(kinds)
    try:
        second = write_encoded(tmp_path / "b.mp3", np.stack([tone(440, 1.0)] * 2), "slow.mp3")
    finally:
        FORMATS.pop("slow.mp3")
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    audio = decode(joined)
    assert len(audio.waveforms) == 1
    assert audio.info.duration_s == pytest.approx(2.0, abs=0.3)
    notes = " ".join(note.message for note in audio.notes)
    assert "sample rate changes" in notes
    assert "number of channels changes" in notes


def test_a_long_recording_is_spooled_to_unlinked_files_and_equals_the_one_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "call.wav", np.stack([noise(9.0), noise(9.0, seed=1)]))
    in_memory = decode(path)
    monkeypatch.setattr(decoding, "SPOOL_BYTES", 100_000)
    spool = tmp_path / "spool"
    spool.mkdir()
    spooled = decode(path, spool_dir=spool)
    assert list(spool.iterdir()) == []
    for waveform, expected in zip(spooled.waveforms, in_memory.waveforms, strict=True):
        assert type(waveform) is np.ndarray
        assert waveform.flags.writeable
        np.testing.assert_array_equal(waveform, expected)


def test_the_hash_is_the_sha_256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bytes.bin"
    path.write_bytes(b"abc" * 1_000_000)
    assert content_hash(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019-03-01T10:00:00.000000Z", datetime(2019, 3, 1, 10, tzinfo=UTC)),
        ("2019-03-01T10:00:00+0100", datetime(2019, 3, 1, 9, tzinfo=UTC)),
        ("2019-03-01T10:00:00", None),
        ("2019-03-01", None),
        ("1990", None),
        ("15:55:00", None),
        ("1904-01-01T00:00:00Z", None),
        ("2999-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_a_time_of_recording_counts_only_if_it_is_full_zoned_and_plausible(
    value: str, expected: datetime | None
) -> None:
    assert recorded_at({"creation_time": value}) == expected


def test_the_time_of_recording_is_read_from_the_file(tmp_path: Path) -> None:
    metadata = {"creation_time": "2021-05-06T07:08:09Z"}
    path = write_encoded(tmp_path / "memo.m4a", tone(440, 0.5, 44_100)[None], "tone.m4a", metadata)
    assert decode(path).info.recorded_at == datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)


@QUICK
@given(
    data=st.binary(max_size=4000), head=st.sampled_from([b"", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"\xff\xfb"])
)
def test_no_bytes_whatever_raise_anything_but_an_audio_error(data: bytes, head: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(head + data)
        file.flush()
        try:
            audio = decode(Path(file.name))
        except AudioError as error:
            assert str(error)  # noqa: PT017 (either answer is right)
        else:
            assert all(np.isfinite(waveform).all() for waveform in audio.waveforms)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("encoded")
    kinds = ("pcm_s16.wav", "tone.flac", "tone.mp3", "tone.m4a", "tone.opus", "tone.webm", "tone.wma", "tone.ogg")
    return {
        kind: write_encoded(folder / kind, np.stack([noise(0.5, FORMATS[kind][2])] * 2), kind).read_bytes()
        for kind in kinds
    }


@QUICK
@given(draw=st.data())
def test_a_file_cut_or_changed_anywhere_decodes_or_is_refused_by_name(
    draw: st.DataObject, encoded: dict[str, bytes]
) -> None:
    data = bytearray(encoded[draw.draw(st.sampled_from(sorted(encoded)))])
    del data[draw.draw(st.integers(0, len(data))) :]
    for _ in range(draw.draw(st.integers(0, 3)) if data else 0):
        data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            audio = decode(Path(file.name), Limits(max_duration_s=600.0), name="upload")
        except AudioError as error:
            assert "upload" in str(error)  # noqa: PT017 (either answer is right)
        else:
            assert len({waveform.shape for waveform in audio.waveforms}) == 1


def rows(*folders: str) -> list[dict[str, str]]:
    with (real_audio() / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["path"].split("/")[0] in folders]


def test_every_real_recording_has_the_duration_and_channels_of_the_manifest() -> None:
    checked = 0
    for row in rows("odd", "calls", "clips", "golden"):
        path = real_audio() / row["path"]
        if path.name.endswith((*REFUSABLE, *UNTRUSTED, ".rttm")):
            continue
        audio = decode(path)
        if row["duration_s"]:
            assert audio.info.duration_s == pytest.approx(float(row["duration_s"]), abs=LOSSY_S), path.name
            assert audio.info.channels == len(audio.waveforms) == int(row["channels"]), path.name
        checked += 1
    assert checked > 20


def test_only_real_files_without_any_sound_are_refused() -> None:
    refused = set()
    for row in rows("odd"):
        try:
            decode(real_audio() / row["path"])
        except AudioError as error:
            assert Path(row["path"]).name in str(error)  # noqa: PT017 (which are refused is asserted below)
            refused.add(row["path"])
    assert all(path.endswith(REFUSABLE) for path in refused)
    assert len(refused) == len(REFUSABLE)


def test_a_real_file_that_ends_before_its_sound_is_empty_and_says_so() -> None:
    audio = decode(next(real_audio().glob("odd/*alac_file.m4a")))
    assert [waveform.size for waveform in audio.waveforms] == [0, 0]
    assert "cut off" in str(audio.notes[0])


def test_a_real_film_with_bad_metadata_gives_its_sound() -> None:
    audio = decode(next(real_audio().glob("odd/*creative_common.mp4")))
    assert (audio.info.codec, audio.info.channels) == ("aac", 2)
    assert audio.info.duration_s == pytest.approx(2.26, abs=0.02)
