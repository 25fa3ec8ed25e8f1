"""Putting right what is known of a clip, and deleting it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

import streamlit as st

from emostore import access
from emostore.errors import EmostoreError
from emostore.services import deleting, editing
from emostore.services.metadata.descriptions import DEFAULT_SIDES as SIDES
from emostore.services.metadata.descriptions import DOMAINS, ROLES, SCENARIOS, Role
from emostore.store.reports import search
from emostore.store.reports.reports import ClipView
from emostore.ui import links
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, domain, explain, plain, role, scenario


def menu(view: ClipView) -> None:
    """What may be changed of this clip, behind a button each."""
    with st.container(horizontal=True):
        if access.can("edit", view):
            with st.popover(_("Correct"), icon=":material/edit:", key="correct"):
                _form(view)
            sides(view)
        if access.can("delete", view):
            with st.popover(_("Delete"), icon=":material/delete:", key="delete_clip"):
                st.write(_("The clip, its scores and, with the last clip of the recording, its audio. For good."))
                if st.button(_("Yes, delete"), type="primary", icon=":material/delete_forever:", key="delete_now"):
                    deleting.delete_clips(open_store(), in_force(), [view.clip_id])
                    st.switch_page(links.HISTORY_PAGE)


def sides(view: ClipView) -> None:
    """Swapping the two sides of a call, and pairing a file with that of the other side."""
    store = open_store()
    if len(view.siblings) == 2 or view.partner_id is not None:
        told = _("Exchange the roles of the two voices, here and in every report.")
        if st.button(_("Swap sides"), icon=":material/swap_horiz:", key="swap_sides", help=told):
            _do(lambda: editing.swap_roles(store, view.recording_id))
    if view.partner_id is not None:
        if st.button(_("Undo the pairing"), icon=":material/link_off:", key="unpair"):
            _do(lambda: editing.unpair(store, view.clip_id))
        links.clip(view.partner_id, label=_("The other side of the call"))
    elif view.channel_count == 1:
        with st.popover(_("Pair with the other side's file …"), icon=":material/link:", key="pair"):
            _pair(view)


def _pair(view: ClipView) -> None:
    """Search for the file of the other side, and make one call of both."""
    own = st.selectbox(
        _("This voice is"),
        SIDES,
        SIDES.index(view.role) if view.role in SIDES else 0,
        format_func=role,
        key="pair_role",
    )
    offset_s = st.number_input(
        _("The other file begins so many seconds later"),
        -editing.MAX_OFFSET_S,
        editing.MAX_OFFSET_S,
        0.0,
        key="pair_offset",
        help=_("Negative: it begins earlier."),
    )
    searched = st.text_input(_("A part of its name, or its number"), key="pair_searched")
    if not searched.strip():
        return
    others = [found for found in search.find(open_store(), searched) if found.kind == "clip"]
    others = [found for found in others if int(found.key) != view.clip_id]
    if not others:
        st.caption(_("No clip of another file has {text} in its name.", text=plain(searched)))
    for found in others:
        label = f"{plain(found.name)} · {found.key}"
        if st.button(label, icon=":material/link:", key=f"pair_with_{found.key}"):
            other: Role = "customer" if own == "agent" else "agent"
            pair = partial(editing.pair, open_store(), view.clip_id, int(found.key), offset_s, roles=(own, other))
            _do(pair)


def _do(change: Callable[[], object]) -> None:
    try:
        change()
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
    else:
        st.rerun()


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
