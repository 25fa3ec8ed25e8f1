"""Upload: recordings in, nine scores of every voice in them out."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.text import _
from emostore.ui.upload import jobs, uploads

shell.through_home()
st.title(_("Upload"))
st.write(
    _(
        "Every voice in a recording gets a distribution over nine emotions. Anything that holds sound can be read: "
        "WAV, MP3, M4A, FLAC, OGG, Opus, WebM, WMA, AMR or a video."
    )
)
access.require("analyse")
uploads.form()
jobs.board()
