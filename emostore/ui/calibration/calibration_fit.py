"""Trying out a calibration: what to put right, what that is worth, and keeping it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

import streamlit as st

from emostore import access
from emostore.analytics import reliability
from emostore.analytics.calibration import RAW
from emostore.analytics.calibration.fitting import LEAST_LABELS, AlignmentChoice, Options, ScalingChoice
from emostore.analytics.calibration.scaling import KINDS
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.i18n import Sentence
from emostore.services.calibration import calibrating, fitting
from emostore.services.calibration.fitting import Sample, Trial
from emostore.services.metadata.descriptions import DOMAINS
from emostore.store.calibration.calibrations import CalibrationView
from emostore.store.rollups.rollup_reading import Model
from emostore.store.tables.models import NAME_LENGTH
from emostore.ui import links
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.calibration import calibration, calibration_figures
from emostore.ui.calibration.calibration import Versions
from emostore.ui.text import _, emotion, explain, listed, plain

MEASURED_S = 3600  # that figures of the calibration in use are kept; other labels are measured at once
_TRIAL = "calibration_trial"  # the last one, by model


def section(found: Versions) -> None:
    """From labels to a calibration that is kept: what is missing, what can be tried, and what came of it."""
    store, model = open_store(), found[0].model
    try:
        sample = fitting.sample(store, model)
    except EmostoreError:  # no labels yet
        _too_few(0)
        return
    count = len(sample.labelled.labels)
    if count < LEAST_LABELS:
        _too_few(count)
        return
    trial = _options(found, sample)
    trial = trial or _known(found, sample)
    if trial is None:
        st.subheader(_("How far they can be trusted"), anchor=False)
        _about(
            sample, reliability.cautions(sample.labelled.labels, sample.labelled.groups, sample.reasons), learnt=False
        )
        _unheard(sample, found[0])
        raw = sample.labelled.clips.scores(RAW)
        figures = reliability.figures(raw, sample.labelled.labels)
        calibration_figures.tiles(None, figures)
        calibration_figures.diagrams(calibration_figures.raw_lines(raw), sample)
        calibration_figures.confusion({_("as the model gave them"): figures})
        return
    _result(trial, found)


def _result(trial: Trial, found: Versions) -> None:
    st.subheader(_("Before it and after it"), anchor=False)
    st.markdown(f"##### {_verdict(trial)}")
    _about(trial.sample, trial.cautions, learnt=True)
    _unheard(trial.sample, found[0])
    calibration_figures.tiles(trial.before, trial.after)
    if _is_new(trial) and access.can("administer"):
        _keep(trial)
    calibration_figures.diagrams(calibration_figures.trial_lines(trial), trial.sample)
    calibration_figures.confusion({_("before"): trial.before, _("after"): trial.after})
    calibration_figures.parts(trial)


def _too_few(count: int) -> None:
    """Whether scores can be trusted is not known without labels: how many more, and where to give them."""
    if count == 0:
        said = _("How far these scores can be trusted is not known: no clip has a label that its raters agree on.")
    else:
        said = _("{count} labels are too few to say how far these scores can be trusted.", count=count)
    more = _("{count} more until a calibration can be fitted", count=LEAST_LABELS - count)
    st.info(said, icon=":material/label:")
    st.progress(count / LEAST_LABELS, text=more)
    st.page_link(links.LABEL_PAGE, label=_("Label clips"), icon=":material/label:")


def _about(sample: Sample, cautions: tuple[Sentence, ...], *, learnt: bool) -> None:
    """What is measured on, and what keeps it from being trusted."""
    said = _("Measured on {count} labelled clips.", count=f"{len(sample.labelled.labels):,}")
    if learnt and len(set(sample.labelled.groups.tolist())) > 1:
        said += " " + _("Each is scored by what was learnt from other sessions than its own.")
    if sample.divided:
        said += " " + _("Left out because their raters are divided, or could not tell: {count}.", count=sample.divided)
    st.caption(said)
    if cautions:
        st.warning("\n".join(f"- {plain(explain(each))}" for each in cautions), icon=":material/warning:")


def _unheard(sample: Sample, view: CalibrationView) -> None:
    """Emotions that raters heard and the model cannot give: no calibration makes these right."""
    heard = {EMOTIONS[number] for number in sample.labelled.labels.tolist()}
    names = [name for name in EMOTIONS if name in heard and name not in view.classes]
    if names:
        st.warning(
            _(
                "Raters heard {names}, which {model} cannot give: no calibration makes these clips right.",
                names=listed(map(emotion, names)),
                model=plain(view.model[0]),
            ),
            icon=":material/visibility_off:",
        )


def _options(found: Versions, sample: Sample) -> Trial | None:
    """What to put right, in words, and the button that tries it; the last trial of this session."""
    model = found[0].model
    kept: dict[tuple[str, str], Trial] = st.session_state.setdefault(_TRIAL, {})
    if not access.can("administer"):
        st.caption(_("Only who administers this app fits and activates calibrations."))
        return None
    begun = _options_of(calibration.active(found)) or Options()
    with st.container(border=True, key="fit"):
        st.markdown("**" + _("Try out a calibration") + "**")
        scaling_kinds: tuple[ScalingChoice, ...] = (*KINDS, "none")
        scaling = st.selectbox(
            _("Make confidence say how often it is right"),
            scaling_kinds,
            scaling_kinds.index(begun.scaling),
            format_func=calibration.scaling_name,
            key="fit_scaling",
        )
        priors = st.toggle(
            _("Take into account how frequent each emotion is among your clips"),
            begun.priors,
            key="fit_priors",
            help=_("Learnt from all clips of the model, without their labels."),
        )
        together = st.toggle(
            _("… and which emotions occur together"), begun.together and priors, disabled=not priors, key="fit_together"
        )
        shown = kept[model].options if model in kept else begun  # below, with what a head cannot do
        trained = _head(sample, begun.trained, told=shown.trained)
        alignment, reference = ("none", None) if trained else _alignment(found, begun)
        pressed = st.button(
            _("Try it out"),
            type="secondary" if model in kept else "primary",
            icon=":material/science:",
            key="try_out",
        )
        st.caption(_("Nothing changes for anybody before you activate what comes of it."))
        if pressed:
            try:
                options = Options(alignment, reference, scaling, priors, together and priors, trained)
                with st.spinner(_("Fitting …"), show_time=True):
                    kept[model] = fitting.try_out(open_store(), model, options)
            except EmostoreError as error:
                kept.pop(model, None)
                st.error(plain(explain(error)), icon=":material/error:")
            else:
                st.rerun()  # what comes next is not this button any more
    return kept.get(model)


def _head(sample: Sample, begun: bool, *, told: bool) -> bool:
    """Whether a head is trained; what there is to train it from, and what it cannot do, unless that is told below."""
    readable = sample.labelled.clips.embeddings is not None
    trained = st.toggle(
        _("Learn from the labels what each emotion sounds like (a trained head)"),
        begun and readable,
        disabled=not readable,
        key="fit_trained",
        help=_(
            "For when your voices differ from what the model learnt, and you have a few hundred labels of them. A last "
            "layer that is learnt from your labels takes the place of the model's own, which it starts from; the rest "
            "of the model stays as it is."
        )
        if readable
        else _("The clips of this model have no embeddings, from which it would be learnt."),
    )
    if not trained:
        return False
    teaching = fitting.teaching(sample)
    if len(teaching.given) > 1:
        names = listed(map(emotion, teaching.given))
        st.caption(_("It would learn {names} from {count} labels.", names=names, count=f"{teaching.labels:,}"))
    said = [plain(explain(each)) for each in fitting.untaught(teaching)]
    if said and not told:
        st.warning("\n".join(f"- {each}" for each in said), icon=":material/warning:")
    return True


def _alignment(found: Versions, begun: Options) -> tuple[AlignmentChoice, str | None]:
    """Which recordings are brought to which others, if the model gives what that takes."""
    if calibrating.head(open_store(), found[0].model) is None:
        return "none", None
    kinds: tuple[AlignmentChoice, ...] = get_args(AlignmentChoice)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            _("Bring recordings of one kind to those of another"),
            kinds,
            kinds.index(begun.alignment),
            format_func=calibration.alignment_name,
            width=320,
            key="fit_alignment",
        )
        if kind == "none":
            return kind, None
        place = DOMAINS.index(begun.reference) if begun.reference in DOMAINS else None
        reference = st.selectbox(
            _("the others to"),
            DOMAINS,
            place,
            format_func=calibration_figures.domain_name,
            width=260,
            key="fit_reference",
        )
    return kind, reference


def _known(found: Versions, sample: Sample) -> Trial | None:
    """What the calibration that is read is worth on the labels of today, measured in the same way."""
    view = calibration.active(found)
    options = _options_of(view)
    if options is None or not access.can("administer"):
        return None
    told = sample.labelled.labels.tobytes() + sample.labelled.groups.tobytes()
    with st.spinner(_("Measuring …"), show_time=True):
        return _measured(view.id, told, view.model, options)


@st.cache_resource(ttl=MEASURED_S, max_entries=2, show_spinner=False)
def _measured(calibration_id: int, told: bytes, _model: Model, _options: Options) -> Trial | None:
    """A trial of a calibration on labels, for all who look at the page; None where it cannot be fitted any more."""
    try:
        return fitting.try_out(open_store(), _model, _options)
    except EmostoreError:
        return None


def _options_of(view: CalibrationView) -> Options | None:
    """The options that a calibration was fitted with; None if it was not, or by another version of the program."""
    told = view.fitted_on.get("options")
    try:
        return Options(**told) if isinstance(told, Mapping) else None
    except (TypeError, EmostoreError):
        return None


def _is_new(trial: Trial) -> bool:
    return st.session_state.get(_TRIAL, {}).get(trial.model) is trial


def _verdict(trial: Trial) -> str:
    """Whether it is worth it, in a sentence."""
    values = {"before": f"{trial.before.ece:.3f}", "after": f"{trial.after.ece:.3f}"}
    match trial.verdict:
        case "better":
            return _(
                "The scores come nearer to what raters heard, by more than chance: the calibration error goes from "
                "{before} to {after}.",
                **values,
            )
        case "perhaps":
            return _(
                "The scores may come nearer to what raters heard, but not by more than chance: the calibration error "
                "goes from {before} to {after}. More labels would tell.",
                **values,
            )
        case "mixed":
            return _(
                "The loss falls, but the calibration error grows from {before} to {after}: confidence says less how "
                "often it is right. Better leave the scores as they are.",
                **values,
            )
        case "worse":
            return _("This makes the scores worse: better leave them as they are.")
        case "nothing":
            return _("Nothing is gained by this: better leave the scores as they are, or try something else.")


def _keep(trial: Trial) -> None:
    """A name, and the two ways to keep it."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="keep"):
        name = st.text_input(_("Name"), _suggested(trial), max_chars=NAME_LENGTH, width=320, key="calibration_name")
        st.button(
            _("Keep and activate"),
            type="primary",
            icon=":material/check:",
            key="keep_active",
            on_click=_kept,
            args=(trial, True),
            disabled=not name.strip(),
        )
        st.button(
            _("Keep for later"),
            icon=":material/save:",
            key="keep_only",
            on_click=_kept,
            args=(trial, False),
            disabled=not name.strip(),
        )


def _suggested(trial: Trial) -> str:
    """What it does, and the day."""
    today = datetime.now(ZoneInfo(in_force().time_zone)).date()
    kinds = {"none": _("Calibration"), "temperature": _("Temperature")}
    kind = _("Trained head") if trial.options.trained else kinds.get(trial.options.scaling) or _("Scaling")
    return f"{kind} {today}"


def _kept(trial: Trial, activate: bool) -> None:
    name = st.session_state.get("calibration_name") or _suggested(trial)
    made: list[int] = []
    if calibration.tried(lambda: made.append(fitting.keep(open_store(), name, trial))):
        st.session_state[_TRIAL].pop(trial.model, None)
        if activate and calibration.activate(made[0]):
            st.toast(_("It is being scored; the page shows how far it is."), icon=":material/check:")
        elif not activate:
            st.toast(_("Kept among the versions."), icon=":material/check:")
