"""The stages between logits and scores: as data, on made-up truth, and on real speech."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import calibration as trials
from benchmarks.calibration import Heard, said
from emostore.analytics.calibration import RAW, Calibration, Head, Priors, Scaling, alignment, apply, priors, scaling
from emostore.analytics.calibration.applying import softmax
from emostore.analytics.calibration.fitting import LEAST_LABELS, Clips, Labelled, Options, fit
from emostore.analytics.calibration.stages import MOST_DOMAINS
from emostore.analytics.reliability import difference, figures, losses
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError, SettingsError
from emostore.training.model import REAL
from tests.audio_samples import real_audio

Floats = NDArray[np.float64]
SIX = np.array(REAL)
EVEN = (1 / 9,) * 9


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_head(dim: int = 5, seed: int = 0) -> Head:
    bias = random(seed + 1).standard_normal(9).astype(np.float32)
    bias[7] = -np.inf
    return Head(random(seed).standard_normal((9, dim)).astype(np.float32), bias)


def whole() -> Calibration:
    """Every stage, with nothing that changes nothing."""
    target = np.arange(1.0, 10) / 45
    together = tuple(tuple(row) for row in (0.5 * np.eye(9) + 0.5 / 9).tolist())
    shares = Priors(EVEN, tuple(target.tolist()), 0.2, together)
    return Calibration({"phone": some_head()}, Scaling((0.5, *(0.25,) * 8), (0.0,) * 8 + (1.5,)), shares)


# As data


def test_raw_scores_are_bit_for_bit_what_is_stored_without_calibration() -> None:
    logits = (random().standard_normal((500, 9)) * 9).astype(np.float32)
    logits[::3, [5, 7]] = -np.inf
    wanted = [EmotionScores.from_logits(row).vector for row in logits.tolist()]
    assert apply(RAW, logits).tobytes() == np.array(wanted).tobytes()


@pytest.mark.parametrize(
    "calibration",
    [
        RAW,
        whole(),
        Calibration(scaling=Scaling.of_temperature(3.7)),
        Calibration({"room": some_head(), "phone": some_head(5, 9)}),
    ],
)
def test_parameters_survive_json_exactly(calibration: Calibration) -> None:
    text = json.dumps(calibration.as_data(), allow_nan=False)
    assert Calibration.from_data(json.loads(text)) == calibration


def changed(path: str, value: Any) -> dict[str, Any]:
    data = json.loads(json.dumps(whole().as_data()))
    place = data
    *way, last = path.split(".")
    for name in way:
        place = place[name]
    place[last] = value
    return dict(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("heads", []),
        ("heads", {f"d{i}": None for i in range(MOST_DOMAINS + 1)}),
        ("heads", {"x" * 21: whole().as_data()["heads"]["phone"]}),
        ("heads.phone", None),
        ("heads.phone.dim", 10**9),
        ("heads.phone.dim", 4),
        ("heads.phone.bias", "!" * 48),
        ("heads.phone.weight", "A" * 10**6),
        ("heads.phone.bias", "AADAfwAAwH8AAMB/AADAfwAAwH8AAMB/AADAfwAAwH8AAMB/"),  # NaN
        ("heads.phone.bias", "AACA/wAAgP8AAID/AACA/wAAgP8AAID/AACA/wAAgP8AAID/"),  # −inf, all of them
        ("heads.phone.more", 1),
        ("scaling", 3),
        ("scaling.factors", [0.0] * 9),
        ("scaling.factors", [1.0] * 8),
        ("scaling.factors", [float("nan")] * 9),
        ("scaling.biases", [1e6] * 9),
        ("priors.source", [0.2] * 9),
        ("priors.target", [0.0] * 8 + [1.0]),
        ("priors.weight", 1.5),
        ("priors.together", None),
        ("priors.together", [[1.0] * 9] * 9),
        ("stranger", 1),
    ],
)
def test_what_is_no_calibration_is_refused(path: str, value: Any) -> None:
    with pytest.raises(SettingsError):
        Calibration.from_data(changed(path, value))


@pytest.mark.parametrize("data", [None, [], "raw", 3])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(SettingsError):
        Calibration.from_data(data)


def test_a_head_cannot_be_changed_and_reads_its_size() -> None:
    head = some_head()
    with pytest.raises(ValueError, match="read-only"):
        head.weight[0, 0] = 1
    with pytest.raises(ScoresError, match="5 numbers"):
        apply(Calibration({"phone": head}), np.zeros((2, 9)), np.zeros((2, 6)), ["phone", None])


# What they make of logits


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.floats(0.01, 60))
def test_scores_sum_to_one_and_what_is_impossible_is_exactly_zero(seed: int, silent: int, spread: float) -> None:
    rng = random(seed)
    logits = (rng.standard_normal((20, 9)) * spread).astype(np.float32)
    masked = rng.choice(9, silent, replace=False)
    logits[:, masked] = -np.inf
    vectors = rng.standard_normal((20, 5)).astype(np.float16)
    scores = apply(whole(), logits, vectors, ["phone", None] * 10)
    assert (scores[:, masked] == 0).all()
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)


def test_one_clip_scores_as_among_many() -> None:
    logits, vectors = random().standard_normal((40, 9)), random(1).standard_normal((40, 5))
    together = apply(whole(), logits, vectors, ["phone"] * 40)
    for i in (0, 17, 39):
        alone = apply(whole(), logits[i : i + 1], vectors[i : i + 1], ["phone"])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-12)


def test_a_temperature_divides_the_logits() -> None:
    logits = random().standard_normal((10, 9))
    found = apply(Calibration(scaling=Scaling.of_temperature(4)), logits)
    np.testing.assert_allclose(found, softmax(logits / 4), rtol=1e-12)
    assert Scaling.of_temperature(4).temperature == pytest.approx(4)
    assert whole().scaling is not None
    assert whole().scaling.temperature is None  # type: ignore[union-attr]


def test_a_domain_with_a_head_is_read_from_embeddings_and_others_are_not() -> None:
    logits, vectors = random().standard_normal((4, 9)), random(1).standard_normal((4, 5))
    vectors[2] = np.nan  # none was stored
    found = apply(Calibration({"phone": some_head()}), logits, vectors, ["phone", "room", "phone", None])
    np.testing.assert_allclose(found[0], softmax(some_head().logits(vectors[:1]))[0], rtol=1e-12)
    np.testing.assert_allclose(found[1:], softmax(logits[1:]), rtol=1e-12)


def test_logits_that_say_nothing_are_refused() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ScoresError):
            apply(whole(), np.full((1, 9), value))
    with pytest.raises(ScoresError):
        apply(RAW, np.full((1, 9), -np.inf))
    assert apply(whole(), np.zeros((0, 9))).shape == (0, 9)


# Fitting, with the truth known


def honest(n: int, shares: Floats, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Posteriors' logarithms where emotions are as frequent as `shares`, and the truth: perfectly calibrated."""
    rng = random(seed)
    y = rng.choice(9, n, p=shares)
    x = 1.3 * np.eye(9)[y] + rng.standard_normal((n, 9))
    return 1.3 * x + np.log(shares), y


