"""Alert rules: how often each was right, which of them are blind, and a form that tells what a rule would find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from emostore import access
from emostore.analytics.alerts import DEFAULT_RULES, NOT_AGENTS, ROLES, SEVERITIES, AlertRule
from emostore.analytics.groups import LabelGroup, same
from emostore.analytics.thresholds import OPERATORS
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services import alerting
from emostore.services.views import watching
from emostore.services.views.watching import RuleStatus
from emostore.ui import groups
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, emotion, explain, listed, plain, role

_NEW = AlertRule("…", DEFAULT_RULES[0].emotions, ">", DEFAULT_RULES[0].threshold)
_REACH = (0, alerting.PREVIEW_DAYS, 365)  # days of stored clips that a saved rule is asked of again


def blind(rules: Sequence[RuleStatus]) -> None:
    """Name the active rules that the model in use cannot serve."""
    for status in rules:
        if status.view.active and status.blind is not None:
            said = plain(explain(status.blind))
            st.warning(f"**{plain(shown_name(status.view.name))}** · {said}", icon=":material/visibility_off:")


def section(rules: Sequence[RuleStatus]) -> None:
    """Every rule, and the form for a new one."""
    known = tuple(groups.known().values())
    for status in rules:
        with st.container(border=True, key=f"rule_{status.view.id}"):
            _rule(status, known)
    if access.can("administer"):
        with st.container(border=True, key="new_rule"):
            st.subheader(_("A new rule"), anchor=False)
            _editor(_NEW, "", "new")


def shown_name(rule: str) -> str:
    """A rule's name where nothing more of it is known; one of ours is translated."""
    return _(rule) if any(rule == each.name for each in DEFAULT_RULES) else rule


def _rule(status: RuleStatus, known: Sequence[LabelGroup]) -> None:
    view, rule = status.view, status.rule
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(shown_name(status.view.name))}**", width="content")
        st.badge(_("version {version}", version=view.version), color="gray")
        if not view.active:
            st.badge(_("switched off"), icon=":material/pause:", color="gray")
    if rule is None:
        st.warning(_("This rule was written by another version of the program and cannot be read. It finds nothing."))
        return
    st.markdown(_words(rule, known))
    st.caption(_precision(status))
    if not access.can("administer"):
        return
    with st.container(horizontal=True):
        switch = _("Switch off") if view.active else _("Switch on")
        icon = ":material/pause:" if view.active else ":material/play_arrow:"
        st.button(switch, icon=icon, key=f"switch_{view.id}", on_click=_switch, args=(view.id, not view.active))
        with st.popover(_("Edit"), icon=":material/edit:", on_change="rerun", key=f"edit_{view.id}") as box:
            if box.open:
                _editor(rule, view.name, str(view.id))


def _words(rule: AlertRule, known: Sequence[LabelGroup]) -> str:
    """A rule in a sentence or two, with the name of the group that it sums, if that is one."""
    group, what = same(rule.emotions, known), plain(explain(rule.what))
    what = f"**{plain(groups.label(group))}** ({what})" if group else what
    said = [f"{what} {plain(rule.operator)} {rule.threshold:.1%}", severity(rule.severity)]
    said.append(listed(role(each) for each in rule.roles) if rule.roles else _("every voice"))
    if rule.min_speech_s:
        said.append(_("at least {seconds:g} s of speech", seconds=rule.min_speech_s))
    if rule.sustained_s is not None:
        said.append(_("for at least {seconds:g} s on end", seconds=rule.sustained_s))
    return " · ".join(said)


def _precision(status: RuleStatus) -> str:
    found = status.feedback
    total = sum(found.by_state.values())
    if not total:
        return _("No alert so far.")
    if found.precision is None:
        return _(
            "Alerts so far: {total}, none of them judged yet: resolve them, or call them false alarms.",
            total=f"{total:,}",
        )
    return _(
        "Of judged alerts {precision:.0f} % were right. Judged: {judged}, false alarms among them: {false}, "
        "in all: {total}.",
        precision=100 * found.precision,
        judged=f"{found.judged:,}",
        false=f"{found.by_state.get('false_alarm', 0):,}",
        total=f"{total:,}",
    )


