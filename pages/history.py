"""History: every clip that fits the filters, the latest first, and one agent beside the team."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.history import agent_header, embedding_map, history, history_filters
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("History"), anchor=False)
asked = history_filters.asked()
history_filters.draw(asked)
if not asked.inverted:
    if asked.wanted.agent is not None:
        agent_header.show(asked.wanted)
    history.results(asked)
    embedding_map.show(asked.wanted)
