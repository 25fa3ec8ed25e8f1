"""Who speaks when in a call: a lane for each voice, with the figures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from emostore.analytics.talk import Side, Talk
from emostore.i18n import clock
from emostore.services.views.session_view import Conversation
from emostore.ui import images
from emostore.ui.scores import theme
from emostore.ui.text import _, duration, listed, plain

if TYPE_CHECKING:
    import altair as alt

    from emostore import charts

# Altair is imported late, as in `ui.scores`.


def show(found: Conversation, names: Sequence[str], file_name: str) -> None:
    """Shares, silence, overlap and answers of a call; a word where speech is not known."""
    st.subheader(_("Who speaks when"), anchor=False)
    talk = found.talk
    if talk is None:
        said = _("This was analysed before times of speech were kept. Upload the file again to see who speaks when.")
        st.caption(said)
        return
    st.markdown(plain(_sentence(talk, names)))
    _figures(talk, names)
    # On paper and in slides the background is light, whatever the reader's screen shows.
    build = partial(_chart, talk, names)
    st.altair_chart(build(theme()), theme=None, key="chart_talk")
    with st.container(horizontal=True, key="take_talk"):
        with st.popover(_("Table"), icon=":material/table:"):
            st.dataframe(
                [_row(name, side) for name, side in zip(names, talk.sides, strict=True)],
                hide_index=True,
                alt=_("Talk time, turns, answers and interruptions of each voice"),
                key="table_talk",
            )
        images.downloads(partial(build, "light", _("Who speaks when")), f"{file_name}-talk", "talk")


def _sentence(talk: Talk, names: Sequence[str]) -> str:
    if not talk.speech_s:
        return _("Nobody speaks in this recording.")
    if len(talk.sides) == 1:
        share = 100 * talk.speech_s / talk.length_s
        return _("Of the recording, {share:.0f} % are speech.", share=share)
    shares = listed(
        _("{name} {share:.0f} %", name=_isolated(name), share=100 * side.share)
        for name, side in zip(names, talk.sides, strict=True)
    )
    return _("Of all that is said: {shares}.", shares=shares)


def _figures(talk: Talk, names: Sequence[str]) -> None:
    with st.grid(min_column_width=150):
        _share(_("Silence"), talk.silence_s, talk.length_s)
        if len(talk.sides) == 1:
            st.metric(_("Longest turn"), duration(talk.sides[0].monologue_s))
            return
        _share(_("Both at once") if len(talk.sides) == 2 else _("Several at once"), talk.overlap_s, talk.length_s)
        if talk.gap_s is not None and talk.slowest is not None:
            st.metric(
                _("An answer takes"),
                duration(talk.gap_s),
                help=_("The median of the silences after which another speaks than before."),
            )
            st.metric(
                _("The longest wait"),
                duration(talk.slowest.gap_s),
                help=_(
                    "At {time}, until {name} answers.",
                    time=clock(talk.slowest.start_s),
                    name=plain(names[talk.slowest.side]),
                ),
            )


def _share(label: str, seconds: float, of_s: float) -> None:
    st.metric(label, _percent(seconds / of_s), help=duration(seconds))


def _chart(talk: Talk, names: Sequence[str], mode: charts.Theme, title: str | None = None) -> alt.LayerChart:
    from emostore.charts.talk import Lane, lanes_chart

    lanes = [
        Lane(name, spoken, _percent(side.share) if len(names) > 1 else duration(side.talk_s))
        for name, spoken, side in zip(names, talk.stretches, talk.sides, strict=True)
    ]
    if len(names) > 1:
        both = _("Both at once") if len(names) == 2 else _("Several at once")
        lanes.append(Lane(both, talk.overlaps, duration(talk.overlap_s), "both"))
    lanes.append(Lane(_("Silence"), talk.silences, duration(talk.silence_s), "silence"))
    described = _("Who speaks when, in {length}. {said}", length=duration(talk.length_s), said=_sentence(talk, names))
    return lanes_chart(lanes, length_s=talk.length_s, description=described, theme=mode, title=title)


def _row(name: str, side: Side) -> dict[str, object]:
    return {
        _("Voice"): name,
        _("Talk time"): clock(side.talk_s),
        _("Share"): _percent(side.share),
        _("Turns"): side.turns,
        _("Longest turn"): duration(side.monologue_s),
        _("Answers"): side.answers,
        _("Median wait"): duration(side.gap_s) if side.gap_s is not None else "–",
        _("Longest wait"): duration(side.slowest_s) if side.slowest_s is not None else "–",
        _("Interruptions"): side.interruptions,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _isolated(name: str) -> str:
    """A name inside a sentence, between marks that keep one written from right to left from turning what follows."""
    return f"\u2068{name}\u2069"
