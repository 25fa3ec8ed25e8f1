"""What surrounds every page: logo, language switch and navigation."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from emostore import access, i18n
from emostore.ui import bootstrap, failures, links, urls
from emostore.ui.text import LANGUAGE_KEY, _, default_language

ASSETS = Path(__file__).parent.parent / "assets"
_inside_home: ContextVar[bool] = ContextVar("inside_home", default=False)
ICON = str(ASSETS / "icon.png")


def main() -> None:
    """The whole app: page config, language, the access gate, and the page that the reader is on."""
    # Without an icon of ours, a browser would fetch the page's from a font server.
    st.set_page_config(page_title="Emostore", page_icon=ICON, layout="wide")
    language_switch()
    with failures.friendly_errors():
        access.require("read")
        bootstrap.start_worker()
        _run_page()


def through_home() -> None:
    """Every page begins with this: it goes on only inside `main`, behind its gate and in its language.

    Until `st.navigation` was called once in a process, Streamlit takes `pages/` for its older kind of
    multipage app and runs the file that a link names by itself.
    """
    if not _inside_home.get():
        main()
        st.stop()


def language_switch() -> None:
    """The choice of language. It goes with the reader from page to page, and with the link to the next reader."""
    st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.svg"), size="large")
    default = default_language()
    chosen = st.query_params.get(LANGUAGE_KEY, st.session_state.get(LANGUAGE_KEY))
    if chosen in i18n.LANGUAGES and chosen != default:
        st.query_params[LANGUAGE_KEY] = chosen  # links between pages leave it behind
    st.session_state[LANGUAGE_KEY] = st.sidebar.segmented_control(
        "Language · 语言",
        list(i18n.LANGUAGES),
        required=True,
        format_func=i18n.LANGUAGES.__getitem__,
        **urls.bound(LANGUAGE_KEY, list(i18n.LANGUAGES), default, then=_remember_language),
    )


def _remember_language() -> None:
    st.session_state[LANGUAGE_KEY] = st.query_params.get(LANGUAGE_KEY)


def _run_page() -> None:
    page = _navigation()
    token = _inside_home.set(True)
    try:
        page.run()
    finally:
        _inside_home.reset(token)


def _navigation() -> Page:
    return st.navigation(
        [
            st.Page(
                links.HOME_PAGE,
                title=_("Home"),
                icon=":material/home:",
                help=_("How much there is, what is under way, and where to begin."),
                default=True,
            ),
            st.Page(
                links.UPLOAD_PAGE,
                title=_("Upload"),
                icon=":material/upload_file:",
                help=_("Analyse recordings: the nine scores of every voice in them."),
            ),
            st.Page(
                links.HISTORY_PAGE,
                title=_("History"),
                icon=":material/history:",
                help=_("Every clip, filtered by agent, session, day, emotion or model."),
            ),
            st.Page(
                links.CLIP_PAGE,
                title=_("Clip"),
                icon=":material/graphic_eq:",
                help=_("One voice: its scores, its sound and what is known about it."),
            ),
            st.Page(
                links.SESSION_PAGE,
                title=_("Session"),
                icon=links.SESSION_ICON,
                help=_("A call or a meeting: all of its voices, who speaks when, and how it went."),
            ),
            st.Page(
                links.COMPARE_PAGE,
                title=_("Compare"),
                icon=":material/compare:",
                help=_("Agents, sessions or clips over each other, and what really differs."),
            ),
            st.Page(
                links.LEADERBOARD_PAGE,
                title=_("Leaderboard"),
                icon=":material/leaderboard:",
                help=_("Agents ranked by how their customers sound, and how sure that is."),
            ),
            st.Page(
                links.ALERTS_PAGE,
                title=_("Alerts"),
                icon=":material/notifications:",
                help=_("Calls that need a person: what was found, by which rule, and what became of it."),
            ),
            st.Page(
                links.LABEL_PAGE,
                title=_("Label"),
                icon=":material/label:",
                help=_("Say what you hear in clips, so that scores can be measured and calibrated."),
            ),
            st.Page(
                links.CALIBRATION_PAGE,
                title=_("Calibration"),
                icon=":material/balance:",
                help=_("How far scores can be trusted, measured on your labels, and what makes them mean more."),
            ),
            st.Page(
                links.DATA_PAGE,
                title=_("Data"),
                icon=":material/database:",
                help=_("Results of other tools in, charts of them without storing anything, and everything out."),
            ),
            st.Page(
                links.SETTINGS_PAGE,
                title=_("Settings"),
                icon=":material/settings:",
                help=_("Models, language, time zone, what is stored, and who did what."),
            ),
        ]
    )
