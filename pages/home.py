"""Home: how things stand today, what waits, and where to begin."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.home import examples, overview
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Overview"), anchor=False)
if overview.anything():
    overview.under_way()
    found = overview.load()
    overview.invented(found)
    overview.figures(found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        overview.mix(found)
        overview.newest()
    with right:
        overview.alerts()
        overview.movers(found)
    how_to = _("How to read a distribution")
    with st.expander(how_to, icon=":material/school:", on_change="rerun", key="examples") as box:
        if box.open:
            examples.reference_cases()
else:
    overview.first_steps()
    examples.reference_cases()
