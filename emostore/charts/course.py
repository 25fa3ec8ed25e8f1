"""How nine scores move through one recording: stacked areas over its seconds, with marks where something happens.

A time without scores is a gap: nobody speaks there, and a pause is no emotion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from emostore.charts import style
from emostore.charts.style import EMOTION_RANGE, INK, Theme
from emostore.charts.words import emotion_label, nine, strongest, words
from emostore.emotions import EMOTIONS
from emostore.i18n import clock

HEIGHT_PX = 220
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
TICKS = 9  # most labels of the time; more would run into each other
NEAR = 0.015  # of the whole time; the letters of two marks need as much
LEGEND_COLUMNS = 9  # of emotion names: one row
TOUCH_S = 1e-6  # stretches this near each other have no gap between them


@dataclass(frozen=True, slots=True)
class Stretch:
    """Nine scores of a time of a recording, in seconds."""

    start_s: float
    end_s: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, and a few letters that stand above it."""

    at_s: float
    label: str


def course_chart(
    stretches: Sequence[Stretch],
    *,
    length_s: float,
    lang: str = "en",
    theme: Theme = "light",
    title: str | None = None,
    missing: Collection[str] = (),
    marks: Sequence[Mark] = (),
) -> alt.LayerChart:
    """Stacked areas that fill each stretch from 0 to 100 %, in the order and the colours of the emotions.

    Parameters
    ----------
    stretches: in order of time, none over another; at least one.
    length_s: end of the axis, that of the recording.
    missing: emotions that the model cannot produce: they are not in the legend.
    marks: moments with a dashed line through the areas.

    Raises `ScoresError` for bad scores, and `ValueError` for no stretch.
    """
    if not stretches:
        raise ValueError("a course needs at least one stretch")
    shown = [name for name in EMOTIONS if name not in missing]
    labels = [emotion_label(name, lang) for name in shown]
    colors = [EMOTION_RANGE[EMOTIONS.index(name)] for name in shown]
    end = max(length_s, stretches[-1].end_s)
    legend = alt.Legend(title=None, orient="bottom", columns=LEGEND_COLUMNS, symbolType="square", symbolSize=140)
    areas = (
        alt.Chart(alt.InlineData(values=list(_areas(stretches, shown, lang))))
        .mark_area(interpolate="step-after", aria=False, fillOpacity=1, stroke=INK[theme].background, strokeWidth=0.3)
        .encode(
            x=_seconds("at", end),
            y=alt.Y(
                "from:Q",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(title=None, grid=True, tickCount=4, format=".0%"),
            ),
            y2="to:Q",
            color=alt.Color("label:N", legend=legend, scale=alt.Scale(domain=labels, range=colors)),
            detail="run:N",
        )
    )
    layers = [areas, *_marked(marks, end, theme)] if marks else [areas]
    return style.finished(
        layers, height=HEIGHT_PX, description=course_alt_text(stretches, lang), mode=theme, title=title
    )


def course_alt_text(stretches: Sequence[Stretch], lang: str = "en") -> str:
    """From when to when, and which emotions are strongest over all of it, for a screen reader."""
    whole = sum(each.end_s - each.start_s for each in stretches)
    mean = {
        name: min(1.0, sum((each.end_s - each.start_s) * each.scores.get(name, 0.0) for each in stretches) / whole)
        for name in EMOTIONS
    }
    first, last = clock(stretches[0].start_s), clock(stretches[-1].end_s)
    return words(lang)["course"].format(first=first, last=last, found=strongest(mean, lang))


def _areas(stretches: Sequence[Stretch], shown: Sequence[str], lang: str) -> Iterator[dict[str, Any]]:
    """Both edges of every area; a run without gaps ends with its last values once more, at its end."""
    run = 0
    for number, each in enumerate(stretches):
        values = dict(zip(EMOTIONS, nine(each.scores), strict=True))
        whole = sum(values[name] for name in shown) or 1.0
        following = stretches[number + 1] if number + 1 < len(stretches) else None
        ends = following is None or following.start_s - each.end_s > TOUCH_S
        lower = 0.0
        for name in shown:
            upper = lower + values[name] / whole
            row = {"emotion": name, "label": emotion_label(name, lang), "run": run, "from": lower, "to": upper}
            yield {**row, "at": each.start_s}
            if ends:
                yield {**row, "at": each.end_s}
            lower = upper
        run += ends


def _marked(marks: Sequence[Mark], end: float, mode: Theme) -> Iterator[alt.Chart]:
    ink = INK[mode]
    base = alt.Chart(alt.InlineData(values=[{"at": mark.at_s} for mark in marks])).encode(x=_seconds("at", end))
    # A halo in the colour of the page keeps the line readable on every emotion.
    yield base.mark_rule(aria=False, color=ink.background, strokeWidth=3)
    yield base.mark_rule(aria=False, color=ink.text, strokeWidth=1.2, strokeDash=[4, 3])
    labels = [{"at": mark.at_s, "label": mark.label} for mark in _told_apart(marks, end)]
    yield (
        alt.Chart(alt.InlineData(values=labels))
        .mark_text(aria=False, color=ink.text, fontSize=11, baseline="bottom", dy=-4)
        .encode(x=_seconds("at", end), y=alt.value(0), text="label:N")
    )


def _told_apart(marks: Sequence[Mark], end: float) -> list[Mark]:
    """The marks, those too near each other for letters of their own made one."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda each: each.at_s):
        if found and mark.at_s - found[-1].at_s < NEAR * end:
            found[-1] = Mark(found[-1].at_s, f"{found[-1].label}, {mark.label}")
        else:
            found.append(mark)
    return found


def _seconds(field: str, end: float) -> alt.X:
    step = next((step for step in STEPS_S if end / step <= TICKS), STEPS_S[-1])
    values = [step * number for number in range(int(end / step) + 1)]
    minutes = "floor(datum.value / 60)"
    label = f"{minutes} + ':' + format(datum.value % 60, '02')"
    if end >= 3600:
        label = f"floor(datum.value / 3600) + ':' + format({minutes} % 60, '02') + ':' + format(datum.value % 60, '02')"
    axis = alt.Axis(title=None, values=values, labelExpr=label, labelOverlap=True, labelFlush=True, grid=False)
    return alt.X(f"{field}:Q", axis=axis, scale=alt.Scale(domain=[0, end], nice=False))
