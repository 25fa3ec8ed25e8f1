"""How far things are from each other, as a table of shaded cells."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from emostore.charts import style
from emostore.charts.style import INK, PADDING, Theme

ROW_PX = 34
MOST_SLANTED = 6  # columns whose names find room at a slant; names of more stand steeper
SLANT_PX = 40  # what the last slanted name reaches over the edge
NAME_PX = 130  # a longer name is cut; the table beside the chart has it whole
# From the ground to an indigo on which the ink still reads at 7:1.
SHADES: dict[Theme, list[str]] = {"light": ["#ffffff", "#a3a5d6"], "dark": ["#12151c", "#474c9c"]}


def matrix_chart(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    description: str,
    theme: Theme = "light",
    maximum: float = 1.0,
) -> alt.LayerChart:
    """A cell for each pair, the darker the larger its value, with the value in it to two decimals.

    Parameters
    ----------
    rows, columns: unique names, drawn in this order.
    values: one list a row, each in [0, maximum]; None leaves the cell empty.
    description: one sentence for a screen reader.

    Raises `ValueError` if the values do not fit the names.
    """
    if len(values) != len(rows) or any(len(line) != len(columns) for line in values):
        raise ValueError(f"values for {len(rows)} rows and {len(columns)} columns are needed")
    ink = INK[theme]
    cells = [
        {
            "row": row,
            "column": column,
            "value": value,
            "label": f"{value:.2f}",
            "spoken": f"{row}, {column}: {value:.2f}",
        }
        for row, line in zip(rows, values, strict=True)
        for column, value in zip(columns, line, strict=True)
        if value is not None
    ]
    names = alt.Axis(title=None, labelColor=ink.text, labelFontSize=12, labelLimit=NAME_PX)
    top = alt.Axis(**{**names.to_dict(), "orient": "top", "labelAngle": _slant(columns), "labelLimit": 90})
    base = alt.Chart(alt.InlineData(values=cells)).encode(
        x=alt.X("column:N", sort=list(columns), scale=alt.Scale(domain=list(columns)), axis=top),
        y=alt.Y("row:N", sort=list(rows), scale=alt.Scale(domain=list(rows)), axis=names),
    )
    shade = alt.Scale(domain=[0, maximum], range=SHADES[theme], clamp=True)
    chart = alt.layer(
        base.mark_rect(stroke=ink.background, strokeWidth=2, cornerRadius=4).encode(
            color=alt.Color("value:Q", scale=shade, legend=None),
            description="spoken:N",
            tooltip=[
                alt.Tooltip("row:N", title=" "),
                alt.Tooltip("column:N", title="↔"),
                alt.Tooltip("label:N", title="="),
            ],
        ),
        base.mark_text(color=ink.text, fontSize=12, aria=False).encode(text="label:N"),
    ).properties(
        width="container",
        height=ROW_PX * len(rows),
        padding={**PADDING, "right": SLANT_PX},
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=description,
        usermeta={"theme": theme},  # an export picks its background by it
    )
    styled: alt.LayerChart = chart.configure(**style.theme(theme))
    return styled


def _slant(columns: Sequence[str]) -> int:
    """At which angle the names of columns stand, in degrees."""
    return -35 if len(columns) <= MOST_SLANTED else -65
