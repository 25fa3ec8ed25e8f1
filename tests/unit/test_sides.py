"""Two sides or one voice twice: constructed channels of every kind, through codecs, and real calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emostore import audio
from emostore.audio import sides
from tests.audio_samples import FloatArray, noise, real_audio, tone, write_encoded, write_wav

RATE = 16_000
SAME, INVERTED = "Both channels hold the same sound", "One channel is an inverted copy"
LEFT, RIGHT = "heard on the left channel", "heard on the right channel"


def voice(seconds: float = 12.0, seed: int = 0, rate: int = RATE) -> FloatArray:
    """Something that comes and goes as speech does: bursts of coloured noise with pauses, peak below 0.5."""
    random = np.random.default_rng(seed)
    samples = round(seconds * rate)
    coloured = np.convolve(random.standard_normal(samples), np.hanning(9), "same")
    steps = np.repeat(random.choice([0.0, 0.2, 0.6, 1.0], samples // (rate // 5) + 1), rate // 5)[:samples]
    envelope = np.convolve(steps, np.hanning(rate // 40) / np.hanning(rate // 40).sum(), "same")
    sound = coloured * envelope
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)


def found(left: FloatArray, right: FloatArray) -> tuple[int, str] | None:
    size = min(left.size, right.size)
    answer = sides.one_voice((left[:size].astype(np.float32), right[:size].astype(np.float32)))
    return (answer.channel, str(answer.note)) if answer else None


VOICE = voice()
HUM = sum(tone(50 * k, 12.0, peak=0.02 / k) for k in range(1, 20))


@pytest.mark.parametrize(
    ("right", "note"),
    [
        (VOICE, SAME),
        (0.5 * VOICE, SAME),
        (0.01 * VOICE, SAME),
        (np.roll(VOICE, 5), SAME),
        (np.round(0.7 * VOICE * 32768 + noise(12.0, level=0.5, seed=5)) / 32768, SAME),
        (0.5 * VOICE + noise(12.0, level=0.002, seed=5), SAME),
        (-VOICE, INVERTED),
        (-0.3 * np.roll(VOICE, 3), INVERTED),
        (0 * VOICE, RIGHT),
        (noise(12.0, level=0.002, seed=5), RIGHT),
        (HUM, RIGHT),
        (noise(12.0, level=1e-5, seed=5), RIGHT),
    ],
)
def test_one_voice_on_two_channels_is_noticed_whichever_is_left(right: FloatArray, note: str) -> None:
    answer = found(VOICE, right)
    assert answer is not None
    assert note in answer[1]
    swapped = found(right, VOICE)
    assert swapped is not None
    assert note.replace("right", "left") in swapped[1]
    if note == RIGHT:
        assert (answer[0], swapped[0]) == (0, 1)


def said_once(at_s: float, seconds: float = 0.6, level: float = 0.5) -> FloatArray:
    word = np.zeros_like(VOICE)
    start = round(at_s * RATE)
    word[start : start + round(seconds * RATE)] = level * voice(seconds, seed=9) / 0.5
    return word


@pytest.mark.parametrize(
    "right",
    [
        voice(seed=1),
        0.1 * voice(seed=1) + 0.03 * VOICE,  # quiet, and the other side leaks in
        said_once(5.0),
        said_once(5.0) + 0.1 * VOICE,
        said_once(5.0, level=0.1) + noise(12.0, level=0.001, seed=5),
        0.7 * VOICE + 0.7 * voice(seed=1),  # two microphones in one room
        noise(12.0, level=0.2, seed=5),  # loud as the voice: whatever it is, it is no silence
    ],
)
def test_two_sides_stay_two_however_little_one_says(right: FloatArray) -> None:
    assert found(VOICE, right) is None
    assert found(right, VOICE) is None


def test_a_word_in_a_long_call_is_a_side_although_the_other_leaks_in() -> None:
    long = np.tile(VOICE, 20)
    assert found(long, 0.1 * long + np.pad(said_once(5.0), (0, long.size - VOICE.size))) is None
    assert found(long, 0.1 * long) is not None


@pytest.mark.parametrize(("kind", "rate"), [("tone.mp3", 44_100), ("tone.m4a", 44_100), ("tone.opus", 48_000)])
def test_codecs_that_join_channels_hide_no_copy_and_invent_none(kind: str, rate: int, tmp_path: Path) -> None:
    one, other = voice(rate=rate), voice(rate=rate, seed=1)
    for right, note in ((0.5 * one, SAME), (-one, INVERTED), (0 * one, RIGHT), (other, None)):
        path = write_encoded(tmp_path / kind, np.stack([one, right]).astype(np.float32), kind)
        answer = sides.one_voice(audio.decode(path).waveforms)
        assert (note is None) == (answer is None)
        assert answer is None or (note is not None and note in str(answer.note))


def test_only_two_channels_are_compared_and_short_ones_only_if_they_are_equal() -> None:
    assert sides.one_voice((VOICE,)) is None
    assert sides.one_voice((VOICE, VOICE, VOICE)) is None
    short = VOICE[: RATE // 2]
    assert found(short, short) is not None
    assert found(short, 0.5 * short) is None
    assert found(VOICE[:0], VOICE[:0]) is not None


def test_folding_keeps_the_voice_and_says_why(tmp_path: Path) -> None:
    decoded = audio.decode(write_wav(tmp_path / "a.wav", np.stack([0 * VOICE, VOICE])))
    folded = audio.fold(decoded)
    assert len(folded.waveforms) == 1
    assert folded.waveforms[0] is decoded.waveforms[1]
    assert [LEFT in str(note) for note in folded.notes] == [True]
    two = audio.decode(write_wav(tmp_path / "b.wav", np.stack([0.3 * voice(seed=1), VOICE])))
    assert audio.fold(two) is two
    assert audio.fold(two, always=True).waveforms[0] is two.waveforms[1]


def test_real_calls_and_meetings_stay_two_channels_and_real_copies_do_not() -> None:
    calls = real_audio() / "calls"
    meeting = audio.decode(calls / "faster-whisper__stereo_diarization.wav").waveforms
    assert sides.one_voice(meeting) is None
    name = "amazon-transcribe-live-call-analytics__Auto_Repairs_40_UTC_{}.wav"
    agent, caller = (audio.decode(calls / name.format(side)).waveforms[0] for side in ("agent", "caller"))
    assert found(agent, caller) is None
    start = int(np.flatnonzero(np.abs(caller) > 0.2)[0])
    once = np.zeros_like(caller)
    once[start : start + RATE] = caller[start : start + RATE]  # one second in four minutes
    assert found(agent, once) is None
    assert found(agent, 0.5 * agent) is not None
    assert found(agent, np.zeros_like(agent)) is not None
