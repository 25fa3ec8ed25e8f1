"""What surrounds every page: logo, language switch and navigation."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from emostore import i18n
from emostore.ui import links
from emostore.ui.text import LANGUAGE_KEY, _, default_language

ASSETS = Path(__file__).parent.parent / "assets"
ICON = str(ASSETS / "icon.png")


def language_switch() -> None:
    """The choice of language; it lives in the URL, so that a link opens as it was read."""
    st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.svg"), size="large")
    st.sidebar.segmented_control(
        "Language · 语言",
        list(i18n.LANGUAGES),
        default=default_language(),
        required=True,
        format_func=i18n.LANGUAGES.__getitem__,
        key=LANGUAGE_KEY,
        bind="query-params",
    )


def navigation() -> StreamlitPage:
    """The page that the reader is on."""
    return st.navigation(
        [
            st.Page(
                links.UPLOAD_PAGE,
                title=_("Upload"),
                icon=":material/upload_file:",
                help=_("Analyse recordings: the nine scores of every voice in them."),
                default=True,
            ),
            st.Page(
                links.CLIP_PAGE,
                title=_("Clip"),
                icon=":material/graphic_eq:",
                help=_("One voice: its scores, its sound and what is known about it."),
            ),
        ]
    )
