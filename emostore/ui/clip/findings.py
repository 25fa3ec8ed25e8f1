"""What an expert would read in a distribution, the quality that comes of it, and the alerts that were raised."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

import streamlit as st

from emostore.analytics.alerts import DEFAULT_RULES, AlertRule, Role
from emostore.analytics.insight_rules import Scenario
from emostore.analytics.insights import insights
from emostore.analytics.quality import BALANCED, ScoringProfile, service_quality_score
from emostore.emotions import EMOTIONS
from emostore.i18n import clock
from emostore.services import alerting
from emostore.services.views import watching
from emostore.store.reports import alert_reports, reports
from emostore.store.reports.report_views import AlertView
from emostore.ui import groups, links, masked
from emostore.ui.alerts import alert_rules, alerts
from emostore.ui.bootstrap import open_store
from emostore.ui.settings.scoring import label
from emostore.ui.text import _, explain, plain

SHOWN_ALERTS = 3  # of a clip, before the rest is left to the Alerts page

_ICONS = {
    "good": ":green[:material/check_circle:]",
    "info": ":gray[:material/circle:]",
    "notice": ":orange[:material/error:]",
    "warning": ":red[:material/warning:]",
}
_COLORS = {"low": "gray", "medium": "orange", "high": "red"}


def is_scored(view: reports.ClipView) -> bool:
    """Whether a clip has a service quality: an employee's voice is shown for coaching, never scored."""
    return view.role != "agent" and view.newest is not None and view.newest.scores is not None


def of_clip(view: reports.ClipView, moment: Callable[[AlertView, str], None], profile: ScoringProfile | None) -> None:
    """The quality by the profile, the findings and the alerts of a clip's newest analysis, if it has scores.

    `moment` draws the link to where an alert was raised, with a label.
    """
    analysis = view.newest
    if analysis is None or analysis.scores is None:
        return
    if profile is not None and is_scored(view):
        _quality(analysis.scores, profile)
    raised = [each for each in alert_reports.of_clip(open_store(), view.clip_id) if each.state != "false_alarm"]
    of_scores(
        analysis.scores,
        scenario=cast(Scenario | None, view.scenario),
        role=cast(Role, view.role),
        speech_s=view.speech_s,
        classes=masked.given(analysis.model, analysis.revision),
        rules=[each.rule for each in alerting.active_rules(open_store())],
        profile=None,
        without=("alert",) if raised else (),
    )
    _sums(analysis)
    for alert in sorted(raised, key=lambda each: each.start_s or 0.0)[:SHOWN_ALERTS]:
        _alert(alert, moment)
    if len(raised) > SHOWN_ALERTS:
        st.page_link(
            links.ALERTS_PAGE,
            label=_("{count} more alerts", count=len(raised) - SHOWN_ALERTS),
            icon=":material/notifications:",
            query_params={"state": "all", "days": "all"},
        )


def of_scores(
    scores: Mapping[str, float],
    *,
    scenario: Scenario | None,
    role: Role = "unknown",
    speech_s: float | None = None,
    classes: Collection[str] = EMOTIONS,
    rules: Sequence[AlertRule] = DEFAULT_RULES,
    profile: ScoringProfile | None = BALANCED,
    without: Collection[str] = (),
) -> None:
    """Sentences with their numbers, but those of the kinds in `without`; the quality by the profile last."""
    spoken_s = math.inf if speech_s is None else speech_s
    found = insights(scores, scenario=scenario, role=role, speech_s=spoken_s, classes=classes, alert_rules=rules)
    lines = [f"{_ICONS[each.severity]} {plain(explain(each.sentence))}" for each in found if each.kind not in without]
    if profile is not None and role != "agent":
        value = service_quality_score(scores, profile)
        said = _("Service quality {quality:.1f}. {range}", quality=value, range=explain(profile.landmarks()))
        lines.append(f":gray[:material/star:] {plain(said)}")
    st.markdown("  \n".join(lines))


def _quality(scores: Mapping[str, float], profile: ScoringProfile) -> None:
    value = service_quality_score(scores, profile)
    st.metric(
        _("Service quality ({profile})", profile=label(profile)),
        f"{value:.1f}",
        help=plain(explain(profile.landmarks())),
    )


def _sums(analysis: reports.AnalysisView) -> None:
    """One quiet line of what the label groups sum to."""
    if analysis.scores is None:
        return
    known = groups.known().values()
    found = groups.sums(analysis.scores, analysis.missing, known)
    among = "; ".join(f"{groups.label(each)}: {groups.summed(each.emotions)}" for each in known)
    st.caption(
        # Isolated, so that a name written from right to left does not take the number along.
        " · ".join(f"\u2068{plain(name)}\u2069 {100 * value:.1f}\u00a0%" for name, value in found.items()),
        help=plain(_("Sums of label groups. {groups}", groups=among)),
    )


def _alert(alert: AlertView, moment: Callable[[AlertView, str], None]) -> None:
    """What was found, what became of it, and the way to its sound."""
    said = watching.sentence(alert)
    found = plain(explain(said)) if said else plain(f"{alert.rule}: {alert.value:.3f} / {alert.threshold:.3f}")
    color = _COLORS[alert.severity]
    with st.container(border=True, gap="small", key=f"raised_{alert.alert_id}"):
        st.markdown(f":{color}[:material/notifications:] **{plain(alert_rules.severity(alert.severity))}** · {found}")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(alerts.state_name(alert.state), width="content")
            if alert.start_s is not None:
                moment(alert, _("At {time}", time=clock(alert.start_s)))
