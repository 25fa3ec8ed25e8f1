"""The clips that fit a filter as a file to take away: all of them, not only the page."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

import streamlit as st

from emostore.services import exporting, history_address
from emostore.store import history
from emostore.store.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.views import HistoryPage
from emostore.ui.bootstrap import open_store
from emostore.ui.history_filters import today
from emostore.ui.text import _


def buttons(wanted: HistoryFilter, page: HistoryPage) -> None:
    """A button for each format.

    With our own route the file is made while the browser saves it. Without it Streamlit keeps the whole file in
    memory, so there only so many clips are offered as are counted exactly.
    """
    with st.popover(_("Export"), icon=":material/download:", key="export"):
        st.caption(_("Every clip that fits the filters, with its nine scores."))
        if exporting.ROUTE_IS_SERVED.is_set():
            for kind in exporting.FORMATS:
                address = exporting.ROUTE.format(kind=kind)
                query = urlencode(history_address.write(wanted))
                st.link_button(kind.upper(), f"{address}?{query}", icon=":material/table_view:", width="stretch")
        elif page.more:
            st.info(
                _(
                    "More than {allowed} clips fit. Started by `streamlit run`, the app exports no more; narrow the "
                    "filters, or start it with `make run`, which has no such limit.",
                    allowed=f"{history.COUNTED:,}",
                ),
                icon=":material/info:",
            )
        else:
            for kind in exporting.FORMATS:
                st.download_button(
                    kind.upper(),
                    data=partial(_whole, open_store(), wanted, kind),
                    file_name=exporting.file_name(kind, today()),
                    mime=exporting.MIME_TYPES[kind],
                    icon=":material/table_view:",
                    on_click="ignore",
                    width="stretch",
                    key=f"export_{kind}",
                )


def _whole(store: Store, wanted: HistoryFilter, kind: exporting.Format) -> bytes:
    return b"".join(exporting.stream(history.stream(store, wanted), kind, time_zone=wanted.time_zone))
