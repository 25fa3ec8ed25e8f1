"""A look beyond EmoDB: a few recordings of other corpora, never used to choose anything."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from emostore.emotions import EmotionScores
from emostore.engine.recognizer import Recognition, Recognizer
from emostore.training.corpus import CLASSES, read_wav

FOUR = ("angry", "happy", "neutral", "sad")


def outside_figures(model: Recognizer, folder: Path) -> dict[str, Any]:
    """What the model says of the labelled clips in `folder` (see the manifest beside it); {} without them."""
    manifest = folder.parent / "manifest.csv"
    if not folder.is_dir() or not manifest.is_file():
        return {}
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["path"].startswith(f"{folder.name}/")]
    rows = [row for row in rows if row["label"] in CLASSES]
    answers = model.recognize([read_wav(folder.parent / row["path"]) for row in rows])
    clips = []
    for row, answer in zip(rows, answers, strict=True):
        if not isinstance(answer, Recognition):
            raise answer
        scores = EmotionScores.from_logits(answer.logits.tolist())
        best_of_four = max(FOUR, key=scores.__getitem__)
        clips.append(
            {
                "clip": row["path"],
                "corpus": row["corpus"],
                "truth": row["label"],
                "said": scores.dominant,
                "best_of_four": best_of_four,
                "confidence": round(scores.confidence, 3),
            }
        )
    four = [clip for clip in clips if clip["truth"] in FOUR]
    return {
        "clips": clips,
        "right": sum(clip["truth"] == clip["said"] for clip in clips),
        "right_of_four": sum(clip["truth"] == clip["best_of_four"] for clip in four),
        "four": len(four),
    }
