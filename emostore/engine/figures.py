"""How well the bundled model was measured to do, as a sentence for everybody who reads its scores."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from emostore.i18n import N_, Sentence

METRICS = Path(__file__).parent.parent / "assets" / "baseline" / "metrics.json"
BASELINE = "baseline"


@lru_cache
def caution(model: str) -> Sentence | None:
    """What a reader must know before trusting `model`; None for a model of which we measured nothing."""
    if model != BASELINE:
        return None
    folds = json.loads(METRICS.read_text(encoding="utf-8"))["out_of_fold"]
    conditions = folds["conditions"]
    return Sentence(
        N_(
            "The bundled model is for trying out. It learned from {actors} German actors: of six acted emotions of an"
            " actor it never heard it recognises {clean:.0f} %, over a telephone {phone:.0f} % (unweighted average"
            " recall). On other languages and on feelings that are not acted it does far worse."
        ),
        {
            "actors": len(folds["speakers"]),
            "clean": 100 * conditions["clean"]["uar"],
            "phone": 100 * conditions["phone"]["uar"],
        },
    )
