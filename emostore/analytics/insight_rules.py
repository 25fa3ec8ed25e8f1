"""What is said of a distribution and when, as data. `insights` reads the rules from top to bottom.

A condition compares a *figure* with a limit. Figures are shares: the nine scores by name, the sums below, `first` and
`second` (the two highest), `second_of_first` (their ratio), `minor` (the highest of the rest but unknown),
`minor_of_unknown` (its ratio to unknown) and `entropy`. A sentence may quote each of them in per cent, and name
`first_name`, `second_name` and `minor_name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emostore.analytics.alerts import Role
from emostore.analytics.thresholds import Operator
from emostore.i18n import N_

Kind = Literal[
    "dominant",
    "runner_up",
    "double_peak",
    "unknown",
    "uncertain",
    "pattern",
    "hidden",
    "children",
    "alert",
    "suggestion",
]
Severity = Literal["good", "info", "notice", "warning"]
Scenario = Literal["customer_service", "teaching", "business", "general"]
Condition = tuple[str, Operator, float]

SUMS = {
    "rejection": ("angry", "disgusted"),
    "unfit": ("angry", "disgusted", "sad"),
    "encouraging": ("happy", "surprised"),
}
UNFIT_AT_MOST = 0.005  # of angry + disgusted + sad, for a voice that children hear


@dataclass(frozen=True, slots=True)
class InsightRule:
    """Say `message` if every condition holds; of each of the kinds in `ONE_OF` only the first that applies is said.

    No scenarios or roles named means all. `peaks` are the two highest emotions, in either order.
    """

    kind: Kind
    severity: Severity
    when: tuple[Condition, ...]
    message: str
    scenarios: tuple[Scenario, ...] = ()
    roles: tuple[Role, ...] = ()
    peaks: frozenset[str] = frozenset()


ONE_OF: frozenset[Kind] = frozenset({"dominant", "double_peak", "unknown", "uncertain", "children"})

_DOUBLE: tuple[Condition, ...] = (("first", "<=", 0.5), ("second", ">=", 0.15), ("second_of_first", ">=", 0.4))

RULES: tuple[InsightRule, ...] = (
    InsightRule(
        "dominant", "info", (("first", ">", 0.5),), N_("One emotion dominates: {first_name} with {first:.1f} %.")
    ),
    InsightRule(
        "dominant",
        "info",
        (("first", ">", 0.0),),
        N_("No emotion has more than half; {first_name} leads with {first:.1f} %."),
    ),
    InsightRule(
        "runner_up",
        "info",
        (("second", ">=", 0.05),),
        N_("Next comes {second_name} with {second:.1f} %."),
    ),
    InsightRule(
        "double_peak",
        "warning",
        _DOUBLE,
        N_(
            "Anger ({angry:.1f} %) and disgust ({disgusted:.1f} %) form a double peak, the mark of a service complaint."
        ),
        scenarios=("customer_service", "general"),
        peaks=frozenset({"angry", "disgusted"}),
    ),
    InsightRule(
        "double_peak",
        "notice",
        _DOUBLE,
        N_("Two moods, not one: {first_name} ({first:.1f} %) and {second_name} ({second:.1f} %) form a double peak."),
    ),
    InsightRule(
        "unknown",
        "notice",
        (("unknown", ">=", 0.25),),
        N_("With unknown at {unknown:.1f} %, much of the sound is hard to classify; read the other scores with care."),
    ),
    InsightRule(
        "unknown",
        "notice",
        (("unknown", ">=", 0.05), ("minor_of_unknown", "<=", 1 / 3)),
        N_(
            "Unknown ({unknown:.1f} %) stands far above the other minor emotions, of which {minor_name} is the highest "
            "with {minor:.1f} %: part of the sound is hard to classify."
        ),
    ),
    InsightRule(
        "uncertain",
        "notice",
        (("first", ">=", 0.999),),
        N_(
            "The model puts {first_name} at {first:.1f} %, with next to nothing for the rest: "
            "this is a label, hardly a distribution."
        ),
    ),
    InsightRule(
        "uncertain",
        "notice",
        (("first", "<", 0.35),),
        N_("The model is unsure: even {first_name}, the highest, has only {first:.1f} %."),
    ),
    InsightRule(
        "uncertain",
        "notice",
        (("entropy", ">", 0.85),),
        N_("The scores are spread widely: their entropy is {entropy:.0f} %, where 100 % means nine equal scores."),
    ),
    InsightRule(
        "pattern",
        "good",
        (("happy", ">=", 0.5), ("surprised", ">=", 0.1)),
        N_(
            "Happy with surprised ({happy:.1f} + {surprised:.1f} = {encouraging:.1f} %) is the pattern of "
            "encouragement and open questions."
        ),
        scenarios=("teaching", "general"),
    ),
    InsightRule(
        "hidden",
        "good",
        (("happy", ">=", 0.1), ("fearful", "<=", 0.05), ("rejection", "<=", 0.05), ("neutral", ">=", 0.5)),
        N_(
            "Happy ({happy:.1f} %) on neutral ground ({neutral:.1f} %), with fear at only {fearful:.1f} % and "
            "anger + disgust at {rejection:.1f} %, reads as confident, not arrogant."
        ),
        scenarios=("business", "general"),
    ),
    InsightRule(
        "hidden",
        "notice",
        (("sad", ">=", 0.1), ("rejection", ">=", 0.3)),
        N_(
            "Sadness ({sad:.1f} %) beside anger + disgust ({rejection:.1f} %) hints at lost trust, not only at venting."
        ),
        scenarios=("customer_service", "business", "general"),
    ),
    InsightRule(
        "hidden",
        "notice",
        (("neutral", ">=", 0.5), ("fearful", ">=", 0.15)),
        N_("Fear ({fearful:.1f} %) under a neutral tone ({neutral:.1f} %) reads as a calm answer under pressure."),
    ),
    InsightRule(
        "children",
        "good",
        (("unfit", "<=", UNFIT_AT_MOST),),
        N_(
            "Angry + disgusted + sad stay at {unfit_exact} %, at or under {unfit_limit} %: "
            "this voice is fit for children."
        ),
        scenarios=("teaching",),
    ),
    InsightRule(
        "children",
        "warning",
        (("unfit", ">", UNFIT_AT_MOST),),
        N_("Angry + disgusted + sad reach {unfit_exact} %, over {unfit_limit} %: listen to it before children do."),
        scenarios=("teaching",),
    ),
    InsightRule(
        "suggestion",
        "info",
        (("encouraging", ">=", 0.5), ("neutral", ">=", 0.05)),
        N_("Neutral, now at {neutral:.1f} %, could be lowered with a livelier intonation."),
        scenarios=("teaching",),
    ),
    InsightRule(
        "suggestion",
        "info",
        (("neutral", ">=", 0.5), ("encouraging", "<", 0.5)),
        N_(
            "With neutral at {neutral:.1f} % and happy + surprised at {encouraging:.1f} %, praise and open questions "
            "would make the lesson livelier."
        ),
        scenarios=("teaching",),
    ),
    InsightRule(
        "suggestion",
        "info",
        (("neutral", ">=", 0.5), ("fearful", ">=", 0.15)),
        N_(
            "Fear ({fearful:.1f} %) calls for support, not for a verdict: it is this speaker's own voice, shown as "
            "coaching and never ranked."
        ),
        roles=("agent",),
    ),
    InsightRule(
        "suggestion",
        "info",
        (("unknown", ">=", 0.05), ("minor_of_unknown", "<=", 1 / 3)),
        N_("Unknown at {unknown:.1f} % may come from noise, music or several voices at once: listen to the recording."),
    ),
)
