"""What FunASR itself answers: `key`, `labels` in two languages, `scores` and, if asked for, `feats`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.importing.bounded import DIM
from emostore.services.importing.found import Found, Model
from emostore.services.importing.values import distribution, number, quoted, text

_UNUSED = "unuse"  # how FunASR calls classes that a revision of the model does not have


def is_answer(value: Any) -> bool:
    """Whether a JSON value is one answer."""
    return isinstance(value, Mapping) and "labels" in value and "scores" in value


def read(value: Mapping[str, Any]) -> Found:
    """One answer. A model with fewer classes gives fewer scores, and the clip says so."""
    labels, scores = value["labels"], value["scores"]
    if not isinstance(labels, list) or not isinstance(scores, list) or len(labels) != len(scores):
        raise MetadataError("An answer of FunASR has as many labels as scores, both in lists.")
    named: dict[str, Any] = {}
    for label, score in zip(labels, scores, strict=True):
        if isinstance(label, str) and label.lower().startswith(_UNUSED):
            continue
        if not isinstance(label, str) or label in named:
            raise MetadataError("There are two scores for {name}; which counts is not said.", name=quoted(label))
        named[label] = score
    given = distribution(named, some=True)
    key = text(value.get("key"), "key") or ""
    embedding, frames = _embedding(value["feats"]) if value.get("feats") is not None else (None, None)
    missing = [name for name in EMOTIONS if name not in given]
    doubts = (
        [Sentence(N_("The model gives only {count} of the nine emotions."), {"count": len(given)})] if missing else []
    )
    return Found(
        key,
        given=given,
        embedding=embedding,
        embedding_frames=frames,
        key=key,
        model=Model(classes=tuple(given)),
        doubts=tuple(doubts),
    )


def _embedding(feats: Any) -> tuple[NDArray[np.float32], int | None]:
    """`feats` as a list of 1,024 numbers, or of such lists, one a frame; then their mean counts."""
    if not isinstance(feats, list) or not feats:
        raise MetadataError("{what} is {found}; it should be 1,024 numbers.", what="feats", found=quoted(feats))
    rows = feats if isinstance(feats[0], list) else [feats]
    total = np.zeros(DIM)
    for row in rows:
        if not isinstance(row, list) or len(row) != DIM:
            raise MetadataError("{what} is {found}; it should be 1,024 numbers.", what="feats", found=quoted(row)[:20])
        total += [number(each, "feats") for each in row]
    if not (np.abs(total / len(rows)) <= np.finfo(np.float16).max).all():
        raise MetadataError("The array holds values that are not numbers, or too large for an embedding.")
    return (total / len(rows)).astype(np.float32), len(rows) if isinstance(feats[0], list) else None
