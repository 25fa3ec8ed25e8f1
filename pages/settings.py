"""Settings: models, how the app behaves, what it stores, and who did what."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import models, shell
from emostore.ui.text import _

shell.through_home()
access.require("administer")
st.title(_("Settings"), anchor=False)
st.header(_("Models"), anchor=False)
models.section()
