"""The service quality score: the published figures, and what a profile may be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.analytics.quality import BALANCED, BUILT_IN, PUBLISHED, ScoringProfile, service_quality_score
from emostore.analytics.reference import CASES
from emostore.analytics.saved import MAX_BYTES
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError, SettingsError
from emostore.i18n import explain


def balanced(s: dict[str, float]) -> float:
    """The formula as it is written."""
    positive = s["happy"] + s["surprised"]
    negative = s["angry"] + s["disgusted"] + s["sad"] + s["fearful"]
    engagement, clarity = positive + s["neutral"], 1 - s["unknown"] - s["other"]
    return 100 * (0.4 * positive + 0.3 * (1 - negative) + 0.2 * engagement + 0.1 * clarity)


def published(s: dict[str, float]) -> float:
    positive = s["happy"] + s["surprised"]
    negative = s["angry"] + s["disgusted"] + s["sad"] + s["fearful"]
    engagement, clarity = positive + s["neutral"], 1 - s["unknown"] - s["other"]
    first = min(100, 40 * positive) + max(0, 100 - 30 * negative)
    return first + min(100, 20 * engagement) + min(100, 10 * clarity)


weights = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda w: sum(w) > 0.1)
distributions = (
    st.lists(st.floats(0, 1), min_size=9, max_size=9)
    .filter(lambda values: sum(values) > 0.1)
    .map(lambda values: EmotionScores.from_raw([value / sum(values) for value in values]))
)
profiles = st.builds(
    lambda w, kind: ScoringProfile("mine", 1, *(x / sum(w) for x in w), kind=kind),
    weights,
    st.sampled_from(["balanced", "published"]),
)


@pytest.mark.parametrize(
    ("case", "expected", "unbounded"),
    [("Business talk", 61.52, 131.52), ("Customer complaint", 18.69, 88.69), ("Teaching voice", 94.95, 164.95)],
)
def test_the_reference_cases_score_as_published(case: str, expected: float, unbounded: float) -> None:
    assert service_quality_score(CASES[case]) == expected
    assert service_quality_score(CASES[case], PUBLISHED) == unbounded


@pytest.mark.parametrize(
    ("emotion", "expected", "unbounded"),
    [("sad", 10, 80), ("unknown", 30, 100), ("neutral", 60, 130), ("happy", 100, 170)],
)
def test_the_range_is_what_the_page_says(emotion: str, expected: float, unbounded: float) -> None:
    assert service_quality_score({emotion: 1.0}) == expected
    assert service_quality_score({emotion: 1.0}, PUBLISHED) == unbounded
    assert f"{expected}: all {emotion if emotion != 'sad' else 'negative'}" in explain(BALANCED.landmarks(), "en")
    assert f"{unbounded}: all" in explain(PUBLISHED.landmarks(), "en")


@given(distributions)
def test_it_is_the_formula_as_written(scores: EmotionScores) -> None:
    assert service_quality_score(scores) == pytest.approx(balanced(dict(scores)), abs=1e-9)
    assert service_quality_score(scores, PUBLISHED) == pytest.approx(published(dict(scores)), abs=1e-9)


@given(profiles, distributions)
def test_a_bounded_profile_never_leaves_0_to_100(profile: ScoringProfile, scores: EmotionScores) -> None:
    if profile.kind == "balanced":
        assert 0 <= service_quality_score(scores, profile) <= 100


@given(profiles, st.lists(distributions, min_size=1, max_size=8))
def test_the_mean_quality_is_the_quality_of_the_mean_scores(
    profile: ScoringProfile, clips: list[EmotionScores]
) -> None:
    mean = np.mean([clip.vector for clip in clips], axis=0)
    expected = np.mean([service_quality_score(clip, profile) for clip in clips])
    intercept, slopes = profile.coefficients()
    assert slopes.shape == (9,)
    assert intercept + slopes @ mean == pytest.approx(expected, abs=1e-7)
    parts = [1.0, mean[3] + mean[7], mean[[0, 1, 2, 6]].sum(), mean[4]]
    assert profile.part_coefficients() @ parts == pytest.approx(expected, abs=1e-4)  # as far as the nine sum to 1


@given(distributions, st.sampled_from(["angry", "disgusted", "sad", "fearful"]), st.floats(0, 1))
def test_more_of_a_negative_emotion_never_scores_higher(scores: EmotionScores, name: str, share: float) -> None:
    mixed = {each: (1 - share) * value + share * (each == name) for each, value in scores.items()}
    assert service_quality_score(mixed) <= service_quality_score(scores) + 1e-9


def test_an_absent_name_counts_as_0_and_nothing_is_renormalised() -> None:
    assert service_quality_score({"happy": 0.5}) == pytest.approx(100 * (0.2 + 0.3 + 0.1 + 0.1))


def test_scores_rounded_up_do_not_pass_100() -> None:
    assert service_quality_score({"happy": 1.0, "surprised": 0.004}) == 100


@pytest.mark.parametrize(
    "scores", [{"tired": 0.1}, {"happy": 1.2}, {"happy": -0.1}, {"happy": float("nan")}, {"happy": 0.7, "sad": 0.7}]
)
def test_what_is_no_distribution_is_refused(scores: dict[str, float]) -> None:
    with pytest.raises(ScoresError):
        service_quality_score(scores)


# Profiles as data


@given(profiles)
def test_a_profile_survives_json(profile: ScoringProfile) -> None:
    assert ScoringProfile.from_json(profile.to_json()) == profile
    assert ScoringProfile.from_data(profile.as_data()) == profile


def test_the_built_in_profiles_differ_in_name_and_kind_alone() -> None:
    assert [(each.name, each.kind, each.version) for each in BUILT_IN] == [
        ("balanced", "balanced", 1),
        ("published (unbounded)", "published", 1),
    ]
    assert PUBLISHED.weights == BALANCED.weights == {"positive": 0.4, "calm": 0.3, "engagement": 0.2, "clarity": 0.1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive": 0.5}, "sum to 1.1; they must sum to 1"),
        ({"positive": 0.4 + 3e-9}, "must sum to 1"),
        ({"positive": 1.3, "calm": -0.6}, "positive is 1.3; it must be a number from 0 to 1"),
        ({"positive": "0.4"}, "positive is '0.4'"),
        ({"positive": True}, "positive is True"),
        ({"positive": None}, "positive is None"),
        ({"version": 0}, "version is 0"),
        ({"version": 1.0}, "whole number"),
        ({"kind": "median"}, "balanced, published"),
        ({"kind": ["balanced"]}, "balanced, published"),
        ({"name": ""}, "1 to 80 visible characters"),
        ({"name": "a\nb"}, "visible characters"),
        ({"name": " a"}, "without spaces around"),
        ({"name": 7}, "7 is no name"),
        ({"name": "x" * 81}, "visible characters"),
        ({"colour": "red"}, "'colour' is not one of the fields name, version"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_with_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")) as caught:
        ScoringProfile.from_data(BALANCED.as_data() | change)
    assert len(str(caught.value)) < 300


def test_weights_may_miss_1_by_rounding() -> None:
    assert ScoringProfile("thirds", 1, 1 / 3, 1 / 3, 1 / 3, 0.0).calm == 1 / 3
    assert ScoringProfile("near", 1, 0.4 + 5e-10, 0.3, 0.2, 0.1).positive == 0.4 + 5e-10


def test_a_name_is_all_that_a_profile_needs() -> None:
    assert ScoringProfile.from_data({"name": "mine"}) == ScoringProfile("mine")
    with pytest.raises(SettingsError, match="name is missing"):
        ScoringProfile.from_data({"version": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        ("[" * 5000, "not JSON"),
        ('{"version": ' + "9" * 6000 + "}", "not JSON"),
        ('{"name": "a", "positive": NaN}', "positive is nan"),
        ('{"name": "a", "positive": 1e999}', "positive is inf"),
        ("[1]", "an object with the fields name"),
        ('"' + "x" * MAX_BYTES + '"', f"at most {MAX_BYTES}"),
        (("é" * (MAX_BYTES // 2)) + "x", f"at most {MAX_BYTES}"),
    ],
)
def test_text_that_is_no_profile_is_refused_with_a_sentence(text: str | bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ScoringProfile.from_json(text)


def test_a_profile_is_kept_as_plain_json() -> None:
    assert json.loads(BALANCED.to_json()) == {
        "name": "balanced",
        "version": 1,
        "positive": 0.4,
        "calm": 0.3,
        "engagement": 0.2,
        "clarity": 0.1,
        "kind": "balanced",
        "positive_emotions": ["happy", "surprised"],
        "negative_emotions": ["angry", "disgusted", "fearful", "sad"],
    }


def test_the_order_of_slopes_is_that_of_the_emotions() -> None:
    intercept, slopes = BALANCED.coefficients()
    assert intercept == pytest.approx(40)
    assert dict(zip(EMOTIONS, slopes.round(9).tolist(), strict=True)) == {
        "angry": -30,
        "disgusted": -30,
        "fearful": -30,
        "happy": 60,
        "neutral": 20,
        "other": -10,
        "sad": -30,
        "surprised": 60,
        "unknown": -10,
    }
