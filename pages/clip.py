"""Clip: one voice, its scores, its sound and what is known about it."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.services.views import session_view
from emostore.store.reports import reports
from emostore.ui import report_buttons, shell
from emostore.ui.bootstrap import open_store
from emostore.ui.clip import clips, editing, findings, similar
from emostore.ui.label import labels
from emostore.ui.player import clip as player
from emostore.ui.settings import scoring
from emostore.ui.text import _, plain

shell.through_home()
clip_id = clips.asked_for()
view = reports.clip_view(open_store(), clip_id) if clip_id is not None else None
access.require("read", view)

if view is None:
    st.title(_("Clip"))
    if "id" in st.query_params:
        st.warning(_("There is no such clip. It may have been deleted, or the link is incomplete."))
    clips.choose()
else:
    (voice,) = session_view.voices(open_store(), [view])
    st.title(plain(view.file_name), anchor=False)
    clips.sentence(view, voice.path)
    with st.container(horizontal=True, vertical_alignment="center", key="ways"):
        clips.ways(view)
        report_buttons.for_clip(view)
    scores, read = st.columns([3, 2], gap="large")
    with scores:
        clips.chart(view)
        clips.warning(view)
    with read:
        findings.of_clip(view, clips.moment, scoring.choose() if findings.is_scored(view) else None)
    with player.shown([voice], [clips.name(view)]):
        labels.section(view)
        st.subheader(_("About"), anchor=False)
        clips.metadata(view)
        clips.notes(view)
        editing.menu(view)
    similar.show(view)
