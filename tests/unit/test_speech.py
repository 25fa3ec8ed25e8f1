from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emostore import speech
from emostore.audio import decode
from emostore.errors import AudioError
from emostore.speech import NoSpeech, Segment, detect
from tests.audio_samples import clicks, noise, real_audio, tone


def chord(seconds: float) -> np.ndarray:
    return sum(tone(hz, seconds, peak=0.15) for hz in (261.6, 329.6, 392.0))


def spoken(name: str = "03a01Fa.wav") -> np.ndarray:
    return decode(real_audio() / "emodb" / name).waveforms[0]


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.zeros(48_000, np.float32),
        noise(3.0, level=1e-4),
        tone(440, 3.0, peak=3e-4),
    ],
    ids=["empty", "one sample", "zeros", "dither", "hum"],
)
def test_silence_is_called_silence(waveform: np.ndarray) -> None:
    report = detect(waveform)
    assert (report.reason, report.segments, report.speech_s) == (NoSpeech.SILENCE, (), 0.0)


@pytest.mark.parametrize(
    "waveform",
    [noise(5.0), noise(5.0, level=0.002), tone(440, 5.0), tone(100, 5.0, peak=0.02), chord(5.0), clicks(5.0)],
    ids=["noise", "quiet noise", "tone", "hum", "chord", "clicks"],
)
def test_sound_that_is_no_voice_is_called_no_speech(waveform: np.ndarray) -> None:
    assert detect(waveform).reason is NoSpeech.NO_SPEECH


def test_each_reason_has_a_sentence() -> None:
    assert len({reason.sentence for reason in NoSpeech}) == 3
    assert str(speech.MIN_SPEECH_S) in NoSpeech.TOO_SHORT.sentence


@pytest.mark.parametrize("waveform", [np.zeros((1, 16_000), np.float32), np.zeros(16_000)], ids=["matrix", "double"])
def test_another_shape_or_type_is_refused(waveform: np.ndarray) -> None:
    with pytest.raises(AudioError, match="one channel of 32-bit floats"):
        detect(waveform)


def test_segments_bridge_short_pauses_drop_bursts_and_stay_inside_the_waveform() -> None:
    voiced, quiet = [0.9], [0.1]
    pattern = 10 * voiced + 2 * quiet + 10 * voiced + 10 * quiet + voiced + 10 * quiet + 5 * voiced
    found = speech._segments(np.array(pattern, np.float32), len(pattern) * 512 - 100)
    chunk_s = 512 / 16_000
    assert found == (
        Segment(0.0, pytest.approx(22 * chunk_s + 0.03)),
        Segment(pytest.approx(43 * chunk_s - 0.03), pytest.approx((48 * 512 - 100) / 16_000)),
    )


def test_uncertain_chunks_go_on_with_speech_and_do_not_begin_it() -> None:
    uncertain = np.full(20, 0.4, np.float32)
    assert speech._segments(uncertain, 20 * 512) == ()
    (segment,) = speech._segments(np.concatenate([[0.9], uncertain]).astype(np.float32), 21 * 512)
    assert segment.end_s == pytest.approx(21 * 512 / 16_000)


def test_real_speech_is_found_loud_and_quiet_and_beside_a_knock() -> None:
    voice = spoken()
    quiet = (voice * (0.02 / np.abs(voice).max())).astype(np.float32)
    knocked = np.concatenate([quiet, np.float32([0.9, -0.9]), np.zeros(8000, np.float32)])
    for waveform in (voice, quiet, knocked, np.concatenate([np.zeros(32_000, np.float32), voice])):
        report = detect(waveform)
        assert report.reason is None
        assert report.speech_s > 1.0
        assert report.speech_s == pytest.approx(sum(s.end_s - s.start_s for s in report.segments))
    assert report.segments[0].start_s > 1.9


def test_a_word_cut_short_is_too_short() -> None:
    voice = spoken()
    start = int(detect(voice).segments[0].start_s * 16_000) + 1600
    reasons = {detect(np.pad(voice[start : start + length], (8000, 8000))).reason for length in (2400, 3200, 4000)}
    assert NoSpeech.TOO_SHORT in reasons


def test_no_real_clip_of_the_fifteen_and_of_emodb_is_called_speechless() -> None:
    clips = sorted((real_audio() / "clips").glob("*.wav"))
    assert len(clips) == 15
    emodb = sorted((real_audio() / "emodb").glob("*.wav"))[::12]  # a dozenth; benchmarks/audio.py counts all
    assert [path.name for path in clips + emodb if detect(decode(path).waveforms[0]).reason is not None] == []


def test_a_waveform_read_in_blocks_gives_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    voice = np.tile(spoken(), 3)
    whole = detect(voice)
    voice.tofile(tmp_path / "voice.f32")
    monkeypatch.setattr(speech, "BLOCK_CHUNKS", 7)
    assert detect(np.memmap(tmp_path / "voice.f32", np.float32, "r")) == whole


def test_threads_share_the_detector() -> None:
    voices = [spoken(name) for name in ("03a01Fa.wav", "03a01Nc.wav", "03a01Wa.wav", "03a02Fc.wav")]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detect, voices)) == [detect(voice) for voice in voices]


def test_the_probabilities_are_those_of_the_package_and_torch_keeps_its_threads() -> None:
    # In its own process, since importing silero_vad sets the threads of torch.
    code = """
import numpy as np, torch
from emostore import speech
rng = np.random.default_rng(0)
t = np.arange(40_000) / 16_000
voice = sum(np.sin(2 * np.pi * k * (120 + 20 * np.sin(9 * t)) * t) / k for k in range(1, 20)) * (1 + np.sin(20 * t)) / 8
waveform = (voice + 0.01 * rng.standard_normal(t.size)).astype(np.float32)
torch.set_num_threads(3)
found = speech._voice_activity().probabilities(waveform, 1.0)
assert torch.get_num_threads() == 3
import silero_vad
model = silero_vad.load_silero_vad()
expected = model.audio_forward(torch.from_numpy(waveform)[None], 16_000)[0].detach().numpy()
np.testing.assert_allclose(found, expected, atol=2e-4)
assert expected.max() > 0.05, expected.max()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_importing_audio_and_speech_imports_no_torch() -> None:
    code = (
        "import sys, emostore.audio, emostore.speech; sys.exit('torch' in sys.modules or 'silero_vad' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
