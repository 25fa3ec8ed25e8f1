"""What an expert would read in a distribution, and the quality that comes of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import cast

import streamlit as st

from emostore.analytics.alerts import DEFAULT_RULES, AlertRule, Role
from emostore.analytics.insight_rules import Scenario
from emostore.analytics.insights import insights
from emostore.analytics.quality import BALANCED, service_quality_score
from emostore.emotions import EMOTIONS
from emostore.services import alerting
from emostore.store import reports
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, explain, plain

_ICONS = {
    "good": ":green[:material/check_circle:]",
    "info": ":gray[:material/circle:]",
    "notice": ":orange[:material/error:]",
    "warning": ":red[:material/warning:]",
}


def of_clip(view: reports.ClipView) -> None:
    """The findings of a clip's newest analysis, if it has scores."""
    analysis = view.newest
    if analysis is None or analysis.scores is None:
        return
    given = [name for name in EMOTIONS if name not in analysis.missing]
    of_scores(
        analysis.scores,
        scenario=cast(Scenario | None, view.scenario),
        role=cast(Role, view.role),
        speech_s=view.speech_s,
        classes=given,
        rules=[each.rule for each in alerting.active_rules(open_store())],
    )


def of_scores(
    scores: Mapping[str, float],
    *,
    scenario: Scenario | None,
    role: Role = "unknown",
    speech_s: float | None = None,
    classes: Collection[str] = EMOTIONS,
    rules: Sequence[AlertRule] = DEFAULT_RULES,
) -> None:
    """Sentences with their numbers, the service quality last."""
    spoken_s = math.inf if speech_s is None else speech_s
    found = insights(scores, scenario=scenario, role=role, speech_s=spoken_s, classes=classes, alert_rules=rules)
    lines = [f"{_ICONS[each.severity]} {plain(explain(each.sentence))}" for each in found]
    if role != "agent":  # a voice of an employee is shown for coaching, never scored
        quality = service_quality_score(scores, BALANCED)
        said = _("Service quality {quality:.1f}. {range}", quality=quality, range=explain(BALANCED.landmarks()))
        lines.append(f":gray[:material/star:] {plain(said)}")
    st.markdown("  \n".join(lines))
