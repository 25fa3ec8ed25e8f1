"""Emotion2Vec+ in this engine and in FunASR, side by side, on a checkpoint of the true size made on the spot.

python -m benchmarks.engine [--only clips,box,start,long,memory] [--rounds 5] [--minutes 60] [--hours 4] [--json PATH]

The weights are random (seeded), which changes no time. Ratios are medians over rounds in which the engines take
turns, so that other work on the machine weighs on all of them.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.baseline import processor
from benchmarks.engine_child import QUIET, sound
from benchmarks.engine_parts import matrix_rate, stages, work_of
from emostore.engine.checkpoint import describe
from emostore.engine.emotion2vec import Emotion2vecRecognizer
from emostore.engine.hardware import physical_cores
from emostore.engine.recognizer import FloatArray
from emostore.training import card
from tests.engine import tiny_checkpoint

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("clips", "box", "start", "long", "memory")
CLIP_S = (2.0, 2.9, 3.6, 4.2, 5.0, 5.7, 6.5, 7.4, 8.3, 9.4, 10.6, 12.0)
GOALS = {"float32": "≥ 1.2 ×", "bfloat16": "≥ 5 ×", "cuda": "≥ 20 ×"}

Engine = Callable[[Sequence[FloatArray]], object]


@dataclass
class Findings:
    """The rows of the table, and every number behind them."""

    rows: list[list[str]] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, funasr: str = "", own: str = "", ratio: str = "", goal: str = "") -> None:
        """One row; it is printed at once on standard error, since a whole run takes long."""
        self.rows.append([what, funasr, own, ratio, goal])
        print(" | ".join(self.rows[-1]), file=sys.stderr, flush=True)


def in_turns(engines: Mapping[str, Engine], lengths: Sequence[float], rounds: int) -> dict[str, list[float]]:
    """Seconds that each engine takes for clips of about these lengths, in each round.

    The lengths are other ones in each round, by up to 1 %, as no two recordings are of the same length.
    """
    took: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds + 1):  # the first warms up
        stretch = np.random.default_rng(number).uniform(0.99, 1.01, len(lengths))
        clips = [sound(each, seed) for seed, each in enumerate(lengths * stretch)]
        for name, engine in engines.items():
            begun = time.perf_counter()
            engine(clips)
            if number:
                took[name].append(time.perf_counter() - begun)
    return took


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Median of how many times longer the one takes than the other in the same round."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def funasr(checkpoint: Path, threads: int, device: str) -> Engine:
    """FunASR's public interface with its threads set right."""
    from funasr import AutoModel

    model = AutoModel(model=str(checkpoint), ncpu=threads, **(QUIET | {"device": device}))

    def run(clips: Sequence[FloatArray]) -> None:
        for clip in clips:
            model.generate(clip, granularity="utterance", extract_embedding=True)

    return run


def throughput(given: argparse.Namespace, checkpoint: Path, device: str, found: Findings) -> None:
    """Clips of 2 to 12 s: FunASR and this engine in each precision; what the machine could do at most."""
    clips = [sound(each, seed) for seed, each in enumerate(CLIP_S)]
    seconds, threads = sum(CLIP_S), given.threads
    own = {}
    for precision in ("float32", "auto"):
        recognizer = Emotion2vecRecognizer.load(
            checkpoint, threads=threads, device=device, precision=precision, cache_dir=given.cache
        )
        own[recognizer.precision] = recognizer
    engines: dict[str, Engine] = {"funasr": funasr(checkpoint, threads, device)}
    engines |= {name: recognizer.recognize for name, recognizer in own.items()}
    took = in_turns(engines, CLIP_S, given.rounds)
    one = in_turns({n: (lambda c, r=r: [r.recognize([x]) for x in c]) for n, r in own.items()}, CLIP_S, given.rounds)
    base = statistics.median(took["funasr"])
    work = work_of(describe(checkpoint), CLIP_S)
    for name, recognizer in own.items():
        median = statistics.median(took[name])
        goal = GOALS["cuda" if device == "cuda" else name]
        times = f"{ratio(took['funasr'], took[name]):.2f} ×"
        what = f"{len(clips)} clips of 2 to 12 s, {name}, {device}: × real time"
        found.add(what, f"{seconds / base:.1f}", f"{seconds / median:.1f}", times, goal)
        alone = statistics.median(one[name])
        speeds = (f"{seconds / base:.1f}", f"{seconds / alone:.1f}")
        found.add("the same, one clip a call", *speeds, f"{base / alone:.2f} ×")
        rate = matrix_rate(describe(checkpoint), recognizer.precision, device)
        share = work.flop / median / rate
        goal = "≥ 40 %" if device == "cuda" else ""
        what = f"share of {rate / 1e9:,.0f} GFLOP/s, measured in {name} matrix products"
        found.add(what, "", f"{share:.0%}", "", goal)
        found.numbers |= {
            f"{device} {name}": {
                "funasr_s": took["funasr"],
                "own_s": took[name],
                "one_by_one_s": one[name],
                "matrix_rate": rate,
                "share": share,
                "stages": stages(recognizer, clips, device),
            }
        }
    found.numbers["work"] = asdict(work)


