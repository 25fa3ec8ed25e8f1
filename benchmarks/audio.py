"""Decoding, resampling and speech: speed, quality and memory. Prints one table; `--json PATH` writes it too.

python -m benchmarks.audio [--minutes 60] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from emostore.audio import SAMPLE_RATE, decode
from emostore.audio.samples import SWR_OPTIONS
from emostore.speech import detect
from tests.audio_samples import FORMATS, noise, shared_audio, tone, write_encoded, write_wav

FloatArray = NDArray[np.float32]
Row = dict[str, Any]

SPEED_S = 60.0  # seconds of sound in each speed test
PEAK = 0.5  # of the tones
RATES = (48_000, 44_100, 22_050, 8_000)


def fastest(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds that the fastest of some runs takes."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def formats(folder: Path) -> list[Row]:
    """How many times faster than real time two channels of each format decode."""
    rows = []
    for kind, (_, codec, rate) in FORMATS.items():
        channels = np.stack([noise(SPEED_S, rate), noise(SPEED_S, rate, seed=1)])
        path = write_encoded(folder / kind, channels, kind)
        seconds = fastest(lambda path=path: decode(path))  # type: ignore[misc]
        rows.append({"what": f"decode {kind}", "codec": codec, "rate": rate, "times_real_time": SPEED_S / seconds})
        path.unlink()
    return rows


def swr(options: dict[str, str]) -> Callable[[FloatArray, int], FloatArray]:
    """FFmpeg's resampler with options."""

    def resample(signal: FloatArray, rate: int) -> FloatArray:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE, options=options)
        frame = av.AudioFrame.from_ndarray(signal[None], format="flt", layout="mono")
        frame.sample_rate = rate
        frames = [*resampler.resample(frame), *resampler.resample(None)]
        return np.concatenate([part.to_ndarray()[0] for part in frames])

    return resample


def torchaudio_resampler(**options: Any) -> Callable[[FloatArray, int], FloatArray]:
    """Torchaudio's resampler with options."""
    import torch
    import torchaudio.functional

    def resample(signal: FloatArray, rate: int) -> FloatArray:
        result: FloatArray = torchaudio.functional.resample(
            torch.from_numpy(signal), rate, SAMPLE_RATE, **options
        ).numpy()
        return result

    return resample


def level(signal: FloatArray, hz: float) -> float:
    """Amplitude of the sine of `hz` in a signal at 16 kHz, in dB under the peak of the tests' tones."""
    inner = signal[2000:-2000].astype(np.float64)
    window = np.blackman(inner.size)
    turns = np.exp(-2j * np.pi * hz * np.arange(inner.size) / SAMPLE_RATE)
    return float(20 * np.log10(abs(2 * np.sum(window * inner * turns)) / window.sum() / PEAK + 1e-12))


def loudness(signal: FloatArray) -> float:
    """The same of whatever is left in a signal."""
    inner = signal[2000:-2000].astype(np.float64)
    return float(20 * np.log10(np.sqrt(2 * np.mean(inner**2)) / PEAK + 1e-12))


def quality(resample: Callable[[FloatArray, int], FloatArray], rate: int) -> tuple[float, float]:
    """Ripple up to 7 kHz (or 0.4375 of a lower rate), and the loudest alias or image, both in dB."""
    passed = np.linspace(100, min(7000.0, 0.4375 * rate), 25)
    outputs = [resample(tone(hz, 1.0, rate, PEAK), rate) for hz in passed]
    levels = [level(out, hz) for out, hz in zip(outputs, passed, strict=True)]
    if rate < SAMPLE_RATE:
        leaks = [level(out, rate - hz) for out, hz in zip(outputs, passed, strict=True)]
    else:
        leaks = [loudness(resample(tone(hz, 1.0, rate, PEAK), rate)) for hz in np.linspace(9000, rate / 2 - 200, 20)]
    return max(levels) - min(levels), max(leaks)


