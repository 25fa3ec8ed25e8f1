"""Rules that call for a person: a sum of scores against a threshold, in a clip or in a stretch of its windows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from emostore.analytics.given import nine
from emostore.analytics.groups import as_sum
from emostore.analytics.saved import Saved, check_choice, check_choices, check_name, check_number, shown
from emostore.analytics.thresholds import OPERATORS, Operator, holds, limit_percent, percent, rows_hold, total
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import SettingsError
from emostore.i18n import N_, Sentence

if TYPE_CHECKING:  # it brings scipy.stats along, which pages with alerts do not need
    from emostore.analytics.trajectory import Trajectory

Severity = Literal["low", "medium", "high"]
Role = Literal["agent", "customer", "mixed", "unknown"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
ROLES: tuple[Role, ...] = get_args(Role)
# Alerts are seen by others than the speaker, and inferring the emotions of employees is not for them.
NOT_AGENTS: tuple[Role, ...] = ("customer", "mixed", "unknown")
MAX_SECONDS = 86_400.0

_FOUND = {
    ">": N_("{rule}: {what} at {value} %, which is over {threshold} %."),
    ">=": N_("{rule}: {what} at {value} %, which is at or over {threshold} %."),
    "<": N_("{rule}: {what} at {value} %, which is under {threshold} %."),
    "<=": N_("{rule}: {what} at {value} %, which is at or under {threshold} %."),
}


@dataclass(frozen=True, slots=True)
class AlertRule(Saved):
    """Raise an alert if the sum of some `emotions` stands in the relation `operator` to `threshold`.

    `roles` are the voices that it holds for; none named means every voice. A clip with less than `min_speech_s` of
    speech raises none. With `sustained_s` the sum is not that of the clip, which dilutes a short outburst: it must
    hold in every window for that long. Raises `SettingsError` for a rule that cannot be.
    """

    name: str
    emotions: tuple[str, ...]
    operator: Operator
    threshold: float
    severity: Severity = "high"
    roles: tuple[Role, ...] = NOT_AGENTS
    min_speech_s: float = 0.0
    sustained_s: float | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        emotions = check_choices("emotions", self.emotions, EMOTIONS)
        if not 0 < len(emotions) < len(EMOTIONS):
            raise SettingsError("The rule names {found} emotions; it needs one to eight of them.", found=len(emotions))
        check_choice("operator", self.operator, OPERATORS)
        check_choice("severity", self.severity, SEVERITIES)
        threshold = check_number("threshold", self.threshold, 0, 1)
        if threshold in (0, 1):
            raise SettingsError(
                "The threshold is {found}; it must lie between 0 and 1, where a rule can hold and can fail.",
                found=shown(self.threshold),
            )
        object.__setattr__(self, "threshold", threshold)
        object.__setattr__(self, "emotions", emotions)
        object.__setattr__(self, "roles", check_choices("roles", self.roles, ROLES))
        object.__setattr__(self, "min_speech_s", check_number("min_speech_s", self.min_speech_s, 0, MAX_SECONDS))
        if self.sustained_s is not None:
            object.__setattr__(self, "sustained_s", check_number("sustained_s", self.sustained_s, 0.1, MAX_SECONDS))

    @property
    def what(self) -> Sentence:
        """The emotions as a sum: angry + disgusted, in the reader's language."""
        return as_sum(self.emotions)


DEFAULT_RULES = (AlertRule(N_("Anger and disgust"), ("angry", "disgusted"), ">", 0.60),)
_OWN_NAMES = frozenset(rule.name for rule in DEFAULT_RULES)


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule found: the sum of the clip's scores, or its mean over the windows from `start_s` to `end_s`."""

    rule: AlertRule
    value: float
    start_s: float | None = None
    end_s: float | None = None

    @property
    def sentence(self) -> Sentence:
        """The rule, its values and its moment in words."""
        found = Sentence(
            _FOUND[self.rule.operator],
            {
                # A name of our own is translated; a user's is shown as it was written.
                "rule": Sentence(self.rule.name) if self.rule.name in _OWN_NAMES else self.rule.name,
                "what": self.rule.what,
                "value": percent(self.value, self.rule.threshold),
                "threshold": limit_percent(self.rule.threshold),
            },
        )
        if self.start_s is None:
            return found
        return Sentence(
            N_("{found} That is the mean of the windows from {start_s:.1f} s to {end_s:.1f} s."),
            {"found": found, "start_s": self.start_s, "end_s": self.end_s},
        )


