"""Who speaks when: a lane for each voice, all of one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from emostore.charts import style
from emostore.charts.style import INK, SAMPLE_RANGE, Theme
from emostore.i18n import clock

LANE_PX = 34
BAR_PX = 20
THIN_PX = 8  # lanes that are no voice
VALUE_PX = 56  # the column of labels right of the plot
NAME_PX = 130  # a longer name is cut
PARTS = 1200  # of the time that are told apart: as many as a wide screen has pixels
TICKS = 6
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)

Tone = Literal["voice", "both", "silence"]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lane:
    """A row: its unique name, stretches (n, 2) in seconds, and what stands at its end."""

    name: str
    stretches: ArrayLike
    label: str
    tone: Tone = "voice"


def lanes_chart(
    lanes: Sequence[Lane],
    *,
    length_s: float,
    description: str,
    theme: Theme = "light",
    title: str | None = None,
) -> alt.LayerChart:
    """A bar for every stretch, lanes from top to bottom in the order given.

    Parameters
    ----------
    length_s: the end of the time axis, which begins at 0.
    description: one sentence for a screen reader.

    Raises `ValueError` for no lane, two of one name, or a time without length.
    """
    names = [lane.name for lane in lanes]
    if not names or len(set(names)) < len(names) or not length_s > 0:
        raise ValueError("lanes need names of their own and a time with a length")
    ink = INK[theme]
    y = alt.Y(
        "name:N",
        sort=names,
        scale=alt.Scale(domain=names, paddingInner=0, paddingOuter=0),
        axis=alt.Axis(title=None, labelColor=ink.text, labelFontSize=13, labelLimit=NAME_PX, labelPadding=10),
    )
    return style.finished(
        _layers(lanes, y, length_s, theme),
        height=LANE_PX * len(lanes),
        description=description,
        mode=theme,
        title=title,
    )


def thinned(stretches: ArrayLike, length_s: float, parts: int = PARTS) -> FloatArray:
    """At most `parts` stretches (n, 2) to draw in order: each part of the time in which there is something is whole.

    Nothing is lost by it: what is shorter than a part is drawn as long as one, pauses shorter than one are filled.
    """
    found = np.asarray(stretches, np.float64).reshape(-1, 2)
    least = length_s / parts
    if not len(found):
        return found
    found = found[np.argsort(found[:, 0], kind="stable")]
    starts = np.minimum(found[:, 0], length_s - least)
    ends = np.maximum.accumulate(np.maximum(found[:, 1], starts + least))
    first = np.concatenate([[True], starts[1:] >= ends[:-1] + least])
    return np.stack([starts[first], ends[np.concatenate([first[1:], [True]])]], axis=1)


def _layers(lanes: Sequence[Lane], y: alt.Y, length_s: float, mode: Theme) -> list[alt.Chart]:
    ink = INK[mode]
    step = next((each for each in _STEPS_S if length_s / each <= TICKS), _STEPS_S[-1])
    axis = alt.Axis(
        title=None,
        grid=True,
        values=list(range(0, int(length_s) + 1, step)),
        labelExpr=_clock_of("datum.value"),
        labelFlush=True,
    )
    scale = alt.Scale(domain=[0, length_s], nice=False)
    voices = [lane.name for lane in lanes if lane.tone == "voice"]
    colors = {
        lane.name: SAMPLE_RANGE[voices.index(lane.name) % len(SAMPLE_RANGE)]
        if lane.tone == "voice"
        else {"both": ink.text, "silence": ink.edge}[lane.tone]
        for lane in lanes
    }
    color = alt.Color("name:N", legend=None, scale=alt.Scale(domain=list(colors), range=list(colors.values())))
    bars = alt.Chart(alt.InlineData(values=[row for lane in lanes for row in _rows(lane, length_s)])).encode(
        y=y,
        x=alt.X("start:Q", scale=scale, axis=axis),
        x2="end:Q",
        color=color,
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("when:N", title="⏱")],
    )
    ends = alt.Chart(alt.InlineData(values=[{"name": lane.name, "label": lane.label} for lane in lanes])).encode(y=y)
    return [
        ends.mark_bar(height=BAR_PX, cornerRadius=3, color=ink.line, opacity=0.5, aria=False).encode(
            x=alt.value(0), x2=alt.value("width")
        ),
        bars.transform_filter(alt.datum.tone == "voice").mark_bar(height=BAR_PX, cornerRadius=2, aria=False),
        bars.transform_filter(alt.datum.tone != "voice").mark_bar(height=THIN_PX, cornerRadius=2, aria=False),
        ends.mark_text(align="right", dx=VALUE_PX, fontSize=12, color=ink.text, aria=False).encode(
            x=alt.value("width"), text="label:N"
        ),
    ]


def _rows(lane: Lane, length_s: float) -> list[dict[str, Any]]:
    return [
        {"name": lane.name, "tone": lane.tone, "start": start, "end": end, "when": f"{clock(start)} – {clock(end)}"}
        for start, end in thinned(lane.stretches, length_s).round(3).tolist()
    ]


def _clock_of(value: str) -> str:
    """`clock` in the language of Vega."""
    rest = f"pad(toString({value} % 60), 2, '0', 'left')"
    minutes, hours = f"floor({value} / 60)", f"floor({value} / 3600)"
    return (
        f"{value} < 3600 ? {minutes} + ':' + {rest} : "
        f"{hours} + ':' + pad(toString({minutes} % 60), 2, '0', 'left') + ':' + {rest}"
    )
