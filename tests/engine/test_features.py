"""The features: finite for anything, blind to gain, the same however long the clip around them is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emostore.engine import frames as descriptors
from emostore.engine.features import feature_names, features, pool
from emostore.engine.frames import BLOCK_FRAMES, HOP, frame_count, frames
from emostore.engine.recognizer import MIN_SAMPLES, SAMPLE_RATE, FloatArray, window_bounds


def voice(hz: float, seconds: float, seed: int = 0) -> FloatArray:
    """Something like a vowel sung in syllables: harmonics of a wavering pitch, swelling four times a second."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * hz * (time + 0.004 * np.sin(2 * np.pi * 3 * time))
    sound = sum(np.sin(k * phase) / k for k in range(1, int(4000 / hz)))
    noise = 0.005 * np.random.default_rng(seed).standard_normal(time.size)
    return np.asarray(0.2 * sound * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)) + noise, np.float32)


def test_each_name_stands_for_one_finite_number() -> None:
    vector = features(voice(150, 2.0))
    assert vector.shape == (len(feature_names()),)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert len(set(feature_names())) == len(feature_names())


@pytest.mark.parametrize("samples", [MIN_SAMPLES, MIN_SAMPLES + 1, 561, 1000, 4801, 16_000])
@pytest.mark.parametrize("kind", ["zeros", "ones", "impulse", "noise", "alternating", "tiny"])
def test_any_waveform_gives_finite_features(samples: int, kind: str) -> None:
    waveform = np.zeros(samples, np.float32)
    if kind == "ones":
        waveform[:] = 1
    elif kind == "impulse":
        waveform[samples // 2] = 1
    elif kind == "noise":
        waveform[:] = np.random.default_rng(1).standard_normal(samples)
    elif kind == "alternating":
        waveform[::2] = 1
    elif kind == "tiny":
        waveform[:] = 1e-30
    with np.errstate(all="raise", under="ignore"):
        vector = features(waveform)
    assert np.isfinite(vector).all()


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(MIN_SAMPLES, 9000), seed=st.integers(0, 1000), power=st.floats(-6, 3))
def test_random_sounds_of_any_length_and_level_give_finite_features(samples: int, seed: int, power: float) -> None:
    sound = np.random.default_rng(seed).standard_normal(samples) * 10.0**power
    assert np.isfinite(features(sound.astype(np.float32))).all()


@pytest.mark.parametrize("gain", [0.1, 0.01, 3.0])
def test_gain_changes_nothing_but_rounding(gain: float) -> None:
    sound = voice(180, 3.0)
    difference = np.abs(features(sound * np.float32(gain)) - features(sound))
    assert difference.max() < 1e-2


def test_silence_around_speech_hardly_counts() -> None:
    sound = voice(180, 3.0)
    names = np.array(feature_names())
    plain, padded = features(sound), features(np.pad(sound, (16_000, 24_000)))
    means = np.char.startswith(names, "voiced")
    np.testing.assert_allclose(padded[means], plain[means], atol=1.0)  # mostly dB


@pytest.mark.parametrize("hz", [85.0, 140.0, 220.0, 400.0])
def test_pitch_is_found_within_a_quarter_tone(hz: float) -> None:
    rows = frames(voice(hz, 2.0))
    found = np.median(rows.f0[rows.voicing > 0.6])
    assert abs(12 * np.log2(found / hz)) < 0.5


def test_pitch_is_found_without_its_fundamental() -> None:
    spectrum = np.fft.rfft(voice(150, 2.0))
    spectrum[: int(300 * 2.0)] = 0  # a telephone carries nothing below 300 Hz
    rows = frames(np.fft.irfft(spectrum).astype(np.float32))
    found = np.median(rows.f0[rows.voicing > 0.6])
    assert abs(12 * np.log2(found / 150)) < 0.5


@pytest.mark.parametrize("samples", [400, 559, 560, 561, 719, 720, 16_000, 48_000])
def test_the_number_of_frames_is_as_announced(samples: int) -> None:
    rows = frames(np.ones(samples, np.float32))
    assert len(rows.bands) == len(rows.f0) == len(rows.voicing) == frame_count(samples)


def test_blocks_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = voice(150, 3.3)
    whole = frames(sound)
    monkeypatch.setattr(descriptors, "BLOCK_FRAMES", 37)
    pieces = frames(sound)
    assert BLOCK_FRAMES > 37
    np.testing.assert_allclose(pieces.bands, whole.bands, atol=1e-3)
    np.testing.assert_allclose(pieces.f0, whole.f0, rtol=1e-4)
    np.testing.assert_allclose(pieces.voicing, whole.voicing, atol=1e-4)


def test_a_window_cut_from_a_clip_sounds_like_a_clip_of_its_own() -> None:
    sound = np.concatenate([voice(150, 3.0), voice(240, 3.0, seed=1)])
    rows = frames(sound)
    for start, end in (window_bounds(sound.size)[0], window_bounds(sound.size)[-1]):
        alone = features(sound[start:end])
        cut = pool(rows.cut(start, end))
        assert np.corrcoef(alone, cut)[0, 1] > 0.99


def test_a_telephone_band_leaves_the_bands_it_carries() -> None:
    sound = voice(150, 2.0)
    spectrum = np.fft.rfft(sound)
    spectrum[int(3750 * 2.0) :] = 0
    narrow = np.fft.irfft(spectrum, sound.size).astype(np.float32)
    loud = frames(sound).bands > -60
    assert np.abs(frames(narrow).bands - frames(sound).bands)[loud].mean() < 1.0


def test_too_short_a_waveform_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 400"):
        frames(np.zeros(MIN_SAMPLES - 1, np.float32))


def test_one_frame_stands_for_ten_milliseconds() -> None:
    assert frame_count(SAMPLE_RATE * 3) - frame_count(SAMPLE_RATE * 2) == 100
    assert HOP == 80
