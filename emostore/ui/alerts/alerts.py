"""The queue of alerts: its filters in the URL, a card for each alert, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

import streamlit as st
from babel.dates import format_timedelta

from emostore import access
from emostore.errors import EmostoreError
from emostore.services import alerting
from emostore.services.sound import playback
from emostore.services.views import watching
from emostore.services.views.watching import RuleStatus
from emostore.store.alerts.alerts import COMMENT_LENGTH, AlertState
from emostore.store.reports import alert_reports, history, reports
from emostore.store.reports.alert_reports import AlertFilter
from emostore.store.reports.report_views import AlertCursor, AlertEventView, AlertView
from emostore.store.tables.report_models import ALERT_STATES, SEVERITIES
from emostore.ui import heard, links, urls
from emostore.ui.alerts import alert_rules
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.history import history_filters, report_filters
from emostore.ui.text import _, duration, explain, language, plain, role, size, when

PAGE_ROWS = 10
PLAYED_BYTES = 50 * 1024**2  # what plays on this page lies in memory; the Clip page streams the rest
_LEAD_S = 2.0  # of sound before the moment, so that its first word is heard
_SECTIONS = ("queue", "rules")
_NEXT: dict[str, tuple[AlertState, ...]] = {
    "open": ("acknowledged", "resolved", "false_alarm"),
    "acknowledged": ("resolved", "false_alarm", "open"),
    "resolved": ("open", "false_alarm"),
    "false_alarm": ("open", "resolved"),
}


def section() -> str:
    """The part of the page that the URL asks for: the queue or the rules."""
    binding = urls.bound("section", _SECTIONS, "queue")
    chosen = st.segmented_control(
        _("Section"), _SECTIONS, required=True, format_func=_section_name, label_visibility="collapsed", **binding
    )
    return chosen or "queue"


def filters(rules: Sequence[RuleStatus]) -> AlertFilter | None:
    """Draw the filters; None if they contradict each other, which is then said."""
    store = open_store()
    counted = alert_reports.counts(store)
    called = sorted({status.view.name for status in rules})
    names = alert_reports.assignees(store)
    states = (*ALERT_STATES, "all")
    report_filters.strangers({"state": states, "severity": SEVERITIES, "rule": called, "section": _SECTIONS})
    asked = history_filters.asked("all")
    state = st.segmented_control(
        _("State"),
        states,
        required=True,
        format_func=_counted(counted),
        **urls.bound("state", states, "open", then=history_filters.first_page),
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        severity = _choice("severity", _("Severity"), SEVERITIES, alert_rules.severity)
        rule = _choice("rule", _("Rule"), called, alert_rules.shown_name)
        history_filters.choice("agent", _("Agent"), history.options(store).agents, asked.wanted.agent)
        # A link may name somebody whose alerts are all resolved by now.
        named = st.query_params.get("assignee")
        offered = [*names, named] if named and named not in names else names
        assignee = _choice("assignee", _("Looked after by"), offered)
        history_filters.days(asked, "all")
    if asked.inverted:
        return None
    return AlertFilter(
        state=None if state == "all" else state,
        severity=severity,
        rule=rule,
        agent=asked.wanted.agent,
        team=asked.wanted.team,
        assignee=assignee,
        from_date=asked.wanted.from_date,
        to_date=asked.wanted.to_date,
        time_zone=in_force().time_zone,
    )


def queue(wanted: AlertFilter) -> None:
    """The page of alerts that the URL asks for, the latest calls first."""
    before, after = (alert_reports.read_cursor(st.query_params.get(name)) for name in history_filters.CURSORS)
    page = alert_reports.queue(open_store(), wanted, PAGE_ROWS, before=before, after=after)
    if not page.rows:
        _nothing(wanted)
        return
    count = f"{page.count:,}+" if page.more else f"{page.count:,}"
    st.caption(_("1 alert") if count == "1" else _("{count} alerts", count=count))
    for view in page.rows:
        with st.container(border=True, key=f"alert_{view.alert_id}"):
            _card(view)
    with st.container(horizontal=True):
        _turn("later", _("Later"), ":material/arrow_back:", "after", page.previous)
        _turn("earlier", _("Earlier"), ":material/arrow_forward:", "before", page.next)


def _card(view: AlertView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(alert_rules.severity(view.severity), icon=":material/priority_high:", color=_color(view.severity))
        st.badge(state_name(view.state), color="blue" if view.state == "open" else "gray")
        if heard.doubtful(view.confidence):
            st.badge(_("uncertain"), icon=":material/question_mark:", color="orange")
        st.caption(_about(view), width="content")
    said = watching.sentence(view)
    st.markdown(plain(explain(said)) if said else plain(f"{view.rule}: {view.value:.3f} / {view.threshold:.3f}"))
    with st.container(horizontal=True, vertical_alignment="center"):
        moment = {"t": f"{max(0.0, view.start_s - _LEAD_S):.1f}"} if view.start_s is not None else {}
        st.page_link(
            links.CLIP_PAGE,
            label=_title(view),
            icon=":material/graphic_eq:",
            query_params={"id": str(view.clip_id), **moment},
        )
        if access.can("edit", view):
            for state in _NEXT[view.state][: 3 if view.state == "open" else 2]:
                st.button(
                    _to(state),
                    key=f"{state}_{view.alert_id}",
                    icon=_ICONS[state],
                    on_click=_set_state,
                    args=(view.alert_id, state),
                )
        with st.popover(
            _details(view), icon=":material/more_horiz:", on_change="rerun", key=f"details_{view.alert_id}"
        ) as box:
            if box.open:
                _more(view)
        if view.media_kind is not None:
            with st.popover(
                _("Listen"), icon=":material/play_arrow:", on_change="rerun", key=f"listen_{view.alert_id}"
            ) as sound:
                if sound.open:
                    _play(view)


def _about(view: AlertView) -> str:
    """When, who, how old, in whose hands."""
    age = format_timedelta(datetime.now(UTC) - view.created_at, locale={"en": "en_GB", "zh": "zh_Hans_CN"}[language()])
    parts = [
        when(view.happened_at),
        plain(view.agent or _("no agent")),
        role(view.role),
        _("raised {age} ago", age=age),
        _("looked after by {name}", name=plain(view.assignee)) if view.assignee else _("nobody looks after it"),
    ]
    if view.demo:
        parts.append(_("demo"))
    return " · ".join(parts)


def _title(view: AlertView) -> str:
    name = plain(view.file_name)
    if view.channel_count > 1:
        name = _("{name}, channel {channel}", name=name, channel=view.channel + 1)
    return name if view.start_s is None else f"{name} · {duration(view.start_s)}"


def _details(view: AlertView) -> str:
    return _("Details ({count})", count=view.comments) if view.comments else _("Details")


def _more(view: AlertView) -> None:
    """The session it is from, who looks after an alert, what was said of it, and what was done so far."""
    links.session(view.session_id, label=links.named(view.session_name))
    if access.can("edit", view):
        me = access.current_user().name
        names = list(
            dict.fromkeys([name for name in (view.assignee, me) if name] + list(alert_reports.assignees(open_store())))
        )
        st.selectbox(
            _("Looked after by"),
            names,
            index=names.index(view.assignee) if view.assignee else None,
            accept_new_options=True,
            placeholder=_("Nobody"),
            key=f"assignee_{view.alert_id}",
            on_change=_assign,
            args=(view.alert_id,),
        )
        with st.form(f"comment_form_{view.alert_id}", clear_on_submit=True, border=False):
            text = st.text_area(_("Comment"), max_chars=COMMENT_LENGTH, key=f"comment_{view.alert_id}", height=80)
            if st.form_submit_button(_("Write it down"), icon=":material/comment:", key=f"say_{view.alert_id}"):
                _tried(lambda: alerting.comment(open_store(), view.alert_id, text))
    for event in alert_reports.events(open_store(), view.alert_id):
        st.caption(_event(event))
    st.caption(_("Rule: {rule}, version {version}", rule=plain(view.rule), version=view.rule_version))
    st.caption(_("Scores of {model} · {revision}", model=plain(view.model), revision=plain(view.revision[:8])))


def _event(event: AlertEventView) -> str:
    if event.comment is not None:
        done = plain(event.comment)
    elif event.state is not None:
        done = state_name(event.state)
    else:
        done = _("looked after by {name}", name=plain(event.assignee)) if event.assignee else _("nobody looks after it")
    return f"{when(event.happened_at)} · {plain(event.user)} · {done}"


def _play(view: AlertView) -> None:
    clip = reports.clip_view(open_store(), view.clip_id)
    try:
        sound = playback.sound(clip, in_force()) if clip else None
    except EmostoreError as error:
        st.warning(explain(error), icon=":material/volume_off:")
        return
    if sound is None:
        st.caption(_("The audio of this recording was not kept."))
        return
    byte_count = sound.path.stat().st_size
    if byte_count > PLAYED_BYTES:
        st.caption(_("This recording takes {found}: listen to it on its own page.", found=size(byte_count)))
        return
    start = max(0.0, view.start_s - _LEAD_S) if view.start_s is not None else 0.0
    st.audio(str(sound.path), format=sound.mime_type, start_time=start, end_time=view.end_s, alt=_("The moment"))


def _set_state(alert_id: int, state: AlertState) -> None:
    _tried(lambda: alerting.set_state(open_store(), [alert_id], state))


def _assign(alert_id: int) -> None:
    name = st.session_state.get(f"assignee_{alert_id}")
    _tried(lambda: alerting.assign(open_store(), [alert_id], name))


def _tried(change: Callable[[], object]) -> None:
    """Do it, or say in passing why it could not be done: the alert may have gone with its clip meanwhile."""
    try:
        change()
    except EmostoreError as error:
        st.toast(plain(explain(error)), icon=":material/error:")


def _nothing(wanted: AlertFilter) -> None:
    if wanted == AlertFilter(state="open", time_zone=wanted.time_zone):
        st.success(_("No alert is open."), icon=":material/notifications_none:")
    else:
        st.info(_("No alert fits these filters. Take one away."), icon=":material/filter_alt_off:")


def _choice(name: str, label: str, options: Sequence[str], shown: Callable[[str], str] = str) -> str | None:
    binding = urls.bound(name, options, then=history_filters.first_page)
    return st.selectbox(label, options, index=None, format_func=shown, placeholder=_("All"), width=180, **binding)


def _turn(key: str, label: str, icon: str, name: str, cursor: AlertCursor | None) -> None:
    """A button to the next page on one side; it rests where there is none."""
    arguments = (name, alert_reports.write_cursor(cursor)) if cursor else ()
    st.button(label, icon=icon, key=key, disabled=cursor is None, on_click=_go, args=arguments)


def _go(name: str, cursor: str) -> None:
    history_filters.first_page()
    st.query_params[name] = cursor


def _counted(counted: dict[tuple[str, str], int]) -> Callable[[str], str]:
    def label(state: str) -> str:
        count = sum(number for (found, _severity), number in counted.items() if state in (found, "all"))
        return f"{_('All') if state == 'all' else state_name(state)} · {count:,}"

    return label


def _section_name(name: str) -> str:
    return {"queue": _("Queue"), "rules": _("Rules")}[name]


def state_name(state: str) -> str:
    """What became of an alert, in words."""
    return {
        "open": _("Open"),
        "acknowledged": _("Acknowledged"),
        "resolved": _("Resolved"),
        "false_alarm": _("False alarm"),
    }[state]


def _to(state: str) -> str:
    """What a button says that brings an alert into a state."""
    return {
        "open": _("Open again"),
        "acknowledged": _("Acknowledge"),
        "resolved": _("Resolved"),
        "false_alarm": _("False alarm"),
    }[state]


_ICONS = {
    "open": ":material/undo:",
    "acknowledged": ":material/visibility:",
    "resolved": ":material/check:",
    "false_alarm": ":material/notifications_off:",
}


def _color(severity: str) -> Literal["gray", "orange", "red"]:
    colors: dict[str, Literal["gray", "orange", "red"]] = {"low": "gray", "medium": "orange", "high": "red"}
    return colors[severity]
