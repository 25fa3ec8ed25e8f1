"""What `benchmarks.engine` measures in processes of their own; each prints one JSON object.

python -m benchmarks.engine_child start-own|start-funasr|box|memory CHECKPOINT FOLDER [NUMBER]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FIRST_S = 5.0  # seconds of the clip that is scored first
BLOCK = 60 * SAMPLE_RATE  # samples
QUIET = {"device": "cpu", "disable_update": True, "disable_pbar": True, "log_level": "ERROR"}  # of FunASR's AutoModel


def sound(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """A pulsing tone in noise, float32 at 16 kHz."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * rng.uniform(90, 300) * at) * (0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(1, 6) * at))
    return (0.2 * tone + 0.05 * rng.standard_normal(at.size)).astype(np.float32)


def start_own(checkpoint: Path, folder: Path, _: float) -> dict[str, Any]:
    """From nothing to scores as the app does it, its cache in `folder`."""
    clip = sound(FIRST_S)
    laps = [time.perf_counter()]
    from emostore.config import Settings
    from emostore.engine.registry import load_recognizer

    laps.append(time.perf_counter())
    recognizer = load_recognizer(Settings(model=str(checkpoint), data_dir=folder))
    laps.append(time.perf_counter())
    (result,) = recognizer.recognize([clip])
    laps.append(time.perf_counter())
    if isinstance(result, Exception):
        raise result
    if "funasr" in sys.modules:
        raise RuntimeError("funasr was imported")
    return _laps(laps, ("imports", "weights", "first clip"))


def start_funasr(checkpoint: Path, folder: Path, threads: float) -> dict[str, Any]:
    """The same with FunASR's public interface, its threads set right."""
    clip = sound(FIRST_S)
    laps = [time.perf_counter()]
    from funasr import AutoModel

    laps.append(time.perf_counter())
    model = AutoModel(model=str(checkpoint), ncpu=int(threads), **QUIET)
    laps.append(time.perf_counter())
    model.generate(clip, granularity="utterance")
    laps.append(time.perf_counter())
    return _laps(laps, ("imports", "weights", "first clip"))


def box(checkpoint: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """FunASR with every default: seconds for a clip of `seconds`, the second of two."""
    from funasr import AutoModel

    model = AutoModel(model=str(checkpoint), **QUIET)
    took = []
    for seed in range(2):
        begun = time.perf_counter()
        model.generate(sound(seconds, seed), granularity="utterance")
        took.append(time.perf_counter() - begun)
    return {"seconds": took[1]}


def memory(checkpoint: Path, folder: Path, hours: float) -> dict[str, Any]:
    """Peak memory of one long recording above that of the loaded model, and how long it took.

    The sound lies in a mapped file, as `emostore.audio.decode` leaves a long one; its pages count.
    """
    from emostore.config import Settings
    from emostore.engine.registry import load_recognizer

    recognizer = load_recognizer(Settings(model=str(checkpoint), data_dir=folder))
    recognizer.recognize([sound(30.0)])
    samples = round(hours * 3600 * SAMPLE_RATE)
    file = folder / "long.f32"
    with file.open("wb") as target:
        for i in range(0, samples, BLOCK):
            target.write(sound(min(BLOCK, samples - i) / SAMPLE_RATE, i).tobytes())
    waveform = np.memmap(file, np.float32, mode="c")
    file.unlink()
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    before = _status("VmRSS")
    begun = time.perf_counter()
    (result,) = recognizer.recognize([waveform])
    if isinstance(result, Exception):
        raise result
    return {
        "seconds": time.perf_counter() - begun,
        "above_mb": (_status("VmHWM") - before) / 1024,
        "model_mb": before / 1024,
        "windows": len(result.windows.logits),
    }


def _status(name: str) -> int:
    """A line of /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _laps(laps: list[float], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: end - begun for name, begun, end in zip(names, laps, laps[1:], strict=False)}


COMMANDS: dict[str, Callable[[Path, Path, float], dict[str, Any]]] = {
    "start-own": start_own,
    "start-funasr": start_funasr,
    "box": box,
    "memory": memory,
}

if __name__ == "__main__":
    name, checkpoint, folder, *rest = sys.argv[1:]
    print(json.dumps(COMMANDS[name](Path(checkpoint), Path(folder), float(rest[0]) if rest else 0.0)), flush=True)
