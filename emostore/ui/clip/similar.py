"""Clips that sound like the one that is shown."""

from __future__ import annotations

import streamlit as st

from emostore import access
from emostore.services.neighbours import similar
from emostore.store.calibration.neighbours import Described
from emostore.store.reports.views import ClipView
from emostore.ui import heard, links
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, plain, when

_CARD_PX = 300  # one clip; on a phone they stand below each other


def show(view: ClipView) -> None:
    """The clips most like this one as its newest model hears them, or why there are none."""
    analysis = view.newest
    if analysis is None or analysis.status != "analysed":
        return  # nothing was heard that something could sound like
    access.require("read")
    st.subheader(_("Sounds like"), anchor=False, help=_help())
    found = similar.similar(open_store(), analysis.analysis_id)
    model = f"{analysis.model} · {analysis.revision[:8]}"
    if found is None:
        st.caption(
            _("No embedding is stored with the result of this clip, so there is nothing to compare with others.")
        )
    elif not found.found:
        st.caption(
            _(
                "No other clip has been analysed with {model}. Clips of other models are not compared: each model "
                "places them differently.",
                model=model,
            )
        )
    else:
        with st.grid(min_column_width=_CARD_PX, key="similar"):
            for each in found.found:
                _card(each)
        st.caption(_said(found, model))


def _card(each: similar.Neighbour) -> None:
    clip = each.clip
    with st.container(border=True):
        links.clip(clip.clip_id, label=links.named(_name(clip)))
        said = [clip.agent and plain(clip.agent), when(clip.happened_at)]
        st.caption(" · ".join(part for part in said if part))
        alike = _("similarity {value}", value=f"{each.similarity:.3f}")
        st.markdown(f"{_heard(clip)} · {alike}")


def _name(clip: Described) -> str:
    return clip.file_name if clip.channel_count == 1 else f"{clip.file_name} [{clip.channel + 1}]"


def _heard(clip: Described) -> str:
    if clip.dominant is None or clip.confidence is None:
        return _("no scores")
    return f"{heard.strongest(clip.dominant, clip.confidence)} {clip.confidence:.0%}"


def _said(found: similar.Similar, model: str) -> str:
    parts = [_("Among the clips that {model} has analysed.", model=model)]
    if not found.exact:
        parts.append(_("Found with an index: now and then one that is as near is missing."))
    if found.left_out:
        parts.append(_("The oldest {count} are not searched; with PostgreSQL all are.", count=f"{found.left_out:,}"))
    return " ".join(parts)


def _help() -> str:
    return _(
        "The model turns each clip into a row of numbers, its embedding. Similarity is the cosine of the angle between "
        "two of them: 1 is the same direction. Models differ in how high it usually is, so the order says more than "
        "the number."
    )
