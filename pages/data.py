"""Data: results of other tools in, charts of them without storing anything, and everything out."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.data import data, data_draw, data_export, data_import
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Data"), anchor=False)
section = data.section()
if section == "draw":
    data_draw.section()
elif section == "export":
    data_export.section()
else:
    data_import.section()
