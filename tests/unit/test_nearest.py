"""Vectors in memory: what the scan finds, after any number of additions and removals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from emostore.services.neighbours import nearest
from emostore.services.neighbours.nearest import UnitVectors

Vectors = dict[int, NDArray[np.float64]]


def brute(stored: Vectors, wanted: NDArray[np.float64], count: int) -> list[tuple[int, float]]:
    def cosine(vector: NDArray[np.float64]) -> float:
        return float(vector @ wanted / np.linalg.norm(vector) / np.linalg.norm(wanted))

    return sorted(((key, cosine(vector)) for key, vector in stored.items()), key=lambda each: (-each[1], each[0]))[
        :count
    ]


def added(vectors: UnitVectors, stored: Vectors, keys: range, random: np.random.Generator) -> None:
    new = random.normal(size=(len(keys), 7))
    vectors.add(np.array(keys), new)
    stored |= dict(zip(keys, new, strict=True))


def test_it_finds_what_comparing_all_finds_whatever_came_and_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK", 16)  # so that a few vectors fill several blocks
    random = np.random.default_rng(0)
    vectors, stored = UnitVectors(7), Vectors()
    added(vectors, stored, range(90), random)
    for turn in range(12):
        gone = random.choice(sorted(stored), size=turn * 5 % 23, replace=False)
        vectors.remove(gone)
        for key in gone.tolist():
            del stored[key]
        added(vectors, stored, range(100 * turn + 100, 100 * turn + 100 + turn), random)
        wanted = random.normal(size=7)
        keys, values = vectors.nearest(wanted, 9)
        expected = brute(stored, wanted, 9)
        assert len(vectors) == len(stored)
        assert keys.tolist() == [key for key, _ in expected]
        np.testing.assert_allclose(values, [value for _, value in expected], atol=1e-6)
    vectors.remove(np.array(sorted(stored)))
    assert (len(vectors), vectors.byte_count) == (0, 0)


def test_equal_ones_come_by_their_key_and_fewer_than_asked_are_all() -> None:
    vectors = UnitVectors(2)
    vectors.add(np.array([9, 3, 5, 4]), np.array([[2.0, 0.0], [1.0, 0.0], [8.0, 0.0], [0.0, 1.0]]))
    keys, values = vectors.nearest(np.array([3.0, 0.0]), 2)
    assert (keys.tolist(), values.tolist()) == ([3, 5], [1.0, 1.0])
    assert vectors.nearest(np.array([0.0, 1.0]), 10)[0].tolist() == [4, 3, 5, 9]
    assert UnitVectors(2).nearest(np.array([1.0, 0.0]), 3)[0].tolist() == []


def test_vectors_without_a_direction_are_never_found() -> None:
    vectors = UnitVectors(2)
    vectors.add(np.arange(4), np.array([[0, 0], [np.nan, 1], [np.inf, 1], [1, 1]], np.float16))
    assert vectors.nearest(np.array([1.0, 1.0]), 4)[0].tolist() == [3]
