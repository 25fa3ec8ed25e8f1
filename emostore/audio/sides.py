"""Whether the two channels of a recording are two sides of a conversation, or one voice twice.

Many recorders write two channels and fill them with the same sound, with a copy of it, or one of them with nothing.
Two clips of one voice would count it twice and give half of it to the wrong person. So the channels are compared by
their spectra, frame by frame: what of the quieter one cannot be had from the louder one by one fixed filter is its
*own*. A fixed filter is what a gain, an inversion, a delay of a few samples or another response come to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emostore.audio.recording import SAMPLE_RATE, Audio, FloatArray, Note
from emostore.i18n import N_

FRAME = 1024  # samples, 64 ms: long beside a delay of some samples, short beside a syllable
BAND_HZ = (300.0, 3400.0)  # what a telephone carries of speech; the hum of the mains is below
BLOCK_FRAMES = 1024  # how many are in memory at a time: 65 s

# What is its own in a frame. Of independent voices nearly all is (−0.1 dB and more in real calls and meetings); of
# copies it is the noise that a codec gave each channel: at 24 to 32 kbit/s −9 to −25 dB in all, above −3 dB in single,
# quiet frames only.
OWN_SHARE = 0.5  # of the frame's power (−3 dB)
CLEARLY_OWN_SHARE = 0.9
LOUD_PERCENTILE = 95  # the level of the louder channel's loud frames, which the levels below refer to
OWN_LEVEL = 1e-4  # −40 dB: a quieter "voice" leaks from the other side, or is the line's noise
CLEARLY_OWN_LEVEL = 1e-3  # −30 dB
PROMINENT = 0.25  # −6 dB of the quieter channel's own loud frames: a word stands out there, a codec's noise never does
FLOOR_PERCENTILE = 10  # speech pauses that often; what is as strong all the time is a noise or a hum
OVER_FLOOR = 10.0  # +10 dB: noise in frames of 200 values varies by 1 dB
MOST_FLOOR = 1e-2  # −20 dB: something steady as strong as this is no silence, whatever it is

OWN_S = 0.3  # of frames that are clearly its own, enough for a word: the other side said "yes" once in an hour
OWN_PART = 0.2  # of the frames in which there is sound, as far as they are its own and not clearly so
SILENCE_RMS = 1e-4  # −80 dB under full scale, below which a channel holds nothing at all
MIN_FRAMES = 16  # 1 s: shorter recordings are one voice only where their channels are equal

_COPY = N_("Both channels hold the same sound, so it was taken for one voice.")
_INVERTED = N_("One channel is an inverted copy of the other, so they were taken for one voice.")
_LEFT_SILENT = N_("Nobody is to be heard on the left channel, so only the right one was taken for a voice.")
_RIGHT_SILENT = N_("Nobody is to be heard on the right channel, so only the left one was taken for a voice.")

Power = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OneVoice:
    """Two channels that are one voice: `channel` is the one to listen to, `note` says what was found."""

    channel: int
    note: Note


def one_voice(waveforms: tuple[FloatArray, ...]) -> OneVoice | None:
    """What is wrong with two channels, or None for two sides, and for any other number of channels.

    Parameters
    ----------
    waveforms : float32, shape (samples,) each, 16 kHz, finite, of one length; memory-mapped ones are read piece by
        piece. Takes time proportional to the length, two passes.
    """
    if len(waveforms) != 2:
        return None
    powers = [sum(float(block @ block) for block in _pieces(waveform)) for waveform in waveforms]
    louder = int(powers[1] > powers[0])
    first, second = waveforms[louder], waveforms[1 - louder]
    if all(np.array_equal(*pair) for pair in zip(_pieces(first), _pieces(second), strict=True)):
        return OneVoice(louder, Note(_COPY))
    if min(powers) <= first.size * SILENCE_RMS**2:
        return _silent(louder)
    if first.size < MIN_FRAMES * FRAME:
        return None
    response, coherent = _response(first, second)
    own, power, reference = _own(first, second, response)
    if _has_voice_of_its_own(own, power, reference):
        return None
    if coherent < OWN_SHARE:
        return _silent(louder)
    return OneVoice(louder, Note(_INVERTED if _inverts(response) else _COPY))


def fold(decoded: Audio, *, always: bool = False) -> Audio:
    """The recording with one channel, and a note why, where its two are one voice; else as it is.

    With `always`, two channels become the one to listen to, or the louder, whatever they hold.
    """
    found = one_voice(decoded.waveforms)
    if found is not None:
        return Audio(decoded.info, (decoded.waveforms[found.channel],), (*decoded.notes, found.note))
    if always and len(decoded.waveforms) > 1:
        powers = [sum(float(block @ block) for block in _pieces(waveform)) for waveform in decoded.waveforms]
        return Audio(decoded.info, (decoded.waveforms[int(np.argmax(powers))],), decoded.notes)
    return decoded


def _silent(louder: int) -> OneVoice:
    return OneVoice(louder, Note(_LEFT_SILENT if louder else _RIGHT_SILENT))


def _has_voice_of_its_own(own: Power, power: Power, reference: Power) -> bool:
    """Whether frames of `power` hold enough of their `own` beside the louder channel's `reference`, each (frames,)."""
    loud = float(np.percentile(reference, LOUD_PERCENTILE))
    floor = float(np.percentile(own, FLOOR_PERCENTILE))
    counts = own > (OVER_FLOOR * floor if floor < MOST_FLOOR * loud else 0.0)
    clearly = counts & (own > CLEARLY_OWN_SHARE * power)
    clearly &= own > max(CLEARLY_OWN_LEVEL * loud, PROMINENT * float(np.percentile(power, LOUD_PERCENTILE)))
    if clearly.sum() * FRAME >= OWN_S * SAMPLE_RATE:
        return True
    partly = counts & (own > OWN_SHARE * power) & (own > OWN_LEVEL * loud)
    sounding = np.maximum(power, reference) > OWN_LEVEL * loud
    return bool(partly.sum() >= max(OWN_S * SAMPLE_RATE / FRAME, OWN_PART * sounding.sum()))


