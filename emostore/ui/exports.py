"""What fits a filter as a file to take away: all of it, not only the page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from emostore.services.exports import exporting
from emostore.services.exports.exporting import Format, What
from emostore.services.views import history_address
from emostore.store.reports import history
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.ui import links
from emostore.ui.bootstrap import open_store
from emostore.ui.history.history_filters import today
from emostore.ui.text import _

_NAMES: dict[Format, str] = {
    "csv": "CSV",
    "parquet": "Parquet",
    "xlsx": "XLSX",
    "jsonl": "JSON Lines",
    "zip": "ZIP",
}


def popover(wanted: HistoryFilter, more: bool) -> None:
    """Behind a button: the clips in each format, and the way to everything else that can be taken away."""
    with st.popover(_("Export"), icon=":material/download:", key="export"):
        st.caption(_("Every clip that fits the filters, with its nine scores."))
        buttons(wanted, "clips", more, wide=True)
        st.page_link(
            links.DATA_PAGE,
            label=_("Windows, embeddings, labels, folders"),
            icon=":material/database:",
            query_params={"section": "export", **history_address.write(wanted)},
        )


def buttons(wanted: HistoryFilter, what: What, more: bool, *, wide: bool = False) -> None:
    """A button for each format that `what` is offered in; `more` says that not all that fits was counted.

    With our own route the file is made while the browser saves it. Without it Streamlit keeps the whole file in
    memory, so there only so many clips are offered as are counted exactly.
    """
    kinds = exporting.OFFERED[what]
    if what == "results" and more:
        st.info(
            _(
                "More than {allowed} clips fit, and a zip of folders holds no more. Narrow the filters, or take JSON "
                "lines of the clips, which have no such limit.",
                allowed=f"{exporting.MOST_FOLDERS:,}",
            ),
            icon=":material/info:",
        )
    elif exporting.ROUTE_IS_SERVED.is_set():
        _links(wanted, what, kinds, wide)
    elif more:
        st.info(
            _(
                "More than {allowed} clips fit. Started by `streamlit run`, the app exports no more; narrow the "
                "filters, or start it with `make run`, which has no such limit.",
                allowed=f"{history.COUNTED:,}",
            ),
            icon=":material/info:",
        )
    else:
        _downloads(wanted, what, kinds, wide)


def _links(wanted: HistoryFilter, what: What, kinds: Sequence[Format], wide: bool) -> None:
    query = urlencode(history_address.write(wanted))
    for kind in kinds:
        address = exporting.ROUTE.format(what=what, kind=kind)
        st.link_button(
            _NAMES[kind],
            f"{address}?{query}",
            icon=_icon(kind),
            width="stretch" if wide else "content",
        )


def _downloads(wanted: HistoryFilter, what: What, kinds: Sequence[Format], wide: bool) -> None:
    for kind in kinds:
        st.download_button(
            _NAMES[kind],
            data=partial(_whole, open_store(), wanted, what, kind),
            file_name=exporting.file_name(what, kind, today()),
            mime=exporting.MIME_TYPES[kind],
            icon=_icon(kind),
            on_click="ignore",
            width="stretch" if wide else "content",
            key=f"export_{what}_{kind}",
        )


def _icon(kind: Format) -> str:
    return {"zip": ":material/folder_zip:", "jsonl": ":material/data_object:"}.get(kind, ":material/table_view:")


def _whole(store: Store, wanted: HistoryFilter, what: What, kind: Format) -> bytes:
    return b"".join(exporting.export(store, wanted, what, kind))
