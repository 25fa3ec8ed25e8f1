"""Other microphones, lines, rooms and voices, made from the training recordings themselves.

Every degradation takes a waveform (float32, mono, 16 kHz, shape (samples,)) and a random generator and
gives another waveform; the same generator state gives the same samples.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import cast

import av
import numpy as np
from numpy.random import Generator
from scipy.signal import butter, fftconvolve, resample, resample_poly, sosfilt

from emostore.engine.recognizer import SAMPLE_RATE, FloatArray

Degrade = Callable[[FloatArray, Generator], FloatArray]
NOISES = ("white", "pink", "brown", "hum")
# Encoder, container, sample rates and bit rates of the lossy codecs a call or a voice message meets.
CODECS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "libopencore_amrnb": ("amr", (8000,), (4750, 5900, 7950, 12200)),
    "libopus": ("ogg", (8000, 16000), (6000, 8000, 12000, 16000)),
    "libmp3lame": ("mp3", (8000, 16000), (8000, 16000, 24000)),
    "g726": ("wav", (8000,), (16000, 24000, 32000)),
}


def to_rate(waveform: FloatArray, rate: int, new_rate: int) -> FloatArray:
    """Resample by the polyphase method."""
    common = int(np.gcd(rate, new_rate))
    return np.asarray(resample_poly(waveform, new_rate // common, rate // common), np.float32)


def mulaw(waveform: FloatArray) -> FloatArray:
    """Through 8-bit mu-law (ITU-T G.711, continuous form) at the loudness the clip has."""
    scale = 0.9 / max(float(np.abs(waveform).max()), 1e-9)
    x = np.clip(waveform * scale, -1, 1)
    coded = np.round(np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256) * 127) / 127
    return np.asarray(np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255 / scale, np.float32)


def phone(waveform: FloatArray, random: Generator, low: float | None = None, high: float | None = None) -> FloatArray:
    """A telephone line: mu-law at 8 kHz, from about 300 to 3400 Hz (edges in Hz, or random ones)."""
    low = random.uniform(150, 400) if low is None else low
    high = random.uniform(2800, 3700) if high is None else high
    narrow = to_rate(waveform, SAMPLE_RATE, 8000)
    order = int(random.integers(1, 4))
    narrow = sosfilt(butter(order, [low, high], "bandpass", fs=8000, output="sos"), narrow).astype(np.float32)
    return to_rate(mulaw(narrow), 8000, SAMPLE_RATE)


def through_codec(waveform: FloatArray, encoder: str, rate: int, bit_rate: int) -> FloatArray:
    """Encode and decode with one of `CODECS`; the length may change by the padding of the codec."""
    container = CODECS[encoder][0]
    peak = max(float(np.abs(waveform).max()), 1e-9)
    samples = (to_rate(waveform, SAMPLE_RATE, rate) * (0.5 / peak) * 32767).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as sink:
        stream = cast(av.AudioStream, sink.add_stream(encoder, rate=rate, layout="mono"))
        stream.bit_rate = bit_rate
        there = av.AudioResampler(stream.format, "mono", rate)
        frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate = rate
        for converted in [*there.resample(frame), *there.resample(None)]:
            sink.mux(stream.encode(converted))
        sink.mux(stream.encode(None))
    buffer.seek(0)
    back = av.AudioResampler("flt", "mono", SAMPLE_RATE)
    with av.open(buffer, "r") as source:
        pieces = [out.to_ndarray()[0] for frame in source.decode(audio=0) for out in back.resample(frame)]
    pieces += [out.to_ndarray()[0] for out in back.resample(None)]
    return (np.concatenate(pieces) * (2 * peak)).astype(np.float32)


def codec(waveform: FloatArray, random: Generator) -> FloatArray:
    """A random codec at a random low bit rate."""
    encoder = str(random.choice(list(CODECS)))
    _, rates, bit_rates = CODECS[encoder]
    return through_codec(waveform, encoder, int(random.choice(rates)), int(random.choice(bit_rates)))


def coloured(kind: str, samples: int, random: Generator) -> FloatArray:
    """Noise of unit power: white, pink (-3 dB an octave), brown (-6 dB) or mains hum with harmonics."""
    if kind == "hum":
        time = np.arange(samples) / SAMPLE_RATE
        base = float(random.choice([50.0, 60.0]))
        parts = [np.sin(2 * np.pi * (k * base * time + random.uniform())) / k for k in range(1, 9)]
        noise = np.sum(parts, axis=0) + 0.1 * random.standard_normal(samples)
    else:
        spectrum = np.fft.rfft(random.standard_normal(samples))
        hz = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 40)
        noise = np.fft.irfft(spectrum / hz ** {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind], samples)
    return np.asarray(noise / (noise.std() + 1e-9), np.float32)


def add_noise(waveform: FloatArray, noise: FloatArray, snr_db: float) -> FloatArray:
    """Waveform plus noise (repeated or cut to its length) at a ratio of mean powers."""
    noise = np.resize(noise, waveform.size)
    gain = waveform.std() / (noise.std() + 1e-9) * 10 ** (-snr_db / 20)
    return np.asarray(waveform + gain * noise, np.float32)


def noise(waveform: FloatArray, random: Generator) -> FloatArray:
    """Steady noise of a random colour, 5 to 30 dB below the speech."""
    return add_noise(waveform, coloured(str(random.choice(NOISES)), waveform.size, random), random.uniform(5, 30))


def room(waveform: FloatArray, random: Generator) -> FloatArray:
    """A room: direct sound, then noise that decays by 60 dB in 0.15 to 0.8 s."""
    decay_s, direct_db = random.uniform(0.15, 0.8), random.uniform(-3, 10)
    return reverberate(waveform, decay_s, direct_db, random)


def reverberate(waveform: FloatArray, decay_s: float, direct_db: float, random: Generator) -> FloatArray:
    """Convolve with decaying noise of energy `direct_db` below the direct sound; the length stays."""
    time = np.arange(int(decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = random.standard_normal(time.size) * 10 ** (-3 * time / decay_s)
    tail[: int(0.003 * SAMPLE_RATE)] = 0  # before the first wall
    tail *= 10 ** (-direct_db / 20) / (np.sqrt((tail**2).sum()) + 1e-9)
    tail[0] = 1
    return np.asarray(fftconvolve(waveform, tail)[: waveform.size], np.float32)


def speed(waveform: FloatArray, random: Generator) -> FloatArray:
    """Faster or slower by up to 15 %: tempo, pitch and formants move together."""
    return np.asarray(resample(waveform, round(waveform.size / random.uniform(0.85, 1.15))), np.float32)


def stretch(waveform: FloatArray, factor: float) -> FloatArray:
    """Change the tempo and keep the pitch (WSOLA, Verhelst and Roelands 1993); `factor` > 1 is longer."""
    size, seek = 480, 160  # 30 ms pieces, shifted by up to 10 ms to where they fit
    half, window = size // 2, np.hanning(size)
    count = int(waveform.size * factor) // half
    source = np.pad(waveform, (seek, 2 * size + seek)).astype(np.float64)
    out = np.zeros((count + 2) * half)
    last = seek
    for i in range(count):
        start = min(int(i * half / factor), waveform.size) + seek
        if i:
            target = source[last + half : last + half + size]
            around = source[start - seek : start + seek + size]
            start += int(np.argmax(np.correlate(around, target))) - seek
        out[i * half : i * half + size] += window * source[start : start + size]
        last = min(start, source.size - 2 * size)
    return np.asarray(out[: int(waveform.size * factor)], np.float32)


def tempo(waveform: FloatArray, random: Generator) -> FloatArray:
    """Faster or slower by up to a quarter, at the same pitch."""
    return stretch(waveform, random.uniform(0.8, 1.25))


def pitch(waveform: FloatArray, random: Generator) -> FloatArray:
    """Voice and formants up or down by up to three semitones, at the same tempo."""
    factor = 2 ** (random.uniform(-3, 3) / 12)
    longer = stretch(waveform, factor)
    return np.asarray(resample(longer, round(longer.size / factor)), np.float32)


def equalise(waveform: FloatArray, random: Generator) -> FloatArray:
    """Another microphone: a smooth random response, within about 10 dB, with a random tilt."""
    hz = np.maximum(np.fft.rfftfreq(waveform.size, 1 / SAMPLE_RATE), 50)
    octaves = np.log2(hz / 50)
    knots = random.normal(0, 4, 9) + random.normal(0, 1.0) * np.arange(9)
    gain_db = np.interp(octaves, np.arange(9), knots)
    return np.asarray(np.fft.irfft(np.fft.rfft(waveform) * 10 ** (gain_db / 20), waveform.size), np.float32)


def surround(waveform: FloatArray, random: Generator) -> FloatArray:
    """Up to 1.5 s of quiet before and after, and a noise floor 25 to 55 dB below the mean."""
    before, after = (int(random.uniform(0, 1.5) * SAMPLE_RATE) for _ in range(2))
    longer = np.pad(waveform, (before, after))
    colour = str(random.choice(NOISES[:3]))
    return add_noise(longer, coloured(colour, longer.size, random), random.uniform(25, 55))


def babble(voices: Sequence[FloatArray], samples: int, random: Generator) -> FloatArray:
    """People talking at once: some waveforms laid over each other, each from a random start."""
    total = np.zeros(samples, np.float64)
    for voice in voices:
        turned = np.roll(voice, int(random.integers(voice.size)))
        total += np.resize(turned / (turned.std() + 1e-9), samples)
    return np.asarray(total / np.sqrt(max(len(voices), 1)), np.float32)
