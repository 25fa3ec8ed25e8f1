"""Session: a call, a lesson or a meeting with all of its voices, and how it went."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.clip import clips
from emostore.ui.player import clip as player
from emostore.ui.session import session, session_sides, session_talk
from emostore.ui.text import _, plain

shell.through_home()
view = session.asked_for()
access.require("read", view)
if view is None:
    st.title(_("Session"))
    if "id" in st.query_params:
        st.warning(_("There is no such session. It may have been deleted, or the link is incomplete."))
    session.choose()
else:
    st.title(plain(view.name), anchor=False)
    found = session.shown(view)
    if found is None:
        st.info(_("Nothing is stored in this session (any more)."), icon=":material/inbox:")
    else:
        names = session.names(found.voices)
        session.opening(view, found)
        session.facts(view, found)
        session.recordings(view, found)
        with player.shown(found.played, session.names(found.played)):
            session_talk.show(found, names, view.name)
            session_sides.show(view.session_id, found, names)
            clips.notes(found.played[0].view)
