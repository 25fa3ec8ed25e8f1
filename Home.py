"""Entry of the app: page config, access, language and navigation."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import bootstrap, shell

st.set_page_config(page_title="Emostore", page_icon=shell.ICON, layout="wide")
shell.language_switch()
with bootstrap.friendly_errors():
    access.require("read")
    bootstrap.open_store()
    shell.run_page()
