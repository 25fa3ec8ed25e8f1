"""Many numbers a clip drawn on a plane: the two directions in which embeddings differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Places (n, 2), and which part of all variance each of the two directions holds."""

    places: Floats
    explained: tuple[float, float]


def principal(vectors: NDArray[np.floating]) -> Projection:
    """Principal components of vectors (n, dim) that were scaled to length 1, as similarity sees them.

    A direction and its opposite are equally good; the one is taken in which the largest weight is positive, so that
    the same clips always give the same picture. Raises `ValueError` for fewer than three vectors, or one without a
    direction.
    """
    rows = np.asarray(vectors, np.float64)
    if len(rows) < 3:
        raise ValueError(f"a plane needs three vectors, got {len(rows)}")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.all(np.isfinite(length) & (length > 0)):
        raise ValueError("a vector without a direction has no place")
    rows = rows / length
    rows -= rows.mean(axis=0)
    total = float(np.square(rows).sum())
    n, dim = rows.shape
    # The smaller of the two products has the same eigenvalues, all but zeros.
    wide = dim > n
    product = rows @ rows.T if wide else rows.T @ rows
    last = len(product) - 1
    values, columns = eigh(product, subset_by_index=[max(last - 1, 0), last])
    directions = rows.T @ columns if wide else columns
    scale = np.linalg.norm(directions, axis=0)
    directions = np.divide(directions, scale, out=np.zeros_like(directions), where=scale > 0)[:, ::-1]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    places = np.zeros((n, 2))
    places[:, : directions.shape[1]] = rows @ (directions * signs)
    shares = [float(value) / total if total > 1e-12 * n else 0.0 for value in (*values[::-1], 0.0)]
    return Projection(places, (min(max(shares[0], 0.0), 1.0), min(max(shares[1], 0.0), 1.0)))
