"""Clips as points on a plane, each in the colour and the shape of its emotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from emostore.charts import style
from emostore.charts.style import EMOTION_RANGE, INK, PADDING, Theme
from emostore.charts.words import emotion_label, words
from emostore.emotions import EMOTIONS

HEIGHT_PX = 420
CHOICE = "clip"  # the selection that a click makes
_STAR = "M0,-1L.29,-.4L.95,-.31L.48,.16L.59,.81L0,.5L-.59,.81L-.48,.16L-.95,-.31L-.29,-.4Z"
# Of each emotion, so that they are told apart without colour.
SHAPES = (
    *("triangle-up", "triangle-down", "diamond", "circle", "square", "cross"),
    *("triangle-left", _STAR, "triangle-right"),
)
_POINT_PX2 = 70
_LEGEND_COLUMNS = 3  # of emotion names: as many as a phone is wide


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A clip: its id, where it lies, its dominant emotion, and what to show of it."""

    clip_id: int
    x: float
    y: float
    emotion: str
    name: str
    note: str = ""


def map_chart(
    points: Sequence[MapPoint],
    *,
    description: str,
    lang: str = "en",
    theme: Theme = "light",
    title: str | None = None,
) -> alt.Chart:
    """The points, on axes that cover the same range; a click selects `clip_id` as `CHOICE`.

    Parameters
    ----------
    description: one sentence for a screen reader.

    Raises `ValueError` for no points.
    """
    if not points:
        raise ValueError("a map needs points")
    ink = INK[theme]
    labels = {name: emotion_label(name, lang) for name in EMOTIONS}
    there = [name for name in EMOTIONS if any(point.emotion == name for point in points)]
    ranges = {name: (EMOTION_RANGE[place], SHAPES[place]) for place, name in enumerate(EMOTIONS)}
    domain = [labels[name] for name in there]
    # One range for both, so that the weaker direction does not look as strong as the other.
    middle = [(max(values) + min(values)) / 2 for values in ([p.x for p in points], [p.y for p in points])]
    half = max(max(abs(p.x - middle[0]), abs(p.y - middle[1])) for p in points) * 1.06 or 1.0
    legend = alt.Legend(title=None, orient="top", columns=_LEGEND_COLUMNS)
    axis = alt.Axis(title=None, labels=False, grid=True, tickCount=6)

    def along(field: str, center: float) -> alt.Scale:
        return alt.Scale(domain=[center - half, center + half], nice=False, zero=False)

    values = [
        {
            "clip_id": point.clip_id,
            "x": round(point.x, 5),
            "y": round(point.y, 5),
            "emotion": labels[point.emotion],
            "name": point.name,
            "note": point.note,
            "spoken": f"{point.name}: {labels[point.emotion]}",
        }
        for point in points
    ]
    clicked = alt.selection_point(name=CHOICE, fields=["clip_id"], on="click", empty=False)
    chart = (
        alt.Chart(alt.InlineData(values=values))
        .mark_point(
            filled=True, size=_POINT_PX2, opacity=0.85, stroke=ink.background, strokeWidth=0.5, cursor="pointer"
        )
        .encode(
            x=alt.X("x:Q", axis=axis, scale=along("x", middle[0])),
            y=alt.Y("y:Q", axis=axis, scale=along("y", middle[1])),
            color=alt.Color(
                "emotion:N", legend=legend, scale=alt.Scale(domain=domain, range=[ranges[name][0] for name in there])
            ),
            shape=alt.Shape(
                "emotion:N", legend=legend, scale=alt.Scale(domain=domain, range=[ranges[name][1] for name in there])
            ),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("emotion:N", title=words(lang)["emotion"]),
                alt.Tooltip("note:N", title="·"),
            ],
            description="spoken:N",
        )
        .add_params(clicked)
        .properties(
            width="container",
            height=HEIGHT_PX,
            padding=dict(PADDING),
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            description=description,
            usermeta={"theme": theme},  # an export picks its background by it
            **({"title": title} if title else {}),
        )
    )
    styled: alt.Chart = chart.configure(**style.theme(theme))
    return styled
