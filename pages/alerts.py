"""Alerts: calls that need a person, the rules that find them, and how often these are right."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.services.views import watching
from emostore.ui import shell
from emostore.ui.alerts import alert_rules, alerts
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _

shell.through_home()
access.require("read")
st.title(_("Alerts"), anchor=False)
section = alerts.section()
rules = watching.rules(open_store())
alert_rules.blind(rules)
if section == "rules":
    alert_rules.section(rules)
else:
    wanted = alerts.filters(rules)
    if wanted is not None:
        alerts.queue(wanted)
