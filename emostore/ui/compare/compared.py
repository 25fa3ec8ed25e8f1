"""Samples laid side by side: on one radar chart, as bars, as differences and as distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from emostore.analytics.comparison import Difference, comparison_sentences
from emostore.emotions import BY_NAME
from emostore.services.views import comparing
from emostore.services.views.comparing import Comparison, Sample, Target
from emostore.ui import images, links, masked, urls
from emostore.ui.bootstrap import open_store
from emostore.ui.compare import compare
from emostore.ui.compare import targets as own_targets
from emostore.ui.scores import theme
from emostore.ui.text import _, duration, emotion, explain, language, listed, plain

if TYPE_CHECKING:
    import altair as alt

    from emostore import charts

# Altair is imported late, as in `ui.scores`.
RADAR_PX = 350  # fits a phone of 390 px with the page's margins
_TILE_PX = 250  # of the small multiples
_ROW_PX = 35
_FILE = "comparison"

Named = Mapping[str, Sample]


def named(found: Comparison) -> Named:
    """The samples by the names that they are shown under."""
    return dict(zip(compare.labels(found.samples), found.samples, strict=True))


def picture(found: Comparison, samples: Named) -> None:
    """The radar chart, and the numbers beside it."""
    drawn, numbers = st.columns([5, 6], gap="large")
    with drawn:
        st.altair_chart(_radar(samples, theme()), theme=None, width="content", key="radar")
        with st.container(horizontal=True):
            images.downloads(partial(_radar, samples, "light"), _FILE, "radar")
        if found.model and any(sample.missing for sample in samples.values()):
            masked.note(found.model.name, found.model.revision)
    with numbers:
        _table(samples)
        _facts(found, samples)


def bars(samples: Named) -> None:
    """The same as bars, one chart each, all of one scale."""
    from emostore import charts

    top = comparing.scale([sample.mean.scores for sample in samples.values() if sample.mean])
    st.subheader(_("Side by side"), anchor=False)
    with st.grid(min_column_width=_TILE_PX):
        for number, (name, sample) in enumerate(samples.items()):
            if sample.mean is not None:
                chart = charts.bar_chart(
                    sample.mean.scores,
                    lang=language(),
                    title=name,
                    theme=theme(),
                    missing=sample.missing,
                    maximum=top,
                )
                st.altair_chart(chart, theme=None, key=f"bars_{number}")


def differences(samples: Named) -> None:
    """What differs between two of the samples, and whether it is more than chance."""
    if len(samples) < 2:
        return
    names = list(samples)
    st.subheader(_("What differs"), anchor=False)
    numbers = [str(number) for number in range(1, len(names) + 1)]
    with st.container(horizontal=True):
        first = _pick("one", _("This one"), numbers, "1", names)
        second = _pick("other", _("against that one"), numbers, "2", names)
    if first == second:
        st.info(_("Choose two different ones: nothing differs from itself."))
        return
    found = comparing.difference(samples[first], samples[second])
    _said(found, first, second)
    drawn, numbers_beside = st.columns([5, 6], gap="large")
    with drawn:
        st.altair_chart(_difference_chart(found, first, second, theme()), theme=None, key="difference")
        with st.container(horizontal=True):
            build = partial(_difference_chart, found, first, second, "light")
            images.downloads(build, f"{_FILE}-difference", "difference")
    with numbers_beside:
        st.dataframe(
            _difference_rows(found),
            hide_index=True,
            height=_ROW_PX * (len(BY_NAME) + 1) + 3,
            key="difference_table",
            alt=_("The difference of each emotion, its interval, and whether it is more than chance"),
        )


def distances(samples: Named) -> None:
    """How far the distributions are from each other and from targets."""
    st.subheader(_("Distances"), anchor=False)
    targets = comparing.targets(open_store())
    found = comparing.distances(list(samples.values()), targets)
    between, to_targets = st.columns(2, gap="large") if len(samples) > 1 else (None, st.container())
    if between is not None:
        with between:
            st.markdown("**" + _("Between the samples") + "**")
            _matrix(list(samples), list(samples), found.between, "between", _("Distances between the samples"))
    with to_targets:
        st.markdown("**" + _("To target profiles") + "**")
        shown = _target_names(targets, samples)
        _matrix(list(samples), shown, found.to_targets, "targets", _("Distances from the samples to target profiles"))
        own_targets.manage(samples, targets)


def method() -> None:
    """How means, intervals and differences are made."""
    with st.expander(_("How this is computed"), icon=":material/function:"):
        for sentence in comparison_sentences():
            st.markdown(f"- {explain(sentence)}")


def _radar(samples: Named, mode: charts.Theme) -> alt.LayerChart:
    from emostore import charts

    return charts.radar_chart(
        {name: sample.mean.scores for name, sample in samples.items() if sample.mean},
        lang=language(),
        theme=mode,
        size=RADAR_PX,
        missing={name: sample.missing for name, sample in samples.items()},
    )


def _table(samples: Named) -> None:
    rows = [
        {_("Emotion"): emotion(name), **{label: _cell(sample, name) for label, sample in samples.items()}}
        for name in BY_NAME
    ]
    st.dataframe(
        rows,
        hide_index=True,
        height=_ROW_PX * (len(BY_NAME) + 1) + 3,
        column_config={_("Emotion"): st.column_config.Column(pinned=True)},
        key="scores_table",
        alt=_("The nine scores of each sample, with intervals where there are several sessions"),
    )


def _cell(sample: Sample, name: str) -> str:
    if name in sample.missing or sample.mean is None:
        return "–"
    value = f"{sample.mean.scores[name]:.3f}"
    if sample.mean.low is None or sample.mean.high is None:
        return value
    return f"{value}  [{sample.mean.low[name]:.3f}, {sample.mean.high[name]:.3f}]"


def _facts(found: Comparison, samples: Named) -> None:
    for label, sample in samples.items():
        if sample.mean is None or sample.thing.kind == "case":
            continue
        st.caption(
            _(
                "{name}: clips {clips}, sessions {sessions}, speech {speech}",
                name=_isolated(label),
                clips=f"{sample.clips:,}",
                sessions=f"{sample.mean.sessions:,}",
                speech=duration(sample.mean.speech_s),
            )
        )
    _ways(samples)
    if found.model is not None:
        st.caption(_("Scores of {model} · {revision}", model=found.model.name, revision=found.model.revision[:8]))
    if any(sample.mean and sample.mean.low is None and sample.sums for sample in samples.values()):
        st.caption(_("One session alone has no interval: nothing tells how much others would differ from it."))


def _ways(samples: Named) -> None:
    """Links to the sessions and clips that are compared."""
    with st.container(horizontal=True, key="ways"):
        for label, sample in samples.items():
            if sample.thing.kind == "session":
                links.session(int(sample.thing.key), label=links.named(label))
            elif sample.thing.kind == "clip":
                links.clip(int(sample.thing.key), label=links.named(label))


def _isolated(name: str) -> str:
    """A name inside a sentence, between marks that keep one written from right to left from turning what follows."""
    return f"\u2068{plain(name)}\u2069"


def _pick(name: str, label: str, numbers: Sequence[str], default: str, names: Sequence[str]) -> str:
    binding = urls.bound(name, numbers, default)
    chosen = st.selectbox(label, numbers, format_func=lambda number: names[int(number) - 1], width=280, **binding)
    return names[int(chosen or default) - 1]


def _said(found: Difference, first: str, second: str) -> None:
    names = {"first": _isolated(first), "second": _isolated(second)}
    if found.real:
        listing = listed(emotion(name) for name in found.real)
        st.markdown(_("{first} and {second} really differ in: {emotions}.", **names, emotions=f"**{listing}**"))
    elif found.p_values is not None:
        st.markdown(_("No difference between {first} and {second} is more than chance.", **names))
    if found.note is not None:
        st.caption(explain(found.note))
    st.caption(_("The distance between the two is {distance:.3f}.", distance=found.distance))


def _difference_chart(found: Difference, first: str, second: str, mode: charts.Theme) -> alt.LayerChart:
    from emostore import charts

    rows = [
        charts.Interval(
            name=emotion(name),
            value=value,
            low=found.low[name] if found.low else None,
            high=found.high[name] if found.high else None,
            label=f"{value:+.3f}",
            tone="marked" if name in found.real else "plain" if found.low else "muted",
            notes=((_("Difference"), f"{value:+.3f}"), (_("Interval (95 %)"), _interval(found, name))),
        )
        for name, value in found.values.items()
    ]
    description = _("Nine differences, {first} minus {second}, with their intervals", first=first, second=second)
    return charts.interval_chart(rows, description=description, theme=mode, reference=0.0, axis_format="+~r")


def _difference_rows(found: Difference) -> list[dict[str, object]]:
    return [
        {
            _("Emotion"): emotion(name),
            _("Difference"): f"{value:+.3f}",
            _("Interval (95 %)"): _interval(found, name),
            _("More than chance"): _verdict(found, name),
        }
        for name, value in found.values.items()
    ]


def _interval(found: Difference, name: str) -> str:
    return f"[{found.low[name]:+.3f}, {found.high[name]:+.3f}]" if found.low and found.high else "–"


def _verdict(found: Difference, name: str) -> str:
    if found.p_values is None:
        return "–"
    said = _("yes") if name in found.real else _("no")
    return f"{said} (p = {found.p_values[name]:.3f})"


def _matrix(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]], key: str, description: str
) -> None:
    from emostore import charts

    def build(mode: charts.Theme) -> alt.LayerChart:
        return charts.matrix_chart(rows, columns, values, description=description, theme=mode)

    st.altair_chart(build(theme()), theme=None, key=f"matrix_{key}")
    with st.container(horizontal=True):
        with st.popover(_("Table"), icon=":material/table:", key=f"matrix_table_{key}"):
            st.dataframe(
                [
                    {_("Sample"): row, **{column: f"{value:.3f}" for column, value in zip(columns, line, strict=True)}}
                    for row, line in zip(rows, values, strict=True)
                ],
                hide_index=True,
                alt=description,
            )
        images.downloads(partial(build, "light"), f"{_FILE}-{key}", f"matrix_{key}")


def _target_names(targets: Sequence[Target], samples: Named) -> list[str]:
    names: list[str] = []
    for target in targets:
        name = _(target.name) if target.built_in else target.name
        while name in names or name in samples:
            name += " ·"
        names.append(name)
    return names
