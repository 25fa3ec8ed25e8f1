"""Which calibration of a model is read, the versions before and beside it, and going from one to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from emostore import access
from emostore.analytics.calibration import Calibration
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services.calibration import calibrating
from emostore.services.views import watching
from emostore.store.calibration import calibrations
from emostore.store.calibration.calibrations import CalibrationView
from emostore.store.tables.models import RAW_VERSION
from emostore.ui import links, urls
from emostore.ui.bootstrap import open_store
from emostore.ui.calibration import calibration_figures
from emostore.ui.text import _, emotion, explain, listed, plain, when
from emostore.ui.text import calibration as shown_name

REFRESH_S = 1.0
UNDER_WAY = ("scoring", "settling")

Versions = tuple[CalibrationView, ...]  # of one model, the latest first; raw is the last of them


def choose() -> Versions | None:
    """The calibrations of the model that the URL names, else of the one in use; None if nothing was analysed."""
    everything = calibrations.listed(open_store())
    models = {" ".join(view.model): view.model for view in everything}
    used = watching.model_in_use(open_store())
    if used is None or not models:
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
        return None
    names = list(models)
    default = f"{used.name} {used.revision}"
    chosen = default
    if len(names) > 1:
        binding = urls.bound("model", names, default)
        chosen = st.selectbox(_("Model"), names, format_func=_model_name, width=320, **binding) or default
    return tuple(view for view in everything if view.model == models[chosen])


def active(found: Versions) -> CalibrationView:
    """The one whose scores are read."""
    return next(view for view in found if view.active)


def now(found: Versions) -> None:
    """Which scores everybody reads, in a sentence."""
    view = active(found)
    model = plain(view.model[0])
    if view.version == RAW_VERSION:
        st.markdown(_("Everybody reads the scores of {model} **as the model gave them**.", model=model))
    else:
        st.markdown(
            _(
                "Everybody reads the scores of {model} under **{name}** (version {version}).",
                model=model,
                name=shown_name(view.name),
                version=view.version,
            )
        )


def under_way(found: Versions) -> None:
    """What is being scored, followed until it is read."""
    if any(view.state in UNDER_WAY for view in found):
        calibrating.resume(open_store())  # of another process that may have ended
        st.fragment(_follow, run_every=REFRESH_S)(found[0].model)


def versions(found: Versions) -> None:
    """Every version with what it was fitted on and what it was worth, and a button to have its scores read."""
    st.subheader(_("Versions"), anchor=False)
    st.caption(
        _(
            "A version never changes. Activating one scores every clip in the background; when all are done, reports, "
            "rankings and alerts go over to its scores at once. Rolling back brings the old scores back, bit for bit."
        )
    )
    read = active(found)
    for view in found:
        with st.container(border=True, key=f"version_{view.version}"):
            _version(view, read)


def activate(calibration_id: int) -> bool:
    """Begin to have a calibration read; whether it began. Why not is said."""
    return tried(lambda: calibrating.activate(open_store(), calibration_id))


def _activate(calibration_id: int) -> None:
    activate(calibration_id)


def tried(change: Callable[[], object]) -> bool:
    """Do it, or say in passing why it could not be done."""
    try:
        change()
    except EmostoreError as error:
        st.toast(plain(explain(error)), icon=":material/error:")
        return False
    return True


def scaling_name(kind: str) -> str:
    """How confidence is put right."""
    return {
        "none": _("Leave it as it is"),
        "temperature": _("One temperature (recommended)"),
        "biased": _("One temperature, and a leaning for each emotion"),
        "vector": _("A factor and a leaning for each emotion"),
    }[kind]


def alignment_name(kind: str) -> str:
    """How recordings of one kind are brought to another's."""
    return {
        "none": _("Leave them as they are"),
        "variance": _("By mean and spread"),
        "coral": _("By how everything varies together (CORAL)"),
        "best": _("Whichever is best on held-out labels, or none"),
    }[kind]


def _follow(model: tuple[str, str]) -> None:
    views = [view for view in calibrations.listed(open_store(), model) if view.state in UNDER_WAY]
    if not views:
        st.rerun()  # the whole page: now the other scores are read
    for view in views:
        at = calibrating.progress(open_store(), view.id)
        with st.container(border=True, key=f"scoring_{view.id}"):
            if view.state == "settling":
                said = _("The scores are there; now the alert rules are asked again.")
            else:
                said = _("Scoring {done} of {total}", done=f"{at.scored:,}", total=f"{at.total:,}")
            name = f"**{shown_name(view.name)}** · {said}"
            st.progress(min(1.0, at.scored / max(1, at.total)), text=name)
            if view.state == "scoring":
                st.caption(_("Until it is done everybody reads the scores as before."))
                if access.can("administer"):
                    st.button(
                        _("Cancel"),
                        icon=":material/cancel:",
                        key=f"cancel_{view.id}",
                        on_click=_cancel,
                        args=(view.id,),
                    )


def _cancel(calibration_id: int) -> None:
    tried(lambda: calibrating.cancel(open_store(), calibration_id))


