"""Leave-one-speaker-out with everything chosen inside: what the model is worth to a new voice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from emostore.training import metrics
from emostore.training.copies import CLEAN, TEST, TESTING, Copies
from emostore.training.corpus import CLASSES
from emostore.training.model import Chosen, Floats, choose, fit, logits, softmax

SELECTED_ON = (CLEAN, "mixture")  # families of held-out speakers on which the penalty is chosen
CALIBRATED_ON = (CLEAN,)  # and the temperature
FOUR = tuple(CLASSES.index(name) for name in ("angry", "happy", "neutral", "sad"))
# What nothing in training resembles, and the tests that then measure it.
UNSEEN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "line": (("phone", "codec", "mixture"), ("phone", "AMR 4.75 kbit/s")),
    "noise": (("noise", "babble", "silence", "mixture"), ("pink noise 10 dB", "white noise 10 dB", "babble 10 dB")),
    "room": (("room", "mixture"), ("room 0.6 s",)),
    "rate": (("speed", "tempo", "pitch", "mixture"), ("15 % slower", "15 % faster")),
}


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """What one test speaker got: probabilities by family, the truth, and what was chosen without them."""

    speaker: str
    chosen: Chosen
    probabilities: dict[str, Floats]
    truth: dict[str, NDArray[np.int64]]


def one_fold(copies: Copies, speakers: Sequence[str], inner_groups: int, unseen: bool, speaker: str) -> Fold:
    """Choose and train on everybody else, then test `speaker` on clean and degraded copies."""
    with threadpool_limits(1):  # the same sums in the same order on every machine with this BLAS
        others = [name for name in speakers if name != speaker]
        inside = copies.without([speaker])
        chosen = choose(inside, others, inner_groups, SELECTED_ON, CALIBRATED_ON)
        found: dict[str, Floats] = {}
        truth: dict[str, NDArray[np.int64]] = {}
        weights = fit(inside, chosen.strength, chosen.temperature)
        for family in (CLEAN, "crop", "join", *(TEST + name for name in TESTING)):
            part = copies.of([speaker], family)
            if part.label.size:
                found[family], truth[family] = softmax(logits(weights, part.features)), part.label
        for kind, (without, tests) in UNSEEN.items() if unseen else ():
            blind = inside.take(~np.isin(inside.family, without))
            weights = fit(blind, chosen.strength, chosen.temperature)
            parts = [copies.of([speaker], TEST + name) for name in tests]
            key = f"unseen {kind}"
            found[key] = np.concatenate([softmax(logits(weights, part.features)) for part in parts])
            truth[key] = np.concatenate([part.label for part in parts])
    return Fold(speaker, chosen, found, truth)


def leave_one_speaker_out(
    copies: Copies, workers: int, inner_groups: int = 3, unseen: bool = True, test: Sequence[str] | None = None
) -> list[Fold]:
    """A fold per speaker (or per speaker of `test`)."""
    speakers = sorted({who[0] for who in copies.speakers})
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(one_fold, copies, speakers, inner_groups, unseen), test or speakers))


def figures(folds: Sequence[Fold]) -> dict[str, Any]:
    """UAR, WA, ECE and confusion out of fold, clean and degraded; plain types, rounded for a file."""
    conditions = {}
    for family in folds[0].probabilities:
        probabilities = np.concatenate([fold.probabilities[family] for fold in folds])
        truth = np.concatenate([fold.truth[family] for fold in folds])
        conditions[family.removeprefix(TEST)] = _condition(probabilities, truth)
    clean = np.concatenate([fold.probabilities[CLEAN] for fold in folds]).argmax(1)
    truth = np.concatenate([fold.truth[CLEAN] for fold in folds])
    return {
        "classes": list(CLASSES),
        "conditions": conditions,
        "confusion": metrics.confusion(truth, clean, len(CLASSES)).tolist(),
        "speakers": {
            fold.speaker: {
                "uar": round(metrics.uar(fold.truth[CLEAN], fold.probabilities[CLEAN].argmax(1)), 4),
                "strength": fold.chosen.strength,
                "temperature": round(fold.chosen.temperature, 4),
            }
            for fold in folds
        },
    }


def _condition(probabilities: Floats, truth: NDArray[np.int64]) -> dict[str, float]:
    four = np.isin(truth, FOUR)
    said_of_four = np.array(FOUR)[probabilities[four][:, FOUR].argmax(1)]
    values = {
        "uar": metrics.uar(truth, probabilities.argmax(1)),
        "wa": metrics.accuracy(truth, probabilities.argmax(1)),
        "ece": metrics.ece(probabilities, truth),
        "uar_of_four": metrics.uar(truth[four], said_of_four, FOUR),
    }
    return {name: round(value, 4) for name, value in values.items()}
