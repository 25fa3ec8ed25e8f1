"""The sides of a call beside each other: scores, findings, quality, alerts; and exchanging their roles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from emostore import access
from emostore.analytics.quality import ScoringProfile
from emostore.engine.figures import caution
from emostore.errors import EmostoreError
from emostore.services import editing
from emostore.services.views.session_view import Conversation, Voice
from emostore.store.reports.report_views import AlertView
from emostore.store.reports.reports import ClipView
from emostore.ui import links
from emostore.ui.bootstrap import open_store
from emostore.ui.clip import clips, findings
from emostore.ui.settings import scoring
from emostore.ui.text import _, explain, plain


def show(session_id: int, found: Conversation, names: Sequence[str]) -> None:
    """Every side with what was found in it, side by side, and the button that exchanges them."""
    several = len(found.voices) > 1
    with st.container(horizontal=True, vertical_alignment="bottom", key="sides"):
        st.subheader(_("Side by side") if several else _("The voice"), anchor=False)
        profile = scoring.choose() if any(findings.is_scored(voice.view) for voice in found.voices) else None
        if len(found.voices) == 2 and access.can("edit", found.voices[0].view):
            st.button(
                _("Swap sides"),
                icon=":material/swap_horiz:",
                key="swap",
                help=_("Exchange the roles of the two voices, here and in every report."),
                on_click=_swap,
                args=(found.recording_id,),
            )
    _models(found)
    if several:
        sides = list(zip(found.voices, names, strict=True))
        for first in range(0, len(sides), 2):
            for (voice, name), column in zip(sides[first : first + 2], st.columns(2, gap="large"), strict=False):
                with column:
                    _side(session_id, voice, name, profile)
    else:
        _alone(session_id, found.voices[0], names[0], profile)


def _side(session_id: int, voice: Voice, name: str, profile: ScoringProfile | None) -> None:
    view = voice.view
    _head(view, name)
    clips.finding(view)
    clips.chart(view, key=f"side_{view.clip_id}")
    findings.of_clip(view, _moment(session_id, view.recording_id), profile)
    if view.role == "agent":
        _coaching()


def _alone(session_id: int, voice: Voice, name: str, profile: ScoringProfile | None) -> None:
    view = voice.view
    _head(view, name)
    scores, read = st.columns([3, 2], gap="large")
    with scores:
        clips.finding(view)
        clips.chart(view, key=f"side_{view.clip_id}")
    with read:
        findings.of_clip(view, _moment(session_id, view.recording_id), profile)
        if view.role == "agent":
            _coaching()


def _head(view: ClipView, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"head_{view.clip_id}"):
        st.markdown(f"**{plain(name)}**", width="content")
        if view.agent:
            st.badge(plain(view.agent), icon=":material/support_agent:", color="gray")
        links.clip(view.clip_id)


def _models(found: Conversation) -> None:
    """How far the models may be trusted, and that scores of two models are no comparison."""
    models = {(each.model, each.revision) for voice in found.voices if (each := voice.view.newest)}
    if len(models) > 1:
        st.caption(_("The sides were analysed by different models, so their scores are not to be compared."))
    for name in sorted({name for name, _revision in models}):
        said = caution(name)
        if said:
            st.caption(explain(said))


def _coaching() -> None:
    st.caption(
        _(
            "Voices of agents are for coaching. In the EU, inferring the emotions of employees at work is "
            "prohibited but for medical and safety reasons (AI Act, Article 5(1)(f))."
        )
    )


def _moment(session_id: int, recording_id: int) -> Callable[[AlertView, str], None]:
    def link(alert: AlertView, label: str) -> None:
        links.session(session_id, label=label, recording_id=recording_id, at_s=alert.start_s)

    return link


def _swap(recording_id: int) -> None:
    try:
        editing.swap_roles(open_store(), recording_id)
    except EmostoreError as error:
        st.toast(plain(explain(error)), icon=":material/error:")
    else:
        st.toast(_("The sides are exchanged, and the reports follow."), icon=":material/swap_horiz:")
