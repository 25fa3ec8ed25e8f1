"""The upload form: files, a folder or the microphone, and what is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Literal, cast
from zoneinfo import ZoneInfo

import streamlit as st

from emostore.errors import EmostoreError
from emostore.services import jobs
from emostore.services.descriptions import ROLES, Description
from emostore.ui import urls
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, explain, role

_ROUND = "upload_round"  # counted up after each upload, so that the widgets let go of their files
_SOURCES = ("files", "folder", "microphone")


def form() -> None:
    """Draw the form, and hand in what was chosen when its button is pressed."""
    source = st.segmented_control(
        _("From"), _SOURCES, required=True, format_func=_source_name, **urls.bound("source", _SOURCES, "files")
    )
    chosen = _choose(source, st.session_state.setdefault(_ROUND, 0))
    with st.expander(_("About these recordings (may be left empty)"), icon=":material/edit_note:"):
        description = _describe()
    label = _("Analyse") if len(chosen) < 2 else _("Analyse {count} files", count=len(chosen))
    if st.button(label, type="primary", icon=":material/graphic_eq:", disabled=not chosen, key="analyse"):
        _hand_in(chosen, description)


def _source_name(source: str) -> str:
    return {"files": _("Files"), "folder": _("A folder"), "microphone": _("The microphone")}[source]


def _choose(source: str, number: int) -> Sequence[tuple[str, BinaryIO]]:
    """What the reader chose, as names and streams."""
    if source == "microphone":
        spoken = st.audio_input(_("Speak for some seconds"), key=f"spoken_{number}")
        name = _("Recording {moment}", moment=f"{_now():%Y-%m-%d %H.%M.%S}") + ".wav"
        return [(name, cast(BinaryIO, spoken))] if spoken else []
    several: Literal["directory", True] = "directory" if source == "folder" else True
    files = st.file_uploader(_("Recordings"), accept_multiple_files=several, key=f"{source}_{number}")
    return [(file.name, cast(BinaryIO, file)) for file in files]


def _describe() -> Description:
    left, right = st.columns(2)
    agent = left.text_input(_("Agent"), max_chars=200, key="about_agent", persist_state="session")
    team = right.text_input(_("Team"), max_chars=200, key="about_team", persist_state="session")
    session = left.text_input(
        _("Session"),
        max_chars=200,
        key="about_session",
        help=_("Recordings of one conversation, lesson or meeting share its name."),
    )
    voice = right.selectbox(
        _("Whose voice it is"),
        ROLES,
        index=ROLES.index("unknown"),
        format_func=role,
        key="about_role",
        persist_state="session",
    )
    happened = left.datetime_input(_("When it happened"), value=None, key="about_happened_at")
    return Description(
        agent=agent.strip() or None,
        team=team.strip() or None,
        session=session.strip() or None,
        happened_at=happened.replace(tzinfo=ZoneInfo(in_force().time_zone)) if happened else None,
        roles=(voice,),
    )


def _hand_in(chosen: Sequence[tuple[str, BinaryIO]], description: Description) -> None:
    """Put the files on disk and into the queue; from then on nothing depends on this page."""
    staged: list[jobs.StagedFile] = []
    bar = st.progress(0.0, text=_("Saving the files …"))
    try:
        for index, (name, stream) in enumerate(chosen):
            staged.append(jobs.stage(stream, name, in_force()))
            bar.progress((index + 1) / len(chosen))
        jobs.submit(open_store(), in_force(), staged, description)
    except EmostoreError as error:
        jobs.discard(staged, in_force())
        st.error(explain(error), icon=":material/error:")
        return
    st.session_state[_ROUND] += 1
    st.rerun()


def _now() -> datetime:
    return datetime.now(UTC).astimezone(ZoneInfo(in_force().time_zone))
