"""Links between the pages; every one carries what its target needs in the URL."""

from __future__ import annotations

import streamlit as st

from emostore.ui.text import _

HOME_PAGE = "pages/home.py"
ALERTS_PAGE = "pages/alerts.py"
CLIP_PAGE = "pages/clip.py"
COMPARE_PAGE = "pages/compare.py"
HISTORY_PAGE = "pages/history.py"
LEADERBOARD_PAGE = "pages/leaderboard.py"
SETTINGS_PAGE = "pages/settings.py"
UPLOAD_PAGE = "pages/upload.py"


def clip(clip_id: int, *, label: str | None = None) -> None:
    """A link to a clip's page. `label` is Markdown: names in it are escaped by the caller."""
    st.page_link(
        CLIP_PAGE, label=label or _("Open the clip"), icon=":material/graphic_eq:", query_params={"id": str(clip_id)}
    )
