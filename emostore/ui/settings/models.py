"""Which models there are, the download of the large one, and what to do once it is there."""

from __future__ import annotations

import streamlit as st

from emostore.emotions import EMOTIONS
from emostore.engine import registry
from emostore.engine.checkpoint import LARGE
from emostore.engine.figures import caution
from emostore.engine.recognizer import Recognizer
from emostore.errors import EmostoreError
from emostore.services import downloads
from emostore.services.queue import jobs
from emostore.ui.bootstrap import background_download, in_force, load_model, open_store
from emostore.ui.text import _, duration, emotion, explain, listed, plain, size

_PLAN = "download_plan"
SOURCES: tuple[downloads.Source, ...] = ("auto", "modelscope", "huggingface")


def section() -> None:
    """The models, one card each, then the download."""
    used = load_model().info
    listings = registry.available_models(in_force())
    for listing in listings:
        with st.container(border=True, key=f"model_{listing.name}"):
            _card(listing, used=listing.name == used.name, revision=used.revision)
    if not any(listing.name == LARGE and listing.installed for listing in listings):
        _download()
    _again(load_model())


def _card(listing: registry.ModelListing, *, used: bool, revision: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(listing.name)}**", width="content")
        if used:
            st.badge(_("in use · {revision}", revision=revision), icon=":material/check:", color="green")
        elif listing.installed:
            st.badge(_("installed"), color="gray")
        else:
            st.badge(_("not installed"), color="orange")
    if listing.classes:
        able = _("all nine") if listing.classes == EMOTIONS else listed(map(emotion, listing.classes))
        st.caption(_("Can give: {emotions}", emotions=able))
    warning = caution(listing.name)
    if warning:
        st.caption(explain(warning))
    st.caption(_("Licence: {licence}", licence=plain(listing.licence)))
    if listing.where is not None:
        st.caption(_("Folder: {folder}", folder=plain(str(listing.where))))
    if listing.problem and listing.where is not None:
        st.warning(explain(listing.problem), icon=":material/warning:")


def _download() -> None:
    """Asked for in two steps: first how large it is and whose licence it has, then the download itself."""
    task = background_download()
    if task.running:
        st.fragment(_follow, run_every=1.0)()
        return
    if task.problem:
        st.error(explain(task.problem), icon=":material/cloud_off:")
    source = st.segmented_control(
        _("Download from"),
        SOURCES,
        default="auto",
        required=True,
        format_func=_hub,
        key="download_from",
    )
    if st.button(_("See what would be downloaded"), icon=":material/search:", key="plan"):
        st.session_state.pop(_PLAN, None)
        try:
            with st.spinner(_("Asking …")):
                st.session_state[_PLAN] = downloads.plan(in_force(), source or "auto")
        except EmostoreError as error:
            st.error(explain(error), icon=":material/cloud_off:")
    plan: downloads.DownloadPlan | None = st.session_state.get(_PLAN)
    if plan is None:
        st.caption(_("Nothing is downloaded, and nobody is asked, before you press a button here."))
        return
    left = plan.total_bytes - plan.already_bytes
    offers = {"hub": plan.hub_title, "total": size(plan.total_bytes), "left": size(left)}
    st.write(_("{hub} offers {total}; {left} of it are not here yet.", **offers))
    st.caption(_("Licence: {licence}", licence=plain(plan.licence)))
    if st.button(_("Download {size}", size=size(left)), type="primary", icon=":material/download:", key="download"):
        task.start(plan)
        st.session_state.pop(_PLAN)
        st.rerun()


def _hub(source: downloads.Source) -> str:
    names = {"auto": _("Whichever answers first"), "modelscope": "ModelScope", "huggingface": "Hugging Face"}
    return names[source]


def _follow() -> None:
    task = background_download()
    if not task.running:
        st.rerun()
    at = task.progress
    if at is None:
        st.progress(0.0, text=_("Connecting …"))
    else:
        text = f"{size(at.done_bytes)} / {size(at.total_bytes)}"
        if at.phase == "checking":
            text += " · " + _("checking what arrived")
        elif at.seconds_left is not None:
            text += " · " + _("about {time} left", time=duration(max(1, round(at.seconds_left))))
        st.progress(min(1.0, at.done_bytes / max(1, at.total_bytes)), text=text)
    if st.button(_("Cancel"), icon=":material/cancel:", key="cancel_download"):
        task.cancel()
        st.toast(_("Stopping; what has arrived is kept."))


def _again(recognizer: Recognizer) -> None:
    """Offer to analyse with the model in use what only others have analysed so far."""
    info = recognizer.info
    for other, count in jobs.left_to_analyse(open_store(), info.name, info.revision):
        name = f"{other.model} {other.revision[:8]}"
        label = _("Analyse again what {model} scored ({count} recordings)", model=name, count=f"{count:,}")
        if st.button(label, icon=":material/replay:", key=f"again_{other.model}_{other.revision}"):
            jobs.reanalyse(open_store(), in_force(), other)
            st.toast(_("Handed in; the Upload page shows how far it is."))
