"""Low-level descriptors of speech, one row per 10 ms, in NumPy and SciPy alone.

Everything is taken from the band that a telephone carries: the waveform is halved to 8 kHz first, so that
a call and a studio recording go through the same arithmetic. Memory stays proportional to the block,
not to the clip, except for the rows themselves (about 13 kB a second).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import firwin, upfirdn

from emostore.engine.recognizer import MIN_SAMPLES, SAMPLE_RATE, FloatArray

RATE = SAMPLE_RATE // 2  # Hz, after halving
HOP = 80  # samples at RATE: 10 ms
FRAME = 200  # samples: 25 ms
PITCH_FRAME = 400  # samples: 50 ms, three periods of the lowest voice
FRAMES_PER_S = RATE // HOP
FFT = 256
PITCH_FFT = 1024
BANDS = 24
BAND_LOW_HZ, BAND_HIGH_HZ = 100.0, 3700.0
F0_LOW_HZ, F0_HIGH_HZ = 60.0, 560.0
CANDIDATES = 3  # pitch candidates kept per frame
OCTAVE_COST = 0.03  # periodicity that one octave higher is worth, against picking twice the period
JUMP_COST = 0.4  # periodicity lost per octave away from the running median
BLOCK_FRAMES = 3000  # 30 s: about 25 MB of spectra
_TAPS = 63  # of the halving filter
_FLOOR = 1e-10  # power relative to full scale after peak normalisation: -100 dB


@dataclass(frozen=True, slots=True)
class Frames:
    """Rows at 100 per second, each centred on a 25 ms frame.

    `bands` is mel-band power in dB, shape (frames, BANDS); `f0` the pitch in Hz, shape (frames,),
    meaningful only where `voicing` (normalised autocorrelation in [0, 1]) is high.
    """

    bands: FloatArray
    f0: FloatArray
    voicing: FloatArray

    def cut(self, start: int, end: int) -> Frames:
        """The rows of the samples `start` to `end` of the 16 kHz waveform (views, not copies)."""
        first = start * FRAMES_PER_S // SAMPLE_RATE
        rows = slice(first, first + frame_count(end - start))
        return Frames(self.bands[rows], self.f0[rows], self.voicing[rows])


def frame_count(samples: int) -> int:
    """Rows that `samples` samples at 16 kHz give; at least one from `MIN_SAMPLES` on."""
    return 1 + max(0, samples // 2 - FRAME) // HOP


def frames(waveform: FloatArray, pause: Callable[[], None] = lambda: None) -> Frames:
    """Describe a waveform (float32, mono, 16 kHz, shape (samples,), at least `MIN_SAMPLES`).

    `pause` is called after every block of `BLOCK_FRAMES`.
    """
    if waveform.size < MIN_SAMPLES:
        raise ValueError(f"a waveform needs at least {MIN_SAMPLES} samples, got {waveform.size}")
    peak = max(float(waveform.max()), -float(waveform.min()))  # without a second array of that size
    gain = np.float32(1 / peak if peak > 0 else 1)
    count = frame_count(waveform.size)
    bands = np.empty((count, BANDS), np.float32)
    f0 = np.empty((count, CANDIDATES), np.float32)
    voicing = np.empty((count, CANDIDATES), np.float32)
    for first in range(0, count, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, count)
        cut = _pitch_frames(waveform, gain, first, last)
        middle = (PITCH_FRAME - FRAME) // 2
        bands[first:last] = _bands(cut[:, middle : middle + FRAME])
        f0[first:last], voicing[first:last] = _pitch_candidates(cut)
        pause()
    return Frames(bands, *_track(f0, voicing))


def _pitch_frames(waveform: FloatArray, gain: np.float32, first: int, last: int) -> FloatArray:
    """Rows `first` to `last` of 8 kHz samples, shape (rows, PITCH_FRAME), zero beyond the clip."""
    delay = _TAPS // 2
    margin = (PITCH_FRAME - FRAME) // 2
    start = 2 * (first * HOP - margin) - delay
    end = 2 * ((last - 1) * HOP - margin + PITCH_FRAME) + delay
    piece = waveform[max(start, 0) : min(end, waveform.size)] * gain
    piece = np.pad(piece, (max(-start, 0), max(end - waveform.size, 0)))
    halved = upfirdn(_halving_filter(), piece, 1, 2)[delay : delay + (last - first - 1) * HOP + PITCH_FRAME]
    return np.asarray(np.lib.stride_tricks.sliding_window_view(halved, PITCH_FRAME)[::HOP])


@lru_cache
def _halving_filter() -> FloatArray:
    return np.asarray(firwin(_TAPS, 3800.0, fs=SAMPLE_RATE), np.float32)


@lru_cache
def _mel_weights() -> FloatArray:
    """Triangles on the mel scale (O'Shaughnessy), shape (FFT // 2 + 1, BANDS)."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (BAND_LOW_HZ, BAND_HIGH_HZ))
    corners = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    up = (bins[:, None] - left) / (centre - left)
    down = (right - bins[:, None]) / (right - centre)
    weights = np.maximum(0, np.minimum(up, down))
    return np.asarray(weights / weights.sum(0), np.float32)


def _bands(cut: FloatArray) -> FloatArray:
    """Mel-band power in dB of frames (rows, FRAME): shape (rows, BANDS)."""
    spectrum = np.fft.rfft(cut * np.hanning(FRAME).astype(np.float32), FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(10 * np.log10(power @ _mel_weights() + _FLOOR), np.float32)


@lru_cache
def _pitch_tables() -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.intp]]:
    """Window, weight per spectral bin, what the window does to the autocorrelation, and the lags."""
    window = np.hanning(PITCH_FRAME)
    hz = np.arange(PITCH_FFT // 2 + 1) * RATE / PITCH_FFT
    # Below 70 Hz lies hum and handling noise; above 2 kHz noise drowns the harmonics first.
    band = np.clip((hz - 60) / 20, 0, 1) * np.clip((2600 - hz) / 800, 0, 1)
    lags = np.arange(int(RATE / F0_HIGH_HZ) - 1, int(RATE / F0_LOW_HZ) + 2)
    bias = np.fft.irfft(np.abs(np.fft.rfft(window, PITCH_FFT)) ** 2)
    return window.astype(np.float32), band.astype(np.float32), (bias / bias[0])[lags].astype(np.float32), lags


def _pitch_candidates(cut: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The best peaks of the normalised autocorrelation (Boersma 1993): Hz and height, (rows, CANDIDATES)."""
    window, band, bias, lags = _pitch_tables()
    spectrum = np.fft.rfft((cut - cut.mean(1, keepdims=True)) * window, PITCH_FFT)
    power = (spectrum.real**2 + spectrum.imag**2) * band
    whole = np.fft.irfft(power)
    height = (whole[:, lags] / (whole[:, :1] + _FLOOR) / bias).astype(np.float32)
    left, centre, right = height[:, :-2], height[:, 1:-1], height[:, 2:]
    peak = (centre >= left) & (centre > right)
    cost = np.float32(OCTAVE_COST) * np.log2(lags[1:-1] / lags[0]).astype(np.float32)
    score = np.where(peak, centre - cost, np.float32(-1))
    best = np.argpartition(-score, CANDIDATES, axis=1)[:, :CANDIDATES]
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(score, best, 1), axis=1, kind="stable"), 1)
    a, b, c = (np.take_along_axis(part, best, 1) for part in (left, centre, right))
    bend = np.minimum(a - 2 * b + c, np.float32(-1e-6))
    shift = np.clip((a - c) / (2 * bend), -0.5, 0.5)
    found = np.take_along_axis(peak, best, 1)
    hz = RATE / (lags[1:-1][best] + shift)
    return hz.astype(np.float32), np.where(found, np.clip(b, 0, 1), 0).astype(np.float32)


def _track(f0: FloatArray, voicing: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One candidate per frame: the highest that stays near the running median of the clear ones."""
    rows = np.arange(len(f0))
    octave = np.log2(f0)
    pick = np.zeros(len(f0), np.intp)
    for _ in range(2):
        strength = voicing[rows, pick]
        clear = np.flatnonzero(strength > 0.6)
        if clear.size < 3:
            break
        smooth = median_filter(octave[clear, pick[clear]], size=31, mode="nearest")
        centre = np.interp(rows, clear, smooth)
        cost = JUMP_COST * np.abs(octave - centre[:, None])
        pick = np.argmax(voicing - cost - 1e-3 * np.arange(CANDIDATES), axis=1)
    return f0[rows, pick], voicing[rows, pick]