def _version(view: CalibrationView, read: CalibrationView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        name = _("As the model gave them") if view.version == RAW_VERSION else shown_name(view.name)
        st.markdown(f"**{name}**", width="content")
        st.badge(_("version {version}", version=view.version), color="gray")
        if view.active:
            st.badge(_("read by everybody"), icon=":material/check:", color="green")
        elif view.state == "scoring":
            st.badge(_("being scored"), icon=":material/progress_activity:", color="blue")
        if "trained" in view.parameters:
            st.badge(_("trained head"), icon=":material/school:", color="violet")
    if view.version == RAW_VERSION:
        st.caption(_("The softmax of what the model said. It is always kept."))
    else:
        st.caption(_made(view))
        said = _worth(view.metrics)
        if said:
            st.caption(said)
    with st.container(horizontal=True, vertical_alignment="center"):
        if access.can("administer") and not view.active and view.state != "scoring":
            back = view.version < read.version
            st.button(
                _("Roll back to this") if back else _("Activate"),
                icon=":material/undo:" if back else ":material/check:",
                key=f"activate_{view.version}",
                on_click=_activate,
                args=(view.id,),
            )
        if view.version != RAW_VERSION:
            with st.popover(_("Details"), icon=":material/more_horiz:", key=f"about_{view.version}"):
                _details(view)


def _made(view: CalibrationView) -> str:
    """Who fitted it, when, and on what."""
    parts = [when(view.created_at), plain(view.created_by or "—")]
    if "labels" in view.fitted_on:
        sessions = view.fitted_on.get("sessions", 0)
        parts.append(_("labels: {labels}, sessions: {sessions}", labels=view.fitted_on["labels"], sessions=sessions))
    return " · ".join(parts)


def _worth(metrics: Mapping[str, Any]) -> str:
    """The figures before and after that are looked at first."""
    try:
        before, after = metrics["before"], metrics["after"]
        values = [(figure, float(before[figure]), float(after[figure])) for figure in ("ece", "nll", "uar")]
    except (KeyError, TypeError, ValueError):  # of another version of the program
        return ""
    return " · ".join(
        f"{calibration_figures.short(figure)} {calibration_figures.number(figure, one)} → "
        f"{calibration_figures.number(figure, other)}"
        for figure, one, other in values
    )


def _details(view: CalibrationView) -> None:
    """Its stages in words, and what its labels were."""
    try:
        stages = calibrating.parsed(view)
    except EmostoreError as error:
        st.warning(explain(error), icon=":material/warning:")
        return
    if stages.scaling is not None and stages.scaling.temperature is not None:
        st.markdown(_("Temperature: {value:.3f}", value=stages.scaling.temperature))
    elif stages.scaling is not None:
        st.dataframe(
            [
                {_("Emotion"): emotion(name), _("Factor"): round(factor, 3), _("Leaning"): round(bias, 3)}
                for name, factor, bias in zip(EMOTIONS, stages.scaling.factors, stages.scaling.biases, strict=True)
            ],
            hide_index=True,
            alt=_("What each emotion's logit is multiplied by, and what is then added"),
        )
    if stages.trained is not None:
        _trained(view, stages)
    if stages.heads:
        st.markdown(_("Aligned: {domains}", domains=", ".join(map(calibration_figures.domain_name, stages.heads))))
    if stages.priors is not None:
        st.dataframe(
            [
                {_("Emotion"): emotion(name), _("Among labels"): round(one, 3), _("Among all clips"): round(other, 3)}
                for name, one, other in zip(EMOTIONS, stages.priors.source, stages.priors.target, strict=True)
            ],
            hide_index=True,
            alt=_("How frequent each emotion is among labels and among all clips"),
        )
        if stages.priors.weight:
            st.markdown(_("Which emotions occur together counts {share:.0%}.", share=stages.priors.weight))
    counts = view.fitted_on.get("emotions")
    if isinstance(counts, Mapping):
        told = [f"{emotion(name)} {counts[name]}" for name in EMOTIONS if counts.get(name)]
        st.caption(_("Labels: {counts}", counts=" · ".join(told)))


def _trained(view: CalibrationView, stages: Calibration) -> None:
    """What a head learnt from which labels, what it never gives, and what it does not read."""
    given = listed(emotion(name) for name in EMOTIONS if name not in stages.masked)
    st.markdown(_("A head trained on labels gives {names}.", names=given))
    never = [name for name in view.classes if name in stages.masked]
    if never:
        names = listed(map(emotion, never))
        st.markdown(_("It was not taught {names} and never gives them: their score is 0.", names=names))
    told: Any = view.fitted_on.get("trained")
    try:
        values = {"count": told["labels"], "folds": told["folds"], "strength": f"{float(told['strength']):g}"}
    except (KeyError, TypeError, ValueError):  # not fitted here
        pass
    else:
        st.caption(
            _("Learnt from {count} labels, tried on {folds} parts of the sessions in turn, C = {strength}.", **values)
        )
    st.caption(
        _(
            "Clips without an embedding and the windows of the timeline keep the scores that the model gave them: "
            "there is nothing for a trained head to read."
        )
    )


def _model_name(name: str) -> str:
    model, _space, revision = name.rpartition(" ")
    return f"{model} · {revision[:8]}"
