"""The pieces of the Home page."""

from __future__ import annotations

import streamlit as st

from emostore.store import reports
from emostore.ui import jobs, links
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, duration, emotion, plain, when

NEWEST = 8


def anything() -> bool:
    """Whether a clip is stored or a job is under way."""
    return bool(reports.latest_clips(open_store(), 1).rows)


def counts() -> None:
    """How much is stored."""
    found = reports.counts(open_store())
    with st.grid(min_column_width=140):
        st.metric(_("Recordings"), f"{found.recordings:,}", border=True)
        st.metric(_("Clips"), f"{found.clips:,}", border=True)
        st.metric(_("Speech"), duration(found.speech_s), border=True)
        st.metric(_("Agents"), f"{found.agents:,}", border=True)


def under_way() -> None:
    """A line about work that is not finished."""
    jobs.badge()


def newest() -> None:
    """Links to the newest clips."""
    with st.container(border=True):
        st.subheader(_("The newest clips"), anchor=False)
        for row in reports.latest_clips(open_store(), NEWEST).rows:
            heard = emotion(row.scores.dominant) if row.scores else _("no speech")
            links.clip(row.clip_id, label=f"{plain(row.file_name)} · {heard} · {when(row.happened_at)}")
        st.page_link(links.HISTORY_PAGE, label=_("All clips"), icon=":material/history:")


def first_steps() -> None:
    """What to do when nothing is there."""
    st.write(
        _(
            "Every voice in a recording gets a distribution over nine emotions, not one label. "
            "Begin with a recording of your own, or look at the examples below."
        )
    )
    jobs.badge()
    with st.container(horizontal=True):
        st.page_link(links.UPLOAD_PAGE, label=_("Drop files"), icon=":material/upload_file:")
        st.page_link(
            links.UPLOAD_PAGE,
            label=_("Record your voice"),
            icon=":material/mic:",
            query_params={"source": "microphone"},
        )
