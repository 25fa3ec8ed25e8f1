"""Nine scores as nine bars, always in the same order and the same colours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import altair as alt

from emostore.charts import style
from emostore.charts.style import EMOTION_RANGE, INK, PADDING, Theme
from emostore.charts.words import alt_text, emotion_label, nine, words
from emostore.emotions import EMOTIONS

ROW_PX = 28  # one emotion: an 18 px bar and room to breathe
BAR_PX = 18
VALUE_PX = 46  # the column of numbers right of the plot
TITLE_LIMIT = alt.ExprRef("width + 110")  # the plot, the names left of it and the numbers right of it


def bar_chart(
    scores: Mapping[str, float],
    *,
    lang: str = "en",
    title: str | None = None,
    theme: Theme = "light",
    missing: Collection[str] = (),
    maximum: float = 1.0,
) -> alt.LayerChart:
    """Nine horizontal bars in `EMOTIONS` order, each with its score to three decimals.

    Parameters
    ----------
    scores: drawn as given, neither sorted nor renormalised; an absent name is 0.
    missing: emotions that the model cannot produce; they get an empty track and no number.
    maximum: end of the axis. It is 1 for every clip, so that two charts can be compared by eye.

    Raises `ScoresError` for scores that `nine` does not take.
    """
    rows = _rows(scores, lang, missing)
    ink = INK[theme]
    labels = [row["label"] for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y(
            "label:N",
            sort=labels,
            scale=alt.Scale(domain=labels),
            axis=alt.Axis(title=None, labelColor=ink.text, labelFontSize=13, labelLimit=140, labelPadding=10),
        )
    )
    chart = alt.layer(*_layers(base, lang, theme, maximum, missing)).properties(
        width="container",
        height=ROW_PX * len(EMOTIONS),
        padding=dict(PADDING),
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=alt_text(scores, lang),
        usermeta={"theme": theme},  # an export picks its background by it
    )
    if title:
        chart = chart.properties(title=alt.TitleParams(text=title, limit=TITLE_LIMIT))
    styled: alt.LayerChart = chart.configure(**style.theme(theme))
    return styled


def _rows(scores: Mapping[str, float], lang: str, missing: Collection[str]) -> list[dict[str, Any]]:
    no_score = words(lang)["not produced"]
    rows: list[dict[str, Any]] = []
    for name, value in zip(EMOTIONS, nine(scores), strict=True):
        absent, label = name in missing, emotion_label(name, lang)
        rows.append(
            {
                "emotion": name,
                "label": label,
                "score": None if absent else value,
                "value_label": "–" if absent else f"{value:.3f}",
                "percent_label": no_score if absent else f"{value:.1%}",
                "spoken": f"{label}: {no_score if absent else f'{value:.3f}'}",
                "missing": absent,
            }
        )
    return rows


def _layers(base: alt.Chart, lang: str, mode: Theme, maximum: float, missing: Collection[str]) -> list[alt.Chart]:
    say, ink = words(lang), INK[mode]
    x = alt.X(
        "score:Q",
        scale=alt.Scale(domain=[0, maximum], nice=False, clamp=True),
        axis=alt.Axis(title=None, grid=True, tickCount=4, format="~g", labelFlush=False),
    )
    tooltip = [
        alt.Tooltip("label:N", title=say["emotion"]),
        alt.Tooltip("value_label:N", title=say["score"]),
        alt.Tooltip("percent_label:N", title=say["percent"]),
    ]
    color = alt.Color("emotion:N", scale=alt.Scale(domain=list(EMOTIONS), range=EMOTION_RANGE), legend=None)
    absent, produced = alt.datum.missing, ~alt.datum.missing
    edge = {"x": alt.value(0), "x2": alt.value("width"), "tooltip": tooltip}
    # A layer without marks would be a picture without a name to a screen reader.
    never = [
        base.transform_filter(absent)
        .mark_bar(height=BAR_PX, fillOpacity=0, stroke=ink.edge, strokeDash=[3, 3], strokeWidth=1, cornerRadius=3)
        .encode(**edge, description="spoken:N"),
        base.transform_filter(absent)
        .mark_text(align="left", dx=10, color=ink.muted, fontStyle="italic", text=say["not produced"], aria=False)
        .encode(x=alt.value(0)),
    ]
    return [
        # The whole row answers the pointer: a bar of 0.001 is too short to be hit.
        base.mark_bar(height=ROW_PX, opacity=0, aria=False).encode(**edge),
        *(never if missing else []),
        base.transform_filter(produced)
        .mark_bar(height=BAR_PX, cornerRadiusEnd=3)
        .encode(x=x, color=color, tooltip=tooltip, description="spoken:N"),
        base.mark_text(align="right", dx=VALUE_PX, fontSize=12, color=ink.text, aria=False).encode(
            x=alt.value("width"), text=alt.Text("value_label:N"), tooltip=tooltip
        ),
    ]
