"""What one clip or window sounds like, as one vector: statistics of the frames that hold speech.

Every contour is taken relative to the loud speech of the same clip, so gain cancels exactly; what the
channel adds to every frame cancels in all but the plain means. The training code and the served model
call the same functions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emostore.engine.frames import BANDS, FRAMES_PER_S, Frames, frames
from emostore.engine.recognizer import FloatArray

CEPSTRA = 12
GROUP = 3  # neighbouring bands averaged into one broad band
RANGE_DB = 45.0  # frames further below the loud speech count as silence
MARGIN = 15  # frames kept before the first and after the last voiced one
VOICED = 0.5  # normalised autocorrelation from which a frame counts as voiced

Floats = NDArray[np.float64]
Scalars = list[float | np.floating[Any]]


def features(waveform: FloatArray) -> FloatArray:
    """The vector of a whole waveform (float32, mono, 16 kHz): float32, shape (len(feature_names()),)."""
    return pool(frames(waveform))


def pool(rows: Frames) -> FloatArray:
    """The vector of some frames (at least one): float32, shape (len(feature_names()),), always finite."""
    vector = np.concatenate(list(_groups(rows).values())).astype(np.float32)
    return np.nan_to_num(vector, nan=0.0, posinf=0.0, neginf=0.0)


@lru_cache
def feature_names() -> tuple[str, ...]:
    """Name of every entry of a vector, `group.index`."""
    silence = Frames(np.zeros((8, BANDS), np.float32), np.full(8, 100, np.float32), np.zeros(8, np.float32))
    return tuple(f"{group}.{i}" for group, values in _groups(silence).items() for i in range(len(values)))


def _groups(rows: Frames) -> dict[str, Floats]:
    rows = _spoken(rows)
    bands, level = _relative(rows.bands.astype(np.float64))
    active = _active(level)
    voiced = _at_least(rows.voicing, VOICED, active)
    contours = _contours(bands, level, rows.voicing)
    pitch = 12 * np.log2(np.maximum(rows.f0, 1.0).astype(np.float64) / 100)
    broad = bands.reshape(len(bands), -1, GROUP).mean(2)
    return {
        "voiced": _statistics(contours[voiced]),
        "spread": contours[active].std(0),
        "change": _changes(contours, active),
        "broad": _broad(broad, level, active, voiced),
        "pitch": _pitch(pitch, level, broad, voiced),
        "melody": _melody(pitch, level, voiced),
        "rhythm": _rhythm(level, active, voiced),
    }


def _spoken(rows: Frames) -> Frames:
    """The rows from the first to the last speech, so that silence around it does not count."""
    _, level = _relative(rows.bands.astype(np.float64))
    speech = np.flatnonzero(_active(level) & (rows.voicing >= VOICED))
    if speech.size < 10:
        return rows
    span = slice(max(0, speech[0] - MARGIN), speech[-1] + 1 + MARGIN)
    return Frames(rows.bands[span], rows.f0[span], rows.voicing[span])


def _relative(bands: Floats) -> tuple[Floats, Floats]:
    """Bands and level in dB relative to the loud speech, cut at `RANGE_DB` below: (T, BANDS), (T,)."""
    power = np.mean(10 ** (bands / 10), axis=1)
    level = 10 * np.log10(power)
    loud = power @ level / power.sum()  # the mean level of the energy: silence has no part in it
    return np.maximum(bands - loud, -RANGE_DB - 10), np.maximum(level - loud, -RANGE_DB)


def _active(level: Floats) -> NDArray[np.bool_]:
    """Frames that are speech rather than pause: above a floor that follows the noise of the clip."""
    floor = np.quantile(level, 0.1)
    return np.asarray(level >= max(-30.0, 0.65 * floor) - 0.01)  # a steady tone is active throughout


def _at_least(values: FloatArray, threshold: float, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`among` where `values` reaches `threshold`; where that leaves too little, their upper half."""
    mask = among & (values >= threshold)
    if mask.sum() < 5:
        mask = among & (values >= np.median(values[among]))
    return mask


@lru_cache
def _cosines() -> Floats:
    """DCT-II without its constant row, shape (BANDS, CEPSTRA)."""
    place = (np.arange(BANDS)[:, None] + 0.5) * np.arange(1, CEPSTRA + 1)
    return np.asarray(np.cos(np.pi / BANDS * place) * np.sqrt(2 / BANDS))


def _contours(bands: Floats, level: Floats, voicing: FloatArray) -> Floats:
    """What is followed over time, shape (T, CEPSTRA + 6)."""
    power = 10 ** (bands / 10)
    share = power / power.sum(1, keepdims=True)
    half = 10  # bands below about 1 kHz
    centroid = share @ np.arange(BANDS)
    entropy = -(share * np.log(share)).sum(1)
    hammarberg = bands[:, :half].max(1) - bands[:, half + 5 :].max(1)
    alpha = 10 * np.log10(power[:, :half].sum(1) / power[:, half:].sum(1))
    others = np.column_stack([level, centroid, entropy, hammarberg, alpha, voicing])
    return np.column_stack([bands @ _cosines(), others])


def _statistics(values: Floats) -> Floats:
    """Mean, spread and robust range of every column of (n, k): shape (5 k,)."""
    middle = values.mean(0)
    low, half, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
    return np.concatenate([middle, values.std(0), low - half, high - half, middle - half])