def test_the_temperature_found_is_the_one_that_was_put_in() -> None:
    logits, y = honest(6000, np.array(EVEN))
    for spoiled in (0.25, 1, 8):
        found = scaling.fit(logits * spoiled, y).temperature
        assert found == pytest.approx(spoiled, rel=0.06)


def test_biases_and_factors_are_found_where_they_are() -> None:
    logits, y = honest(8000, np.array(EVEN))
    wrong = logits.copy()
    wrong[:, 3] += 2.0
    wrong[:, 6] *= 3.0
    losses_of = {kind: scaling.loss(softmax(scaling.fit(wrong, y, kind).apply(wrong)), y) for kind in scaling.KINDS}
    right = scaling.loss(softmax(logits), y)
    assert losses_of["vector"] == pytest.approx(right, abs=0.01)
    assert losses_of["temperature"] > losses_of["biased"] + 0.02 > losses_of["vector"] + 0.02
    biases = scaling.fit(logits + 2.0 * np.eye(9)[3], y, "biased").biases
    assert biases[3] - np.mean(np.delete(biases, 3)) == pytest.approx(-2.0, abs=0.2)


def test_a_class_without_labels_or_without_logits_keeps_its_place() -> None:
    logits, y = honest(400, np.array([0.5, 0.5, 0, 0, 0, 0, 0, 0, 0]) * 0.98 + 0.02 / 9)
    logits[:, 8] = -np.inf
    keep = y < 2
    found = scaling.fit(logits[keep], y[keep], "vector")
    assert found.biases[8] == 0
    assert all(np.isfinite(found.factors))


