"""Several distributions over each other on nine axes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from emostore.charts import style
from emostore.charts.style import INK, PADDING, SAMPLE_DASHES, SAMPLE_RANGE, Theme
from emostore.charts.words import emotion_label, nine, samples_alt_text, words
from emostore.emotions import EMOTIONS
from emostore.errors import ScoresError

MAX_SAMPLES = len(SAMPLE_DASHES)
RINGS = 4
TOPS = (0.2, 0.4, 0.6, 0.8, 1.0)  # ends of the scale that four rings divide into round numbers
LABEL_PX = 12  # font size of the axis names
FIRST_SQUARE = 0x2E80  # where CJK begins in Unicode
GAP_PX = 9  # between the outer ring and the names
LEGEND_ENTRY_PX = 260  # a legend entry is cut before it is wider than the smallest phone


def radar_chart(
    samples: Mapping[str, Mapping[str, float]],
    *,
    lang: str = "en",
    theme: Theme = "light",
    size: int = 360,
    title: str | None = None,
    maximum: float | None = None,
    missing: Mapping[str, Collection[str]] | None = None,
) -> alt.LayerChart:
    """One closed polygon a sample; a click on its name in the legend hides it and shows it again.

    Parameters
    ----------
    samples: one to six, name → scores (as given, an absent name is 0), drawn in this order.
    size: width and height of the drawing in px, names of the axes included; the legend stands below.
    maximum: end of the scale; else the smallest of `TOPS` that holds every score.
    missing: sample → emotions that its model cannot produce. There it has no point, and the axis is set back.

    Raises `ScoresError` for more samples than can be told apart, for none, and for bad scores.
    """
    if not 1 <= len(samples) <= MAX_SAMPLES:
        raise ScoresError(
            "A radar chart shows 1 to {allowed} samples; {count} were given.", allowed=MAX_SAMPLES, count=len(samples)
        )
    missing = missing or {}
    top = maximum or _top(samples)
    across = _across(size, lang, top)
    chart = alt.layer(
        *_web(lang, theme, across, top, {name for names in missing.values() for name in names}),
        *_polygons(samples, lang, across, missing),
        *_ring_labels(theme, across, top),
    ).properties(
        width=size,
        height=across.height_px,
        padding=dict(PADDING),
        autosize=alt.AutoSizeParams(type="pad"),  # "fit" would take the legend from the height and flatten the rings
        description=samples_alt_text(samples, lang),
        usermeta={"theme": theme},  # an export picks its background by it
    )
    if title:
        chart = chart.properties(title=alt.TitleParams(text=title, limit=size))
    styled: alt.LayerChart = chart.configure(**style.theme(theme))
    return styled


def vertex(emotion: int, score: float) -> tuple[float, float]:
    """Where `score` lies on the axis of `EMOTIONS[emotion]`: the first points up, then clockwise."""
    angle = 2 * math.pi * emotion / len(EMOTIONS)
    return score * math.sin(angle), score * math.cos(angle)


def _outline(values: Sequence[float]) -> list[dict[str, float]]:
    """The polygon through nine values, closed: its first point comes again at the end."""
    points = [vertex(index, value) for index, value in enumerate(values)]
    return [{"step": step, "x": x, "y": y} for step, (x, y) in enumerate([*points, points[0]])]


def _top(samples: Mapping[str, Mapping[str, float]]) -> float:
    highest = max(max(nine(scores)) for scores in samples.values())
    return next(top for top in TOPS if top >= highest)


@dataclass(frozen=True, slots=True)
class _Across:
    """What fits into the picture, in scores and in px: both directions share one scale, so rings stay round."""

    x: float  # half of the width, in scores
    y: float  # half of the height, in scores
    height_px: float
    px: float  # one px, in scores

    def encode(self) -> dict[str, Any]:
        """Both position channels, the same in every layer."""
        return {
            axis: channel(f"{axis}:Q", axis=None, scale=alt.Scale(domain=[-half, half], nice=False, zero=False))
            for axis, channel, half in (("x", alt.X, self.x), ("y", alt.Y, self.y))
        }


def _across(size: int, lang: str, top: float) -> _Across:
    """The largest outer ring that leaves room for the name of every axis."""
    half = size / 2
    radius = half
    for index, name in enumerate(EMOTIONS):
        sine = abs(vertex(index, 1)[0])
        if sine > 0.1:  # a name straight above the centre needs no room at its side
            radius = min(radius, (half - GAP_PX - text_px(emotion_label(name, lang))) / sine)
    height = 2 * (radius + GAP_PX + LABEL_PX)
    return _Across(x=half * top / radius, y=height / 2 * top / radius, height_px=height, px=top / radius)


def _web(lang: str, mode: Theme, across: _Across, top: float, missing: Collection[str]) -> Iterator[alt.Chart]:
    ink, place = INK[mode], across.encode()
    rings = [top * ring / RINGS for ring in range(1, RINGS + 1)]
    yield (
        alt.Chart(alt.InlineData(values=[{"ring": r, **point} for r in rings for point in _outline([r] * 9)]))
        .mark_line(aria=False, color=ink.line, strokeWidth=1, strokeJoin="round")
        .encode(**place, detail="ring:Q", order="step:Q")
    )
    ends = [
        {**dict(zip(("x", "y"), vertex(index, top), strict=True)), "dash": [3, 3] if name in missing else []}
        for index, name in enumerate(EMOTIONS)
    ]
    yield (
        alt.Chart(alt.InlineData(values=ends))
        .mark_rule(aria=False, color=ink.line, strokeWidth=1, strokeDash=alt.ExprRef("datum.dash"))
        .encode(**place, x2=alt.datum(0), y2=alt.datum(0))
    )
    yield (
        alt.Chart(alt.InlineData(values=_axis_names(lang, top + GAP_PX * across.px, missing)))
        .mark_text(
            aria=False,
            align=alt.ExprRef("datum.align"),
            baseline=alt.ExprRef("datum.baseline"),
            color=alt.ExprRef(f"datum.missing ? '{ink.muted}' : '{ink.text}'"),
            fontStyle=alt.ExprRef("datum.missing ? 'italic' : 'normal'"),
            fontSize=LABEL_PX,
        )
        .encode(**place, text="label:N")
    )


def _axis_names(lang: str, radius: float, missing: Collection[str]) -> list[dict[str, Any]]:
    """The names around the web, each growing away from it."""
    rows = []
    for index, name in enumerate(EMOTIONS):
        x, y = vertex(index, radius)
        side = x / radius
        rows.append(
            {
                "emotion": name,
                "label": emotion_label(name, lang),
                "missing": name in missing,
                "x": x,
                "y": y,
                "align": "center" if abs(side) < 0.1 else "left" if side > 0 else "right",
                "baseline": "bottom" if y / radius > 0.9 else "top" if y / radius < -0.9 else "middle",
            }
        )
    return rows


def _ring_labels(mode: Theme, across: _Across, top: float) -> Iterator[alt.Chart]:
    ink = INK[mode]
    rows = [{"x": 0, "y": top * ring / RINGS, "label": f"{top * ring / RINGS:g}"} for ring in range(1, RINGS + 1)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(**across.encode(), text="label:N")
    look: dict[str, Any] = {"aria": False, "align": "left", "dx": 5, "fontSize": 10}
    # A halo in the colour of the page keeps the numbers readable on top of a polygon.
    yield base.mark_text(stroke=ink.background, strokeWidth=3, strokeJoin="round", **look)
    yield base.mark_text(color=ink.muted, **look)


def _polygons(
    samples: Mapping[str, Mapping[str, float]], lang: str, across: _Across, missing: Mapping[str, Collection[str]]
) -> Iterator[alt.Chart]:
    say, names = words(lang), list(samples)
    shown = alt.selection_point(
        name="shown",
        fields=["sample"],
        bind="legend",
        toggle="true",  # every click hides or shows one; when the last is hidden, all are shown again
        value=[{"sample": name} for name in names],
    )
    # One legend for both channels, the same in every layer: a layer without it would take it from the others.
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=_columns(names, across),
        labelLimit=LEGEND_ENTRY_PX,
        symbolType="stroke",
        symbolSize=500,
        symbolOpacity=1,
    )
    color = alt.Color("sample:N", legend=legend, scale=alt.Scale(domain=names, range=SAMPLE_RANGE[: len(names)]))
    dash = alt.StrokeDash("sample:N", legend=legend, scale=alt.Scale(domain=names, range=SAMPLE_DASHES[: len(names)]))
    base = alt.Chart(alt.InlineData(values=_rows(samples, lang, missing))).transform_filter(shown)
    base = base.encode(**across.encode(), order="step:Q", color=color)
    yield base.mark_line(aria=False, filled=True, fillOpacity=0.14, strokeWidth=0)
    yield base.mark_line(aria=False, strokeWidth=2, strokeJoin="round").encode(strokeDash=dash).add_params(shown)
    # What was not measured is no point at 0.
    points = base.transform_filter(~alt.datum.missing) if any(missing.values()) else base
    yield points.mark_circle(size=36, opacity=1).encode(
        description="spoken:N",
        tooltip=[
            alt.Tooltip("sample:N", title=say["sample"]),
            alt.Tooltip("label:N", title=say["emotion"]),
            alt.Tooltip("score_label:N", title=say["score"]),
        ],
    )


def _rows(
    samples: Mapping[str, Mapping[str, float]], lang: str, missing: Mapping[str, Collection[str]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for sample, scores in samples.items():
        values, absent = nine(scores), missing.get(sample, ())
        for point in _outline(values):
            index = int(point["step"]) % len(EMOTIONS)
            label, score = emotion_label(EMOTIONS[index], lang), f"{values[index]:.3f}"
            row = {"sample": sample, "emotion": EMOTIONS[index], "label": label, "score_label": score}
            is_missing = EMOTIONS[index] in absent
            rows.append({**row, "missing": is_missing, "spoken": f"{sample}, {label}: {score}", **point})
    return rows


def text_px(text: str) -> float:
    """About how wide `text` is drawn: Chinese stands in squares, Latin takes a little over half of one."""
    return LABEL_PX * sum(1.0 if ord(letter) >= FIRST_SQUARE else 0.53 for letter in text)


def _columns(names: Sequence[str], across: _Across) -> int:
    """As many legend entries beside each other as the picture is wide."""
    widest = min(LEGEND_ENTRY_PX, max(text_px(name) for name in names)) + 38  # px of line and gaps
    return max(1, min(len(names), int(2 * across.x / across.px / widest)))
