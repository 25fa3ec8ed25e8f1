"""A chart to take away as an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import altair as alt

    from emostore import charts


def downloads(build: Callable[[], alt.TopLevelMixin], file_name: str, key: str) -> None:
    """A button for PNG and one for SVG; `build` makes the chart for paper, in light, once somebody wants it."""
    kind: charts.Format
    for kind in ("png", "svg"):
        st.download_button(
            kind.upper(),
            # A callable is only run when it is clicked, so that a page does not pay for images nobody takes.
            data=_saved(build, kind),
            file_name=f"{file_name}.{kind}",
            mime={"png": "image/png", "svg": "image/svg+xml"}[kind],
            icon=":material/download:",
            on_click="ignore",
            key=f"{kind}_{key}",
        )


def _saved(build: Callable[[], Any], kind: charts.Format) -> Callable[[], bytes]:
    def save() -> bytes:
        from emostore import charts  # late, as in `ui.scores`

        return charts.save(build(), kind)

    return save
