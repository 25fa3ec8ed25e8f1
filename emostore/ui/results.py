"""What became of uploaded files: one card a clip, kept while the reader looks around."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from emostore.analytics.insights import headline
from emostore.services.analysis import ClipResult, Status
from emostore.ui import links
from emostore.ui.scores import distribution
from emostore.ui.text import _, explain, plain

_KEY = "upload_results"


def remember(results: list[ClipResult]) -> None:
    """Keep the newest upload's results for this reader."""
    st.session_state[_KEY] = results


def show() -> None:
    """Draw the results of the newest upload, if there was one."""
    for number, result in enumerate(st.session_state.get(_KEY, [])):
        with st.container(border=True, key=f"result_{number}"):
            _card(result, f"result{number}")


def _card(result: ClipResult, key: str) -> None:
    st.subheader(_title(result), anchor=False)
    if result.status is Status.FAILED:
        st.error(explain(result.reason) if result.reason else "", icon=":material/error:")
        return
    if result.status is Status.STORED_ALREADY:
        st.info(_("These bytes are stored already; nothing was changed."), icon=":material/inventory_2:")
    if result.scores:
        st.write(explain(headline(result.scores)))
        missing = result.model.missing if result.model else ()
        distribution(result.scores, key=key, file_name=PurePath(result.file).stem, missing=missing)
    elif result.reason:
        st.warning(explain(result.reason), icon=":material/voice_selection_off:")
    for note in result.notes:
        st.caption(explain(note))
    if result.clip_id is not None:
        links.clip(result.clip_id)


def _title(result: ClipResult) -> str:
    name = plain(result.file)
    return name if not result.channel else _("{name}, channel {channel}", name=name, channel=result.channel + 1)