def as_it_comes(given: argparse.Namespace, checkpoint: Path, found: Findings) -> None:
    """FunASR with every default, four threads whatever the machine has, in a process of its own."""
    recognizer = Emotion2vecRecognizer.load(checkpoint, threads=given.threads, device="cpu", cache_dir=given.cache)
    own = statistics.median(in_turns({"own": recognizer.recognize}, [given.box_s], given.rounds)["own"])
    theirs = child("box", checkpoint, given.cache, given.box_s)["seconds"]
    found.numbers["box"] = {"seconds": given.box_s, "funasr_s": theirs, "own_s": own}
    what = f"a clip of {given.box_s:g} s, FunASR as it comes (4 threads on {given.threads} cores): seconds"
    found.add(what, f"{theirs:.2f}", f"{own:.2f}", f"{theirs / own:.0f} ×", "reported")


def starts(given: argparse.Namespace, checkpoint: Path, found: Findings) -> None:
    """From the start of a process to the first scores, in turns; first of all, without a cache."""
    numbers: dict[str, list[dict[str, float]]] = {"first ever": [], "own": [], "funasr": []}
    with tempfile.TemporaryDirectory(dir=given.cache) as folder:
        numbers["first ever"].append(started("start-own", checkpoint, Path(folder), 0))
        for _ in range(given.starts):
            numbers["funasr"].append(started("start-funasr", checkpoint, Path(folder), given.threads))
            numbers["own"].append(started("start-own", checkpoint, Path(folder), 0))
    found.numbers["start"] = numbers
    medians = {
        name: {part: statistics.median(run[part] for run in runs) for part in runs[0]} for name, runs in numbers.items()
    }
    share = 1 / ratio([run["all"] for run in numbers["funasr"]], [run["all"] for run in numbers["own"]])
    for part in ("all", "interpreter", "imports", "weights", "first clip"):
        what = "start of a process to first scores: seconds" if part == "all" else f"of these: {part}"
        both = (f"{medians['funasr'][part]:.2f}", f"{medians['own'][part]:.2f}")
        found.add(what, *both, *((f"{share:.2f} ×", "≤ 0.33 ×") if part == "all" else ()))
    found.add("the first start ever, which converts the weights", "", f"{medians['first ever']['all']:.2f}")


def started(name: str, checkpoint: Path, folder: Path, number: float) -> dict[str, float]:
    """Seconds from starting a process to its scores, whole and in parts."""
    parts: dict[str, float] = child(name, checkpoint, folder, number)
    inside = sum(took for part, took in parts.items() if part != "all")
    return parts | {"interpreter": parts["all"] - inside}


