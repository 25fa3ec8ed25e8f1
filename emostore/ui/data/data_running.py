"""An import that runs, and how it ended. The page can be left meanwhile, and its language changed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.typing import UploadedFile

from emostore.services.importing import Ended, Imported, Options, Plan
from emostore.store.reports import reports
from emostore.ui import heard, links
from emostore.ui.bootstrap import background_import, in_force, open_store
from emostore.ui.data import data_files
from emostore.ui.text import _, explain
from emostore.ui.upload.uploads import let_go

_FOLLOWED = "import_followed"  # the number of the import that this tab began or watched
_ENDED = "import_ended"  # how it ended, told until other files are chosen
_SOON_S = 0.5  # most imports have ended by then: nothing flickers
_REFRESH_S = 1.0
_LINKED = 5  # new clips that are linked to


def begin(files: Sequence[UploadedFile], options: Options, plan: Plan) -> bool:
    """Begin to store what was shown; False if another import is under way."""
    task = background_import()
    number = task.start(open_store(), in_force(), data_files.given(files), options, plan)
    if number is None:
        return False
    st.session_state[_FOLLOWED] = number
    let_go(files)  # the import has them
    task.wait(_SOON_S)
    return True


def board(*, chosen: bool) -> None:
    """How far the import is that runs, else how the last one ended, until other files are `chosen`."""
    task = background_import()
    if task.running:
        st.session_state[_FOLLOWED] = task.number
        st.session_state.pop(_ENDED, None)
        st.fragment(_follow, run_every=_REFRESH_S)()
        return
    told = task.told(st.session_state.pop(_FOLLOWED, None))
    if told is not None:
        st.session_state[_ENDED] = told
    elif chosen:
        st.session_state.pop(_ENDED, None)
    ended: Ended | None = st.session_state.get(_ENDED)
    if ended is not None:
        _tell(ended)


def _follow() -> None:
    task = background_import()
    if not task.running:
        st.rerun()
    done, total = task.progress
    text = _("Importing: {done} of {total} clips", done=f"{done:,}", total=f"{total:,}")
    st.progress(min(1.0, done / max(1, total)), text=text)
    st.caption(_("It goes on when you leave this page; come back to see how it ended."))
    if st.button(_("Cancel"), icon=":material/cancel:", key="import_cancel", disabled=task.cancelling):
        task.cancel()
        st.toast(_("Stopping; what is stored by then stays."))


def _tell(ended: Ended) -> None:
    """What was stored, where it is, and what stopped it."""
    rest = _(
        "It had read {done} of {total} clips. What was stored stays; import the same files again to bring the rest.",
        done=f"{ended.done:,}",
        total=f"{ended.total:,}",
    )
    if ended.problem is not None:
        st.error(f"{explain(ended.problem)} {rest}", icon=":material/error:")
    if ended.imported is None:
        return
    if ended.imported.cancelled:
        st.warning(rest, title=_("The import was cancelled"), icon=":material/cancel:")
    _report(ended.imported)


def _report(done: Imported) -> None:
    data_files.refusals(done.refused, done.refused_count)
    count = done.new + done.added
    said = _("1 clip was imported.") if count == 1 else _("{count} clips were imported.", count=f"{count:,}")
    if done.labels:
        told = _("Labels that were imported: {count}.", count=f"{done.labels:,}")
        said = f"{said} {told}" if count else told
    st.success(said, icon=":material/check_circle:")
    rows = reports.clip_rows(open_store(), done.clip_ids[:_LINKED])
    with st.container(key="imported"):
        for clip_id in done.clip_ids[:_LINKED]:
            if row := rows.get(clip_id):
                links.clip(clip_id, label=f"{links.named(row.file_name)} · {heard.named(row.scores)}")
        label = _("All clips, the latest first")
        st.page_link(links.HISTORY_PAGE, label=label, icon=":material/history:", query_params={"days": "all"})
