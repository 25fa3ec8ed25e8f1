"""Label: what people hear in clips, asked without showing what the model heard."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.label import labelling
from emostore.ui.text import _

shell.through_home()
access.require("edit")
st.title(_("Label"), anchor=False)
st.caption(
    _("Listen, and say what you hear. The model's scores are hidden until you have, so that they do not sway you.")
)
labelling.queue()
st.subheader(_("How far it is"), anchor=False)
labelling.progress()
labelling.from_list()