def long_recording(given: argparse.Namespace, checkpoint: Path, found: Findings) -> None:
    """Time for a second of audio in one long recording, against a clip of 10 s alone."""
    recognizer = Emotion2vecRecognizer.load(checkpoint, threads=given.threads, device="cpu", cache_dir=given.cache)
    whole = sound(60.0 * given.minutes)
    short = in_turns({"own": recognizer.recognize}, [10.0], given.rounds)["own"]
    begun = time.perf_counter()
    recognizer.recognize([whole])
    took = time.perf_counter() - begun
    short += in_turns({"own": recognizer.recognize}, [10.0], given.rounds)["own"]
    each, base = took / (60 * given.minutes), statistics.median(short) / 10
    found.numbers["long"] = {"minutes": given.minutes, "seconds": took, "clip_10_s": short}
    what = f"{given.minutes:g} min of audio, {recognizer.precision}: ms a second of audio, against a clip of 10 s"
    found.add(what, f"clip {1000 * base:.1f}", f"{1000 * each:.1f}", f"{each / base:.2f} ×", "≤ 1.15 ×")


def memory(given: argparse.Namespace, checkpoint: Path, found: Findings) -> None:
    """Peak memory of one very long recording, in a process of its own."""
    found.numbers["memory"] = numbers = child("memory", checkpoint, given.cache, given.hours)
    what = f"{given.hours:g} h of audio: peak memory above the loaded model, MB"
    found.add(what, "", f"{numbers['above_mb']:,.0f}", "", "≤ 3,072")
    each = 1000 * numbers["seconds"] / (3600 * given.hours)
    found.add(f"{given.hours:g} h of audio: ms a second of audio", "", f"{each:.1f}")


def child(name: str, checkpoint: Path, folder: Path, number: float) -> dict[str, Any]:
    """What `benchmarks.engine_child` prints, and after how many seconds: `all`."""
    command = [sys.executable, "-m", "benchmarks.engine_child", name, checkpoint, folder, str(number)]
    begun = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        for line in process.stdout or ():
            if line.startswith("{"):
                result: dict[str, Any] = json.loads(line)
                return result | {"all": time.perf_counter() - begun}
        said.seek(0)
        raise RuntimeError(f"{name} failed:\n{said.read()[-2000:]}")


def show_stages(numbers: Mapping[str, Any]) -> None:
    """Where the time of the clips goes, in each precision."""
    runs = {name: run["stages"] for name, run in numbers.items() if isinstance(run, dict) and "stages" in run}
    if not runs:
        return
    rows = [[stage, *(f"{run[stage]:.0%}" for run in runs.values())] for stage in next(iter(runs.values()))]
    print("\n" + card.table(["share of the time", *runs], rows))


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="in which the engines take turns")
    parser.add_argument("--starts", type=int, default=3, help="processes of each engine")
    parser.add_argument("--box-s", type=float, default=5.0, help="the clip for FunASR as it comes; it takes a minute")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the long recording")
    parser.add_argument("--hours", type=float, default=4.0, help="of the recording whose memory is measured")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="of both engines")
    parser.add_argument("--checkpoint", type=Path, help="instead of making one")
    parser.add_argument("--json", type=Path, help="write the numbers there as well")
    given = parser.parse_args()
    parts = given.only.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"--only takes some of {', '.join(PARTS)}")
    torch.set_num_threads(given.threads)
    found = Findings(numbers={"machine": processor(), "threads": given.threads, "torch": torch.__version__})
    with tempfile.TemporaryDirectory(prefix="emostore-bench-") as folder:
        given.cache = Path(folder)
        checkpoint = given.checkpoint or tiny_checkpoint.build(given.cache / "large", size="large")
        if "clips" in parts:
            for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
                throughput(given, checkpoint, device, found)
        for part, run in (("box", as_it_comes), ("start", starts), ("long", long_recording), ("memory", memory)):
            if part in parts:
                run(given, checkpoint, found)
    print(f"{found.numbers['machine']}, {given.threads} threads, {platform.system()}, torch {torch.__version__}\n")
    print(card.table(["what", "FunASR", "this engine", "ratio", "goal"], found.rows))
    show_stages(found.numbers)
    if given.json:
        given.json.write_text(json.dumps({**found.numbers, "rows": found.rows}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
