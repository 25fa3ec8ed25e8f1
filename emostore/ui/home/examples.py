"""The three reference cases, to be looked at before there is anything of one's own."""

from __future__ import annotations

import streamlit as st

from emostore.analytics.insights import headline
from emostore.analytics.reference import CASES, SCENARIOS
from emostore.ui.clip import findings
from emostore.ui.scores import distribution, theme
from emostore.ui.text import _, explain, language

RADAR_PX = 340  # fits a phone of 390 px with the page's margins


def reference_cases() -> None:
    """The three on one radar chart, then each by itself."""
    from emostore import charts  # late, as in `ui.scores`

    st.subheader(_("What a distribution tells"), anchor=False)
    st.caption(_("Three published examples. They are not recordings of yours."))
    named = {_(name): scores for name, scores in CASES.items()}
    scenarios = [SCENARIOS[name] for name in CASES]
    together, apart = st.columns([2, 3], gap="large")
    with together:
        radar = charts.radar_chart(named, lang=language(), theme=theme(), size=RADAR_PX)
        st.altair_chart(radar, theme=None, width="content", key="radar_cases")
    for number, (tab, (name, scores)) in enumerate(zip(apart.tabs(list(named)), named.items(), strict=True)):
        with tab:
            st.write(explain(headline(scores)))
            distribution(scores, key=f"case{number}", file_name=name)
            findings.of_scores(scores, scenario=scenarios[number])
