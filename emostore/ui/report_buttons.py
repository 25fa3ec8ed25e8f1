"""What a page shows, to take away: a report that opens anywhere, and its numbers for programs."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from emostore import i18n
from emostore.errors import EmostoreError
from emostore.services.analysis import unexpected
from emostore.store.reports.views import ClipView
from emostore.ui import images
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.text import _, language

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from emostore.services.report import Format, Maker

log = logging.getLogger(__name__)

_ICONS = {"html": ":material/article:", "json": ":material/data_object:", "csv": ":material/table_view:"}


def for_clip(view: ClipView) -> None:
    """The report of a clip, and the picture of its scores over time."""
    taken = _offer("clip", view.file_name, lambda maker, kind: maker.clip(view.clip_id, kind))
    if view.newest is not None and view.newest.scores and view.newest.window_count > 1:
        with taken:
            st.caption(_("The scores over time as a picture:"))
            with st.container(horizontal=True):
                build = partial(_maker().course_chart, view.clip_id)
                images.downloads(build, f"{PurePath(view.file_name).stem}-trajectory", "report_clip_course")


def for_session(session_id: int, name: str = "") -> None:
    """The report of a session; `name` becomes that of the file."""
    _offer("session", name or f"session-{session_id}", lambda maker, kind: maker.session(session_id, kind))


def for_agent(
    name: str,
    *,
    from_date: date | None = None,
    to_date: date | None = None,
    model: tuple[str, str] | None = None,
) -> None:
    """The report of an agent over these days, by the scores of a model (a name and a revision)."""
    _offer(
        "agent",
        name,
        lambda maker, kind: maker.agent(name, kind, from_date=from_date, to_date=to_date, model=model),
    )


def _maker() -> Maker:
    from emostore.services.report import Maker  # late: it brings the templates along, and few pages are taken away

    return Maker(open_store(), in_force(), language())


def _offer(key: str, name: str, make: Callable[[Maker, Format], bytes]) -> DeltaGenerator:
    """The three buttons, in a box that takes more."""
    from emostore.services import report  # late, as above

    taken = st.popover(_("Take away"), icon=":material/download:", key=f"take_{key}_report")
    with taken:
        st.caption(_("HTML opens offline in every browser and prints well; JSON and CSV are for programs."))
        with st.container(horizontal=True):
            for kind in report.FORMATS:
                st.download_button(
                    kind.upper(),
                    # Made when it is clicked, on another thread, which knows no reader: all it needs goes along.
                    data=partial(_made, make, _maker(), kind),
                    file_name=report.file_name(name, kind),
                    mime=report.MIME_TYPES[kind],
                    icon=_ICONS[kind],
                    on_click="ignore",
                    key=f"report_{key}_{kind}",
                )
    return taken


def _made(make: Callable[[Maker, Format], bytes], maker: Maker, kind: Format) -> bytes:
    """The report; Streamlit shows what an error says, so it says it in the reader's language."""
    try:
        return make(maker, kind)
    except EmostoreError as error:
        raise RuntimeError(i18n.explain(error, maker.language)) from error
    except Exception as error:
        reference = uuid.uuid4().hex[:8]
        log.exception("Unexpected error %s", reference)
        raise RuntimeError(i18n.explain(unexpected(reference), maker.language)) from error
