"""What scores are worth on labels that took no part in fitting: figures, diagrams, and what is called uncertain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from emostore import access
from emostore.analytics import reliability
from emostore.analytics.reliability import BINS, DIAGRAM_BINS, Coverage, Figures
from emostore.config import settings
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services import preferences
from emostore.services.calibration.fitting import Sample, Trial
from emostore.ui import images
from emostore.ui.bootstrap import in_force, open_store, uncertain_below
from emostore.ui.scores import theme
from emostore.ui.text import _, emotion, explain, language, plain
from emostore.ui.text import domain as known_domain

if TYPE_CHECKING:
    import altair as alt

    from emostore import charts
    from emostore.analytics.reliability import Floats

# Altair is imported late, as in `ui.scores`.
FIGURES = ("ece", "nll", "brier", "uar", "wa")
HIGHER_IS_BETTER = frozenset({"uar", "wa"})
LEAST_PART = 20  # clips of a domain or language, for figures of its own
_GOOD = 0.8  # what a reader may want to be right of what is not called uncertain
_FILE = "calibration"

Lines = Mapping[str, "Floats"]  # scores (n, 9) by what they are called


def raw_lines(scores: Floats) -> Lines:
    """The one set of scores that there is before anything was fitted."""
    return {_("as the model gave them"): scores}


def trial_lines(trial: Trial) -> Lines:
    """The scores before and after."""
    return {_("before"): trial.fitted.before, _("after"): trial.fitted.after}


def tiles(before: Figures | None, after: Figures) -> None:
    """The figures of the scores, and what each changed by."""
    with st.grid(min_column_width=130):
        for figure in FIGURES:
            value: float = getattr(after, figure)
            change = None if before is None else value - getattr(before, figure)
            st.metric(
                short(figure),
                number(figure, value),
                None if change is None else change_text(figure, change),
                delta_color="normal" if figure in HIGHER_IS_BETTER else "inverse",
                help=meaning(figure),
            )


def diagrams(lines: Lines, sample: Sample) -> None:
    """The reliability diagram beside the gain of calling the doubtful uncertain, with the choice of where to begin."""
    truth = sample.labelled.labels
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**" + _("Does confidence say how often it is right?") + "**")
        st.caption(
            _(
                "On the dashed line it does; below it, scores are too sure of themselves. "
                "Bins of equal width: {bins}. Bars are intervals (95 %).",
                bins=DIAGRAM_BINS,
            )
        )
        bins = {name: reliability.diagram(scores, truth) for name, scores in lines.items()}
        _chart(partial(_reliability, bins), _reliability_rows(bins), _("Reliability diagram"), "reliability")
    with right:
        st.markdown("**" + _("What is gained by calling the doubtful uncertain?") + "**")
        covered = {name: reliability.coverage(scores, truth) for name, scores in lines.items()}
        chosen = _choose(list(covered.values())[-1])
        _chart(
            partial(_coverage, covered, chosen),
            _coverage_rows(covered, chosen),
            _("Share right among the clips that are kept"),
            "coverage",
        )


def confusion(named: Mapping[str, Figures]) -> None:
    """What was said of clips of each emotion, before and after."""
    st.markdown("**" + _("What is taken for what?") + "**")
    st.caption(_("Rows are what raters heard, with how many clips; columns what the scores say. Rows sum to 1."))
    columns = st.columns(len(named), gap="large")
    for column, (key, (name, found)) in zip(columns, enumerate(named.items()), strict=True):
        with column:
            if len(named) > 1:
                st.caption(name)
            rows, heads, values = _confusion(found)
            description = _("Confusion matrix, {which}", which=name)
            _chart(
                partial(_matrix, rows, heads, values, description),
                [
                    {_("Heard"): row, **{head: f"{value or 0:.3f}" for head, value in zip(heads, line, strict=True)}}
                    for row, line in zip(rows, values, strict=True)
                ],
                description,
                f"confusion_{key}",
            )


def parts(trial: Trial) -> None:
    """The figures by domain and language, where there are enough labels of one."""
    rows = []
    for title, kind, values, shown in (
        (_("Recorded by"), "domain", trial.sample.domains, domain_name),
        (_("Language spoken"), "language", trial.sample.languages, str),
    ):
        for value in sorted({each for each in values if each}):
            if values.count(value) < LEAST_PART:
                continue
            found = trial.part(**{kind: value})
            if found is not None:
                rows.append(_part_row(f"{title}: {shown(value)}", *found))
    if not rows:
        st.caption(
            _(
                "By recording and by language there are figures of their own from {least} labels of one on.",
                least=LEAST_PART,
            )
        )
        return
    st.markdown("**" + _("By recording and by language") + "**")
    st.dataframe(rows, hide_index=True, key="parts", alt=_("Figures by recording and by language"))


def domain_name(name: str) -> str:
    """What a recording was made with; one that is not ours has its own name."""
    try:
        return known_domain(name)
    except KeyError:
        return plain(name)


def short(figure: str) -> str:
    """The name of a figure."""
    return {
        "ece": _("Calibration error"),
        "nll": _("Loss (NLL)"),
        "brier": _("Brier score"),
        "uar": _("Mean recall (UAR)"),
        "wa": _("Accuracy (WA)"),
    }[figure]


def number(figure: str, value: float) -> str:
    """A figure as it is written: shares in per cent, the others to three decimals."""
    return f"{value:.1%}" if figure in HIGHER_IS_BETTER else f"{value:.3f}"


def change_text(figure: str, change: float) -> str | None:
    """By how much a figure changed; None if by nothing that is shown."""
    text = f"{100 * change:+.1f} %" if figure in HIGHER_IS_BETTER else f"{change:+.3f}"
    return text if float(text.split()[0]) else None


def meaning(figure: str) -> str:
    """What a figure says."""
    return {
        "ece": _(
            "Expected calibration error: how far confidence and the share that is right lie apart on average, in "
            "{bins} bins of equal width. 0 is best.",
            bins=BINS,
        ),
        "nll": _("Mean negative log-likelihood of what raters heard, in nats. Lower is better."),
        "brier": _("Mean squared distance of the nine scores to what raters heard, 0 to 2. Lower is better."),
        "uar": _("Unweighted average recall: each emotion counts the same, however rare. Higher is better."),
        "wa": _("Weighted accuracy: the share of clips that is right. Higher is better."),
    }[figure]


def _choose(covered: Coverage) -> float:
    """Below which confidence a result is called uncertain: a slider that shows first and saves when asked to."""
    now = uncertain_below()
    asked = st.slider(
        _("Uncertain below"),
        0.0,
        1.0,
        now,
        step=0.05,
        key="uncertain_band",
        help=_("Below this confidence every page says “uncertain”. Scores stay as they are."),
    )
    point = _point(covered, asked)
    if point is None:
        st.caption(_("No labelled clip is so sure: everything would be called uncertain."))
    else:
        st.caption(
            _(
                "{kept:.0%} of the clips are kept, and {right:.0%} of these are right (95 %: {low:.0%} to {high:.0%}).",
                kept=point.coverage,
                right=point.accuracy,
                low=point.low,
                high=point.high,
            )
        )
    enough = covered.threshold_for(_GOOD)
    if enough is not None and enough > float(covered.threshold[0]):
        st.caption(
            _(
                "If those below {threshold:.2f} are uncertain, at least {good:.0%} of the rest are right.",
                threshold=enough,
                good=_GOOD,
            )
        )
    if asked != now and access.can("administer"):
        st.button(
            _("Call it uncertain below {value:.0%} everywhere", value=asked),
            icon=":material/save:",
            key="save_band",
            on_click=_save_band,
            args=(asked,),
        )
    return asked


def _save_band(value: float) -> None:
    try:
        preferences.save(open_store(), settings(), uncertain_below=value)
    except EmostoreError as error:
        st.toast(plain(explain(error)), icon=":material/error:")
        return
    in_force.clear()
    uncertain_below.clear()
    st.toast(_("Saved."), icon=":material/check:")


def _point(covered: Coverage, threshold: float) -> charts.CoveragePoint | None:
    """What is left if clips below a threshold are uncertain; None if nothing is."""
    from emostore import charts

    place = int(covered.threshold.searchsorted(threshold))
    if place == len(covered.threshold):
        return None
    values = (covered.coverage, covered.accuracy, covered.low, covered.high)
    return charts.CoveragePoint(threshold, *(float(value[place]) for value in values))


def _reliability(
    bins: Mapping[str, Sequence[reliability.Bin]], mode: charts.Theme, title: str | None = None
) -> alt.LayerChart:
    from emostore import charts

    points = {
        name: [
            charts.ReliabilityPoint(each.confidence, each.accuracy, each.accuracy_low, each.accuracy_high, each.count)
            for each in line
        ]
        for name, line in bins.items()
    }
    return charts.reliability_chart(points, lang=language(), theme=mode, title=title)


def _reliability_rows(bins: Mapping[str, Sequence[reliability.Bin]]) -> list[dict[str, object]]:
    return [
        {
            _("Scores"): name,
            _("Confidence"): f"{each.confidence:.1%}",
            _("Share right"): f"{each.accuracy:.1%}",
            _("Interval (95 %)"): f"{each.accuracy_low:.1%} – {each.accuracy_high:.1%}",
            _("Clips"): each.count,
        }
        for name, line in bins.items()
        for each in line
    ]


def _coverage(
    covered: Mapping[str, Coverage], threshold: float, mode: charts.Theme, title: str | None = None
) -> alt.LayerChart:
    from emostore import charts

    lines = {
        name: [
            charts.CoveragePoint(*map(float, row))
            for row in zip(found.threshold, found.coverage, found.accuracy, found.low, found.high, strict=True)
        ]
        for name, found in covered.items()
    }
    last, found = list(covered.items())[-1]
    point = _point(found, threshold)
    chosen = {last: point} if point else None
    return charts.coverage_chart(lines, chosen=chosen, lang=language(), theme=mode, title=title)


def _coverage_rows(covered: Mapping[str, Coverage], chosen: float) -> list[dict[str, object]]:
    """A row for each tenth of the confidence, and the one that is chosen."""
    rows: list[dict[str, object]] = []
    for name, found in covered.items():
        for threshold in sorted({*(tenth / 10 for tenth in range(10)), chosen}):
            point = _point(found, threshold)
            if point is not None:
                rows.append(
                    {
                        _("Scores"): name,
                        _("Uncertain below"): f"{threshold:.0%}",
                        _("Kept"): f"{point.coverage:.1%}",
                        _("Share right"): f"{point.accuracy:.1%}",
                        _("Interval (95 %)"): f"{point.low:.1%} – {point.high:.1%}",
                    }
                )
    return rows


def _confusion(found: Figures) -> tuple[list[str], list[str], list[list[float | None]]]:
    """Rows and columns that occur, and the share of each row; nothing where no clip is."""
    table = found.confusion.tolist()
    rows = [place for place, line in enumerate(table) if sum(line)]
    columns = [place for place in range(len(EMOTIONS)) if any(line[place] for line in table) or place in rows]
    names = [f"{emotion(EMOTIONS[place])} ({sum(table[place])})" for place in rows]
    shares = [[table[row][place] / sum(table[row]) or None for place in columns] for row in rows]
    return names, [emotion(EMOTIONS[place]) for place in columns], shares


def _matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    description: str,
    mode: charts.Theme,
    title: str | None = None,
) -> alt.LayerChart:
    from emostore import charts

    return charts.matrix_chart(rows, columns, values, description=description, theme=mode)


def _part_row(name: str, before: Figures, after: Figures) -> dict[str, object]:
    return {
        _("Which clips"): name,
        _("Labels"): after.count,
        **{
            short(figure): f"{number(figure, getattr(before, figure))} → {number(figure, getattr(after, figure))}"
            for figure in FIGURES
        },
    }


def _chart(build: Callable[..., alt.LayerChart], rows: Sequence[Mapping[str, Any]], title: str, key: str) -> None:
    """A chart, the table beside it, and images to take away."""
    st.altair_chart(build(theme()), theme=None, key=f"chart_{key}")  # its description is its accessible name
    with st.container(horizontal=True, key=f"take_{key}"):
        with st.popover(_("Table"), icon=":material/table:", key=f"table_{key}"):
            st.dataframe(rows, hide_index=True, alt=title, key=f"rows_{key}")
        images.downloads(partial(build, "light", title=title), f"{_FILE}-{key}", key)
