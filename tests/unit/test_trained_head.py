"""A head learnt from labels: as a stage of a calibration, as what it is learnt from says, and on real speech."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from emostore.analytics.calibration import RAW, Calibration, Head, Priors, Scaling, apply
from emostore.analytics.calibration.stages import softmax
from emostore.errors import ScoresError, SettingsError

Floats = NDArray[np.float64]
EVEN = (1 / 9,) * 9


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_head(dim: int = 5, *masked: int) -> Head:
    weight, bias = random(1).standard_normal((9, dim)), random(2).standard_normal(9)
    weight[list(masked)], bias[list(masked)] = 0, -np.inf
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def whole() -> Calibration:
    shares = Priors(EVEN, tuple((np.arange(1.0, 10) / 45).tolist()))
    return Calibration({}, Scaling((0.5, *(0.25,) * 8), (0.0,) * 8 + (1.5,)), shares, some_head(5, 2, 7))


# As a stage


def test_it_survives_json_and_stands_alone() -> None:
    text = json.dumps(whole().as_data(), allow_nan=False)
    assert Calibration.from_data(json.loads(text)) == whole()
    assert not Calibration(trained=some_head()).is_raw
    assert Calibration(trained=some_head()).reads_embeddings
    with pytest.raises(SettingsError, match="beside it"):
        Calibration({"phone": some_head()}, trained=some_head())


def test_it_reads_every_embedding_and_its_masked_classes_are_exactly_zero() -> None:
    logits, vectors = random().standard_normal((4, 9)), random(3).standard_normal((4, 5)).astype(np.float16)
    logits[:, 0] = -np.inf  # which the model cannot give
    found = apply(whole(), logits, vectors, ["phone", None, "room", None])
    np.testing.assert_array_equal(found, apply(whole(), logits, vectors))
    assert (found[:, [0, 2, 7]] == 0).all()
    assert (found[:, [1, 3, 4, 5, 6, 8]] > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    alone = apply(Calibration(trained=some_head()), np.zeros((4, 9)), vectors)
    np.testing.assert_allclose(alone, softmax(some_head().logits(vectors)), rtol=1e-12)


def test_what_it_cannot_read_keeps_its_raw_scores() -> None:
    """No embedding, or nothing that both the model and the head can give."""
    logits, vectors = random().standard_normal((4, 9)), random(3).standard_normal((4, 5))
    vectors[1] = np.nan
    logits[2, [0, 1, 3, 4, 5, 6, 8]] = -np.inf
    found = apply(whole(), logits, vectors)
    raw = apply(RAW, logits)
    np.testing.assert_array_equal(found[[1, 2]], raw[[1, 2]])
    assert (np.abs(found[[0, 3]] - raw[[0, 3]]).max(axis=1) > 0.05).all()
    np.testing.assert_array_equal(apply(whole(), logits), raw)
    with pytest.raises(ScoresError, match="5 numbers"):
        apply(whole(), logits, np.zeros((4, 6)))


def test_of_windows_only_what_was_fitted_to_their_logits_holds() -> None:
    scaling, shares = whole().scaling, whole().priors
    assert Calibration({"phone": some_head()}, scaling, shares).for_windows() == Calibration({}, scaling, shares)
    assert whole().for_windows().is_raw
    assert RAW.for_windows().is_raw
