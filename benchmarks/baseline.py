"""The bundled model: speed on one core, figures out of fold, other corpora. Prints tables; `--json PATH` too.

python -m benchmarks.baseline [--loso] [--emodb FOLDER] [--save-speed] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from emostore.engine.baseline import DEFAULT, BaselineRecognizer
from emostore.engine.recognizer import SAMPLE_RATE
from emostore.training import card
from emostore.training.copies import TRAINING, make_copies
from emostore.training.corpus import read_corpus, read_wav
from emostore.training.evaluate import figures, leave_one_speaker_out
from emostore.training.outside import outside_figures
from emostore.training.train import SEED
from tests.audio_samples import noise, shared_audio

LENGTHS = {"a clip of 3 s": 3.0, "a clip of 10 s": 10.0, "a recording of 10 min": 600.0}
LOAD = "import time; t = time.perf_counter(); from emostore.engine.baseline import BaselineRecognizer as B; B.load()"

Row = dict[str, Any]


def fastest(model: BaselineRecognizer, seconds: float, folder: Path | None) -> float:
    """Seconds that the fastest of five runs over a clip of `seconds` takes, windows included."""
    speech = noise(3.0)
    if folder is not None:
        speech = np.concatenate([read_wav(path) for path in sorted((folder / "emodb").glob("*.wav"))[:40]])
    clip = np.resize(speech, round(seconds * SAMPLE_RATE))
    times = []
    for _ in range(5 if seconds > 60 else 20):
        start = time.perf_counter()
        model.recognize([clip])
        times.append(time.perf_counter() - start)
    return min(times)


def load_s() -> float:
    """Seconds from the first import to a loaded model in a fresh interpreter."""
    code = f"{LOAD}; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    return min(float(run.stdout) for run in runs)


def processor() -> str:
    """What the machine calls its processor."""
    found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return found[0].split(":")[1].strip() if found else platform.processor()


def speed(model: BaselineRecognizer, folder: Path | None) -> dict[str, Any]:
    """Times faster than real time for each of `LENGTHS`, on one thread."""
    with threadpool_limits(1):
        took = {name: fastest(model, seconds, folder) for name, seconds in LENGTHS.items()}
    rows = [
        {"clip": name, "ms": round(1000 * took[name], 2), "times_real_time": round(LENGTHS[name] / took[name], 1)}
        for name in LENGTHS
    ]
    return {"machine": processor(), "rows": rows, "load_s": round(load_s(), 3)}


def out_of_fold(emodb: Path | None) -> tuple[str, dict[str, Any]]:
    """Figures measured now (with the folder of EmoDB), or those the shipped weights came with."""
    if emodb is None:
        stored = json.loads(DEFAULT.with_name("metrics.json").read_text(encoding="utf-8"))
        return "as stored in metrics.json, not measured now", stored["out_of_fold"]
    with threadpool_limits(1):
        copies = make_copies(read_corpus(emodb), SEED, TRAINING, 2)
        return "measured now", figures(leave_one_speaker_out(copies, 2))


def show(title: str, rows: Sequence[Row]) -> None:
    """One table on standard output."""
    print(f"\n{title}\n")
    print(card.table(list(rows[0]), [list(row.values()) for row in rows]))


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loso", action="store_true", help="leave one speaker out again (several minutes)")
    parser.add_argument("--emodb", type=Path, help="folder of EmoDB (default: in the real test audio)")
    parser.add_argument(
        "--save-speed", action="store_true", help="keep the speed for the model card and write it again"
    )
    parser.add_argument("--json", type=Path, help="write the numbers there as well")
    given = parser.parse_args()
    folder = shared_audio()
    if given.loso and given.emodb is None and folder is None:
        parser.error("--loso needs --emodb: real test audio is not present")
    model = BaselineRecognizer.load()
    numbers: dict[str, Any] = {"revision": model.info.revision, "speed": speed(model, folder)}
    show(
        f"Speed on one core ({numbers['speed']['machine']}); loads in {numbers['speed']['load_s']} s",
        numbers["speed"]["rows"],
    )
    emodb = (given.emodb or (folder / "emodb" if folder else None)) if given.loso else None
    how, numbers["out_of_fold"] = out_of_fold(emodb)
    conditions = [{"condition": name, **row} for name, row in numbers["out_of_fold"]["conditions"].items()]
    show(f"Leave one speaker out, {how}", conditions)
    outside = outside_figures(model, folder / "clips") if folder else {}
    if outside:
        numbers["outside"] = outside
        show(
            f"Other corpora: {outside['right']} of {len(outside['clips'])} right, "
            f"{outside['right_of_four']} of {outside['four']} among four",
            outside["clips"],
        )
    if given.save_speed:
        card.SPEED.write_text(json.dumps(numbers["speed"], indent=1) + "\n", encoding="utf-8")
        stored = json.loads(DEFAULT.with_name("metrics.json").read_text(encoding="utf-8"))
        DEFAULT.with_name("MODEL_CARD.md").write_text(card.render(stored, numbers["speed"]), encoding="utf-8")
    if given.json:
        given.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
