"""Putting right what is known of a clip, and deleting it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import streamlit as st

from emostore import access
from emostore.errors import EmostoreError
from emostore.services import deleting, editing
from emostore.services.descriptions import DOMAINS, ROLES, SCENARIOS
from emostore.store.reports import ClipView
from emostore.ui import links
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, domain, explain, role, scenario


def menu(view: ClipView) -> None:
    """What may be changed of this clip, behind a button each."""
    with st.container(horizontal=True):
        if access.can("edit", view):
            with st.popover(_("Correct"), icon=":material/edit:", key="correct"):
                _form(view)
        if access.can("delete", view):
            with st.popover(_("Delete"), icon=":material/delete:", key="delete_clip"):
                st.write(_("The clip, its scores and, with the last clip of the recording, its audio. For good."))
                if st.button(_("Yes, delete"), type="primary", icon=":material/delete_forever:", key="delete_now"):
                    deleting.delete_clips(open_store(), in_force(), [view.clip_id])
                    st.switch_page(links.HISTORY_PAGE)


def _form(view: ClipView) -> None:
    zone = ZoneInfo(in_force().time_zone)
    with st.form("correct_form", border=False):
        voice = st.selectbox(_("Whose voice it is"), ROLES, ROLES.index(view.role), format_func=role)
        agent = st.text_input(_("Agent"), view.agent or "", max_chars=200)
        session = st.text_input(_("Session"), view.session_name, max_chars=200)
        happened = st.datetime_input(_("When it happened"), view.happened_at.astimezone(zone).replace(tzinfo=None))
        what = st.selectbox(_("What it is"), SCENARIOS, _place(SCENARIOS, view.scenario), format_func=scenario)
        how = st.selectbox(_("Recorded by"), DOMAINS, _place(DOMAINS, view.domain), format_func=domain)
        spoken = st.text_input(_("Language spoken"), view.language or "", max_chars=35)
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:", key="save_correction"):
            return
    store, clip = open_store(), [view.clip_id]
    try:
        if voice != view.role:
            editing.set_role(store, clip, voice)
        if agent.strip() != (view.agent or ""):
            editing.set_agent(store, clip, agent.strip() or None)
        if session.strip() not in ("", view.session_name):
            editing.move_clips_to_session(store, clip, session)
        moment = happened.replace(tzinfo=zone) if happened else None
        if moment and abs((moment - view.happened_at).total_seconds()) >= 60:  # the field shows no seconds
            editing.set_happened_at(store, view.recording_id, moment)
        said = {"scenario": what, "domain": how, "language": spoken.strip() or None}
        if said != {"scenario": view.scenario, "domain": view.domain, "language": view.language}:
            editing.set_description(store, [view.recording_id], **said)
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
    else:
        st.rerun()


def _place(allowed: tuple[str, ...], value: str | None) -> int | None:
    return allowed.index(value) if value in allowed else None
