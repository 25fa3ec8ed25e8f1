"""The upload form: files, a folder or the microphone, and what is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Literal, cast
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from emostore.errors import EmostoreError
from emostore.services import preferences
from emostore.services.metadata import pairing
from emostore.services.queue import jobs
from emostore.ui import urls
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, explain, size
from emostore.ui.upload import describing

_ROUND = "upload_round"  # counted up after each upload, so that the widgets let go of their files
_SOURCES = ("files", "folder", "microphone")


def form() -> None:
    """Draw the form, and hand in what was chosen when its button is pressed."""
    source = st.segmented_control(
        _("Source"), _SOURCES, required=True, format_func=_source_name, **urls.bound("source", _SOURCES, "files")
    )
    chosen = _choose(source, st.session_state.setdefault(_ROUND, 0))
    lists = [stream for name, stream in chosen if name.lower().endswith(".csv")]
    recordings = [(name, stream) for name, stream in chosen if not name.lower().endswith(".csv")]
    if len(lists) > 1:
        st.warning(_("There are {count} lists (CSV) among the files; the first one is used.", count=len(lists)))
    known = describing.form([name for name, _stream in recordings], lists[0].getvalue() if lists else None)
    label = _("Analyse") if len(recordings) < 2 else _("Analyse {count} files", count=len(recordings))
    ready = bool(recordings) and known is not None
    if st.button(label, type="primary", icon=":material/graphic_eq:", disabled=not ready, key="analyse") and known:
        _hand_in(recordings, known, lists)


def _source_name(source: str) -> str:
    return {"files": _("Files"), "folder": _("A folder"), "microphone": _("The microphone")}[source]


def _choose(source: str, number: int) -> Sequence[tuple[str, UploadedFile]]:
    """What the reader chose, as names and streams."""
    if source == "microphone":
        spoken = st.audio_input(_("Speak for some seconds"), key=f"spoken_{number}")
        name = _("Recording {moment}", moment=f"{_now():%Y-%m-%d %H.%M.%S}") + ".wav"
        return [(name, spoken)] if spoken else []
    several: Literal["directory", True] = "directory" if source == "folder" else True
    with st.container(key="uploader"):
        own_words("uploader", _("Choose files"), _("up to {size} each", size=size(in_force().max_file_bytes)))
        files = st.file_uploader(_("Recordings"), accept_multiple_files=several, key=f"{source}_{number}")
    return [(file.name, file) for file in files]


def own_words(key: str, button: str, hint: str) -> None:
    """Streamlit's uploader speaks English only and takes no words from us, so that its own are covered by style.

    `key` is that of the container around it.
    """
    zone = f'.st-key-{key} [data-testid="stFileUploaderDropzone"]'
    said = {f"{zone} button p": button, f'{zone} [data-testid="stFileUploaderDropzoneInstructions"] span': hint}
    rules = [
        f'{place} {{font-size: 0}} {place}::after {{content: "{words}"; font-size: 0.875rem}}'
        for place, words in said.items()
    ]
    st.html(f"<style>{' '.join(rules)}</style>")


def _hand_in(
    chosen: Sequence[tuple[str, UploadedFile]], known: describing.Described, lists: Sequence[UploadedFile]
) -> None:
    """Put the files on disk and into the queue; from then on nothing depends on this page."""
    staged: list[jobs.StagedFile] = []
    bar = st.progress(0.0, text=_("Saving the files …"))
    try:
        for index, (name, stream) in enumerate(chosen):
            staged.append(jobs.stage(cast(BinaryIO, stream), name, in_force()))
            bar.progress((index + 1) / len(chosen))
        each = pairing.linked([in_force().data_dir / file.path for file in staged], known.each, known.pairs)
        per_file = {index: own for index, own in enumerate(each) if own != known.shared}
        jobs.submit(open_store(), in_force(), staged, known.shared, per_file=per_file)
        preferences.remember_upload(open_store(), known.shared)
    except EmostoreError as error:
        jobs.discard(staged, in_force())
        st.error(explain(error), icon=":material/error:")
        return
    let_go([*(stream for _name, stream in chosen), *lists])
    st.session_state[_ROUND] += 1
    st.rerun()


def let_go(uploads: Sequence[UploadedFile]) -> None:
    """Free the memory of uploads that are on disk by now, or belong to others.

    Streamlit keeps every upload in memory until its tab is closed, also when the widget is gone, and offers
    no public way to give it back earlier; its own chat input takes this one.
    """
    context = get_script_run_ctx()
    manager = context.uploaded_file_mgr if context else None
    if context and isinstance(manager, MemoryUploadedFileManager):
        for upload in uploads:
            manager.remove_file(context.session_id, upload.file_id)


def _now() -> datetime:
    return datetime.now(UTC).astimezone(ZoneInfo(in_force().time_zone))
