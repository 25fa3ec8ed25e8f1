"""One agent beside the team, above the list of the clips: means, and how they went, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from emostore import access
from emostore.analytics.over_time import Estimate
from emostore.emotions import EMOTIONS
from emostore.services.views import agent_profile
from emostore.services.views.agent_profile import WEEKS_FROM, AgentProfile
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.report_views import SeriesPoint
from emostore.ui import masked, report_buttons, series, urls
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, calibration, duration, emotion, listed, plain, role

if TYPE_CHECKING:
    from emostore.charts import LinePoint

STEPS = ("day", "week")
FIGURES = ("quality", *EMOTIONS)


def show(wanted: HistoryFilter) -> None:
    """The agent that the filters name, over their days and by their model."""
    if wanted.agent is None:
        return
    with st.container(border=True, key="agent_header"):
        found = agent_profile.load(open_store(), wanted, by_week=_step(wanted) == "week")
        if found is None:
            return
        header = found.header
        with st.container(horizontal=True, vertical_alignment="center", key="agent_name"):
            st.subheader(plain(header.agent), anchor=False, width="content")
            if header.team:
                st.badge(plain(header.team), icon=":material/groups:", color="gray")
            if header.demo:
                st.badge(_("invented for the demo"), icon=":material/science:", color="orange")
            report_buttons.for_agent(
                header.agent, from_date=wanted.from_date, to_date=wanted.to_date, model=wanted.model
            )
        if wanted.role == "agent" and not access.can("rank_agents"):
            _not_shown()
        elif header.model is None or not header.series:
            _nothing(found)
        else:
            _figures(found)
            _charts(found)
            _means(found)


def _step(wanted: HistoryFilter) -> str:
    """By day or by week, as the URL says; else as the days ask for."""
    first, last = wanted.from_date, wanted.to_date
    asked = st.query_params.get("by")
    if asked in STEPS:
        return str(asked)
    from emostore.ui.history.history_filters import today

    length = ((last or today()) - first).days + 1 if first else WEEKS_FROM
    return "week" if length >= WEEKS_FROM else "day"


def _not_shown() -> None:
    st.info(
        _(
            "No means are made of agents' own voices: inferring the emotions of employees at work is prohibited in the "
            "EU (AI Act, Article 5(1)(f)). The clips below are for coaching. Take the filter “Voice” away to see "
            "the customers' voices."
        ),
        icon=":material/shield_person:",
    )


def _nothing(found: AgentProfile) -> None:
    """Why there is nothing to average: a role that is not known can be put right."""
    roles = {name: count for name, count in found.header.clips_by_role.items() if count}
    if not roles:
        st.caption(_("No scored clip of this agent is of these days."))
        return
    counted = listed(f"{role(name)} {count:,}" for name, count in roles.items())
    st.caption(
        _(
            "Means are made of customers' and mixed voices, and there is none of these days: {counted}. "
            "Say on a clip's page whose voice it is.",
            counted=counted,
        )
    )


def _figures(found: AgentProfile) -> None:
    header, quality, others = found.header, found.quality, found.others_quality
    if quality:
        st.markdown(_sentence(found, quality))
    with st.grid(min_column_width=150):
        if quality:
            st.metric(
                _("Quality"),
                f"{quality.value:.1f}",
                round(quality.value - others.value, 1) if others else None,
                delta_description=_("beside {value:.1f}", value=others.value) if others else None,
                help=_("From 0 to 100: how positive, calm, engaged and clear a voice is, by the balanced profile."),
                border=True,
                height="stretch",
            )
        st.metric(_("Clips"), f"{header.totals.clips:,}", border=True, height="stretch")
        st.metric(_("Speech"), duration(header.totals.speech_s), border=True, height="stretch")
        st.metric(_("Alerts"), f"{header.totals.alerts:,}", border=True, height="stretch")
    model = header.model
    if model:
        st.caption(
            _(
                "Customers' and mixed voices of these days, scored by {model} ({calibration}, version {version}). "
                "The other filters choose clips of the list only.",
                model=plain(f"{model.name} · {model.revision[:8]}"),
                calibration=calibration(model.calibration),
                version=model.calibration_version,
            )
        )
        masked.note(model.name, model.revision)


def _charts(found: AgentProfile) -> None:
    header = found.header
    if header.model is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="agent_controls"):
        label = {"quality": _("Quality"), **{name: emotion(name) for name in EMOTIONS}}
        produced = [name for name in FIGURES if name == "quality" or name in header.model.classes]
        figure = st.selectbox(
            _("Figure"), produced, format_func=label.__getitem__, width=180, **urls.bound("figure", produced, "quality")
        )
        step = "week" if found.step_days == 7 else "day"
        st.segmented_control(
            _("By"), STEPS, format_func=_step_name, required=True, **urls.bound("by", STEPS, step), width="content"
        )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{label[figure]}**")
        others = _("{who}, mean", who=_team(found, markdown=False))
        named = {header.agent: _line(found, figure, mine=True), others: _line(found, figure, mine=False)}
        kind = "quality" if figure == "quality" else "score"
        series.lines({name: points for name, points in named.items() if points}, kind, label[figure], key="agent_line")
    with right:
        st.markdown("**" + _("Mix of emotions") + "**")
        series.mix(header.series, found.step_days, header.model, key="agent_mix")


def _line(found: AgentProfile, figure: str, *, mine: bool) -> list[LinePoint]:
    from emostore.charts import LinePoint

    points = found.header.series if mine else found.header.others_series
    estimates: Sequence[Estimate | None]
    if figure == "quality":
        estimates = found.qualities if mine else found.others_qualities
    elif mine:
        estimates = [scores.get(figure) for scores in found.score_series]
    else:
        estimates = [_mean(point, figure) for point in points]
    return [
        LinePoint(point.first_day, found.step_days, point.totals.clips, one.value, one.low, one.high)
        for point, one in zip(points, estimates, strict=True)
        if one is not None
    ]


def _mean(point: SeriesPoint, name: str) -> Estimate | None:
    scores = point.totals.mean_scores
    return Estimate(scores[name], None, None) if scores else None


def _means(found: AgentProfile) -> None:
    """The nine means with their intervals, and where the team's lie outside."""
    header = found.header
    others = header.others.mean_scores
    if header.model is None or not found.scores:
        return
    with st.expander(_("The nine means beside {who}", who=_team(found)), icon=":material/table:"):
        rows = [
            {
                _("Emotion"): emotion(name),
                _("Mean"): found.scores[name].value,
                _("from"): found.scores[name].low,
                _("to"): found.scores[name].high,
                _("Team"): others[name] if others else None,
                "": _("apart") if found.apart(name) else "",
            }
            for name in EMOTIONS
            if name in header.model.classes
        ]
        percent = st.column_config.NumberColumn(format="percent")
        st.dataframe(
            rows,
            hide_index=True,
            column_config={_("Mean"): percent, _("from"): percent, _("to"): percent, _("Team"): percent},
            alt=_("The nine mean scores of this agent and of the team"),
            key="agent_means",
        )
        st.caption(
            _(
                "Every clip counts the same. Intervals hold the true mean in 95 of 100 cases; sessions vary, so they "
                "come from sessions. “Apart”: the team's mean lies outside the agent's interval."
            )
        )


def _team(found: AgentProfile, *, markdown: bool = True) -> str:
    team = found.header.team
    if team is None:
        return _("everybody")
    return _("team {team}", team=plain(team) if markdown else team)


def _sentence(found: AgentProfile, quality: Estimate) -> str:
    """How good the calls were, how sure that is, and what the team's were."""
    if quality.low is None or quality.high is None:
        said = _("The mean quality is {value:.1f}; how sure that is, too few sessions tell.", value=quality.value)
    else:
        said = _(
            "The mean quality is {value:.1f}, in 95 of 100 cases truly between {low:.1f} and {high:.1f}.",
            value=quality.value,
            low=quality.low,
            high=quality.high,
        )
    others = found.others_quality
    if others is None:
        return said
    return said + " " + _("That of {who} is {value:.1f}.", who=_team(found), value=others.value)


def _step_name(step: str) -> str:
    return {"day": _("Day"), "week": _("Week")}[step]
