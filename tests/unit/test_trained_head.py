"""A head learnt from labels: as a stage of a calibration, and what it is learnt from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emostore.analytics.calibration import RAW, Calibration, Head, Priors, Scaling, apply, scaling, training
from emostore.analytics.calibration.applying import softmax
from emostore.analytics.calibration.fitting import Clips, Labelled, Options, fit
from emostore.analytics.reliability import figures
from emostore.emotions import EMOTIONS
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


# What it is learnt from


CENTRE = 2.0


def spread(dim: int) -> Floats:
    return np.geomspace(0.1, 3, dim)


def a_rule(dim: int, *masked: int, seed: int = 1) -> Head:
    """A head for which emotions of `voices` are about as frequent, and seldom sure."""
    weight = 1.8 / dim**0.5 * random(seed).standard_normal((9, dim)) / spread(dim)
    bias = -weight.sum(axis=1) * CENTRE
    weight[list(masked)], bias[list(masked)] = 0, -np.inf
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def voices(n: int, rule: Head, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings whose dimensions move more and less, and emotions as likely as a rule says."""
    rng = random(seed)
    embeddings = (rng.standard_normal((n, rule.dim)) * spread(rule.dim) + CENTRE).astype(np.float16)
    scores = softmax(rule.logits(embeddings))
    truth = (scores.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return embeddings.astype(np.float32), truth.astype(np.int64)


def test_the_rule_that_labels_follow_is_found() -> None:
    rule = a_rule(8, 1, 2, 5, 7, 8)
    embeddings, truth = voices(3000, rule)
    learnt = training.train(embeddings, truth, np.arange(3000) % 60, training.teachable(truth, np.arange(3000) % 60))
    assert learnt.classes == (0, 3, 4, 6)
    assert np.isneginf(learnt.head.bias[[1, 2, 5, 7, 8]]).all()
    others, heard = voices(4000, rule, 1)
    wanted, found = (scaling.loss(softmax(each.logits(others)), heard) for each in (rule, learnt.head))
    assert wanted < found < wanted + 0.02
    # Those it was learnt from are read by heads that have not heard them, and no better than others.
    assert scaling.loss(softmax(learnt.held_out), truth) == pytest.approx(wanted, abs=0.04)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(training.STRENGTHS[1:]), st.integers(3, 40))
def test_it_is_scikit_learn_s_regression_on_standardised_embeddings(seed: int, strength: float, dim: int) -> None:
    rng = random(seed)
    truth = rng.integers(0, 3, 150)
    truth[:9] = (0, 1, 2) * 3
    embeddings = rng.standard_normal((150, dim)) * rng.uniform(0.2, 5, dim) + rng.uniform(-9, 9, dim)
    embeddings[:, :2] += truth[:, None]
    embeddings = embeddings.astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STRENGTHS", (strength,))
        learnt = training.train(embeddings, truth, np.arange(150), (0, 1, 2))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-6, max_iter=2000))
    wanted = pipeline.fit(embeddings.astype(np.float64), truth).predict_proba(embeddings)
    np.testing.assert_allclose(softmax(learnt.head.logits(embeddings))[:, :3], wanted, atol=0.01)


def test_few_labels_correct_what_the_model_knows_in_place_of_beginning_anew() -> None:
    own = a_rule(60, 8)
    shifted = Head(own.weight, own.bias + np.array([3, 0, 0, -3, 0, 2, 0, 0, 0], np.float32))  # what labels follow
    embeddings, truth = voices(200, shifted)
    classes = training.teachable(truth, np.arange(200))
    keep = np.isin(truth, classes)
    others, heard = voices(3000, shifted, 1)
    rows = np.isin(heard, classes)

    def loss(head: Head) -> float:
        return scaling.loss(softmax(head.logits(others[rows])), heard[rows])

    anew, corrected = (
        training.train(embeddings[keep], truth[keep], np.arange(200)[keep], classes, each).head for each in (None, own)
    )
    assert loss(corrected) < loss(own) - 0.1
    assert loss(corrected) < loss(anew) - 0.1
    again = training.train(embeddings[keep], truth[keep], np.arange(200)[keep], classes, own).head
    assert again == corrected  # to the bit


