"""What a distribution says, as sentences."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from emostore.analytics.alerts import DEFAULT_RULES, Alert, AlertRule, Role, evaluate
from emostore.analytics.given import nine
from emostore.analytics.insight_rules import ONE_OF, RULES, SUMS, UNFIT_AT_MOST, InsightRule, Kind, Scenario, Severity
from emostore.analytics.thresholds import holds, limit_percent, percent, total
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.i18n import N_, Sentence

DOMINANT_ABOVE = 0.5  # one emotion outweighs all the others together
CLOSE_WITHIN = 0.1  # two scores this near each other do not tell a first from a second

_RAISED = {
    "low": N_("A low-priority alert is raised. {found}"),
    "medium": N_("A medium-priority alert is raised. {found}"),
    "high": N_("A high-priority alert is raised. {found}"),
}
_ALERT_SEVERITY: Mapping[str, Severity] = {"low": "info", "medium": "notice", "high": "warning"}


@dataclass(frozen=True, slots=True)
class Insight:
    """One finding: which kind it is, what it says with its numbers, and how much it matters."""

    kind: Kind
    sentence: Sentence
    severity: Severity


def headline(scores: Mapping[str, float]) -> Sentence:
    """One sentence that opens a clip's page; it quotes the two highest scores as given."""
    first, second = sorted(EMOTIONS, key=lambda name: -scores.get(name, 0.0))[:2]
    high, low = scores.get(first, 0.0), scores.get(second, 0.0)
    params = {"first": BY_NAME[first], "high": 100 * high, "second": BY_NAME[second], "low": 100 * low}
    if high > DOMINANT_ABOVE:
        message = N_("This voice sounds mostly {first} ({high:.1f} %); {second} comes next with {low:.1f} %.")
    elif high - low < CLOSE_WITHIN:
        message = N_("This voice is mixed: {first} ({high:.1f} %) and {second} ({low:.1f} %) are close together.")
    else:
        message = N_("This voice sounds {first} ({high:.1f} %) more than {second} ({low:.1f} %), but not mostly so.")
    return Sentence(message, params)


def insights(
    scores: Mapping[str, float],
    *,
    scenario: Scenario | None = None,
    role: Role = "unknown",
    speech_s: float = math.inf,
    classes: Collection[str] = EMOTIONS,
    alert_rules: Sequence[AlertRule] = DEFAULT_RULES,
) -> tuple[Insight, ...]:
    """What an expert reads in a distribution, in the order of the rules; every sentence quotes its numbers.

    Scores are taken as given, an absent name counting as 0. No scenario is read as "general". `classes` are those the
    model can produce: what rests on a low score is not said of an emotion that the model never scores. Alert
    rules for stretches of windows are left out: a distribution has no moments. Raises `ScoresError`.
    """
    values = dict(zip(EMOTIONS, nine(scores), strict=True))
    if not any(values.values()):
        return ()
    reading = _Reading(values)
    found: list[Insight] = []
    for rule in RULES:
        told = {insight.kind for insight in found} & ONE_OF
        if rule.kind not in told and _applies(rule, reading, scenario or "general", role, classes):
            found.append(Insight(rule.kind, reading.sentence(rule.message), rule.severity))
    if scenario == "teaching" and not any(insight.kind == "children" for insight in found):
        found.append(_undecided(reading, classes))
    for alert_rule in alert_rules:
        alert = evaluate(alert_rule, values, role=role, speech_s=speech_s, classes=classes)
        found.extend(_raised(alert, scenario) if alert else ())
    return tuple(found)


class _Reading:
    """The figures of a distribution: each as the values that it is the sum of, so that limits are met exactly."""

    def __init__(self, scores: Mapping[str, float]) -> None:
        first, second, *rest = sorted(EMOTIONS, key=lambda name: -scores[name])  # stable: ties keep the order
        minor = next(name for name in rest if name != "unknown")
        self.top = frozenset((first, second))
        self._names = {"first_name": first, "second_name": second, "minor_name": minor}
        whole = math.fsum(scores.values())
        shares = [value / whole for value in scores.values() if value > 0]
        self.parts: dict[str, tuple[float, ...]] = {
            **{name: (value,) for name, value in scores.items()},
            **{name: tuple(scores[part] for part in parts) for name, parts in SUMS.items()},
            "first": (scores[first],),
            "second": (scores[second],),
            "minor": (scores[minor],),
            "second_of_first": (_ratio(scores[second], scores[first]),),
            # In the first two, unknown is no minor emotion.
            "minor_of_unknown": (1.0 if "unknown" in self.top else _ratio(scores[minor], scores["unknown"]),),
            "entropy": (-math.fsum(p * math.log(p) for p in shares) / math.log(len(EMOTIONS)),),
        }

    def sentence(self, message: str, **more: Any) -> Sentence:
        """The message with the fields that it names: figures, and what more there is."""
        names = dict.fromkeys(name for _, name, _, _ in Formatter().parse(message) if name)
        return Sentence(message, {name: more[name] if name in more else self._field(name) for name in names})

    def _field(self, name: str) -> Any:
        if name in self._names:
            return BY_NAME[self._names[name]]
        if name == "unfit_limit":
            return limit_percent(UNFIT_AT_MOST)
        if name == "unfit_exact":
            return percent(total(self.parts["unfit"]), UNFIT_AT_MOST)
        return float(100 * total(self.parts[name]))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 1.0


def _applies(rule: InsightRule, reading: _Reading, scenario: Scenario, role: Role, classes: Collection[str]) -> bool:
    if (rule.scenarios and scenario not in rule.scenarios) or (rule.roles and role not in rule.roles):
        return False
    if rule.peaks and rule.peaks != reading.top:
        return False
    return all(
        holds(reading.parts[figure], compare, limit)
        and (compare in (">", ">=") or set(SUMS.get(figure, (figure,))) & set(EMOTIONS) <= set(classes))
        for figure, compare, limit in rule.when
    )


def _undecided(reading: _Reading, classes: Collection[str]) -> Insight:
    """What is said of children if an emotion that must be low is one that the model never scores."""
    missing = tuple(BY_NAME[name] for name in SUMS["unfit"] if name not in classes)
    sentence = reading.sentence(
        N_(
            "Angry + disgusted + sad stay at {unfit_exact} %, but the model cannot produce {missing}: "
            "whether this voice is fit for children stays open."
        ),
        missing=missing,
    )
    return Insight("children", sentence, "notice")


def _raised(alert: Alert, scenario: Scenario | None) -> Iterator[Insight]:
    """The alert, and what to do about one that is urgent."""
    rule = alert.rule
    yield Insight("alert", Sentence(_RAISED[rule.severity], {"found": alert.sentence}), _ALERT_SEVERITY[rule.severity])
    if rule.severity == "high":
        if scenario == "customer_service":
            message = N_("With {what} at {value} %, the call should go to a senior agent.")
        else:
            message = N_("With {what} at {value} %, somebody should listen to it and follow up.")
        params = {"what": rule.what, "value": percent(alert.value, rule.threshold)}
        yield Insight("suggestion", Sentence(message, params), "warning")
