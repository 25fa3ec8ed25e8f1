"""How every chart looks: ink, lines and type on light and on dark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from emostore.emotions import BY_NAME, EMOTIONS

Theme = Literal["light", "dark"]

# The packaged family stands last but one: a page shows the reader's own fonts, an export puts it first.
PACKAGED_FAMILY = "Emostore Sans SC"
_FAMILIES = ("Inter", "Source Sans", "system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC")
FONT = ", ".join((*_FAMILIES, PACKAGED_FAMILY, "sans-serif"))
EXPORT_FONT = ", ".join((PACKAGED_FAMILY, *_FAMILIES, "sans-serif"))

EMOTION_RANGE = [BY_NAME[name].color for name in EMOTIONS]

# Samples are not emotions: a set of their own, and dashes so that they are told apart without colour.
SAMPLE_RANGE = ["#0299f7", "#b73603", "#398572", "#9f2fb2", "#ba8e03", "#9690ab"]
SAMPLE_DASHES = [[1, 0], [8, 4], [2, 3], [12, 3, 2, 3], [5, 3], [12, 4, 2, 4, 2, 4]]
# px. By side, because Streamlit writes to the sides of it and breaks on a plain number.
PADDING = {"left": 4, "right": 4, "top": 4, "bottom": 4}


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of everything that is not data; text keeps at least 4.5:1 on its background."""

    background: str
    text: str
    muted: str  # axis labels and side notes
    line: str  # grid: seen, never read
    edge: str  # outlines that carry meaning, at least 3:1


INK: dict[Theme, Ink] = {
    "light": Ink(background="#ffffff", text="#131722", muted="#5b6473", line="#e1e5eb", edge="#868e9b"),
    "dark": Ink(background="#12151c", text="#eceef3", muted="#a4acba", line="#2a303c", edge="#6d7686"),
}


def finished(
    layers: Iterable[alt.Chart], *, height: int, description: str, mode: Theme, title: str | None = None
) -> alt.LayerChart:
    """Layers as one chart, as wide as where it stands, with its alt text, in the colours of a theme."""
    chart = alt.layer(*layers).properties(
        width="container",
        height=height,
        padding=dict(PADDING),
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=description,
        usermeta={"theme": mode},  # an export picks its background by it
    )
    if title:
        chart = chart.properties(title=alt.TitleParams(text=title))
    styled: alt.LayerChart = chart.configure(**theme(mode))
    return styled


def theme(mode: Theme = "light") -> dict[str, Any]:
    """The Vega-Lite config that every chart carries: it needs no theme of the page around it."""
    ink = INK[mode]
    return {
        "background": "transparent",  # the page shows through; an export names its background
        "font": FONT,
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "color": ink.text,
            "fontSize": 15,
            "fontWeight": 600,
            "offset": 14,
        },
        "axis": {
            "domain": False,
            "ticks": False,
            "grid": False,
            "gridColor": ink.line,
            "labelColor": ink.muted,
            "labelFontSize": 11,
            "labelPadding": 8,
            "titleColor": ink.muted,
            "titleFontSize": 11,
            "titleFontWeight": 400,
        },
        "legend": {
            "labelColor": ink.text,
            "labelFontSize": 12,
            "titleColor": ink.muted,
            "symbolStrokeWidth": 2,
        },
        "text": {"color": ink.text, "fontSize": 12},
    }
