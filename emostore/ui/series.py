"""Charts over time on a page: each with its table beside it, and as images to take away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from emostore.emotions import EMOTIONS
from emostore.store.reports.report_views import ModelInUse, SeriesPoint
from emostore.ui import images
from emostore.ui.scores import theme
from emostore.ui.text import _, emotion, language

if TYPE_CHECKING:
    import altair as alt

    from emostore.charts import LinePoint

# Altair takes half a second to import, so the functions that draw import it, as in `ui.scores`.


def mix(points: Sequence[SeriesPoint], days: int, model: ModelInUse, *, key: str) -> None:
    """The mix of emotions over time; every point covers `days` and has clips."""
    from emostore import charts

    missing = [name for name in EMOTIONS if name not in model.classes]
    drawn = [
        charts.MixPoint(point.first_day, days, point.totals.clips, point.totals.mean_scores or {}) for point in points
    ]
    build = partial(charts.mix_chart, drawn, lang=language(), missing=missing)
    rows = [
        {
            _("Days"): charts.day_label(point),
            _("Clips"): point.clips,
            **{emotion(name): point.scores.get(name, 0.0) for name in EMOTIONS if name not in missing},
        }
        for point in drawn
    ]
    percent = {emotion(name): st.column_config.NumberColumn(format="percent") for name in EMOTIONS}
    _shown(build, rows, percent, _("The mix of emotions over time"), key)


def lines(named: Mapping[str, Sequence[LinePoint]], figure: str, label: str, *, key: str) -> None:
    """One figure (`quality` or `score`, named by `label`) over time, with intervals."""
    from emostore import charts

    build = partial(charts.line_chart, named, figure=figure, lang=language())
    rows = [
        {
            _("Days"): charts.day_label(point),
            _("Who"): name,
            _("Clips"): point.clips,
            label: point.value,
            _("from"): point.low,
            _("to"): point.high,
        }
        for name, points in named.items()
        for point in points
    ]
    form = "percent" if figure == "score" else "%.1f"
    formats = {name: st.column_config.NumberColumn(format=form) for name in (label, _("from"), _("to"))}
    _shown(build, rows, formats, label, key)


def _shown(
    build: Callable[..., alt.LayerChart],
    rows: Sequence[Mapping[str, object]],
    formats: Mapping[str, Any],
    title: str,
    key: str,
) -> None:
    st.altair_chart(build(theme=theme()), theme=None, key=f"chart_{key}")  # its description is its accessible name
    with st.container(horizontal=True, key=f"take_{key}"):
        with st.popover(_("Table"), icon=":material/table:"):
            st.dataframe(rows, hide_index=True, column_config=dict(formats), alt=title, key=f"table_{key}")
        # On paper and in slides the background is light, whatever the reader's screen shows.
        images.downloads(partial(build, title=title), key, key)
