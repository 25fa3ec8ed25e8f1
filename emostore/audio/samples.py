"""From decoded frames to clean float32 at 16 kHz."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from emostore.audio.recording import SAMPLE_RATE, FloatArray

# Full scale of each FFmpeg sample format (planar ones end in "p"); u8 is centred at 128.
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}

# Float files in which samples were left as integers reach 2^31; anything larger is not a sample, and
# resampling it would overflow.
MAX_MAGNITUDE = 2.0**31

# libswresample, with a filter of 64 taps a phase in place of 32. Measured by benchmarks/audio.py on two
# cores, from 48, 44.1, 22.05 and 8 kHz; passband to 7 kHz (0.4375 of a lower rate), aliases of 9 kHz and above:
#                                ripple      alias or image   times real time
#   swr as it comes              0.39 dB       −38 dB         1,200 to  9,600
#   swr, 64 taps, cutoff 0.97    0.0003 dB     −95 dB           950 to  7,700
#   swr, 128 taps, cutoff 0.97   0.0001 dB    −102 dB           770 to  4,700
#   torchaudio as it comes       1.8 dB        −17 dB         1,350 to 10,500
#   torchaudio "kaiser_best"     0.0000 dB    −105 dB           490 to  4,200
# −95 dB is below the noise of 16 bits, and at these speeds decoding is what takes the time. swr also
# keeps its state between blocks, so that a stream gives bit for bit what the whole file gives; torchaudio
# would need overlapping blocks, and torch in every process. soxr is not compiled into PyAV's FFmpeg.
SWR_OPTIONS = {"filter_size": "64", "cutoff": "0.97"}
MIN_FLUSH = 1_000  # samples: more than half of the filter at any rate


def to_float(frame: av.AudioFrame) -> FloatArray:
    """The samples of a frame, float32 of shape (channels, samples), ±1 full scale; exact up to 24 bits."""
    kind = frame.format.name
    packed = not frame.format.is_planar
    samples: NDArray[np.generic] = _wide_integers(frame) if kind.startswith("s64") else frame.to_ndarray()
    if packed:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    scale = _FULL_SCALE[kind if packed else kind.removesuffix("p")]
    if kind.startswith("u8"):
        return (samples.astype(np.float32) - np.float32(scale)) / np.float32(scale)
    if kind.startswith("dbl"):
        samples = np.clip(samples.astype(np.float64), -2 * MAX_MAGNITUDE, 2 * MAX_MAGNITUDE)  # inside float32
    floats = np.ascontiguousarray(samples, dtype=np.float32)
    return floats if scale == 1.0 else floats / np.float32(scale)


def _wide_integers(frame: av.AudioFrame) -> NDArray[np.int64]:
    """The planes of 64-bit integers, the one format that PyAV does not hand over as an array."""
    count = frame.samples * (1 if frame.format.is_planar else len(frame.layout.channels))
    return np.stack([np.frombuffer(bytes(plane), np.int64, count) for plane in frame.planes])


def sanitise(block: FloatArray) -> tuple[FloatArray, int]:
    """Put silence where a sample is no number or no sample; gives the block and how many there were."""
    bad = ~(np.abs(block) <= MAX_MAGNITUDE)  # NaN compares false
    count = int(np.count_nonzero(bad))
    return (np.where(bad, np.float32(0), block) if count else block), count


class Resampler:
    """Resamples a stream, block by block, to 16 kHz without seams; at 16 kHz the samples stay as they are.

    One mono resampler a channel: FFmpeg then never sees a channel layout, and cannot mix channels.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._taken = self._given = 0  # samples of a channel
        count = 0 if rate == SAMPLE_RATE else channels
        self._resamplers = [
            av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE, options=SWR_OPTIONS) for _ in range(count)
        ]

    def push(self, block: FloatArray) -> FloatArray:
        """Take float32 (channels, n) at `rate`; give what is ready of it, (channels, m) at 16 kHz."""
        if not self._resamplers:
            return block
        self._taken += block.shape[1]
        ready = self._pushed(block)
        self._given += ready.shape[1]
        return ready

    def flush(self) -> FloatArray:
        """The rest, (channels, m) at 16 kHz; in all, the duration that was pushed, to the nearest sample."""
        if not self._taken:
            return np.empty((self.channels, 0), np.float32)
        # The filter runs out into silence: by itself swr gives nothing of what is shorter than its filter.
        rest = self._pushed(np.zeros((self.channels, max(self.rate // 10, MIN_FLUSH)), np.float32))
        return rest[:, : max(0, round(self._taken * SAMPLE_RATE / self.rate) - self._given)]

    def _pushed(self, block: FloatArray) -> FloatArray:
        outputs = []
        for resampler, samples in zip(self._resamplers, block, strict=True):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format="flt", layout="mono")
            frame.sample_rate = self.rate
            outputs.append(_joined(resampler.resample(frame)))
        return np.stack(outputs)


def _joined(frames: list[av.AudioFrame]) -> FloatArray:
    return np.concatenate([np.empty(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])
