"""Choosing files of results, and what is said of those that are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Literal, cast

import streamlit as st
from streamlit.typing import UploadedFile

from emostore.services.importing import Given, Refused
from emostore.ui.bootstrap import in_force
from emostore.ui.text import _, explain, plain, size
from emostore.ui.upload.uploads import own_words

_TOLD = 20  # refused files that are named; the rest is counted


def choose(key: str, *, folder: bool = False, labelled: bool = False) -> list[UploadedFile]:
    """The files that the reader chose; `key` is unique on the page and new after every import.

    Not `labelled`, it is what stands above that says what they are.
    """
    several: Literal["directory", True] = "directory" if folder else True
    with st.container(key=f"zone_{key}"):
        own_words(f"zone_{key}", _("Choose files"), _("up to {size} each", size=size(in_force().max_file_bytes)))
        return st.file_uploader(
            _("Files of results"),
            accept_multiple_files=several,
            key=key,
            label_visibility="visible" if labelled else "collapsed",
        )


def given(files: Sequence[UploadedFile]) -> list[Given]:
    """The files as services take them."""
    return [Given(file.name, cast(IO[bytes], file)) for file in files]


def refusals(refused: Sequence[Refused], count: int) -> None:
    """Each refused file with its reason."""
    if not refused:
        return
    lines = [f"- **{plain(_place(each))}**: {plain(explain(each.reason))}" for each in refused[:_TOLD]]
    if count > _TOLD:
        lines.append("- " + _("and {count} more", count=f"{count - _TOLD:,}"))
    several = _("{count} files or lines are refused", count=f"{count:,}")
    title = _("1 file or line is refused") if count == 1 else several
    st.error("\n".join(lines), title=title, icon=":material/block:")


def _place(refused: Refused) -> str:
    if refused.line is None:
        return refused.name
    return _("{name}, line {line}", name=refused.name, line=refused.line)
