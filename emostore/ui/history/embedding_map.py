"""A map of the clips that fit the filters, behind a switch: near each other lies what one model hears alike."""

from __future__ import annotations

from collections import Counter
from functools import partial

import streamlit as st

from emostore import access
from emostore.services.neighbours import embedding_map
from emostore.services.neighbours.embedding_map import EmbeddingMap
from emostore.store.calibration.neighbours import Described
from emostore.store.reports.history import HistoryFilter
from emostore.ui import heard, images, links
from emostore.ui.bootstrap import open_store
from emostore.ui.scores import theme
from emostore.ui.text import _, emotion, language, listed, when

_NAMED = 3  # emotions that the sentence for those who hear the chart names
_ADDRESS = "map"


def show(wanted: HistoryFilter) -> None:
    """The switch, and the map if it is on; the address keeps that."""
    access.require("read")
    on = st.toggle(_("Map of these clips"), value=st.query_params.get(_ADDRESS) == "on", key="map_on", on_change=_write)
    if not on:
        return
    found = embedding_map.draw(open_store(), wanted)
    if found is None:
        st.caption(_("Nothing has been analysed yet."))
    elif not found.places:
        st.caption(
            _(
                "A map needs at least {fewest} clips with an embedding of {model}; of those that fit, {count} have "
                "one.",
                fewest=embedding_map.FEWEST,
                model=_model(found),
                count=found.with_embedding,
            )
        )
    else:
        _draw(found)


def _draw(found: EmbeddingMap) -> None:
    from emostore import charts
    from emostore.charts.map import CHOICE

    points = [
        charts.MapPoint(each.clip.clip_id, each.x, each.y, each.clip.dominant, each.clip.file_name, _note(each.clip))
        for each in found.places
        if each.clip.dominant is not None
    ]
    if not points:
        st.caption(_("These clips have no scores yet."))
        return
    build = partial(charts.map_chart, points, description=_description(found), lang=language())
    # Its description is its accessible name.
    event = st.altair_chart(build(theme=theme()), theme=None, key="embedding_map", on_select="rerun")
    chosen = event.selection.get(CHOICE) or []
    if chosen:
        st.switch_page(links.CLIP_PAGE, query_params={"id": str(int(chosen[0]["clip_id"]))})
    with st.container(horizontal=True, key="take_map"):
        with st.popover(_("Table"), icon=":material/table:"):
            st.dataframe(
                [
                    {
                        _("File"): each.clip.file_name,
                        _("Emotion"): _heard(each.clip),
                        _("Agent"): each.clip.agent or "",
                        _("When"): when(each.clip.happened_at),
                        "x": each.x,
                        "y": each.y,
                    }
                    for each in found.places
                ],
                hide_index=True,
                alt=_("Map of these clips"),
                key="table_map",
            )
        images.downloads(partial(build, title=_model(found)), "map", "map")
    st.caption(_said(found))


def _description(found: EmbeddingMap) -> str:
    counted = Counter(each.clip.dominant for each in found.places if each.clip.dominant)
    names = [f"{emotion(name)} {count / counted.total():.0%}" for name, count in counted.most_common(_NAMED)]
    return _(
        "Map of {count} clips by how alike they sound. Most frequent: {names}.",
        count=counted.total(),
        names=listed(names),
    )


def _said(found: EmbeddingMap) -> str:
    first, second = found.explained
    said = _(
        "Near each other lies what {model} hears alike: a principal component analysis of its embeddings. The two "
        "directions hold {first} and {second} of the variance, so clips that lie together may still differ. Click one "
        "to open it.",
        model=_model(found),
        first=f"{first:.0%}",
        second=f"{second:.0%}",
    )
    shown = len(found.places)
    if shown < found.fitting or found.more:
        count = f"{found.fitting:,}+" if found.more else f"{found.fitting:,}"
        said += " " + _("Shown are {shown} of {count}, evenly spaced in time.", shown=f"{shown:,}", count=count)
    return said


def _heard(clip: Described) -> str:
    return heard.strongest(clip.dominant, clip.confidence) if clip.dominant and clip.confidence is not None else ""


def _note(clip: Described) -> str:
    doubt = _("uncertain") if heard.doubtful(clip.confidence) else ""
    return " · ".join(part for part in (doubt, clip.agent, when(clip.happened_at)) if part)


def _model(found: EmbeddingMap) -> str:
    return f"{found.model.name} · {found.model.revision[:8]}"


def _write() -> None:
    if st.session_state["map_on"]:
        st.query_params[_ADDRESS] = "on"
    else:
        st.query_params.pop(_ADDRESS, None)