def _changes(contours: Floats, active: NDArray[np.bool_]) -> Floats:
    """How fast the contours move (over 20 ms, per frame pair inside speech): shape (3 k,)."""
    if len(contours) < 4:
        return np.zeros(3 * contours.shape[1])
    step = contours[2:] - contours[:-2]
    inside = active[2:] & active[:-2]
    step = step[inside] if inside.sum() > 3 else step
    size = np.abs(step)
    return np.concatenate([size.mean(0), np.quantile(step, 0.95, axis=0), np.quantile(step, 0.05, axis=0)])


def _slope(y: Floats, x: Floats) -> Floats:
    """Least-squares slope of every column of y (n, k) on x (n,), shrunk where x hardly varies: (k,)."""
    x = x - x.mean()
    return np.asarray(x @ (y - y.mean(0)) / (x @ x + len(x)))


def _broad(broad: Floats, level: Floats, active: NDArray[np.bool_], voiced: NDArray[np.bool_]) -> Floats:
    """Spectral shape, and how it follows loudness (which no fixed channel can change)."""
    shape = broad - level[:, None]
    return np.concatenate(
        [
            shape[voiced].mean(0),
            shape[active].std(0),
            _slope(broad[active], level[active]),
            _slope(broad[voiced], level[voiced]),
        ]
    )


def _pitch(pitch: Floats, level: Floats, broad: Floats, voiced: NDArray[np.bool_]) -> Floats:
    """Height, range, movement and contour of the pitch in semitones, and what goes with it."""
    where = np.flatnonzero(voiced)
    tone = pitch[where]
    low, q1, half, q3, high = np.quantile(tone, (0.1, 0.25, 0.5, 0.75, 0.9))
    near = np.diff(where) == 1
    step = np.diff(tone)[near]
    step = np.clip(step, -3, 3) if step.size else np.zeros(1)
    time = (where - where.mean()) / FRAMES_PER_S
    late = tone[-max(1, tone.size // 4) :].mean() - half
    early = tone[: max(1, tone.size // 4)].mean() - half
    shake = np.abs(np.diff(step)).mean() if step.size > 1 else 0.0
    relative = tone - half
    scalars: Scalars = [
        half,
        low,
        high,
        high - half,
        low - half,
        q3 - q1,
        tone.std(),
        np.abs(step).mean(),
        step.std(),
    ]
    scalars += [(step > 0.15).mean(), (step < -0.15).mean(), shake, late, early, float(_slope(tone[:, None], time)[0])]
    scalars += [step[step > 0].mean() if (step > 0).any() else 0.0, step[step < 0].mean() if (step < 0).any() else 0.0]
    scalars.append(float(_slope(relative[:, None], level[where])[0]))
    shimmer = np.abs(np.diff(level[where])[near]).mean() if near.any() else 0.0
    return np.concatenate([scalars, [shimmer], _slope(broad[where], relative)])


def _runs(mask: NDArray[np.bool_]) -> Floats:
    """Lengths in seconds of the stretches where `mask` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return np.asarray((edges[1::2] - edges[::2]) / FRAMES_PER_S)


def _rhythm(level: Floats, active: NDArray[np.bool_], voiced: NDArray[np.bool_]) -> Floats:
    """Rates and lengths of syllables, voiced stretches and pauses."""
    smooth = np.convolve(level, np.hanning(9) / np.hanning(9).sum(), mode="same")
    tops = np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & (smooth[1:-1] > -20)) + 1
    spoken = max(active.sum(), 1) / FRAMES_PER_S
    span = np.flatnonzero(active)
    inner = active[span[0] : span[-1] + 1] if span.size else active
    speech, silence = _runs(voiced), _runs(~inner)
    heights = smooth[tops] if tops.size else np.zeros(1)
    values: Scalars = [tops.size / spoken, speech.size / spoken, voiced.sum() / max(active.sum(), 1), inner.mean()]
    values += [speech.mean() if speech.size else 0.0, speech.std() if speech.size else 0.0]
    values += [silence.sum() / spoken, min(silence.max(), 1.0) if silence.size else 0.0]
    values += [heights.std(), float(np.diff(tops).std() / FRAMES_PER_S) if tops.size > 2 else 0.0]
    return np.asarray(values, np.float64)


def _melody(pitch: Floats, level: Floats, voiced: NDArray[np.bool_]) -> Floats:
    """How the pitch moves within and between the voiced stretches, in semitones: shape (14,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], voiced, [False]]).astype(np.int8)))
    runs = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 5]
    if not runs:
        return np.zeros(14)
    span = [np.quantile(pitch[a:b], 0.9) - np.quantile(pitch[a:b], 0.1) for a, b in runs]
    rate = [float(_slope(pitch[a:b, None], np.arange(b - a) / 10.0)[0]) for a, b in runs]
    swell = [float(_slope(level[a:b, None], np.arange(b - a) / 10.0)[0]) for a, b in runs]
    height = [float(np.median(pitch[a:b])) for a, b in runs]
    loud = [float(level[a:b].max()) for a, b in runs]
    leap = np.abs(np.diff(height)) if len(height) > 1 else np.zeros(1)
    values: Scalars = [
        np.mean(span),
        np.max(span),
        np.mean(rate),
        np.std(rate),
        np.mean(np.abs(rate)),
        np.mean(swell),
    ]
    values += [np.std(swell), np.std(height), np.mean(leap), np.max(leap), np.std(loud), height[-1] - height[0]]
    values += [np.max(height) - np.median(height), float(_slope(np.array(height)[:, None], np.array(loud))[0])]
    return np.asarray(values, np.float64)
