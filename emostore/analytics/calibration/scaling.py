"""Fitting what logits are scaled by, so that confidence says how often the model is right.

One temperature (Guo et al. 2017), a temperature with a bias for each class, or a factor and a bias for each class
(vector scaling). All three minimise the negative log-likelihood of labels, which is convex in the factors and biases.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from emostore.analytics.calibration.applying import softmax
from emostore.analytics.calibration.stages import MOST_BIAS, TEMPERATURES, Floats, Scaling

Kind = Literal["temperature", "biased", "vector"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Ints = NDArray[np.int64]

# One label's worth: few labels of a class move its bias little, and a class without labels keeps its own.
_RIDGE = 1.0
_LEAST = 1e-12  # of a probability, so that one impossible label is a large loss and not an infinite one


def fit(logits: Floats, labels: Ints, kind: Kind = "temperature") -> Scaling:
    """The scaling of least negative log-likelihood, of logits (n, 9) and the numbers (n,) of the true classes."""
    one = Scaling.of_temperature(_temperature(logits, labels))
    return one if kind == "temperature" else _more(logits, labels, one, each=kind == "vector")


def loss(scores: Floats, labels: Ints) -> float:
    """Mean negative log-likelihood of scores (n, 9), in nats."""
    return float(-np.log(np.maximum(scores[np.arange(len(labels)), labels], _LEAST)).mean())


def _temperature(logits: Floats, labels: Ints) -> float:
    """In the inverse of T the loss is convex, so that a bounded search over its logarithm finds the one minimum."""
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda power: loss(softmax(logits / np.exp(power)), labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.clip(np.exp(found.x), *TEMPERATURES))


def _more(logits: Floats, labels: Ints, start: Scaling, *, each: bool) -> Scaling:
    """Factors (one, or one for each class) and biases, held to the single temperature by a weak penalty."""
    n, classes = logits.shape
    factor = start.factors[0]
    there = np.isfinite(logits)
    z = np.where(there, logits, 0.0)
    truth = np.zeros((n, classes))
    truth[np.arange(n), labels] = 1
    size = classes if each else 1

    def objective(x: Floats) -> tuple[float, Floats]:
        factors, biases = np.exp(x[:size]) * factor, x[size:]
        scores = softmax(np.where(there, z * factors + biases, -np.inf))
        off = scores - truth
        slope = (off * z).sum(axis=0) * factors
        value = n * loss(scores, labels) + _RIDGE / 2 * float(x @ x)
        gradient = np.concatenate([slope if each else [slope.sum()], off.sum(axis=0)])
        return value, gradient + _RIDGE * x

    low, high = -np.log(TEMPERATURES[1] * factor), -np.log(TEMPERATURES[0] * factor)
    bounds = [(low, high)] * size + [(-MOST_BIAS, MOST_BIAS)] * classes
    found = minimize(objective, np.zeros(size + classes), jac=True, method="L-BFGS-B", bounds=bounds).x
    factors = np.clip(np.exp(found[:size]) * factor, 1 / TEMPERATURES[1], 1 / TEMPERATURES[0])
    return Scaling(tuple(np.broadcast_to(factors, classes).tolist()), tuple(found[size:].tolist()))