def resamplers() -> list[Row]:
    """Candidates by quality and speed; the first row is the one in use."""
    candidates = {
        "swr, in use": swr(SWR_OPTIONS),
        "swr, as it comes": swr({}),
        "swr, 128 taps": swr({**SWR_OPTIONS, "filter_size": "128"}),
        "torchaudio, as it comes": torchaudio_resampler(),
        "torchaudio, kaiser best": torchaudio_resampler(
            lowpass_filter_width=64, rolloff=0.9475937167399596, resampling_method="sinc_interp_kaiser", beta=14.77
        ),
    }
    try:
        candidates["soxr"] = swr({"resampler": "soxr"})
        candidates["soxr"](tone(440, 1.0, 48_000), 48_000)
    except (av.FFmpegError, ValueError):
        del candidates["soxr"]  # not compiled in
    rows = []
    for name, resample in candidates.items():
        for rate in RATES:
            ripple, leak = quality(resample, rate)
            signal = noise(SPEED_S, rate)
            seconds = fastest(lambda resample=resample, signal=signal, rate=rate: resample(signal, rate))  # type: ignore[misc]
            rows.append(
                {
                    "what": f"resample, {name}",
                    "rate": rate,
                    "ripple_db": ripple,
                    "alias_db": leak,
                    "times_real_time": SPEED_S / seconds,
                }
            )
    return rows


def _peak_of_decoding(path: str, folder: str) -> tuple[float, float]:
    """Growth of this process's peak memory in MiB, and seconds."""
    decode(write_wav(Path(folder) / "warm.wav", noise(0.1, 8_000)[None], 8_000))  # the libraries' own memory
    before = _peak_kib(restart=True)
    start = time.perf_counter()
    decode(path, spool_dir=Path(folder))
    seconds = time.perf_counter() - start
    return (_peak_kib() - before) / 1024, seconds


def _peak_kib(*, restart: bool = False) -> int:
    """Peak resident memory. Linux hands `ru_maxrss` on from the parent process, so its own count is read there."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if restart:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident now
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def long_recording(folder: Path, minutes: int) -> list[Row]:
    """Growth of the peak memory of a fresh process that decodes two long channels, and the time."""
    minute = np.stack([noise(60.0, 44_100), noise(60.0, 44_100, seed=1)])
    rows = []
    for kind in ("tone.mp3", "pcm_s16.wav"):
        path = write_encoded(folder / kind, minute, kind, repeats=minutes)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak, seconds = pool.apply(_peak_of_decoding, (str(path), str(folder)))
        rows.append(
            {
                "what": f"decode {minutes} min of {kind}, two channels",
                "rate": 44_100,
                "peak_mib": peak,
                "seconds": seconds,
                "times_real_time": 60 * minutes / seconds,
            }
        )
        path.unlink()
    return rows


def speech() -> list[Row]:
    """Speed of speech detection, and how many clips of real speech it misses."""
    seconds = fastest(lambda: detect(noise(600.0)), 1)
    rows: list[Row] = [{"what": "detect speech", "rate": SAMPLE_RATE, "times_real_time": 600 / seconds}]
    folder = shared_audio()
    for part in ("emodb", "clips") if folder else ():
        assert folder is not None
        waveforms = [decode(path).waveforms[0] for path in sorted((folder / part).glob("*.wav"))]
        for name, scale in (("as they are", None), ("at a peak of 0.02", 0.02)):
            reports = [
                detect(w if scale is None else (w * (scale / np.abs(w).max())).astype(np.float32)) for w in waveforms
            ]
            missed = sum(report.reason is not None for report in reports)
            rows.append(
                {
                    "what": f"speech in {part}, {name}",
                    "clips": len(reports),
                    "missed": missed,
                    "least_speech_s": min(report.speech_s for report in reports),
                }
            )
    return rows


def show(rows: list[Row]) -> None:
    """Print rows as one table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    for line in [columns, *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:.1f}"
    return "" if value is None else str(value)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60, help="length of the long recording")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [*formats(Path(folder)), *resamplers(), *long_recording(Path(folder), arguments.minutes), *speech()]
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
