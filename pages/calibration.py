"""Calibration: how far scores can be trusted, what makes them mean more, and which scores are read."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.calibration import calibration, calibration_fit
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Calibration"), anchor=False)
found = calibration.choose()
if found is not None:
    calibration.now(found)
    calibration.under_way(found)
    calibration_fit.section(found)
    calibration.versions(found)
