"""Label groups: what they may be, what they sum to, and what profiles make of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.analytics import groups
from emostore.analytics.groups import BUILT_IN, LabelGroup
from emostore.analytics.quality import BALANCED, PUBLISHED, ScoringProfile, service_quality_score
from emostore.analytics.reference import CASES
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError, SettingsError
from emostore.i18n import explain

distributions = (
    st.lists(st.floats(0, 1), min_size=9, max_size=9)
    .filter(lambda values: sum(values) > 0.1)
    .map(lambda values: EmotionScores.from_raw([value / sum(values) for value in values]))
)
some_emotions = st.lists(st.sampled_from(EMOTIONS), min_size=1, max_size=8, unique=True)


@pytest.mark.parametrize(
    ("case", "positive", "negative", "frustration"),
    [
        ("Business talk", 0.171, 0.034, 0.013),
        ("Customer complaint", 0.025, 0.784, 0.604),
        ("Teaching voice", 0.906, 0.008, 0.003),
    ],
)
def test_groups_of_the_reference_cases_sum_to_what_is_written(
    case: str, positive: float, negative: float, frustration: float
) -> None:
    asked = (*BUILT_IN, LabelGroup("frustration", ("angry", "disgusted")))
    assert [group.score(CASES[case]) for group in asked] == [positive, negative, frustration]


def test_the_groups_that_come_with_the_program_are_those_of_the_quality_formula() -> None:
    positive, negative = BUILT_IN
    assert (positive.name, positive.emotions) == ("positive", BALANCED.positive_emotions)
    assert (negative.name, negative.emotions) == ("negative", BALANCED.negative_emotions)
    assert set(positive.emotions) == {"happy", "surprised"}
    assert set(negative.emotions) == {"angry", "disgusted", "sad", "fearful"}
    assert groups.built_in("negative") == negative
    assert groups.built_in("Negative") is None


@given(some_emotions, distributions)
def test_a_group_and_what_is_not_in_it_sum_to_one(names: list[str], scores: EmotionScores) -> None:
    group = LabelGroup("some", tuple(names))
    rest = LabelGroup("rest", tuple(set(EMOTIONS) - set(names)))
    assert group.score(scores) == pytest.approx(math.fsum(scores[name] for name in names), abs=1e-12)
    assert group.score(scores) + rest.score(scores) == pytest.approx(1, abs=1e-6)
    assert 0 <= group.score(scores) <= 1


@given(st.permutations(EMOTIONS), st.integers(1, 8))
def test_the_order_in_which_emotions_are_named_says_nothing(names: list[str], count: int) -> None:
    group = LabelGroup("some", tuple(names[:count]))
    assert group == LabelGroup("some", tuple(sorted(names[:count])))
    assert groups.same(names[:count], [*BUILT_IN, group]) in (group, *BUILT_IN)
    assert groups.same(names[: count + 1] if count < 8 else names[:1], [group]) is None
    assert LabelGroup.from_json(group.to_json()) == group
    assert explain(groups.as_sum(group.emotions), "en").split(" + ") == list(group.emotions)


def test_rounded_scores_do_not_sum_to_more_than_one() -> None:
    assert LabelGroup("some", ("happy", "sad")).score({"happy": 0.5, "sad": 0.504}) == 1
    assert LabelGroup("some", ("angry",)).score({"happy": 1.0}) == 0
    with pytest.raises(ScoresError):
        LabelGroup("some", ("happy",)).score({"tired": 0.1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emotions": []}, "emotions names 0 emotions; it needs one to eight"),
        ({"emotions": list(EMOTIONS)}, "emotions names 9 emotions"),
        ({"emotions": ["angry", "angry"]}, "names one of them twice"),
        ({"emotions": ["tired"]}, "emotions is 'tired'; it must be one of angry"),
        ({"emotions": "angry"}, "emotions is 'angry'; it must be a list"),
        ({"name": ""}, "1 to 80 visible characters"),
        ({"name": "a\u202eb"}, "visible characters"),
        ({"version": 0}, "version is 0"),
        ({"version": 1.5}, "whole number"),
        ({"colour": "red"}, "'colour' is not one of the fields name, emotions, version"),
    ],
)
def test_a_group_that_cannot_be_is_refused_with_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LabelGroup.from_data({"name": "some", "emotions": ["angry"], **change})


# What profiles make of them


@given(distributions, st.permutations(EMOTIONS), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_a_profile_with_parts_of_its_own_is_the_formula_with_these_parts(
    scores: EmotionScores, names: list[str], first: int, second: int, published: bool
) -> None:
    positive, negative = set(names[:first]), set(names[first : first + second])
    profile = ScoringProfile(
        "mine",
        kind="published" if published else "balanced",
        positive_emotions=tuple(positive),
        negative_emotions=tuple(negative),
    )

    def part(which: set[str]) -> float:
        return sum(scores[name] for name in which)

    calm = 1 - 0.3 * part(negative) if published else 0.3 * (1 - part(negative))
    engagement, clarity = part({*positive, "neutral"}), 1 - part({"unknown", "other"})
    expected = 100 * (0.4 * part(positive) + calm + 0.2 * engagement + 0.1 * clarity)
    assert service_quality_score(scores, profile) == pytest.approx(expected, abs=1e-7)
    intercept, slopes = profile.coefficients()
    assert intercept + slopes @ np.array(scores.vector) == pytest.approx(expected, abs=1e-7)
    if not published:
        assert -1e-9 <= intercept + slopes.min() <= intercept + slopes.max() <= 100 + 1e-9


def test_a_profile_from_before_there_were_groups_has_the_usual_parts() -> None:
    before = {"name": "ours", "version": 3, "positive": 0.4, "calm": 0.3, "engagement": 0.2, "clarity": 0.1}
    profile = ScoringProfile.from_data(before | {"kind": "balanced"})
    assert profile.usual_parts
    assert service_quality_score(CASES["Customer complaint"], profile) == 18.69


def test_sums_of_the_usual_parts_say_nothing_of_others() -> None:
    other = ScoringProfile("mine", positive_emotions=("happy",))
    assert not other.usual_parts
    with pytest.raises(ValueError, match="other parts than the usual ones"):
        other.part_coefficients()
    assert PUBLISHED.usual_parts


def test_the_landmarks_of_other_parts_name_every_emotion() -> None:
    said = ScoringProfile("mine", positive_emotions=("happy",), negative_emotions=("angry", "disgusted")).landmarks()
    assert explain(said, "en") == (
        "10: all angry, disgusted; 30: all other, unknown; 40: all fearful, sad, surprised; 60: all neutral; "
        "100: all happy."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive_emotions": []}, "positive_emotions names 0 emotions"),
        ({"negative_emotions": ["tired"]}, "negative_emotions is 'tired'"),
        ({"positive_emotions": ["happy", "sad", "angry"]}, r"angry \+ sad counts as positive and as negative at once"),
    ],
)
def test_parts_that_cannot_be_are_refused_with_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ScoringProfile.from_data({"name": "mine", **change})
