"""Bringing the embeddings of one domain to where those of a reference domain lie, without labels.

By mean and variance of each dimension, or by the whole covariance (CORAL: Sun, Feng & Saenko 2016), which is shrunk
toward a multiple of the identity because there are seldom more clips than dimensions (Ledoit & Wolf 2004).

It takes two domains for alike but for the line they came over. Where people really feel otherwise on the phone than in
the room, part of that is removed with it: so an alignment is kept only where it wins on held-out labels.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.linalg import eigh
from sklearn.covariance import ledoit_wolf

from emostore.analytics.calibration.stages import Floats, Head
from emostore.errors import SettingsError

Alignment = Literal["variance", "coral"]
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)
LEAST_CLIPS = 20  # of a domain; fewer say little of its mean
_PRIOR_CLIPS = 10.0  # how many clips the overall spread counts as in that of a dimension
_TINY = 1e-12


def aligned_head(head: Head, source: Floats, reference: Floats, kind: Alignment = "variance") -> Head:
    """The head that reads embeddings of a domain as `head` reads the reference's.

    `source` (n, dim) and `reference` (m, dim) are embeddings of the two. Raises `SettingsError` for fewer than
    `LEAST_CLIPS` of either.
    """
    few = min(len(source), len(reference))
    if few < LEAST_CLIPS:
        raise SettingsError(
            "Aligning a domain takes at least {allowed} clips of it and of the reference; there are {found}.",
            allowed=LEAST_CLIPS,
            found=few,
        )
    weight, bias = head.weight.astype(np.float64), head.bias.astype(np.float64)
    there, here = reference.mean(axis=0), source.mean(axis=0)
    # x ↦ (x − here) A + there, then · Wᵀ + c; so the weights are W Aᵀ.
    if kind == "variance":
        turned = weight * np.sqrt(_variance(reference) / _variance(source))
    else:
        turned = weight @ (_power(_covariance(source), -0.5) @ _power(_covariance(reference), 0.5)).T
    return Head(turned.astype(np.float32), (bias + weight @ there - turned @ here).astype(np.float32))


def _variance(values: Floats) -> Floats:
    """The variance of each dimension, with a few clips' worth of the mean of all of them."""
    own = values.var(axis=0)
    return np.asarray((len(values) * own + _PRIOR_CLIPS * own.mean()) / (len(values) + _PRIOR_CLIPS) + _TINY)


def _covariance(values: Floats) -> Floats:
    return np.asarray(ledoit_wolf(values)[0] + _TINY * np.eye(values.shape[1]))


def _power(matrix: Floats, exponent: float) -> Floats:
    """A power of a positive definite matrix."""
    values, vectors = eigh(matrix)
    return np.asarray((vectors * np.maximum(values, _TINY) ** exponent) @ vectors.T)
