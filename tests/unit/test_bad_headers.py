"""Headers that lie, files that end early, sound beside the middle: what is there is read, what is odd is said."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from emostore import audio
from emostore.audio import decoding
from emostore.errors import AudioError
from tests.audio_samples import FloatArray, tone, write_wav

RATE = 16_000
SOUND = tone(440, 4.0)


def lying(
    path: Path, rate: int = RATE, per_second: int | None = None, length: int | None = None, tail: bytes = b""
) -> Path:
    """A WAV file of 4 s with a header that says something else."""
    data = np.round(SOUND * 32767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2 if per_second is None else per_second, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data"
    body += struct.pack("<I", len(data) if length is None else length) + data + tail
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def told(path: Path) -> tuple[float, list[str]]:
    decoded = audio.decode(path)
    return decoded.info.duration_s, [str(note) for note in decoded.notes]


def test_a_header_that_tells_the_truth_or_leaves_the_length_open_gives_no_note(tmp_path: Path) -> None:
    assert told(lying(tmp_path / "a.wav")) == (4.0, [])
    for number, length in enumerate((0, 0xFFFFFFFF)):
        assert told(lying(tmp_path / f"open{number}.wav", length=length)) == (4.0, [])
    titles = b"LIST" + struct.pack("<I", 8000) + bytes(8000)
    assert told(lying(tmp_path / "titles.wav", tail=titles)) == (4.0, [])


def test_a_header_that_names_too_little_loses_nothing_and_too_much_says_what_is_missing(tmp_path: Path) -> None:
    assert told(lying(tmp_path / "less.wav", length=RATE * 2)) == (
        4.0,
        ["The header names 1.00 s of sound; 3.00 s more follow and were read, too."],
    )
    assert told(lying(tmp_path / "more.wav", length=RATE * 2 * 8)) == (
        4.0,
        ["The file is cut off: its header says 8.00 s, and 4.00 s are there."],
    )


def test_a_header_whose_rate_and_bytes_a_second_contradict_each_other_is_told(tmp_path: Path) -> None:
    duration_s, notes = told(lying(tmp_path / "a.wav", rate=8_000, per_second=32_000))
    assert duration_s == 8.0
    assert len(notes) == 1
    assert "it says 8,000 Hz, and as many bytes a second as 16,000 Hz have" in notes[0]
    assert told(lying(tmp_path / "none.wav", per_second=0))[1] == []


@pytest.mark.parametrize("cut", [0, 11, 12, 19, 30, 36, 43, 44, 46, 5_000])
def test_a_file_that_ends_anywhere_is_read_as_far_as_it_goes_or_refused_by_name(cut: int, tmp_path: Path) -> None:
    path = lying(tmp_path / "cut.wav")
    path.write_bytes(path.read_bytes()[:cut])
    try:
        duration_s, notes = told(path)
    except AudioError as error:
        assert "cut.wav" in str(error)  # noqa: PT017 (either answer is right)
        assert cut <= 46
    else:
        assert duration_s == pytest.approx(max(0, cut - 44) / 2 / RATE, abs=0.001)
        assert "cut off" in notes[0]


def test_sound_beside_the_middle_is_put_right_in_memory_and_on_disk_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels: FloatArray = np.stack([SOUND + np.float32(0.2), SOUND, 0 * SOUND + np.float32(0.005)])
    path = write_wav(tmp_path / "shifted.wav", channels)
    decoded = audio.decode(path)
    assert [str(note) for note in decoded.notes] == [
        "The sound was shifted by 20.0 per cent of full scale; the shift was taken out."
    ]
    assert decoded.waveforms[0] == pytest.approx(SOUND, abs=1e-4)
    assert decoded.waveforms[1] == pytest.approx(SOUND, abs=1e-4)
    assert decoded.waveforms[2].mean() == pytest.approx(0.005, abs=1e-4)  # what a sound card may do
    monkeypatch.setattr(decoding, "SPOOL_BYTES", 100_000)
    spooled = audio.decode(path)
    assert spooled.notes == decoded.notes
    for waveform, expected in zip(spooled.waveforms, decoded.waveforms, strict=True):
        np.testing.assert_array_equal(waveform, expected)