def test_an_emotion_needs_labels_of_several_sessions() -> None:
    labels = np.repeat([0, 3, 4, 6], [30, 30, 4, 30])
    groups = np.arange(94) % 7
    groups[labels == 6] = 0
    assert training.teachable(labels, groups) == (0, 3)
    assert training.teachable(labels, np.zeros(94, np.int64)) == (0, 3, 6)  # there is but one


# Among the other stages


def sample(n: int = 300, seed: int = 0, dim: int = 30) -> tuple[Labelled, Head]:
    """A model that hears a domain wrongly, with labels of it."""
    own, other = a_rule(dim, 5, 8), a_rule(dim, 5, 8, seed=4)
    rule = Head(own.weight + 1.5 * other.weight, own.bias + np.where(np.isfinite(other.bias), 1.5 * other.bias, 0))
    embeddings, truth = voices(n, rule, seed)
    clips = Clips(own.logits(embeddings).astype(np.float32), embeddings, ["phone"] * n)
    return Labelled(clips, truth, np.arange(n) // 3), own


def test_what_it_is_worth_is_told_by_labels_that_it_has_not_seen() -> None:
    labelled, own = sample()
    found = fit(labelled, labelled.clips, Options(trained=True, priors=True), own)
    before, after = figures(found.before, labelled.labels), figures(found.after, labelled.labels)
    assert after.uar > before.uar + 0.1
    assert after.nll < before.nll - 0.3
    assert found.learnt is not None
    assert found.calibration.trained == found.learnt.head
    others, _ = sample(3000, 1)
    fresh = figures(others.clips.scores(found.calibration), others.labels)
    assert after.nll == pytest.approx(fresh.nll, abs=0.15)
    assert after.ece < 0.1
    assert fresh.ece < 0.1
    shuffled = Labelled(labelled.clips, random().permutation(labelled.labels), labelled.groups)
    nothing = fit(shuffled, shuffled.clips, Options(trained=True), own)
    chance = np.bincount(labelled.labels).max() / len(labelled.labels)
    assert figures(nothing.after, shuffled.labels).wa < chance + 0.1  # though 30 dimensions can learn 300 by heart


def test_what_cannot_be_learnt_is_exactly_zero_and_what_cannot_be_read_stays() -> None:
    labelled, own = sample()
    rare = np.flatnonzero(labelled.labels == 2)[4:]
    assert len(rare)
    labels = labelled.labels.copy()
    labels[rare] = 5  # which the model cannot give
    assert labelled.clips.embeddings is not None
    vectors = labelled.clips.embeddings.copy()
    vectors[-20:] = np.nan
    clips = Clips(labelled.clips.logits, vectors, labelled.clips.domains)
    found = fit(Labelled(clips, labels, labelled.groups), clips, Options(trained=True, priors=True, together=True), own)
    assert found.calibration.masked == ("fearful", "other", "unknown") == tuple(EMOTIONS[i] for i in (2, 5, 8))
    assert (found.after[:-20][:, [2, 5, 8]] == 0).all()
    assert (found.after[:-20][:, [0, 1, 3, 4, 6, 7]] > 0).all()
    np.testing.assert_array_equal(found.after[-20:], found.before[-20:])


def test_too_little_to_learn_from_is_refused() -> None:
    labelled, own = sample()
    options = Options(trained=True)

    def refused(given: Labelled, why: str) -> None:
        with pytest.raises(SettingsError, match=why):
            fit(given, given.clips, options, own)

    refused(labelled.take(np.flatnonzero(np.isin(labelled.labels, (0, 3)))[:45]), "45 labels are too few to train")
    often = np.flatnonzero(labelled.labels == 0)
    refused(labelled.take(np.append(often, np.flatnonzero(labelled.labels == 3)[:4])), "two emotions; angry has")
    silent = Labelled(Clips(labelled.clips.logits), labelled.labels, labelled.groups)
    refused(silent, "needs embeddings")
    with pytest.raises(SettingsError, match="every kind"):
        Options("best", "phone", trained=True)
    apart = np.where(labelled.labels == 0, 0, 1)
    two = Labelled(labelled.clips, np.where(apart, 3, 0).astype(np.int64), apart.astype(np.int64))
    refused(two, "sessions, of each of two")