def test_shares_of_a_corpus_are_found_without_its_labels() -> None:
    source = np.array([0.3, 0.05, 0.05, 0.1, 0.2, 0.05, 0.1, 0.1, 0.05])
    target = source[::-1].copy()
    rng = random(3)
    y = rng.choice(9, 8000, p=target)
    logits = 1.3 * (1.3 * np.eye(9)[y] + rng.standard_normal((8000, 9))) + np.log(source)  # learnt where source holds
    found = priors.of_corpus(softmax(logits), tuple(source))
    np.testing.assert_allclose(found, target, atol=0.03)
    fused = Priors(tuple(source), found).apply(softmax(logits))
    assert scaling.loss(fused, y) < scaling.loss(softmax(logits), y) - 0.05


def test_together_is_what_occurs_together() -> None:
    scores = np.zeros((2, 9))
    scores[0, [0, 7]] = 0.6, 0.4
    scores[1, 4] = 1
    table = np.array(priors.together(scores))
    np.testing.assert_allclose(table[0, [0, 7]], [0.6, 0.4])
    np.testing.assert_allclose(table[7, [0, 7]], [0.6, 0.4])
    np.testing.assert_allclose(table[[3, 4], [3, 4]], 1)
    np.testing.assert_allclose(table.sum(axis=1), 1)


def test_the_matrix_weighs_only_as_much_as_labels_say() -> None:
    rng = random(5)
    y = rng.choice(9, 3000)
    scores = np.full((3000, 9), 0.01)
    said_instead = np.where(rng.random(3000) < 0.3, (y + 1) % 9, y)  # and nothing of it in the scores
    scores[np.arange(3000), said_instead] = 0.92
    table = tuple(tuple(row) for row in (0.7 * np.eye(9) + 0.3 * np.roll(np.eye(9), -1, axis=1)).tolist())
    assert priors.best_weight(scores, y, Priors(EVEN, EVEN, 0.0, table)) >= 0.1
    logits, truth = honest(3000, np.array(EVEN))
    blur = tuple(tuple(row) for row in np.full((9, 9), 1 / 9).tolist())
    assert priors.best_weight(softmax(logits), truth, Priors(EVEN, EVEN, 0.0, blur)) <= 0.02


def test_alignment_undoes_what_a_line_does_to_embeddings() -> None:
    """Diagonal changes by the variance, mixing ones by CORAL."""
    rng = random(7)
    head = some_head(6)
    reference, heard = rng.standard_normal((2, 4000, 6)) @ rng.standard_normal((6, 6))
    scale, shift = rng.uniform(0.3, 3, 6), rng.standard_normal(6) * 2
    wanted = softmax(head.logits(heard))
    through = heard * scale + shift
    found = softmax(alignment.aligned_head(head, through, reference, "variance").logits(through))
    assert np.abs(found - wanted).mean() < 0.01 < np.abs(softmax(head.logits(through)) - wanted).mean()
    unmixed = rng.standard_normal((2, 4000, 6))
    mixing = rng.standard_normal((6, 6))
    line = unmixed[1] @ (mixing @ mixing.T + 0.2 * np.eye(6))
    wanted = softmax(head.logits(unmixed[1]))
    errors = {
        kind: np.abs(softmax(alignment.aligned_head(head, line, unmixed[0], kind).logits(line)) - wanted).mean()
        for kind in alignment.ALIGNMENTS
    }
    assert errors["coral"] < 0.02 < errors["variance"] / 2


def test_too_few_clips_align_nothing() -> None:
    with pytest.raises(SettingsError, match="19"):
        alignment.aligned_head(some_head(), np.zeros((19, 5)), np.zeros((100, 5)))


def test_too_few_labels_and_impossible_wishes_are_refused() -> None:
    logits, y = honest(LEAST_LABELS - 1, np.array(EVEN))
    few = Labelled(Clips(logits), y, y)
    with pytest.raises(SettingsError, match="too few"):
        fit(few, few.clips, Options())
    logits, y = honest(LEAST_LABELS, np.array(EVEN))
    enough = Labelled(Clips(logits), y, y)
    with pytest.raises(SettingsError, match="same emotion"):
        fit(Labelled(Clips(logits), np.zeros_like(y), y), enough.clips, Options())
    with pytest.raises(SettingsError, match="head"):
        fit(enough, enough.clips, Options("best", "room"))
    with pytest.raises(SettingsError):
        Options("coral")
    with pytest.raises(SettingsError):
        Options(together=True)
    with pytest.raises(SettingsError):
        Options(scaling="platt")  # type: ignore[arg-type]


