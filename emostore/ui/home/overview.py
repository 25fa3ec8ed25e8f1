"""The pieces of the Home page: how things stand, each with a link to the clips behind it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from emostore import access
from emostore.analytics.over_time import Change
from emostore.errors import EmostoreError
from emostore.services.invented import demo
from emostore.services.views import standing, watching
from emostore.services.views.standing import Standing
from emostore.store.reports import alert_reports, reports
from emostore.store.reports.alert_reports import AlertFilter
from emostore.store.reports.report_views import Mover
from emostore.store.rollups import rollup_build
from emostore.ui import heard, links, masked, series
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.history.history_filters import today
from emostore.ui.text import _, duration, explain, plain, when
from emostore.ui.upload import jobs

NEWEST = 6
ALERTS_SHOWN = 5
DEMO_SIZE = demo.DemoSize(clips=4_000, agents=24, days=120)  # a few seconds, and enough for every page
_MOVED_DAYS = 55  # before the last day: four weeks and the four before


def anything() -> bool:
    """Whether a clip is stored."""
    return bool(reports.latest_clips(open_store(), 1).rows)


def under_way() -> None:
    """A line about work that is not finished, and one about reports that are not complete yet."""
    jobs.badge()
    if rollup_build.status(open_store()).stale(in_force().time_zone):
        st.caption(_("Daily totals are being made again; until then the figures here are not complete."))


def load() -> Standing:
    """How things stand, in the reporting time zone."""
    return standing.load(open_store(), in_force().time_zone)


def figures(found: Standing) -> None:
    """Today against the four weeks before, and what waits."""
    if found.model is None:
        return
    if not found.is_today:
        st.caption(_("Nothing is of the last four weeks. These are the four weeks to {day}.", day=str(found.today)))
    now = next((point.totals for point in found.volume if point.first_day == found.today), None)
    with st.grid(min_column_width=190):
        st.metric(
            _("Clips today") if found.is_today else _("Clips on that day"),
            f"{now.clips if now else 0:,}",
            round((now.clips if now else 0) - found.usual_clips),
            delta_color="off",
            delta_description=_("usual: {count}", count=f"{found.usual_clips:,.0f}"),
            border=True,
            height="stretch",
        )
        _quality(found)
        st.metric(
            _("Speech"),
            duration(now.speech_s if now else 0.0),
            help=_("What was heard in the clips of the day."),
            border=True,
            height="stretch",
        )
        waiting = sum(found.open_alerts.values())
        urgent = found.open_alerts.get("high", 0)
        st.metric(
            _("Open alerts"),
            f"{waiting:,}",
            f"{urgent:,}" if urgent else None,
            delta_color="off",
            delta_arrow="off",
            delta_description=_("of high priority"),
            border=True,
            height="stretch",
        )
    day = str(found.today)
    with st.container(horizontal=True):
        label = _("The clips of today") if found.is_today else _("The clips of that day")
        _history(label, ":material/today:", {"first": day, "last": day})
        st.page_link(links.ALERTS_PAGE, label=_("All open alerts"), icon=":material/notifications:")


def mix(found: Standing) -> None:
    """The mix of emotions day by day."""
    with st.container(border=True, key="home_mix"):
        st.subheader(_("How voices sounded"), anchor=False)
        if found.model is None or not found.days:
            st.caption(_("No scored voices of these days but agents' own, of which no reports are made."))
            return
        st.caption(
            _(
                "All voices but agents' own, scored by {model}.",
                model=plain(f"{found.model.name} · {found.model.revision[:8]}"),
            )
        )
        masked.note(found.model.name, found.model.revision)
        series.mix(found.days, 1, found.model, key="mix")
        _history(
            _("The clips of these days"),
            ":material/history:",
            {"first": str(found.first), "last": str(found.today)},
        )


def alerts() -> None:
    """The newest alerts that nobody has taken up."""
    with st.container(border=True, key="home_alerts"):
        st.subheader(_("Open alerts"), anchor=False)
        page = alert_reports.queue(open_store(), AlertFilter(state="open"), ALERTS_SHOWN)
        if not page.rows:
            st.caption(_("None. Clips that a rule finds appear here."))
            return
        for view in page.rows:
            said = watching.sentence(view)
            links.clip(view.clip_id, label=plain(view.agent or view.file_name))
            doubt = f" · {_('uncertain')}" if heard.doubtful(view.confidence) else ""
            st.caption(f"{when(view.happened_at)} · {plain(explain(said) if said else view.rule)}{doubt}")
        count = f"{page.count:,}+" if page.more else f"{page.count:,}"
        st.page_link(
            links.ALERTS_PAGE, label=_("All open alerts: {count}", count=count), icon=":material/notifications:"
        )


def movers(found: Standing) -> None:
    """Agents whose customers sound surely different from before."""
    with st.container(border=True, key="home_movers"):
        st.subheader(_("Biggest movers"), anchor=False)
        if not found.movers:
            st.caption(_("Nobody's quality has surely changed in four weeks."))
            return
        for mover, change in found.movers:
            _mover(found, mover, change)
        st.caption(
            _(
                "Quality of customers' and mixed voices, the last four weeks beside the four before. A change of few "
                "sessions is drawn toward the mean change; only those are listed whose interval (95 %) leaves out 0."
            )
        )


def newest() -> None:
    """Links to the newest clips."""
    with st.container(border=True, key="home_newest"):
        st.subheader(_("The newest clips"), anchor=False)
        for row in reports.latest_clips(open_store(), NEWEST).rows:
            label = f"{plain(row.file_name)} · {heard.named(row.scores)} · {when(row.happened_at)}"
            links.clip(row.clip_id, label=label)
        st.page_link(links.HISTORY_PAGE, label=_("All clips"), icon=":material/history:")


def first_steps() -> None:
    """What to do when nothing is there."""
    st.write(
        _(
            "Every voice in a recording gets a distribution over nine emotions, not one label. "
            "Begin with a recording of your own, or look at the examples below."
        )
    )
    jobs.badge()
    with st.container(horizontal=True):
        st.page_link(links.UPLOAD_PAGE, label=_("Drop files"), icon=":material/upload_file:")
        st.page_link(
            links.UPLOAD_PAGE,
            label=_("Record your voice"),
            icon=":material/mic:",
            query_params={"source": "microphone"},
        )
    if access.can("analyse"):
        _offer_demo()


def invented(found: Standing) -> None:
    """A word on calls that are invented, and the way to be rid of them."""
    if found.model is None or found.model.name != demo.MODEL.name:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="invented"):
        st.warning(_("What you see is invented: a demo call centre. No score comes from a voice."), width="stretch")
        if access.can("delete") and st.button(
            _("Remove the demo"), icon=":material/delete:", key="remove_demo", width="content"
        ):
            with st.spinner(_("Removing what was invented …"), show_time=True):
                demo.remove(open_store())
            st.rerun()


def _offer_demo() -> None:
    with st.container(border=True, key="demo"):
        st.markdown("**" + _("Or look around in an invented call centre") + "**")
        st.caption(
            _(
                "{clips} clips of {agents} agents over {days} days, marked as invented everywhere, and removed with "
                "one click. Reports, comparisons, rankings and alerts then have something to show.",
                clips=f"{DEMO_SIZE.clips:,}",
                agents=DEMO_SIZE.agents,
                days=DEMO_SIZE.days,
            )
        )
        if st.button(_("Fill the app with a demo"), icon=":material/science:", key="make_demo"):
            try:
                with st.spinner(_("Inventing calls …"), show_time=True):
                    zone = in_force().time_zone
                    rollup_build.ensure(open_store(), zone)
                    demo.create(open_store(), DEMO_SIZE, today(), zone)
            except EmostoreError as error:
                st.error(explain(error), icon=":material/error:")
            else:
                st.rerun()


def _quality(found: Standing) -> None:
    now, usual = found.quality, found.usual_quality
    delta = round(now.value - usual.value, 1) if now and usual else None
    interval = (
        _("{low:.1f} – {high:.1f} in 95 of 100 cases", low=now.low, high=now.high)
        if now and now.low is not None and now.high is not None
        else None
    )
    st.metric(
        _("Quality"),
        f"{now.value:.1f}" if now else "–",
        delta,
        delta_description=_("before: {value:.1f}", value=usual.value) if usual and now else None,
        help=interval,
        border=True,
        height="stretch",
    )


def _mover(found: Standing, mover: Mover, change: Change) -> None:
    label = _(
        "{name}: {before:.1f} → {now:.1f}",
        name=plain(mover.agent),
        before=change.before,
        now=change.now,
    )
    icon = ":material/trending_up:" if change.estimate > 0 else ":material/trending_down:"
    first, last = str(found.today - timedelta(_MOVED_DAYS)), str(found.today)
    _history(label, icon, {"agent": mover.agent, "first": first, "last": last})
    st.caption(_("a true change of {low:+.1f} to {high:+.1f}", low=change.low, high=change.high))


def _history(label: str, icon: str, address: Mapping[str, str]) -> None:
    st.page_link(links.HISTORY_PAGE, label=label, icon=icon, query_params=dict(address))
