"""Results of other tools as charts and sentences. Nothing is stored."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from emostore.analytics.insights import headline
from emostore.analytics.quality import service_quality_score
from emostore.analytics.reference import CASES, SCENARIOS
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import EmostoreError
from emostore.services.importing import Given
from emostore.services.importing.drawing import Sample, samples
from emostore.services.views.comparing import CASE_NAMES, MOST
from emostore.ui import images
from emostore.ui.clip import findings
from emostore.ui.data import data_files
from emostore.ui.scores import distribution, theme
from emostore.ui.text import _, emotion, explain, language, plain

if TYPE_CHECKING:
    import altair as alt

    from emostore import charts

RADAR_PX = 350  # fits a phone of 390 px with the page's margins
_ROW_PX = 35
_TEXT = "drawn_text"
_EXAMPLES = "examples"
_ALL = "all"
_MOST_CHARACTERS = 500_000  # that can be pasted; a file may be larger
_SHOWN_NAME = 60

Named = Mapping[str, Sample]


def section() -> None:
    """What to draw, pasted or chosen, and what it looks like."""
    st.write(
        _(
            "Paste a result.json, or choose files: bars, a radar chart and what an expert would read in it. Several "
            "are laid over each other. Nothing is stored."
        )
    )
    _fill()
    with st.container(horizontal=True, key="examples"):
        for key, name in CASE_NAMES.items():
            st.button(_(name), icon=":material/school:", key=f"example_{key}", on_click=_take, args=(key,))
        st.button(_("All three"), icon=":material/school:", key="example_all", on_click=_take, args=(_ALL,))
    pasted, chosen = st.columns([3, 2], gap="large")
    with pasted:
        text = st.text_area(
            _("JSON"), key=_TEXT, height=180, max_chars=_MOST_CHARACTERS, placeholder='{"scores": {"angry": 0.012, …}}'
        )
    with chosen:
        files = data_files.given(data_files.choose("drawn_files", labelled=True))
    if text.strip():
        name = _("pasted") + ".json"
        files.insert(0, Given(name, io.BytesIO(text.encode(errors="replace"))))
    if files:
        _draw(files)


def _fill() -> None:
    """The examples that the link names, until somebody writes something else."""
    asked = st.query_params.get(_EXAMPLES)
    keys = tuple(CASE_NAMES) if asked == _ALL else tuple(key for key in CASE_NAMES if key == asked)
    if _TEXT not in st.session_state:
        st.session_state[_TEXT] = _example(keys)
    elif keys and st.session_state[_TEXT] != _example(keys):
        st.query_params.pop(_EXAMPLES, None)


def _take(which: str) -> None:
    st.query_params[_EXAMPLES] = which
    st.session_state[_TEXT] = _example(tuple(CASE_NAMES) if which == _ALL else (which,))


def _example(keys: Sequence[str]) -> str:
    """The published cases as files of results, one after the other."""
    found = []
    for key in keys:
        scores = CASES[CASE_NAMES[key]]
        top = max(EMOTIONS, key=lambda name: scores[name])
        result = {
            "name": _(CASE_NAMES[key]),
            "scenario": SCENARIOS[CASE_NAMES[key]],
            "emotion": top,
            "confidence": scores[top],
            "scores": dict(scores),
            "granularity": "utterance",
        }
        found.append(json.dumps(result, ensure_ascii=False, indent=1))
    return "\n".join(found)


def _draw(given: Sequence[Given]) -> None:
    try:
        found = samples(given, MOST)
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return
    data_files.refusals(found.refused, len(found.refused))
    if found.count > len(found.samples):
        st.warning(
            _(
                "There are {count} results; the first {allowed} are drawn.",
                count=f"{found.count:,}",
                allowed=len(found.samples),
            ),
            icon=":material/info:",
        )
    named = _named(found.samples)
    if not named:
        return
    if len(named) > 1:
        _together(named)
        tabs = st.tabs([plain(name) for name in named])
        for place, (tab, (name, sample)) in enumerate(zip(tabs, named.items(), strict=True)):
            with tab:
                _one(name, sample, place)
        return
    name, sample = next(iter(named.items()))
    bars, over = st.columns([6, 5], gap="large")
    with bars:
        _one(name, sample, 0)
    with over:
        _radar(named)


def _together(named: Named) -> None:
    """All on one radar chart, and their numbers beside it."""
    drawn, numbers = st.columns([5, 6], gap="large")
    with drawn:
        _radar(named)
    rows: list[dict[str, object]] = [
        {_("Emotion"): emotion(name), **{label: _cell(sample, name) for label, sample in named.items()}}
        for name in BY_NAME
    ]
    quality = {label: f"{service_quality_score(sample.scores):.1f}" for label, sample in named.items()}
    rows.append({_("Emotion"): _("Quality"), **quality})
    with numbers:
        st.dataframe(
            rows,
            hide_index=True,
            height=_ROW_PX * (len(rows) + 1) + 3,
            column_config={_("Emotion"): st.column_config.Column(pinned=True)},
            key="drawn_table",
            alt=_("The nine scores of each result, and the quality that comes of them"),
        )


def _one(name: str, sample: Sample, place: int) -> None:
    """One result: a sentence, its bars, and what they tell."""
    st.markdown(f"##### {explain(headline(sample.scores))}")
    for doubt in sample.doubts:
        st.caption(f":orange[:material/help:] {plain(explain(doubt))}")
    distribution(sample.scores, key=f"drawn{place}", file_name=name, missing=sample.missing)
    given = [each for each in EMOTIONS if each not in sample.missing]
    findings.of_scores(sample.scores, scenario=sample.scenario, role=sample.role, classes=given)


def _radar(named: Named) -> None:
    st.altair_chart(_radar_chart(named, theme()), theme=None, width="content", key="drawn_radar")
    with st.container(horizontal=True):
        images.downloads(partial(_radar_chart, named, "light"), "radar", "drawn_radar")


def _radar_chart(named: Named, mode: charts.Theme) -> alt.LayerChart:
    from emostore import charts  # late, as in `ui.scores`

    return charts.radar_chart(
        {name: sample.scores for name, sample in named.items()},
        lang=language(),
        theme=mode,
        size=RADAR_PX,
        missing={name: sample.missing for name, sample in named.items()},
    )


def _cell(sample: Sample, name: str) -> str:
    return "–" if name in sample.missing else f"{sample.scores.get(name, 0.0):.3f}"


def _named(found: Sequence[Sample]) -> dict[str, Sample]:
    """A name for each, no two alike, on one line and short enough for a legend."""
    named: dict[str, Sample] = {}
    for sample in found:
        line = " ".join(sample.name.split()) or "JSON"
        label = wanted = line if len(line) <= _SHOWN_NAME else f"{line[: _SHOWN_NAME - 1]}…"
        number = 1
        while label in named:
            number += 1
            label = f"{wanted} ({number})"
        named[label] = sample
    return named
