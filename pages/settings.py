"""Settings: how the app behaves, its models, which emotions count together, what it stores, and who did what."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.ui import shell
from emostore.ui.settings import choices, groups, models, storage, trail
from emostore.ui.text import _

shell.through_home()
access.require("administer")
st.title(_("Settings"), anchor=False)
general, about_models, sums, stored, who, log = st.tabs(
    [_("General"), _("Models"), _("Label groups"), _("Storage"), _("Agents and sessions"), _("Log")],
    on_change="rerun",
    key="section",
)
# A tab that is not open costs nothing.
if general.open:
    with general:
        choices.section()
if about_models.open:
    with about_models:
        models.section()
if sums.open:
    with sums:
        groups.section()
if stored.open:
    with stored:
        storage.used()
if who.open:
    with who:
        storage.people()
        storage.sessions()
if log.open:
    with log:
        trail.events()
