"""History: every clip that fits the filters, the latest first."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import history, shell
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("History"), anchor=False)
wanted = history.filters()
if wanted is not None:
    history.results(wanted)