def evaluate(
    rule: AlertRule,
    scores: Mapping[str, float],
    *,
    role: Role = "unknown",
    speech_s: float | None = None,
    windows: Trajectory | None = None,
    classes: Collection[str] = EMOTIONS,
) -> Alert | None:
    """The alert that a rule raises for a clip, or None; of several stretches the longest, of equal ones the first."""
    found = findings(rule, scores, role=role, speech_s=speech_s, windows=windows, classes=classes)
    return max(found, key=_length, default=None)


def findings(
    rule: AlertRule,
    scores: Mapping[str, float],
    *,
    role: Role = "unknown",
    speech_s: float | None = None,
    windows: Trajectory | None = None,
    classes: Collection[str] = EMOTIONS,
) -> tuple[Alert, ...]:
    """Every alert that a rule raises for a clip, in order of time: at most one without `sustained_s`.

    Scores are compared as given and exactly, so that 0.6 is not over 0.6. `classes` are those the model can produce;
    where the rule is blind (see `blind`), nothing is found. A rule with `sustained_s` looks at `windows` alone: a
    stretch is found where the rule holds in neighbouring scored windows, as many as there are hops in that time
    (rounded up); a window without speech ends it. It goes from where its first window takes over from the one before
    to where the next would take over from its last (`Trajectory.boundary_s`). Speech of unknown length (None) is
    taken for none. Raises `ScoresError` if the scores are no distribution.
    """
    values = nine(scores)
    if is_blind(rule, classes) or (rule.roles and role not in rule.roles) or (speech_s or 0.0) < rule.min_speech_s:
        return ()
    columns = [EMOTIONS.index(name) for name in rule.emotions]
    if rule.sustained_s is None:
        chosen = [values[column] for column in columns]
        return (Alert(rule, float(total(chosen))),) if holds(chosen, rule.operator, rule.threshold) else ()
    if windows is None or not len(windows):
        return ()
    rows = windows.scores[:, columns]
    flags = np.zeros(len(windows), bool)
    flags[windows.rows] = rows_hold(rows[windows.rows], rule.operator, rule.threshold)
    need = int(np.ceil(rule.sustained_s / windows.hop_s - 1e-9))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]))).reshape(-1, 2)
    return tuple(
        Alert(rule, float(rows[first:end].sum(axis=1).mean()), windows.boundary_s(first), windows.boundary_s(end))
        for first, end in edges.tolist()
        if end - first >= need
    )


def blind(rule: AlertRule, classes: Collection[str]) -> Sentence | None:
    """What to say if the model cannot produce an emotion that the rule adds up; None if it can produce all.

    A rule that asks for *much* of several emotions still works with some of them, and finds less; one that asks for
    *little* would be true of silence about them, so it is not applied.
    """
    missing = [name for name in rule.emotions if name not in classes]
    if not missing:
        return None
    params = {"missing": tuple(BY_NAME[name] for name in missing)}
    if is_blind(rule, classes):
        return Sentence(N_("This rule is blind here: the model cannot produce {missing}."), params)
    return Sentence(N_("This rule finds less here: the model cannot produce {missing}."), params)


def is_blind(rule: AlertRule, classes: Collection[str]) -> bool:
    """Whether a rule finds nothing with a model that gives these classes alone (see `blind`)."""
    produced = [name in classes for name in rule.emotions]
    return not (all(produced) if rule.operator in ("<", "<=") else any(produced))


def _length(alert: Alert) -> float:
    return 0.0 if alert.start_s is None or alert.end_s is None else alert.end_s - alert.start_s
