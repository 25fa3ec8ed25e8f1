"""Test signals, files made of them in many formats, and real audio where there is some."""

from __future__ import annotations

import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# name → (FFmpeg's container, codec, sample rate in Hz); the name ends as a file of the format does
FORMATS: dict[str, tuple[str, str, int]] = {
    "pcm_s16.wav": ("wav", "pcm_s16le", 44_100),
    "pcm_s24.wav": ("wav", "pcm_s24le", 48_000),
    "pcm_s32.wav": ("wav", "pcm_s32le", 96_000),
    "pcm_s64.wav": ("wav", "pcm_s64le", 44_100),
    "pcm_u8.wav": ("wav", "pcm_u8", 11_025),
    "float.wav": ("wav", "pcm_f32le", 16_000),
    "double.wav": ("wav", "pcm_f64le", 22_050),
    "mulaw.wav": ("wav", "pcm_mulaw", 8_000),
    "alaw.wav": ("wav", "pcm_alaw", 8_000),
    "adpcm.wav": ("wav", "adpcm_ms", 22_050),
    "tone.flac": ("flac", "flac", 44_100),
    "tone.mp3": ("mp3", "libmp3lame", 44_100),
    "tone.m4a": ("ipod", "aac", 44_100),
    "alac.m4a": ("ipod", "alac", 44_100),
    "tone.mp4": ("mp4", "aac", 48_000),
    "tone.ogg": ("ogg", "flac", 44_100),
    "tone.opus": ("opus", "libopus", 48_000),
    "tone.webm": ("webm", "libopus", 48_000),
    "tone.wma": ("asf", "wmav2", 44_100),
    "tone.aiff": ("aiff", "pcm_s16be", 32_000),
    "tone.caf": ("caf", "pcm_s16le", 44_100),
    "tone.mka": ("matroska", "flac", 192_000),
}


def shared_audio() -> Path | None:
    """The folder of real test audio: EMOSTORE_TEST_AUDIO, else `../shared/data` beside the project."""
    named = os.environ.get("EMOSTORE_TEST_AUDIO")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if (folder / "manifest.csv").is_file() else None


def real_audio() -> Path:
    """The same folder, or the test is skipped."""
    folder = shared_audio()
    if folder is None:
        pytest.skip("real test audio is not present")
    return folder


def tone(hz: float, seconds: float, rate: int = 16_000, peak: float = 0.5) -> FloatArray:
    """A sine, float32 (samples,)."""
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds: float, rate: int = 16_000, level: float = 0.1, seed: int = 0) -> FloatArray:
    """White noise, float32 (samples,)."""
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def clicks(seconds: float, rate: int = 16_000, every_s: float = 0.25) -> FloatArray:
    """Single samples at 0.9, float32 (samples,)."""
    signal = np.zeros(round(seconds * rate), np.float32)
    signal[:: round(every_s * rate)] = 0.9
    return signal


def write_wav(path: Path, channels: FloatArray, rate: int = 16_000) -> Path:
    """16-bit WAV of float32 (channels, samples)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.clip(np.round(channels.T * 32768), -32768, 32767).astype("<i2").tobytes())
    return path


def write_float_wav(path: Path, channels: FloatArray, rate: int = 16_000) -> Path:
    """32-bit float WAV of float32 (channels, samples), values as they are: NaN too."""
    data = channels.T.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, len(channels), rate, rate * 4 * len(channels), 4 * len(channels), 32)
    body = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"data", data)
    path.write_bytes(_chunk(b"RIFF", body))
    return path


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data


def write_encoded(
    path: Path,
    channels: FloatArray,
    kind: str,
    metadata: dict[str, str] | None = None,
    tracks: int = 1,
    repeats: int = 1,
) -> Path:
    """A file of one of `FORMATS` from float32 (channels, samples) at that format's rate; stereo at most.

    The signal comes `repeats` times in each of the `tracks`.
    """
    container_name, codec, rate = FORMATS[kind]
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(str(path), "w", format=container_name) as container:
        container.metadata.update(metadata or {})
        streams = [container.add_stream(codec, rate=rate, layout=layout) for _ in range(tracks)]
        for stream in streams:
            if codec == "wmav2":  # it has no bit rate of its own
                stream.bit_rate = 128_000
            for frame in _frames(channels, rate, layout, repeats):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def _frames(channels: FloatArray, rate: int, layout: str, repeats: int) -> Iterator[av.AudioFrame]:
    samples = channels.shape[1]
    for start in range(0, samples * repeats, samples):
        for offset in range(0, samples, 4096):
            block = np.ascontiguousarray(channels[:, offset : offset + 4096], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, start + offset
            yield frame


def write_silent_film(path: Path) -> Path:
    """An MP4 with pictures and no sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path
