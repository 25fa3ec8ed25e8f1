"""What the app says of a distribution: everything that an expert reads in the reference cases, with its numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.messages.catalog import PYTHON_FORMAT
from babel.messages.extract import extract_from_dir
from hypothesis import given
from hypothesis import strategies as st

from emostore.analytics import alerts, insight_rules
from emostore.analytics.alerts import AlertRule
from emostore.analytics.insight_rules import ONE_OF, RULES
from emostore.analytics.insights import headline, insights
from emostore.analytics.reference import CASES, SCENARIOS
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.errors import ScoresError
from emostore.i18n import explain
from emostore.store.writing import records

FOLDER = Path(insight_rules.__file__).parent


def told(scores: Any, **options: Any) -> dict[str, list[str]]:
    """The sentences by kind."""
    found: dict[str, list[str]] = {}
    for insight in insights(scores, **options):
        found.setdefault(insight.kind, []).append(explain(insight.sentence, "en"))
    return found


def test_business_neutral_dominates_unknown_stands_out_and_it_is_confident() -> None:
    assert told(CASES["Business talk"], scenario="business") == {
        "dominant": ["One emotion dominates: neutral with 67.4 %."],
        "runner_up": ["Next comes happy with 15.3 %."],
        "unknown": [
            "Unknown (9.9 %) stands far above the other minor emotions, of which other is the highest with 2.1 %: "
            "part of the sound is hard to classify."
        ],
        "hidden": [
            "Happy (15.3 %) on neutral ground (67.4 %), with fear at only 1.2 % and anger + disgust at 1.3 %, reads as "
            "confident, not arrogant."
        ],
        "suggestion": [
            "Unknown at 9.9 % may come from noise, music or several voices at once: listen to the recording."
        ],
    }


def test_complaint_a_double_peak_lost_trust_and_an_alert_for_a_senior_agent() -> None:
    assert told(CASES["Customer complaint"], scenario="customer_service", role="customer") == {
        "dominant": ["No emotion has more than half; angry leads with 42.1 %."],
        "runner_up": ["Next comes disgusted with 18.3 %."],
        "double_peak": ["Anger (42.1 %) and disgust (18.3 %) form a double peak, the mark of a service complaint."],
        "hidden": ["Sadness (12.4 %) beside anger + disgust (60.4 %) hints at lost trust, not only at venting."],
        "alert": [
            "A high-priority alert is raised. Anger and disgust: angry + disgusted at 60.4 %, which is over 60 %."
        ],
        "suggestion": ["With angry + disgusted at 60.4 %, the call should go to a senior agent."],
    }


def test_teaching_encouragement_fit_for_children_and_room_for_a_livelier_voice() -> None:
    assert told(CASES["Teaching voice"], scenario="teaching") == {
        "dominant": ["One emotion dominates: happy with 72.4 %."],
        "runner_up": ["Next comes surprised with 18.2 %."],
        "pattern": ["Happy with surprised (72.4 + 18.2 = 90.6 %) is the pattern of encouragement and open questions."],
        "children": ["Angry + disgusted + sad stay at 0.5 %, at or under 0.5 %: this voice is fit for children."],
        "suggestion": ["Neutral, now at 5.6 %, could be lowered with a livelier intonation."],
    }


def test_each_case_has_its_scenario() -> None:
    assert list(SCENARIOS) == list(CASES)
    assert set(SCENARIOS.values()) <= set(get_args(insight_rules.Scenario))


def test_a_calm_answer_under_pressure_is_coaching_for_the_agent() -> None:
    scores = {"neutral": 0.62, "fearful": 0.23, "happy": 0.08, "sad": 0.07}
    pressure = "Fear (23.0 %) under a neutral tone (62.0 %) reads as a calm answer under pressure."
    found = told(scores, role="agent", scenario="customer_service")
    assert found["hidden"] == [pressure]
    assert "shown as coaching and never ranked" in found["suggestion"][0]
    assert told(scores, role="customer", scenario="customer_service")["hidden"] == [pressure]
    assert "suggestion" not in told(scores, role="customer", scenario="customer_service")


def test_nobody_is_alerted_to_the_voice_of_an_agent() -> None:
    assert "alert" not in told(CASES["Customer complaint"], role="agent")


@pytest.mark.parametrize(
    ("unfit", "said"),
    [
        ((0.0, 0.0, 0.0), "stay at 0.0 %"),
        ((0.002, 0.002, 0.001), "stay at 0.5 %"),
        ((0.002, 0.002, 0.0011), "reach 0.51 %, over 0.5 %"),
        ((0.002, 0.002, 0.00100001), "reach 0.500001 %, over 0.5 %"),
        ((0.1, 0.0, 0.0), "reach 10.0 %"),
    ],
)
def test_fitness_for_children_is_exact(unfit: tuple[float, ...], said: str) -> None:
    scores = dict(zip(("angry", "disgusted", "sad"), unfit, strict=True)) | {"happy": 0.8}
    (sentence,) = told(scores, scenario="teaching")["children"]
    assert said in sentence
    assert "children" not in told(scores, scenario="business")


def test_a_model_that_cannot_hear_sadness_does_not_call_a_voice_fit() -> None:
    classes = tuple(name for name in EMOTIONS if name not in ("sad", "disgusted"))
    (sentence,) = told({"happy": 0.9, "neutral": 0.1}, scenario="teaching", classes=classes)["children"]
    assert "stay at 0.0 %, but the model cannot produce disgusted, sad" in sentence
    (over,) = told({"angry": 0.9, "neutral": 0.1}, scenario="teaching", classes=classes)["children"]
    assert "reach 90.0 %" in over  # what it does hear is enough


def test_low_fear_of_a_model_without_fear_is_no_confidence() -> None:
    scores = CASES["Business talk"]
    assert "hidden" in told(scores)
    assert "hidden" not in told(scores, classes=tuple(name for name in EMOTIONS if name != "fearful"))


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"happy": 0.9995, "sad": 0.0005}, "this is a label"),
        (
            {"happy": 0.34, "sad": 0.33, "neutral": 0.33},
            "The model is unsure: even happy, the highest, has only 34.0 %.",
        ),
        (dict.fromkeys(EMOTIONS[1:], 0.0799) | {"angry": 0.3608}, "their entropy is 9"),
    ],
)
def test_what_is_uncertain_is_called_so(scores: dict[str, float], said: str) -> None:
    assert said in told(scores)["uncertain"][0]
    assert "uncertain" not in told(CASES["Customer complaint"])


def test_entropy_is_that_of_the_distribution() -> None:
    scores = dict.fromkeys(EMOTIONS[1:], 0.0799) | {"angry": 0.3608}
    expected = EmotionScores.from_raw(scores).entropy
    assert f"entropy is {100 * expected:.0f} %" in told(scores)["uncertain"][0]


def test_other_pairs_are_two_moods() -> None:
    (said,) = told({"sad": 0.45, "neutral": 0.4, "happy": 0.15})["double_peak"]
    assert said == "Two moods, not one: sad (45.0 %) and neutral (40.0 %) form a double peak."
    assert "double_peak" not in told({"sad": 0.45, "neutral": 0.14, "happy": 0.13})
    (lesson,) = told(CASES["Customer complaint"], scenario="teaching")["double_peak"]
    assert lesson.startswith("Two moods, not one: angry")


def test_much_unknown_warns_of_all_the_other_scores() -> None:
    assert told({"unknown": 0.6, "happy": 0.4})["unknown"] == [
        "With unknown at 60.0 %, much of the sound is hard to classify; read the other scores with care."
    ]
    assert "unknown" not in told({"neutral": 0.6, "happy": 0.2, "unknown": 0.08, "sad": 0.07})


def test_a_dull_lesson_gets_a_suggestion() -> None:
    assert told({"neutral": 0.9, "happy": 0.1}, scenario="teaching")["suggestion"] == [
        "With neutral at 90.0 % and happy + surprised at 10.0 %, praise and open questions would make the lesson "
        "livelier."
    ]


@pytest.mark.parametrize(("severity", "shown"), [("low", "info"), ("medium", "notice"), ("high", "warning")])
def test_alerts_of_other_rules_are_told_with_their_priority(severity: Any, shown: str) -> None:
    rule = AlertRule("Sorrow", ("sad",), ">=", 0.3, severity, min_speech_s=2.0)
    found = [i for i in insights({"sad": 0.9}, alert_rules=[rule]) if i.kind == "alert"]
    assert [(i.severity, explain(i.sentence, "en")) for i in found] == [
        (shown, f"A {severity}-priority alert is raised. Sorrow: sad at 90.0 %, which is at or over 30 %.")
    ]
    urgent = "With sad at 90.0 %, somebody should listen to it and follow up."
    assert (urgent in told({"sad": 0.9}, alert_rules=[rule]).get("suggestion", [])) is (severity == "high")
    assert "alert" not in told({"sad": 0.9}, alert_rules=[rule], speech_s=1.0)


def test_nothing_is_said_of_nothing() -> None:
    assert insights({}) == ()


def test_scores_that_are_no_distribution_are_refused() -> None:
    with pytest.raises(ScoresError):
        insights({"happy": 2.0})


@given(
    st.lists(st.floats(0, 1), min_size=9, max_size=9).filter(lambda values: sum(values) > 0.1),
    st.sampled_from([None, *get_args(insight_rules.Scenario)]),
    st.sampled_from(alerts.ROLES),
    st.sets(st.sampled_from(EMOTIONS)),
)
def test_every_sentence_can_be_said_and_quotes_a_number(
    values: list[float], scenario: Any, role: Any, missing: Any
) -> None:
    scores = dict(zip(EMOTIONS, values, strict=True))
    for name in missing:
        scores[name] = 0.0
    total = math.fsum(scores.values())
    if not total:
        return
    found = insights(
        {name: value / total for name, value in scores.items()},
        scenario=scenario,
        role=role,
        classes=[name for name in EMOTIONS if name not in missing],
    )
    kinds = [insight.kind for insight in found]
    assert "dominant" in kinds
    assert all(kinds.count(kind) <= 1 for kind in ONE_OF)
    assert all(re.search(r"\d+(\.\d+)? %", explain(insight.sentence, "en")) for insight in found)


def test_every_rule_can_be_reached() -> None:
    """A rule is dead if the rules above it, or its own conditions, leave it no distribution."""
    seen: set[str] = set()
    grid = [
        *CASES.values(),
        {"unknown": 0.6, "happy": 0.4},
        {"happy": 1.0},
        {"sad": 0.3, "happy": 0.3, "neutral": 0.3, "other": 0.1},
        dict.fromkeys(EMOTIONS[1:], 0.0799) | {"angry": 0.3608},
        {"sad": 0.45, "neutral": 0.4, "happy": 0.15},
        {"neutral": 0.62, "fearful": 0.23, "happy": 0.15},
        {"neutral": 0.9, "sad": 0.1},
    ]
    for scores in grid:
        for scenario in get_args(insight_rules.Scenario):
            seen |= {insight.sentence.message for insight in insights(scores, scenario=scenario, role="agent")}
    assert {rule.message for rule in RULES} <= seen


def test_no_template_looks_like_a_percent_format() -> None:
    """Gettext's tools take "% of" for an octal number and then refuse translations without it."""
    keywords = dict.fromkeys(("N_", "ScoresError", "SettingsError"))
    templates = [message for _, _, message, _, _ in extract_from_dir(FOLDER, keywords=keywords)]
    assert {rule.message for rule in RULES} <= set(templates)
    assert [template for template in templates if PYTHON_FORMAT.search(str(template))] == []


def test_the_words_of_rules_are_those_of_the_store() -> None:
    assert get_args(records.Scenario) == get_args(insight_rules.Scenario)


# The headline


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (CASES["Business talk"], "This voice sounds mostly neutral (67.4 %); happy comes next with 15.3 %."),
        (
            CASES["Customer complaint"],
            "This voice sounds angry (42.1 %) more than disgusted (18.3 %), but not mostly so.",
        ),
        ({"sad": 0.4, "happy": 0.35}, "This voice is mixed: sad (40.0 %) and happy (35.0 %) are close together."),
    ],
)
def test_the_headline_quotes_the_two_highest(scores: Any, said: str) -> None:
    assert explain(headline(scores), "en") == said
