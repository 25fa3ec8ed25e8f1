"""Recordings made small: Opus in Ogg, for listening, block by block in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from emostore import audio
from emostore.errors import AudioError, StoreError

BITS_PER_CHANNEL = 24_000  # bits a second; speech at 16 kHz keeps its sound
MAX_CHANNELS = 2  # more would need a layout of loudspeakers, and encoders treat those by their place
_FRAME = 960  # samples, 60 ms: the longest that Opus has
_LAYOUTS = {1: "mono", 2: "stereo"}


def encode(source: Path, target: Path, limits: audio.Limits, *, name: str | None = None) -> None:
    """Write the recording at `source` as Opus to `target`, channel for channel; messages call it `name`.

    Raises
    ------
    AudioError : the recording cannot be decoded, or has more than `MAX_CHANNELS`
    StoreError : the file cannot be written
    """
    with audio.open_stream(source, limits, name=name) as stream:
        channels = stream.info.channels
        if channels > MAX_CHANNELS:
            raise AudioError(
                "{name} has {found} channels; 1 to {allowed} can be kept as Opus.",
                name=name or source.name,
                found=channels,
                allowed=MAX_CHANNELS,
            )
        try:
            with av.open(str(target), "w", format="ogg") as container:
                out = container.add_stream("libopus", rate=audio.SAMPLE_RATE)
                out.layout = _LAYOUTS[channels]
                out.format = "flt"
                out.bit_rate = BITS_PER_CHANNEL * channels
                for frame in _frames(stream, channels):
                    container.mux(out.encode(frame))
                container.mux(out.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise StoreError(
                "The recording could not be kept in {folder}: {problem}. Free some space or change the data folder.",
                folder=str(target.parent),
                problem=error.strerror or str(error),
            ) from error


def _frames(stream: audio.AudioStream, channels: int) -> Iterator[av.AudioFrame]:
    """The sound in frames of one length; the last one is as long as what is left."""
    rest = np.empty((channels, 0), np.float32)
    at = 0
    for block in stream:
        rest = np.concatenate([rest, block], axis=1)
        whole = rest.shape[1] - rest.shape[1] % _FRAME
        for start in range(0, whole, _FRAME):
            yield _frame(rest[:, start : start + _FRAME], at + start)
        rest, at = rest[:, whole:], at + whole
    if rest.shape[1]:
        yield _frame(rest, at)


def _frame(samples: audio.FloatArray, at: int) -> av.AudioFrame:
    packed = np.ascontiguousarray(np.clip(samples, -1, 1).T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=_LAYOUTS[samples.shape[0]])
    frame.sample_rate, frame.pts, frame.time_base = audio.SAMPLE_RATE, at, Fraction(1, audio.SAMPLE_RATE)
    return frame
