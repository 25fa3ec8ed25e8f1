"""The three parts of the Data page, one of which is in the URL."""

from __future__ import annotations

import streamlit as st

from emostore.ui import urls
from emostore.ui.text import _

SECTIONS = ("import", "draw", "export")


def section() -> str:
    """Which part is asked for, with the choice to change it."""
    chosen = st.segmented_control(
        _("What to do"),
        SECTIONS,
        required=True,
        format_func=_named,
        label_visibility="collapsed",
        **urls.bound("section", SECTIONS, SECTIONS[0]),
    )
    return chosen or SECTIONS[0]


def _named(section: str) -> str:
    return {
        "import": _("Import"),
        "draw": _("Draw"),
        "export": _("Export"),
    }[section]
