"""What is stored and how much room it takes; forgetting agents and sessions with all that hangs on them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from emostore.errors import EmostoreError
from emostore.services import deleting, editing, storage
from emostore.store.reports import history
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, explain, size


def used() -> None:
    """Room by what it is for."""
    found = storage.used(open_store(), in_force())
    with st.grid(min_column_width=140):
        st.metric(_("Database"), size(found.database_bytes), border=True)
        st.metric(_("Audio"), size(found.audio_bytes), border=True)
        st.metric(_("Waiting uploads"), size(found.staged_bytes), border=True)
        st.metric(_("Models"), size(found.models_bytes), border=True)
        st.metric(_("Free on the disk"), size(found.free_bytes), border=True)
    st.caption(_("A backup that can be taken while the app runs: `python -m emostore backup FILE`."))


def people() -> None:
    """Rename, merge or forget an agent."""
    known = history.options(open_store())
    agent = st.selectbox(_("Agent"), known.agents, index=None, placeholder=_("Choose one"), key="edit_agent")
    if agent is None:
        return
    with st.container(border=True):
        name = st.text_input(_("New name"), agent, max_chars=200, key=f"rename_{agent}")
        if st.button(_("Rename"), key="rename", icon=":material/edit:", disabled=name.strip() in ("", agent)):
            _do(lambda: editing.rename_agent(open_store(), agent, name))
        others = [other for other in known.agents if other != agent]
        target = st.selectbox(_("Merge into"), others, index=None, placeholder=_("Choose one"), key=f"merge_{agent}")
        if st.button(_("Merge"), key="merge", icon=":material/merge:", disabled=target is None):
            _do(lambda: editing.merge_agents(open_store(), agent, target or ""))
        _forget(
            _("Forget this agent"),
            _("The clips of {agent} are deleted too", agent=agent),
            lambda with_clips: deleting.delete_agent(open_store(), in_force(), agent, with_clips=with_clips),
        )


def sessions() -> None:
    """Rename or delete a session."""
    known = dict(history.options(open_store()).sessions)
    session = st.selectbox(
        _("Session"),
        list(known),
        index=None,
        format_func=known.__getitem__,
        placeholder=_("Choose one"),
        key="edit_session",
    )
    if session is None:
        return
    with st.container(border=True):
        name = st.text_input(_("New name"), known[session], max_chars=200, key=f"rename_session_{session}")
        unchanged = name.strip() in ("", known[session])
        if st.button(_("Rename"), key="rename_session", icon=":material/edit:", disabled=unchanged):
            _do(lambda: editing.rename_session(open_store(), session, name))
        if _sure(_("Delete this session with its clips and their audio"), f"session_{session}"):
            _do(lambda: deleting.delete_session(open_store(), in_force(), session))


def _forget(label: str, with_clips_label: str, forget: Callable[[bool], object]) -> None:
    with_clips = st.checkbox(with_clips_label, key="with_clips")
    if _sure(label, "agent"):
        _do(lambda: forget(with_clips))


def _sure(label: str, key: str) -> bool:
    """A button behind a second question, because there is no way back."""
    with st.popover(label, icon=":material/delete:", key=f"ask_{key}"):
        st.write(_("This cannot be undone."))
        return st.button(_("Yes, delete"), type="primary", icon=":material/delete_forever:", key=f"delete_{key}")


def _do(change: Callable[[], object]) -> None:
    try:
        change()
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
    else:
        st.rerun()
