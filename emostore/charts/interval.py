"""Values with the ranges that they may lie in, one row each: a ranking, or differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from emostore.charts import style
from emostore.charts.style import INK, SAMPLE_RANGE, Theme

ROW_PX = 26
VALUE_PX = 52  # the column of numbers right of the plot
NAME_PX = 150  # a longer name is cut; the table beside the chart has it whole
_MARGIN = 0.04  # of the range, on both sides, so that no whisker ends on the edge

Tone = Literal["plain", "muted", "marked"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A row: its unique name, a value, the range from `low` to `high` (None: not known), and what to show of them.

    Neighbours with the same `band` stand on one ground. `notes` are pairs of title and text for the tooltip.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    label: str
    band: int | None = None
    tone: Tone = "plain"
    notes: tuple[tuple[str, str], ...] = ()


def interval_chart(
    rows: Sequence[Interval],
    *,
    description: str,
    theme: Theme = "light",
    domain: tuple[float, float] | None = None,
    reference: float | None = None,
    axis_format: str = "~r",
) -> alt.LayerChart:
    """A point and a bar for each row, in the order given, from top to bottom.

    Parameters
    ----------
    description: one sentence for a screen reader.
    domain: ends of the axis; else what the ranges need.
    reference: where a line is drawn through all rows: the mean of everybody, or no difference.

    Raises `ValueError` for no rows, or two of one name.
    """
    names = [row.name for row in rows]
    if not names or len(set(names)) < len(names):
        raise ValueError("an interval chart needs rows, each with a name of its own")
    low, high = domain or _domain(rows, reference)
    ink = INK[theme]
    scale = alt.Scale(domain=[low, high], nice=False, zero=False, clamp=True)
    axis = alt.Axis(title=None, grid=True, tickCount=5, format=axis_format, orient="top")

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    base = alt.Chart(alt.InlineData(values=[_row(row) for row in rows])).encode(
        y=alt.Y(
            "name:N",
            sort=names,
            scale=alt.Scale(domain=names, paddingInner=0, paddingOuter=0),
            axis=alt.Axis(
                title=None, labelColor=ink.text, labelFontSize=13, labelLimit=NAME_PX, labelPadding=10, minExtent=60
            ),
        )
    )
    return style.finished(
        _layers(base, x, rows, theme, reference),
        height=ROW_PX * len(names),
        description=description,
        mode=theme,
    )


def axis_around(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that holds these values, of which there is at least one, with a margin."""
    low, high = min(values), max(values)
    margin = (high - low) * _MARGIN or 1.0
    return low - margin, high + margin


def _domain(rows: Sequence[Interval], reference: float | None) -> tuple[float, float]:
    found = [value for row in rows for value in (row.value, row.low, row.high) if value is not None]
    return axis_around([*found, *([reference] if reference is not None else [])])


def _row(row: Interval) -> dict[str, Any]:
    told = {f"note_{number}": text for number, (_title, text) in enumerate(row.notes)}
    band = 0 if row.band is None else row.band
    return {
        "name": row.name,
        "value": row.value,
        "low": row.value if row.low is None else row.low,
        "high": row.value if row.high is None else row.high,
        "label": row.label,
        "shaded": band % 2 == 1,
        "tone": row.tone,
        "spoken": f"{row.name}: {row.label}",
        **told,
    }


def _layers(
    base: alt.Chart, x: Callable[[str], alt.X], rows: Sequence[Interval], mode: Theme, reference: float | None
) -> Iterator[alt.Chart]:
    ink = INK[mode]
    titles = [title for title, _text in rows[0].notes]
    tooltip = [
        alt.Tooltip("name:N", title=" "),
        *(alt.Tooltip(f"note_{number}:N", title=title) for number, title in enumerate(titles)),
    ]
    edge = {"x": alt.value(0), "x2": alt.value("width")}
    # The whole row answers the pointer, and shows which rows belong together.
    yield base.mark_bar(height=ROW_PX, color=ink.line, aria=False).encode(
        **edge, tooltip=tooltip, opacity=alt.condition(alt.datum.shaded, alt.value(0.45), alt.value(0))
    )
    if reference is not None:
        line = alt.Chart(alt.InlineData(values=[{"value": reference}]))
        yield line.mark_rule(color=ink.edge, strokeDash=[4, 3], aria=False).encode(x=x("value"))
    tones: dict[Tone, str] = {"plain": SAMPLE_RANGE[0], "muted": ink.edge, "marked": SAMPLE_RANGE[1]}
    color = alt.Color("tone:N", legend=None, scale=alt.Scale(domain=list(tones), range=list(tones.values())))
    yield base.mark_bar(height=6, cornerRadius=3, opacity=0.45, aria=False).encode(
        x=x("low"), x2="high:Q", color=color, tooltip=tooltip
    )
    yield base.mark_circle(size=90, opacity=1).encode(
        x=x("value"), color=color, tooltip=tooltip, description="spoken:N"
    )
    yield base.mark_text(align="right", dx=VALUE_PX, fontSize=12, color=ink.text, aria=False).encode(
        x=alt.value("width"), text="label:N"
    )