# Real speech: the baseline, trained without the speaker it hears


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard(real_audio() / "emodb")


def test_a_model_eight_times_too_sure_is_brought_back(heard: Heard) -> None:
    """Calibration error out of fold: from above 0.15 to under 0.07."""
    trial = trials.too_sure(heard)
    before, after = figures(trial.before, trial.truth), figures(trial.after, trial.truth)
    assert before.ece > 0.155
    assert after.ece < 0.06
    assert after.ece_mass < 0.07
    assert after.nll < 0.6 * before.nll
    assert after.wa == before.wa  # one temperature changes no ranking
    assert trial.calibration is not None
    assert trial.calibration.scaling is not None
    assert 5 < (trial.calibration.scaling.temperature or 0) < 12


def test_other_shares_of_emotions_are_allowed_for(heard: Heard) -> None:
    """Cheerful and matter-of-fact calls, after labels of every emotion: more are right, and likelier."""
    trial = trials.other_shares(heard)
    before, after, truth = trial.before, trial.after, trial.truth
    nll, _, high = difference(losses(before, truth), losses(after, truth), trial.groups)
    wa, low, _ = difference(before.argmax(1) == truth, after.argmax(1) == truth, trial.groups)
    assert nll < -0.15
    assert high < -0.05
    assert wa > 0.06
    assert low > 0.02
    # What is rare is heard less often: the price, which the figures tell.
    assert figures(after, truth).uar < figures(before, truth).uar


def test_a_phone_line_is_brought_nearer_to_the_studio(heard: Heard) -> None:
    """Without a label of any call, every speaker left out of training."""
    trial = trials.phone_line(heard)
    before, after = figures(trial.before, trial.truth), figures(trial.after, trial.truth)
    change, _, high = difference(losses(trial.before, trial.truth), losses(trial.after, trial.truth), trial.groups)
    assert change < -0.05
    assert high < -0.01
    assert after.uar > before.uar + 0.02


def test_the_alignment_that_wins_on_held_out_labels_is_taken(heard: Heard) -> None:
    """245 dimensions and 230 clips of each domain: more than mean and variance is not known well enough."""
    mine = heard.speaker % 2 == 1
    weights = heard.trained(~mine)
    parts = [said(weights, vectors[mine]) for vectors in (heard.clean, heard.phone)]
    logits, embeddings = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    clips = Clips(logits, embeddings, ["studio"] * int(mine.sum()) + ["phone"] * int(mine.sum()))
    labels, speakers = (np.tile(values[mine], 2) for values in (heard.label, heard.speaker))
    sample, head = Labelled(clips, labels, speakers), Head(weights.head_weight, weights.head_bias)
    best = fit(sample, clips, Options("best", "studio"), head)
    losses_of = {
        kind: scaling.loss(fit(sample, clips, Options(kind, "studio" if kind != "none" else None), head).after, labels)
        for kind in ("none", *alignment.ALIGNMENTS)
    }
    assert best.alignment == min(losses_of, key=lambda kind: losses_of[kind])
    assert losses_of[best.alignment] < losses_of["none"] - 0.01
    assert set(best.calibration.heads) == {"phone"}
    assert Calibration.from_data(json.loads(json.dumps(best.calibration.as_data()))) == best.calibration


def test_a_head_learnt_over_the_phone_hears_more_there(heard: Heard) -> None:
    """Five speakers that the model has not heard, each by a head that has not heard them either."""
    trial = trials.own_head(heard)
    before, after = figures(trial.before, trial.truth), figures(trial.after, trial.truth)
    assert after.uar > before.uar + 0.06
    assert after.wa > before.wa + 0.06
    assert after.nll < before.nll - 0.08
    assert trial.calibration is not None
    assert trial.calibration.masked == ("other", "surprised", "unknown")
    assert (trial.after[:, [EMOTIONS.index(name) for name in trial.calibration.masked]] == 0).all()