def _editor(begun: AlertRule, called: str, key: str) -> None:
    """The fields of a rule, what is wrong with them, what it would have found, and a button to save it."""
    data: dict[str, object] = {}
    data["name"] = st.text_input(_("Name"), called, max_chars=80, key=f"rule_name_{key}").strip()
    data["emotions"] = _emotions(begun, key)
    with st.container(horizontal=True):
        data["operator"] = st.selectbox(
            _("is"), OPERATORS, OPERATORS.index(begun.operator), width=90, key=f"rule_operator_{key}"
        )
        percent = st.number_input(
            _("Per cent"), 0.0, 100.0, round(100 * begun.threshold, 2), 1.0, width=140, key=f"rule_threshold_{key}"
        )
        data["severity"] = st.selectbox(
            _("Severity"),
            SEVERITIES,
            SEVERITIES.index(begun.severity),
            format_func=severity,
            width=140,
            key=f"rule_severity_{key}",
        )
    data["threshold"] = round(percent / 100, 6)
    data["roles"] = st.multiselect(
        _("In the voices of"), ROLES, begun.roles or NOT_AGENTS, format_func=role, key=f"rule_roles_{key}"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        data["min_speech_s"] = st.number_input(
            _("Speech, at least (s)"), 0.0, 3600.0, begun.min_speech_s, 5.0, width=170, key=f"rule_speech_{key}"
        )
        lasting = st.number_input(
            _("Lasting for (s)"),
            0.0,
            3600.0,
            begun.sustained_s or 0.0,
            1.0,
            width=170,
            key=f"rule_lasting_{key}",
            help=_("0 looks at the whole clip. Else the sum must hold in every window for so long on end."),
        )
    data["sustained_s"] = lasting or None
    rule = _checked(data)
    if rule is not None:
        _preview(rule, key)
    reach = st.selectbox(
        _("Ask it also of stored clips"), _REACH, 1, format_func=_reach_name, width=260, key=f"rule_reach_{key}"
    )
    if st.button(
        _("Save"),
        type="primary",
        icon=":material/save:",
        disabled=rule is None or not data["name"],
        key=f"save_rule_{key}",
    ):
        _save(rule or begun, reach)


def _emotions(begun: AlertRule, key: str) -> list[str]:
    """Emotions to sum, one by one or those of a group. A rule keeps the emotions, whatever becomes of the group."""
    chosen, of_group = f"rule_emotions_{key}", f"rule_group_{key}"
    known = groups.known()
    group = same(st.session_state.setdefault(chosen, list(begun.emotions)), known.values())
    st.session_state[of_group] = group.name if group else None

    def take() -> None:
        name = st.session_state[of_group]
        st.session_state[chosen] = list(known[name].emotions) if name else []

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            _("Label group"),
            list(known),
            index=None,
            format_func=lambda name: groups.label(known[name]),
            placeholder=_("Emotions of its own"),
            width=200,
            key=of_group,
            on_change=take,
        )
        return st.multiselect(_("The sum of"), EMOTIONS, format_func=emotion, key=chosen)


def _checked(data: dict[str, object]) -> AlertRule | None:
    """The rule that the fields make; if they make none, the reason is said."""
    if not data["roles"]:
        st.caption(_("Choose at least one voice."))
        return None
    try:
        rule = AlertRule.from_data({**data, "name": data["name"] or _NEW.name})
    except EmostoreError as error:
        st.caption(plain(explain(error)))
        return None
    if not data["name"]:
        st.caption(_("Give it a name to save it."))
    return rule


def _preview(rule: AlertRule, key: str) -> None:
    """How many clips of the last days the rule would have found."""
    if rule.sustained_s is not None and not st.button(
        _("Count what it would have found"), icon=":material/calculate:", key=f"count_{key}"
    ):
        return  # it has to read the windows of every clip
    today = _today()
    with st.spinner(_("Counting …"), show_time=True):
        found = alerting.preview(
            open_store(),
            rule,
            from_date=today - timedelta(days=alerting.PREVIEW_DAYS - 1),
            to_date=today,
            time_zone=in_force().time_zone,
        )
    values = {"found": f"{found.found:,}", "days": alerting.PREVIEW_DAYS, "asked": f"{found.asked:,}"}
    if found.found == 1:
        said = _("This rule would have raised 1 alert in the last {days} days; clips it looked at: {asked}.", **values)
    else:
        said = _(
            "This rule would have raised {found} alerts in the last {days} days; clips it looked at: {asked}.", **values
        )
    st.info(said, icon=":material/calculate:")
    model = watching.model_in_use(open_store())
    blindness = watching.blindness(rule, model)
    if blindness is not None:
        st.warning(plain(explain(blindness)), icon=":material/visibility_off:")


def _save(rule: AlertRule, reach: int) -> None:
    def change() -> None:
        alerting.save_rule(open_store(), rule)
        if reach:
            _ask_again(rule.name, reach)

    if _tried(change):
        st.rerun()


def _ask_again(rule_name: str, days: int) -> None:
    """Ask a rule of stored clips. To stop it, anything on the page will do: the next word of progress ends this run."""
    with st.container(horizontal=True, vertical_alignment="center", key="asking"):
        said = st.empty()
        st.button(
            _("Stop"), icon=":material/stop:", key="stop_asking", help=_("Clips that were asked keep the answer.")
        )

    def progress(done: int) -> None:
        said.caption(_("Asking the rule of stored clips: {count} so far …", count=f"{done:,}"))

    progress(0)
    since = _today() - timedelta(days=days - 1)
    alerting.apply(open_store(), rule_name, from_date=since, time_zone=in_force().time_zone, progress=progress)


def _switch(rule_id: int, active: bool) -> None:
    _tried(lambda: alerting.switch_rule(open_store(), rule_id, active))


def _tried(change: Callable[[], None]) -> bool:
    try:
        change()
    except EmostoreError as error:
        st.error(plain(explain(error)), icon=":material/error:")
        return False
    return True


def _today() -> date:
    return datetime.now(ZoneInfo(in_force().time_zone)).date()


def _reach_name(days: int) -> str:
    return _("only of new ones") if not days else _("of the last {days} days", days=days)


def severity(word: str) -> str:
    """How urgent it is."""
    return {"low": _("Low"), "medium": _("Medium"), "high": _("High")}[word]