def _response(first: FloatArray, second: FloatArray) -> tuple[NDArray[np.complex128], float]:
    """The filter that makes the second from the first, shape (bins,), and which part of its power it explains."""
    cross = np.zeros(1, np.complex128)
    power, other = np.zeros(1), 0.0
    for one, two in _spectra(first, second):
        cross = cross + np.einsum("fb,fb->b", one.conj(), two, dtype=np.complex128)
        power = power + _power(one, "b")
        other += float(_power(two, "b").sum())
    response = cross / np.maximum(power, np.finfo(np.float64).tiny)
    return response, float((np.abs(response) ** 2 * power).sum() / other) if other else 0.0


def _inverts(response: NDArray[np.complex128]) -> bool:
    """Whether a filter turns the sound over: its strongest moment, wherever a delay has put it, points down."""
    spectrum = np.zeros(FRAME // 2 + 1, np.complex128)
    low = round(BAND_HZ[0] * FRAME / SAMPLE_RATE)
    spectrum[low : low + response.size] = response
    moments = np.fft.irfft(spectrum)
    return bool(moments[np.abs(moments).argmax()] < 0)


def _own(first: FloatArray, second: FloatArray, response: NDArray[np.complex128]) -> tuple[Power, Power, Power]:
    """Of every frame, shape (frames,): what is the second's own, its power, and the power of the first."""
    own, power, reference = [], [], []
    fixed = response.astype(np.complex64)
    for one, two in _spectra(first, second):
        power.append(_power(two, "f"))
        reference.append(_power(one, "f"))
        own.append(_power(two - fixed * one, "f"))
    return np.concatenate(own), np.concatenate(power), np.concatenate(reference)


def _power(spectra: NDArray[np.complex64], kept: str) -> Power:
    real = spectra.view(np.float32).reshape(*spectra.shape, 2)
    return np.asarray(np.einsum(f"fbc,fbc->{kept}", real, real, dtype=np.float64))


def _spectra(first: FloatArray, second: FloatArray) -> Iterator[tuple[NDArray[np.complex64], NDArray[np.complex64]]]:
    """The spectra of both in the band, shape (frames, bins) each, some frames at a time; a rest is left out."""
    low, high = (round(hz * FRAME / SAMPLE_RATE) for hz in BAND_HZ)
    for one, two in zip(_pieces(first), _pieces(second), strict=True):
        frames = one.size // FRAME
        if frames:
            yield _in_band(one[: frames * FRAME], low, high), _in_band(two[: frames * FRAME], low, high)


def _in_band(samples: FloatArray, low: int, high: int) -> NDArray[np.complex64]:
    spectra = np.fft.rfft(samples.reshape(-1, FRAME) * np.hanning(FRAME).astype(np.float32))
    return np.ascontiguousarray(spectra[:, low:high], np.complex64)


def _pieces(waveform: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, waveform.size, BLOCK_FRAMES * FRAME):
        yield waveform[start : start + BLOCK_FRAMES * FRAME]
