"""Leaderboard: agents ranked by how their customers sound, and how sure that is."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import leaderboard, shell
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Leaderboard"), anchor=False)
wanted = leaderboard.filters()
if wanted is not None:
    leaderboard.standings(wanted)
    leaderboard.method(wanted.profile)
