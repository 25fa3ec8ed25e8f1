"""The classifier: standardised, limited features and one multinomial logistic regression on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from emostore.emotions import EMOTIONS
from emostore.engine.baseline import Weights
from emostore.engine.recognizer import FloatArray
from emostore.training.copies import Copies
from emostore.training.corpus import CLASSES

# Inverse of the penalty, in the units of one clean corpus. Weaker penalties recognise unheard speakers no
# better, and are surer of what they get wrong when sex, text and conditions all differ from training.
STRENGTHS = (0.01, 0.03, 0.1)
REAL = [EMOTIONS.index(name) for name in CLASSES]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What selection decided: penalty, softmax temperature, and the score of every strength tried."""

    strength: float
    temperature: float
    losses: tuple[float, ...]


def balance(label: Labels) -> Floats:
    """Weights (n,) that give every class the same total and sum to n."""
    counts = np.bincount(label, minlength=len(CLASSES))
    return np.asarray((len(label) / len(CLASSES) / np.maximum(counts, 1))[label])


def path(copies: Copies, strengths: Sequence[float]) -> Iterator[Weights]:
    """Models of rising strength; each starts from the one before, which is quicker."""
    centre = copies.features.mean(0, dtype=np.float64).astype(np.float32)
    scale = (copies.features.std(0, dtype=np.float64) + 1e-6).astype(np.float32)
    empty = np.zeros((len(EMOTIONS), centre.size), np.float32)
    embedding = Weights(centre, scale, empty, empty[:, 0]).embed(copies.features)
    # The penalty is meant for one corpus: copies are not new evidence.
    weight = balance(copies.label) * np.unique(copies.utterance).size / len(copies.label)
    model = LogisticRegression(max_iter=400, warm_start=True)
    for strength in strengths:
        model.set_params(C=strength).fit(embedding, copies.label, sample_weight=weight)
        matrix, bias = empty.copy(), np.full(len(EMOTIONS), -np.inf, np.float32)
        matrix[REAL], bias[REAL] = model.coef_, model.intercept_
        yield Weights(centre, scale, matrix, bias)


def fit(copies: Copies, strength: float, temperature: float = 1.0) -> Weights:
    """One model, its logits divided by `temperature`."""
    return cooled(next(path(copies, [strength])), temperature)


def cooled(weights: Weights, temperature: float) -> Weights:
    """The same model with its logits divided by `temperature`."""
    scale = np.float32(1 / temperature)
    return Weights(weights.centre, weights.scale, weights.head_weight * scale, weights.head_bias * scale)


def logits(weights: Weights, features: FloatArray) -> Floats:
    """Logits (n, classes) of feature vectors (n, features), of the classes the model has."""
    scores = weights.embed(features) @ weights.head_weight[REAL].T + weights.head_bias[REAL]
    return np.asarray(scores, np.float64)


def softmax(scores: Floats) -> Floats:
    """Rows of logits to rows of probabilities."""
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def log_loss(scores: Floats, label: Labels, temperature: float = 1.0, balanced: bool = False) -> float:
    """Mean negative log-likelihood, every row or every class weighted alike."""
    right = softmax(scores / temperature)[np.arange(len(label)), label]
    weight = balance(label) if balanced else np.ones(len(label))
    return float(-(np.log(right + 1e-12) * weight).mean())


def best_temperature(scores: Floats, label: Labels) -> float:
    """The temperature of least log-loss, from 1/8 to 8 (Guo et al. 2017)."""
    found = minimize_scalar(lambda power: log_loss(scores, label, 2.0**power), bounds=(-3, 3), method="bounded")
    return float(2.0**found.x)


def choose(
    copies: Copies, speakers: Sequence[str], groups: int, select_on: Sequence[str], calibrate_on: Sequence[str]
) -> Chosen:
    """Strength and temperature by leaving out groups of `speakers`, measured on the given families.

    `copies` must hold nothing of any other speaker; what it holds of a group is out of its training.
    """
    families = sorted({*select_on, *calibrate_on})
    kept: list[dict[str, list[tuple[Floats, Labels]]]] = [{name: [] for name in families} for _ in STRENGTHS]
    for group in range(groups):
        out = list(speakers)[group::groups]
        held = {name: copies.of(out, name) for name in families}
        for place, weights in enumerate(path(copies.without(out), STRENGTHS)):
            for name, part in held.items():
                kept[place][name].append((logits(weights, part.features), part.label))
    losses = []
    for found in kept:
        scores, label = _joined(found, select_on)
        losses.append(log_loss(scores, label, best_temperature(scores, label), balanced=True))
    best = int(np.argmin(losses))
    return Chosen(STRENGTHS[best], best_temperature(*_joined(kept[best], calibrate_on)), tuple(losses))


def _joined(found: Mapping[str, list[tuple[Floats, Labels]]], families: Sequence[str]) -> tuple[Floats, Labels]:
    parts = [part for name in families for part in found[name]]
    return np.concatenate([scores for scores, _ in parts]), np.concatenate([label for _, label in parts])
