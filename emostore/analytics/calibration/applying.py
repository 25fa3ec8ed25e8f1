"""What the stages of a calibration make of logits and embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emostore.analytics.calibration.stages import Calibration, Floats, Head
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError

_N = len(EMOTIONS)


def apply(
    calibration: Calibration,
    logits: ArrayLike,
    embeddings: ArrayLike | None = None,
    domains: Sequence[str | None] | None = None,
) -> Floats:
    """Scores (n, 9) of logits (n, 9), −inf where the model cannot produce a class: there they are exactly 0.

    A clip of a domain with a head is read from its row of `embeddings` (n, dim), NaN where it has none, in which case
    its logits are used; so are those of every other domain. A trained head reads every clip that has an embedding; one
    that has none keeps its raw scores, for the later stages were fitted to what the head says (see `for_windows`). Raw
    scores are bit for bit those of `EmotionScores.from_logits`. Raises `ScoresError` for logits that say nothing or
    embeddings of another size.
    """
    given = np.asarray(logits, np.float64).reshape(-1, _N)
    if np.isnan(given).any() or (given == np.inf).any() or np.isneginf(given).all(axis=1).any():
        raise ScoresError("Logits that are not numbers cannot become scores.")
    if calibration.is_raw:
        rows = [EmotionScores.from_logits(row).vector for row in given.tolist()]
        return np.array(rows, np.float64).reshape(-1, _N)
    if calibration.trained is None:
        return _after_heads(calibration, read_again(calibration.heads, given, embeddings, domains))
    read, values = _read_trained(calibration.trained, given, embeddings)
    scores = np.empty_like(given)
    scores[read] = _after_heads(calibration, values)
    scores[~read] = apply(calibration.for_windows(), given[~read])
    return scores


def softmax(logits: Floats) -> Floats:
    """Rows of logits (n, 9) as rows of scores; −inf gives exactly 0."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def read_again(
    heads: Mapping[str, Head], logits: Floats, embeddings: ArrayLike | None, domains: Sequence[str | None] | None
) -> Floats:
    """The logits (n, 9), where a clip's domain has a head those of its embedding; see `apply`."""
    if not heads or embeddings is None or domains is None:
        return logits
    where = np.array([name or "" for name in domains])
    values = logits.copy()
    for name, head in heads.items():
        vectors = _vectors(head, len(logits), embeddings)
        rows = np.flatnonzero(where == name)
        rows = rows[np.isfinite(vectors[rows]).all(axis=1)]
        values[rows] = head.logits(vectors[rows])
    values[np.isneginf(logits)] = -np.inf  # a class that is impossible stays so, whatever a head says
    lost = np.isneginf(values).all(axis=1)
    values[lost] = logits[lost]
    return values


def _read_trained(head: Head, logits: Floats, embeddings: ArrayLike | None) -> tuple[NDArray[np.bool_], Floats]:
    """Which clips (n,) a trained head can read, and the logits (read, 9) that it gives these."""
    if embeddings is None:
        return np.zeros(len(logits), bool), logits[:0]
    vectors = _vectors(head, len(logits), embeddings)
    rows = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    values = np.full_like(logits, -np.inf)
    values[rows] = head.logits(vectors[rows])
    values[np.isneginf(logits)] = -np.inf
    read = np.asarray(np.isfinite(values).any(axis=1))
    return read, values[read]


def _after_heads(calibration: Calibration, values: Floats) -> Floats:
    """Scores (n, 9) by the stages that come after a head's logits (n, 9)."""
    if calibration.scaling is not None:
        values = calibration.scaling.apply(values)
    scores = softmax(values)
    return scores if calibration.priors is None else calibration.priors.apply(scores)


def _vectors(head: Head, count: int, embeddings: ArrayLike) -> NDArray[Any]:
    """Embeddings (count, dim) of the size that the head reads."""
    vectors = np.asarray(embeddings)
    if vectors.shape != (count, head.dim):
        raise ScoresError(
            "The calibration reads embeddings of {allowed} numbers; these have {found}.",
            allowed=head.dim,
            found=str(vectors.shape),
        )
    return vectors
