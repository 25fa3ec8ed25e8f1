"""Alerts: calls that need a person, the rules that find them, and how often these are right."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import alert_rules, alerts, shell
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Alerts"), anchor=False)
section = alerts.section()
alert_rules.blind()
if section == "rules":
    alert_rules.section()
else:
    wanted = alerts.filters()
    if wanted is not None:
        alerts.queue(wanted)
