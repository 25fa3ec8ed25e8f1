"""Links between the pages; every one carries what its target needs in the URL."""

from __future__ import annotations

import streamlit as st

from emostore.ui.text import _, plain

HOME_PAGE = "pages/home.py"
ALERTS_PAGE = "pages/alerts.py"
CALIBRATION_PAGE = "pages/calibration.py"
CLIP_PAGE = "pages/clip.py"
COMPARE_PAGE = "pages/compare.py"
DATA_PAGE = "pages/data.py"
HISTORY_PAGE = "pages/history.py"
LABEL_PAGE = "pages/label.py"
LEADERBOARD_PAGE = "pages/leaderboard.py"
SESSION_PAGE = "pages/session.py"
SETTINGS_PAGE = "pages/settings.py"
UPLOAD_PAGE = "pages/upload.py"

CLIP_ICON = ":material/graphic_eq:"
SESSION_ICON = ":material/forum:"
MOMENT_ICON = ":material/play_circle:"
_SHOWN_NAME = 36  # characters of a name in a link


def clip(clip_id: int, *, label: str | None = None, at_s: float | None = None) -> None:
    """A link to a clip's page, or to a moment of it. `label` is Markdown: names in it are escaped by the caller."""
    icon = CLIP_ICON if at_s is None else MOMENT_ICON
    address = {"id": str(clip_id), **_moment(at_s)}
    st.page_link(CLIP_PAGE, label=label or _("Open the clip"), icon=icon, query_params=address)


def session(
    session_id: int, *, label: str | None = None, recording_id: int | None = None, at_s: float | None = None
) -> None:
    """A link to a session's page, to one recording of it or to a moment in that. `label` is Markdown, as for `clip`."""
    icon = SESSION_ICON if at_s is None else MOMENT_ICON
    address = {"id": str(session_id), **_moment(at_s)}
    if recording_id is not None:
        address["recording"] = str(recording_id)
    st.page_link(SESSION_PAGE, label=label or _("Open the session"), icon=icon, query_params=address)


def named(name: str) -> str:
    """A name as the label of a link: short enough for a phone, and turning nothing around it if it is right to left."""
    line = " ".join(name.split())
    cut = line if len(line) <= _SHOWN_NAME else f"{line[: _SHOWN_NAME - 1]}…"
    shown = plain(cut).replace(":", ":\u2060")  # labels turn :smile: into a picture, escaped or not
    return f"\u2068{shown}\u2069"


def _moment(at_s: float | None) -> dict[str, str]:
    return {} if at_s is None else {"t": f"{at_s:.2f}"}
