"""Whether confidence says how often a model is right, and what is gained by calling the doubtful uncertain.

Both are squares of shares from 0 to 1, never cut, so that two of them can be compared by eye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from emostore.charts import style
from emostore.charts.style import INK, SAMPLE_DASHES, SAMPLE_RANGE, Theme
from emostore.charts.words import words

HEIGHT_PX = 280
MOST_LINES = 2  # before and after; with their bands a third could not be told apart
MOST_POINTS = 200  # of a coverage line: more than there are pixels for
NAME_PX = 220  # a longer name is cut, which keeps the legend on a phone
_AREAS = (30, 260)  # px² of the mark of the fewest and of the most clips


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Clips of about one confidence: its mean, the share right with its interval (all 0 to 1), and how many."""

    confidence: float
    accuracy: float
    low: float
    high: float
    clips: int


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What is left if clips below a confidence `threshold` count as uncertain, and the share of it that is right."""

    threshold: float
    coverage: float
    accuracy: float
    low: float
    high: float


def reliability_chart(
    lines: Mapping[str, Sequence[ReliabilityPoint]],
    *,
    lang: str = "en",
    theme: Theme = "light",
    title: str | None = None,
) -> alt.LayerChart:
    """The reliability diagram of one or two named sets of scores: on the diagonal, confidence means what it says.

    The mark of a bin is the larger, the more clips are in it; the bar through it is its interval. Raises `ValueError`
    for no line or more than `MOST_LINES`.
    """
    rows = [_reliability_row(name, point, lang) for name, line in _checked(lines).items() for point in line]
    say = words(lang)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=_share("x", alt.X, say["confidence"]))
    color, dash = _looks(list(lines))
    accuracy, low = (_share(field, alt.Y, say["share right"]) for field in ("y", "low"))
    diagonal = alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    most = max((point.clips for line in lines.values() for point in line), default=1)
    size = alt.Size("count:Q", legend=None, scale=alt.Scale(domain=[0, most], range=list(_AREAS)))
    tips = {"line": say["sample"], "confidence": say["confidence"], "said": say["share right"]}
    layers = [
        diagonal.mark_line(color=INK[theme].edge, strokeDash=[4, 4], strokeWidth=1, aria=False).encode(
            x=_share("x", alt.X, say["confidence"]), y=_share("y", alt.Y, say["share right"])
        ),
        base.mark_rule(aria=False, strokeWidth=1.5, opacity=0.6).encode(y=low, y2="high:Q", color=color),
        base.mark_line(aria=False, strokeWidth=2, strokeJoin="round").encode(y=accuracy, color=color, strokeDash=dash),
        base.mark_circle(opacity=1).encode(
            y=accuracy,
            color=color,
            size=size,
            description="spoken:N",
            tooltip=_tips({**tips, "interval": say["interval"], "clips": say["clips"]}),
        ),
    ]
    return style.finished(
        layers, height=HEIGHT_PX, description=reliability_alt_text(lines, lang), mode=theme, title=title
    )


def coverage_chart(
    lines: Mapping[str, Sequence[CoveragePoint]],
    *,
    chosen: Mapping[str, CoveragePoint] | None = None,
    lang: str = "en",
    theme: Theme = "light",
    title: str | None = None,
) -> alt.LayerChart:
    """How many of the clips are kept and how many of those are right, for every confidence one could ask for.

    `chosen` marks the point of each line that is in force. Raises `ValueError` for no line or more than `MOST_LINES`.
    """
    say = words(lang)
    rows = [_coverage_row(name, point, lang) for name, line in _checked(lines).items() for point in _thinned(line)]
    marked = [_coverage_row(name, point, lang) for name, point in (chosen or {}).items()]
    color, dash = _looks(list(lines))
    tips = {"line": say["sample"], "threshold": say["uncertain below"], "kept": say["kept"], "said": say["share right"]}
    x, y, low = _share("x", alt.X, say["kept"]), *(_share(field, alt.Y, say["share right"]) for field in ("y", "low"))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, color=color)
    layers = [
        base.mark_area(aria=False, opacity=0.14).encode(y=low, y2="high:Q"),
        base.mark_line(aria=False, strokeWidth=2, strokeJoin="round").encode(y=y, strokeDash=dash),
        # Drawn for the pointer alone, which finds no line.
        base.mark_circle(size=60, opacity=0, aria=False).encode(
            y=y, tooltip=_tips({**tips, "interval": say["interval"]})
        ),
        alt.Chart(alt.InlineData(values=marked))
        .mark_circle(size=140, opacity=1, stroke=INK[theme].background, strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=color,
            description="spoken:N",
            tooltip=_tips({**tips, "interval": say["interval"]}),
        ),
    ]
    return style.finished(
        layers,
        height=HEIGHT_PX,
        description=coverage_alt_text(lines, chosen, lang),
        mode=theme,
        title=title,
    )


def reliability_alt_text(lines: Mapping[str, Sequence[ReliabilityPoint]], lang: str = "en") -> str:
    """How many are right where the model is least and most sure, for a screen reader."""
    say = words(lang)
    each = [
        say["reliability of"].format(
            name=name,
            low=f"{line[0].confidence:.0%}",
            low_right=f"{line[0].accuracy:.0%}",
            high=f"{line[-1].confidence:.0%}",
            high_right=f"{line[-1].accuracy:.0%}",
        )
        for name, line in lines.items()
        if line
    ]
    return say["reliability"].format(found=say["between samples"].join(each))


def coverage_alt_text(
    lines: Mapping[str, Sequence[CoveragePoint]], chosen: Mapping[str, CoveragePoint] | None = None, lang: str = "en"
) -> str:
    """How many are right of all clips, and of those that the chosen confidence keeps, for a screen reader."""
    say = words(lang)
    each = []
    for name, line in lines.items():
        if line:
            each.append(say["coverage of"].format(name=name, right=f"{line[0].accuracy:.0%}"))
        if chosen and name in chosen:
            each.append(chosen_text(chosen[name], lang))
    return say["coverage"].format(found=say["between samples"].join(each))


def chosen_text(point: CoveragePoint, lang: str = "en") -> str:
    """What one choice of the confidence that is asked for means."""
    return words(lang)["coverage at"].format(
        threshold=f"{point.threshold:.0%}", kept=f"{point.coverage:.0%}", right=f"{point.accuracy:.0%}"
    )


def _checked(lines: Mapping[str, Any]) -> Mapping[str, Any]:
    if not 1 <= len(lines) <= MOST_LINES:
        raise ValueError(f"expected 1 to {MOST_LINES} lines, got {len(lines)}")
    return lines


def _thinned(line: Sequence[CoveragePoint]) -> Sequence[CoveragePoint]:
    """At most so many points, with both ends."""
    if len(line) <= MOST_POINTS:
        return line
    return [line[round(place * (len(line) - 1) / (MOST_POINTS - 1))] for place in range(MOST_POINTS)]


def _reliability_row(name: str, point: ReliabilityPoint, lang: str) -> dict[str, Any]:
    said, interval = f"{point.accuracy:.1%}", f"{point.low:.1%} – {point.high:.1%}"
    return {
        "line": name,
        "x": point.confidence,
        "y": point.accuracy,
        "low": point.low,
        "high": point.high,
        "count": point.clips,
        "confidence": f"{point.confidence:.1%}",
        "said": said,
        "interval": interval,
        "clips": f"{point.clips:,}",
        "spoken": f"{name}, {words(lang)['confidence']} {point.confidence:.0%}: {said} ({interval})",
    }


def _coverage_row(name: str, point: CoveragePoint, lang: str) -> dict[str, Any]:
    return {
        "line": name,
        "x": point.coverage,
        "y": point.accuracy,
        "low": point.low,
        "high": point.high,
        "threshold": f"{point.threshold:.0%}",
        "kept": f"{point.coverage:.1%}",
        "said": f"{point.accuracy:.1%}",
        "interval": f"{point.low:.1%} – {point.high:.1%}",
        "spoken": f"{name}: {chosen_text(point, lang)}",
    }


def _looks(names: Sequence[str]) -> tuple[alt.Color, alt.StrokeDash]:
    legend = alt.Legend(
        title=None, orient="bottom", columns=1, labelLimit=NAME_PX, symbolType="stroke", symbolSize=500, symbolOpacity=1
    )
    # The last line is the one that counts: what was before stands behind it.
    ranges = SAMPLE_RANGE[: len(names)][::-1]
    return (
        alt.Color("line:N", legend=legend, scale=alt.Scale(domain=list(names), range=ranges)),
        alt.StrokeDash(
            "line:N", legend=legend, scale=alt.Scale(domain=list(names), range=SAMPLE_DASHES[: len(names)][::-1])
        ),
    )


def _share(field: str, kind: type[Any], title: str) -> Any:
    """A channel of shares from 0 to 1."""
    axis = alt.Axis(title=title, grid=True, tickCount=5, format=".0%")
    return kind(f"{field}:Q", scale=alt.Scale(domain=[0, 1], nice=False, clamp=True), axis=axis)


def _tips(fields: Mapping[str, str]) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields.items()]
