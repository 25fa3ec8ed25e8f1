"""A distribution on a page: chart, table beside it, and the images to take away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from emostore.ui.text import _, language, table

if TYPE_CHECKING:
    from emostore import charts

# Altair takes half a second to import, so the functions that draw import it: pages without a chart open sooner.


def theme() -> charts.Theme:
    """Which of the two looks the reader's browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def distribution(
    scores: Mapping[str, float],
    *,
    key: str,
    file_name: str,
    missing: Collection[str] = (),
    sums: Mapping[str, float] | None = None,
) -> None:
    """The nine scores as a bar chart, with a table and downloads. `key` is unique on the page.

    `sums` of scores, by their names, stand below them in the table.
    """
    from emostore import charts

    chart = charts.bar_chart(scores, lang=language(), missing=missing, theme=theme())
    st.altair_chart(chart, theme=None, key=f"chart_{key}")  # its description is its accessible name
    with st.container(horizontal=True, key=f"take_{key}"):
        with st.popover(_("Table"), icon=":material/table:"):
            st.table(table(scores, sums or {}))
        kind: charts.Format
        for kind in ("png", "svg"):
            st.download_button(
                kind.upper(),
                # A callable is only run when it is clicked, so that a page does not pay for images nobody takes.
                data=partial(_image, scores, kind, file_name, missing, language()),
                file_name=f"{file_name}.{kind}",
                mime={"png": "image/png", "svg": "image/svg+xml"}[kind],
                icon=":material/download:",
                on_click="ignore",
                key=f"{kind}_{key}",
            )


def _image(scores: Mapping[str, float], kind: charts.Format, title: str, missing: Collection[str], lang: str) -> bytes:
    from emostore import charts

    # On paper and in slides the background is light, whatever the reader's screen shows.
    return charts.save(charts.bar_chart(scores, lang=lang, missing=missing, title=title), kind)
