"""The upload form, and its files analysed while the reader watches."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.typing import UploadedFile

from emostore.config import settings
from emostore.services.analysis import Analyser, ClipResult, Progress, Source, Stage
from emostore.services.descriptions import ROLES, Description
from emostore.ui.bootstrap import load_model, open_store
from emostore.ui.text import _, plain, role


@dataclass(frozen=True, slots=True)
class Request:
    """What the reader asked to have analysed."""

    files: Sequence[UploadedFile]
    description: Description


def form() -> Request | None:
    """Draw the form; the request if its button was just pressed."""
    files = st.file_uploader(_("Recordings"), accept_multiple_files=True, key="files")
    with st.expander(_("About these recordings (may be left empty)"), icon=":material/edit_note:"):
        description = _describe()
    label = _("Analyse") if len(files) < 2 else _("Analyse {count} files", count=len(files))
    pressed = st.button(label, type="primary", icon=":material/graphic_eq:", disabled=not files, key="analyse")
    return Request(files, description) if pressed else None


def _describe() -> Description:
    left, right = st.columns(2)
    agent = left.text_input(_("Agent"), max_chars=200, key="agent")
    team = right.text_input(_("Team"), max_chars=200, key="team")
    session = left.text_input(
        _("Session"),
        max_chars=200,
        key="session",
        help=_("Recordings of one conversation, lesson or meeting share its name."),
    )
    voice = right.selectbox(_("Whose voice it is"), ROLES, index=ROLES.index("unknown"), format_func=role, key="role")
    happened = left.datetime_input(_("When it happened"), value=None, key="happened_at")
    zone = ZoneInfo(settings().time_zone)
    return Description(
        agent=agent.strip() or None,
        team=team.strip() or None,
        session=session.strip() or None,
        happened_at=happened.replace(tzinfo=zone) if happened else None,
        roles=(voice,),
    )


def analyse(request: Request) -> list[ClipResult]:
    """Analyse the files of a request, showing how far it is; the results of all of them."""
    bar = st.progress(0.0, text=_("Loading the model …"))
    share = 1 / len(Stage)

    def show(at: Progress) -> None:
        done = (at.index + list(Stage).index(at.stage) * share) / at.total
        bar.progress(done, text=f"{plain(at.name)} · {_stage(at.stage)} ({at.index + 1}/{at.total})")

    with tempfile.TemporaryDirectory(prefix="emostore-") as folder:
        sources = [_stage_file(file, Path(folder) / str(index)) for index, file in enumerate(request.files)]
        analyser = Analyser(open_store(), settings(), load_model(), progress=show)
        results = list(analyser.analyse(sources, request.description))
    bar.empty()
    return results


def _stage_file(file: UploadedFile, path: Path) -> Source:
    with path.open("wb") as out:
        shutil.copyfileobj(file, out, 1024 * 1024)
    return Source(path, file.name)


def _stage(stage: Stage) -> str:
    return {
        Stage.READING: _("reading"),
        Stage.DECODING: _("decoding"),
        Stage.LISTENING: _("listening for speech"),
        Stage.RECOGNISING: _("recognising emotions"),
        Stage.SAVING: _("saving"),
    }[stage]
