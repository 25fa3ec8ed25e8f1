"""What changes from day to day: the mix of emotions, and one figure with its interval.

A time without clips is a gap. Nothing is drawn across it, because nothing is known of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import altair as alt

from emostore.charts import style
from emostore.charts.style import EMOTION_RANGE, INK, SAMPLE_DASHES, SAMPLE_RANGE, Theme
from emostore.charts.words import emotion_label, nine, strongest, words
from emostore.emotions import EMOTIONS

HEIGHT_PX = 240
LEGEND_COLUMNS = 3  # of emotion names: as many as a phone is wide
NAME_PX = 220  # a longer name is cut, which keeps the legend on a phone
LEAST_SPAN = {"quality": 10.0, "score": 0.1}  # of the vertical axis: noise must not look like a cliff
MOST_LINES = 2  # with their bands; a third could not be told apart
MOST_TICKS = 6  # of the time axis: as many days as a phone is wide


@dataclass(frozen=True, slots=True)
class MixPoint:
    """The mean scores of the clips of some days. `clips` is at least 1."""

    first: date
    days: int
    clips: int
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LinePoint:
    """A figure of some days with its interval; `low` and `high` are None where too little is known for one."""

    first: date
    days: int
    clips: int
    value: float
    low: float | None = None
    high: float | None = None


def mix_chart(
    points: Sequence[MixPoint],
    *,
    lang: str = "en",
    theme: Theme = "light",
    title: str | None = None,
    missing: Collection[str] = (),
) -> alt.LayerChart:
    """Stacked areas that fill each time from 0 to 100 %, in the order and the colours of the emotions.

    Each point is as wide as its days. `missing` are emotions that the model cannot produce: they are not in the
    legend. Raises `ScoresError` for bad scores.
    """
    shown = [name for name in EMOTIONS if name not in missing]
    labels = [emotion_label(name, lang) for name in shown]
    colors = [EMOTION_RANGE[EMOTIONS.index(name)] for name in shown]
    legend = alt.Legend(title=None, orient="bottom", columns=LEGEND_COLUMNS, symbolType="square", symbolSize=140)
    areas = (
        alt.Chart(alt.InlineData(values=_areas(points, shown, lang)))
        .mark_area(interpolate="step-after", aria=False, fillOpacity=1, stroke=INK[theme].background, strokeWidth=0.6)
        .encode(
            x=_time("at", points),
            y=alt.Y("from:Q", scale=alt.Scale(domain=[0, 1]), axis=_axis(".0%")),
            y2="to:Q",
            color=alt.Color("label:N", legend=legend, scale=alt.Scale(domain=labels, range=colors)),
            detail="run:N",
        )
    )
    # The pointer asks about a time, not about one area of it.
    under = alt.selection_point(name="under", on="pointerover", clear="pointerout", empty=False)
    times = (
        alt.Chart(alt.InlineData(values=[_told(point, shown, lang) for point in points]))
        .mark_rect(aria=False, fill=INK[theme].text)
        .encode(
            x=_time("at", points),
            x2="end:T",
            fillOpacity=alt.condition(under, alt.value(0.12), alt.value(0)),
            tooltip=_tips(lang, {f"score{number}": label for number, label in enumerate(labels)}),
        )
        .add_params(under)
    )
    return style.finished(
        [areas, times], height=HEIGHT_PX, description=mix_alt_text(points, lang), mode=theme, title=title
    )


def line_chart(
    lines: Mapping[str, Sequence[LinePoint]],
    *,
    figure: str = "quality",
    lang: str = "en",
    theme: Theme = "light",
    title: str | None = None,
) -> alt.LayerChart:
    """One figure over time, of one or two named lines; the interval of each point is a bar, and between them a band.

    `figure` is `quality`, drawn as it is, or `score`, drawn in per cent. The vertical axis begins near the lowest
    value, and spans at least `LEAST_SPAN`. Raises `ValueError` for no line or more than `MOST_LINES`.
    """
    if not 1 <= len(lines) <= MOST_LINES:
        raise ValueError(f"expected 1 to {MOST_LINES} lines, got {len(lines)}")
    names, points = list(lines), [point for line in lines.values() for point in line]
    rows = [row for name, line in lines.items() for row in _line_rows(name, line, figure, lang)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=_time("middle", points))
    legend = alt.Legend(
        title=None, orient="bottom", columns=1, labelLimit=NAME_PX, symbolType="stroke", symbolSize=500, symbolOpacity=1
    )
    color = alt.Color("line:N", legend=legend, scale=alt.Scale(domain=names, range=SAMPLE_RANGE[: len(names)]))
    dash = alt.StrokeDash("line:N", legend=legend, scale=alt.Scale(domain=names, range=SAMPLE_DASHES[: len(names)]))
    scale = alt.Scale(domain=_span(points, LEAST_SPAN[figure]), nice=True, zero=False)
    axis = _axis(".1~%" if figure == "score" else ".1~f")
    value, low = (alt.Y(f"{name}:Q", scale=scale, axis=axis) for name in ("value", "low"))
    known = alt.datum.known
    layers = [
        base.transform_filter(known)
        .mark_area(aria=False, opacity=0.16)
        .encode(y=low, y2="high:Q", color=color, detail="band:N"),
        base.transform_filter(known)
        .mark_rule(aria=False, strokeWidth=1, opacity=0.6)
        .encode(y=low, y2="high:Q", color=color),
        base.mark_line(aria=False, strokeWidth=2, strokeJoin="round").encode(
            y=value, color=color, strokeDash=dash, detail="run:N"
        ),
        base.mark_circle(size=40, opacity=1).encode(
            y=value,
            color=color,
            description="spoken:N",
            tooltip=_tips(
                lang, {"line": words(lang)["sample"], "said": words(lang)[figure], "interval": words(lang)["interval"]}
            ),
        ),
    ]
    return style.finished(
        layers, height=HEIGHT_PX, description=line_alt_text(lines, figure, lang), mode=theme, title=title
    )


def mix_alt_text(points: Sequence[MixPoint], lang: str = "en") -> str:
    """From when to when, and which emotions are strongest over all of it, for a screen reader."""
    say = words(lang)
    if not points:
        return say["no time"]
    clips = sum(point.clips for point in points)
    mean = {name: sum(point.clips * point.scores.get(name, 0.0) for point in points) / clips for name in EMOTIONS}
    return say["mix"].format(
        first=points[0].first, last=_last_day(points[-1]), clips=f"{clips:,}", found=strongest(mean, lang)
    )


def line_alt_text(lines: Mapping[str, Sequence[LinePoint]], figure: str = "quality", lang: str = "en") -> str:
    """Where each line begins and ends, for a screen reader."""
    say = words(lang)
    each = [
        say["line"].format(
            name=name,
            start=say_value(line[0].value, figure),
            first=line[0].first,
            end=say_value(line[-1].value, figure),
            last=_last_day(line[-1]),
        )
        for name, line in lines.items()
        if line
    ]
    return (
        say["over time"].format(what=say[figure], found=say["between samples"].join(each)) if each else say["no time"]
    )


def say_value(value: float, figure: str) -> str:
    """A value as it is written: quality to one decimal, a score in per cent to one decimal."""
    return f"{value:.1%}" if figure == "score" else f"{value:.1f}"


def day_label(point: MixPoint | LinePoint) -> str:
    """The days of a point: one, or the first and the last."""
    last = _last_day(point)
    return f"{point.first}" if point.days == 1 else f"{point.first} – {last}"


def runs(points: Sequence[MixPoint | LinePoint]) -> list[int]:
    """For each point, in the order of time, the number of the run without gaps that it belongs to."""
    found: list[int] = []
    for number, point in enumerate(points):
        gap = number > 0 and _next_day(points[number - 1]) != point.first
        found.append((found[-1] if found else 0) + gap)
    return found


def _areas(points: Sequence[MixPoint], shown: Sequence[str], lang: str) -> list[dict[str, Any]]:
    """Both edges of every area; a run ends with its last values once more, at the end of its last day."""
    rows: list[dict[str, Any]] = []
    numbered = list(zip(points, runs(points), strict=True))
    for number, (point, run) in enumerate(numbered):
        values = dict(zip(EMOTIONS, nine(point.scores), strict=True))
        whole = sum(values[name] for name in shown) or 1.0
        ends = number + 1 == len(numbered) or numbered[number + 1][1] != run
        places = [point.first, _next_day(point)] if ends else [point.first]
        lower = 0.0
        for name in shown:
            upper = lower + values[name] / whole
            row = {"emotion": name, "label": emotion_label(name, lang), "run": run, "from": lower, "to": upper}
            rows += [{**row, "at": _moment(place)} for place in places]
            lower = upper
    return rows


def _told(point: MixPoint, shown: Sequence[str], lang: str) -> dict[str, Any]:
    scores = {f"score{number}": f"{point.scores.get(name, 0.0):.1%}" for number, name in enumerate(shown)}
    return {
        "at": _moment(point.first),
        "end": _moment(_next_day(point)),
        "days": day_label(point),
        "clips": f"{point.clips:,}",
        **scores,
    }


def _line_rows(name: str, line: Sequence[LinePoint], figure: str, lang: str) -> Iterable[dict[str, Any]]:
    none = words(lang)["no interval"]
    band = 0  # a band ends where an interval is not known
    for point, run in zip(line, runs(line), strict=True):
        known = point.low is not None and point.high is not None
        said = say_value(point.value, figure)
        band += not known
        interval = f"{say_value(point.low, figure)} – {say_value(point.high, figure)}" if known else none  # type: ignore[arg-type]
        yield {
            "line": name,
            "run": f"{name} {run}",
            "band": f"{name} {run} {band}",
            "middle": _moment(point.first, half_days=point.days),
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "known": known,
            "said": said,
            "interval": interval,
            "days": day_label(point),
            "clips": f"{point.clips:,}",
            "spoken": f"{name}, {day_label(point)}: {said} ({interval})",
        }


def _span(points: Sequence[LinePoint], least: float) -> list[float]:
    """Lowest and highest value that is drawn, at least so far apart."""
    values = [value for point in points for value in (point.value, point.low, point.high) if value is not None]
    low, high = min(values, default=0.0), max(values, default=least)
    more = max(0.0, least - (high - low)) / 2
    return [max(0.0, low - more) if low >= 0 else low - more, high + more]


def _time(field: str, points: Sequence[MixPoint | LinePoint]) -> alt.X:
    days = (max(map(_last_day, points)) - min(point.first for point in points)).days if points else 0
    labels = "%Y-%m" if days > 366 else "%m-%d"  # numbers, which are read in every language
    ticks = alt.TimeIntervalStep(interval="day", step=1) if days <= MOST_TICKS else MOST_TICKS  # never a day twice
    axis = alt.Axis(title=None, format=labels, tickCount=ticks, labelOverlap=True, labelFlush=True, grid=False)
    return alt.X(f"{field}:T", axis=axis, scale=alt.Scale(nice=False))


def _axis(form: str) -> alt.Axis:
    return alt.Axis(title=None, grid=True, tickCount=4, format=form)


def _tips(lang: str, fields: Mapping[str, str]) -> list[alt.Tooltip]:
    say = words(lang)
    known = {"days": say["days"], "clips": say["clips"]}
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in (known | dict(fields)).items()]


def _moment(day: date, half_days: int = 0) -> str:
    """As browsers read it in the zone they are in, so that a day stays the day it is."""
    return f"{day + timedelta(half_days // 2)}T{12 * (half_days % 2):02}:00:00"


def _next_day(point: MixPoint | LinePoint) -> date:
    return point.first + timedelta(point.days)


def _last_day(point: MixPoint | LinePoint) -> date:
    return _next_day(point) - timedelta(1)
