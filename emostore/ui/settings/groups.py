"""Label groups on the Settings page: which there are, where each is used, and forms to make, change and forget them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from emostore import access
from emostore.analytics.groups import LabelGroup
from emostore.analytics.quality import BUILT_IN
from emostore.analytics.saved import MAX_NAME
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services import groups
from emostore.services.groups import Use
from emostore.ui.alerts import alert_rules
from emostore.ui.bootstrap import open_store
from emostore.ui.groups import known, label, summed
from emostore.ui.text import _, emotion, explain, listed, plain

_MADE = "groups_made"  # on this page: the fields of the next one are new ones


def section() -> None:
    """Every group with what it sums and where that is used, and a form for a new one."""
    st.caption(
        _(
            "Emotions that count together. The history can be filtered by the sum of a group, the page of a clip shows "
            "it, and alert rules and scoring profiles can be made with one."
        )
    )
    found = known()
    used = groups.uses(open_store(), tuple(found.values()))
    for group in found.values():
        with st.container(border=True, key=f"group_{group.name}"):
            _group(group, used[group.name])
    if access.can("administer"):
        with st.container(border=True, key="new_group"):
            st.subheader(_("A new group"), anchor=False)
            _new()


def _group(group: LabelGroup, use: Use) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(label(group))}**", width="content")
        if groups.is_built_in(group):
            st.badge(_("comes with the program"), color="gray")
        else:
            st.badge(_("version {version}", version=group.version), color="gray")
    st.markdown(plain(summed(group.emotions)))
    st.caption(_used(use))
    if groups.is_built_in(group) or not access.can("administer"):
        return
    with st.container(horizontal=True):
        with st.popover(_("Edit"), icon=":material/edit:", on_change="rerun", key=f"edit_group_{group.name}") as box:
            if box.open:
                _editor(group)
        with st.popover(_("Forget"), icon=":material/delete:", key=f"ask_group_{group.name}"):
            st.markdown(
                _(
                    "Alert rules and scoring profiles that were made with it go on as they are, because they keep the "
                    "emotions themselves. A link to a list that it filters shows the list without this filter, and "
                    "says so."
                )
            )
            if st.button(_("Forget"), icon=":material/delete:", type="primary", key=f"forget_group_{group.name}"):
                _try(lambda: groups.forget(open_store(), group.name))


def _editor(group: LabelGroup) -> None:
    emotions = st.multiselect(
        _("The sum of"), EMOTIONS, group.emotions, format_func=emotion, key=f"group_emotions_{group.name}"
    )
    st.caption(
        _(
            "What was saved with this group before, alert rules and scoring profiles, goes on with the emotions of "
            "then; filters and the pages of clips follow at once."
        )
    )
    if st.button(_("Save"), type="primary", icon=":material/save:", key=f"save_group_{group.name}"):
        _try(lambda: groups.change(open_store(), group.name, emotions))


def _new() -> None:
    number = st.session_state.setdefault(_MADE, 0)
    name = st.text_input(
        _("Name"), max_chars=MAX_NAME, placeholder=_("frustration, say"), key=f"new_group_name_{number}"
    ).strip()
    emotions = st.multiselect(_("The sum of"), EMOTIONS, format_func=emotion, key=f"new_group_emotions_{number}")
    ready = bool(name and emotions)
    if st.button(_("Save"), type="primary", icon=":material/save:", disabled=not ready, key="save_new_group"):
        _try(lambda: _make(name, emotions))


def _make(name: str, emotions: list[str]) -> None:
    groups.make(open_store(), name, emotions)
    st.session_state[_MADE] += 1


def _try(change: Callable[[], object]) -> None:
    try:
        change()
    except EmostoreError as error:
        st.error(plain(explain(error)), icon=":material/error:")
    else:
        st.rerun()


def _used(use: Use) -> str:
    """Which rules and profiles count exactly these emotions."""
    own = {profile.name for profile in BUILT_IN}
    rules = listed(plain(alert_rules.shown_name(name)) for name in use.rules)
    profiles = listed(plain(_(name) if name in own else name) for name in use.profiles)
    said = [_("Alert rules: {names}", names=rules)] if rules else []
    said += [_("Scoring profiles: {names}", names=profiles)] if profiles else []
    return " · ".join(said) or _("No alert rule and no scoring profile counts exactly these emotions.")
