"""Train the bundled model again: weights, figures and model card, the same bytes every time.

python -m emostore.training.train --emodb ../shared/data/emodb
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from threadpoolctl import threadpool_limits

from emostore.engine.baseline import DEFAULT, BaselineRecognizer, Weights
from emostore.training import card
from emostore.training.copies import CLEAN, TRAINING, Copies, make_copies
from emostore.training.corpus import CLASSES, read_corpus
from emostore.training.evaluate import CALIBRATED_ON, SELECTED_ON, figures, leave_one_speaker_out
from emostore.training.model import Chosen, choose, fit
from emostore.training.outside import outside_figures

SEED = 20_050_904  # the day EmoDB was presented, at Interspeech 2005


def train(copies: Copies) -> tuple[Weights, Chosen]:
    """The model of every speaker, chosen by leaving out two at a time."""
    speakers = sorted({who[0] for who in copies.speakers})
    inside = copies.without([])
    chosen = choose(inside, speakers, len(speakers) // 2, SELECTED_ON, CALIBRATED_ON)
    return fit(inside, chosen.strength, chosen.temperature), chosen


def save_weights(weights: Weights, path: Path) -> None:
    """Write the file that `BaselineRecognizer.load` reads."""
    names = ("centre", "scale", "head_weight", "head_bias")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save({name: np.ascontiguousarray(getattr(weights, name)) for name in names}))


def summary(copies: Copies, chosen: Chosen) -> dict[str, Any]:
    """What was trained on, and what selection decided."""
    clean = copies.label[copies.family == CLEAN]
    return {
        "seed": SEED,
        "utterances": {name: int((clean == place).sum()) for place, name in enumerate(CLASSES)},
        "training_copies": len(copies.without([]).label),
        "features": copies.features.shape[1],
        "strength": chosen.strength,
        "temperature": round(chosen.temperature, 4),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the files are written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emodb", type=Path, required=True, help="folder of the EmoDB wave files")
    parser.add_argument("--output", type=Path, default=DEFAULT.parent, help="where the weights and the card go")
    parser.add_argument("--clips", type=Path, help="folder of other corpora to report on (default: beside --emodb)")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    begin = time.perf_counter()

    def tell(what: str) -> None:
        print(f"{time.perf_counter() - begin:6.0f} s  {what}", file=sys.stderr, flush=True)

    with threadpool_limits(1):
        copies = make_copies(read_corpus(given.emodb), SEED, TRAINING, given.workers)
        tell(f"{len(copies.label)} copies described")
        weights, chosen = train(copies)
        tell(f"trained: strength {chosen.strength}, temperature {chosen.temperature:.3f}")
        save_weights(weights, given.output / DEFAULT.name)
        found = figures(leave_one_speaker_out(copies, given.workers))
        tell("left one speaker out, ten times")
        model = BaselineRecognizer.load(given.output / DEFAULT.name)
        outside = outside_figures(model, given.clips or given.emodb.parent / "clips")
    numbers = {"revision": model.info.revision, "training": summary(copies, chosen), "out_of_fold": found}
    if outside:
        numbers["outside"] = outside
    (given.output / "metrics.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    (given.output / "MODEL_CARD.md").write_text(card.render(numbers, card.measured_speed()), encoding="utf-8")
    tell(f"wrote {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
