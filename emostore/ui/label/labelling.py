"""The queue of clips to label: the next one with its reason, how far it is, and labels from a list."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from emostore import access
from emostore.analytics.calibration.fitting import LEAST_LABELS
from emostore.analytics.reliability import FEW_LABELS
from emostore.errors import EmostoreError
from emostore.services.calibration import label_list, labelling
from emostore.services.sound import playback
from emostore.store.calibration import labels
from emostore.store.calibration.labels import Queue
from emostore.store.reports import reports
from emostore.store.reports.reports import ClipView
from emostore.ui import links, urls
from emostore.ui.bootstrap import in_force, open_store
from emostore.ui.label import labels as given
from emostore.ui.text import _, duration, explain, plain, role, size, when

Wanted = Literal["mixed", "random", "uncertain", "disagreeing"]
KINDS: tuple[Wanted, ...] = ("mixed", "random", "uncertain", "disagreeing")
# Half of them at random, because only these say how good the scores of all clips are.
MIX: tuple[Queue, ...] = ("random", "uncertain", "random", "disagreeing")
PLAYED_BYTES = 50 * 1024**2  # what plays on this page lies in memory; the Clip page streams the rest
_NEXT = "label_next"  # the clip on the page with what it was chosen for, so that a rerun does not change it
_DONE = "label_done"  # clips labelled on this page, the latest last
_SKIPPED = "label_skipped"
_ROUND = "label_round"  # counted up after a list was saved, so that the uploader lets go of it
RELIABLE, TENTATIVE = 0.8, 0.667  # of alpha: Krippendorff, Content Analysis (2019), chapter 12
_SHOWN_PROBLEMS = 20


def queue() -> None:
    """The clip to listen to next, what it was chosen for, and the form."""
    wanted = _wanted()
    found = _current(wanted)
    if found is None:
        _nothing(wanted)
        return
    kind, view = found
    with st.container(border=True, key="label_card"):
        st.markdown(f"**{plain(view.file_name)}**")
        st.caption(" · ".join((_reason(kind), role(view.role), duration(view.duration_s), when(view.happened_at))))
        _play(view)
        st.markdown(_("What do you hear?"))
        given.form(view.clip_id, kind, saved=lambda: _next(view.clip_id), shortcuts=True)
    st.button(
        _("Skip this clip"),
        icon=":material/skip_next:",
        key="skip",
        type="tertiary",
        help=_("If you listened and cannot tell, say so: that is a label, too."),
        on_click=_skip,
        args=(view.clip_id,),
    )
    done: list[int] = st.session_state.get(_DONE, [])
    if done:
        links.clip(done[-1], label=_("The clip before: see its scores, or change your label"))


def progress() -> None:
    """How much is labelled, what it suffices for, and how far raters agree."""
    store = open_store()
    counted, agreed = labels.counts(store), labelling.agreement(store)
    with st.grid(min_column_width=140):
        st.metric(_("Clips labelled"), f"{counted.clips:,}")
        st.metric(
            _("Drawn at random"),
            f"{counted.random_clips:,}",
            help=_("Only these say how good the scores of all clips are."),
        )
        st.metric(_("Raters"), f"{counted.raters:,}")
        st.metric(_("Agreement (α)"), "–" if agreed.alpha is None else f"{agreed.alpha:.2f}", help=_alpha_help())
    st.progress(min(1.0, counted.clips / FEW_LABELS), text=_reached(counted.clips))
    st.caption(_agreement(agreed))


def from_list() -> None:
    """Labels from a CSV: checked first, then saved."""
    if not access.can("edit"):
        return
    with st.expander(_("Labels from a list (CSV)"), icon=":material/upload_file:"):
        st.caption(
            _(
                "A table with the columns `file` (or `clip`, its number) and `emotion`; if you like also `channel` "
                "(the first is 0, as in exports), `second`, `intensity`, `rater` and `comment`. Nothing is saved "
                "before you confirm it."
            )
        )
        number = st.session_state.setdefault(_ROUND, 0)
        file = st.file_uploader(_("List of labels"), type=["csv", "tsv", "txt"], key=f"label_list_{number}")
        if file is None:
            return
        try:
            checked = label_list.check(open_store(), file.read(label_list.MAX_BYTES + 1))
        except EmostoreError as error:
            st.error(plain(explain(error)), icon=":material/error:")
            return
        finally:
            file.seek(0)
        same = len(checked.labels) - checked.new - checked.changed
        st.markdown(
            _(
                "New: {new} · change a label: {changed} · there already: {same} · left out: {refused}",
                new=f"**{checked.new:,}**",
                changed=f"**{checked.changed:,}**",
                same=f"{same:,}",
                refused=f"{checked.refused:,}",
            )
        )
        for problem in checked.problems[:_SHOWN_PROBLEMS]:
            st.caption(f":material/warning: {plain(explain(problem))}")
        if len(checked.problems) > _SHOWN_PROBLEMS:
            st.caption(_("… and {count} more", count=f"{len(checked.problems) - _SHOWN_PROBLEMS:,}"))
        if st.button(
            _("Save these labels"),
            type="primary",
            icon=":material/save:",
            disabled=not checked.new + checked.changed,
            key="save_list",
        ):
            label_list.save(open_store(), checked)
            st.session_state[_ROUND] = number + 1
            st.toast(_("Saved."), icon=":material/check:")
            st.rerun()


def _wanted() -> Wanted:
    chosen = st.segmented_control(
        _("Which clips"), KINDS, required=True, format_func=_kind_name, **urls.bound("queue", KINDS, "mixed")
    )
    return chosen or "mixed"


def _current(wanted: Wanted) -> tuple[Queue, ClipView] | None:
    """The clip that is on the page already, or the next one."""
    before = st.session_state.get(_NEXT)
    if before and before[0] == wanted and labelling.mine(open_store(), before[2]) is None:
        view = reports.clip_view(open_store(), before[2])
        if view is not None:
            return before[1], view
    found = _found(wanted)
    st.session_state[_NEXT] = (wanted, found[0], found[1].clip_id) if found else None
    return found


def _found(wanted: Wanted) -> tuple[Queue, ClipView] | None:
    """The first clip that can be heard and was not skipped, of the kind whose turn it is, or else of another."""
    skipped: set[int] = st.session_state.setdefault(_SKIPPED, set())
    turn = len(st.session_state.setdefault(_DONE, [])) % len(MIX)
    kinds: tuple[Queue, ...] = tuple(dict.fromkeys(MIX[turn:] + MIX)) if wanted == "mixed" else (wanted,)
    for kind in kinds:
        seed = labels.counts(open_store()).labels
        for clip_id in labelling.queue(open_store(), kind, labelling.MOST_QUEUED, seed=seed):
            view = reports.clip_view(open_store(), clip_id) if clip_id not in skipped else None
            if view is not None and view.media_kind is not None:
                return kind, view
    return None


def _next(clip_id: int) -> None:
    st.session_state[_DONE].append(clip_id)
    st.session_state.pop(_NEXT, None)
    st.rerun()


def _skip(clip_id: int) -> None:
    st.session_state[_SKIPPED].add(clip_id)
    st.session_state.pop(_NEXT, None)


def _play(view: ClipView) -> None:
    try:
        with st.spinner(_("Preparing the sound …"), show_time=True):
            sound = playback.sound(view, in_force())
    except EmostoreError as error:
        st.warning(explain(error), icon=":material/volume_off:")
        return
    if sound is None:
        st.caption(_("The audio of this recording was not kept."))
        return
    if view.channel_count > 1:
        st.caption(_("Listen to channel {channel} alone.", channel=view.channel + 1))
    byte_count = sound.path.stat().st_size
    if byte_count > PLAYED_BYTES:
        st.caption(_("This recording takes {found}: listen to it on its own page.", found=size(byte_count)))
        links.clip(view.clip_id)
        return
    st.audio(str(sound.path), format=sound.mime_type, alt=_("The clip to label"))


def _nothing(wanted: Wanted) -> None:
    if not reports.latest_clips(open_store(), 1).rows:
        st.info(_("Nothing has been analysed yet. Upload a recording to begin."), icon=":material/upload_file:")
        st.page_link(links.UPLOAD_PAGE, label=_("Upload a recording"), icon=":material/upload_file:")
    elif wanted == "disagreeing":
        st.info(
            _("No clip that you have not labelled is one where raters, or a rater and the model, disagree."),
            icon=":material/done_all:",
        )
    else:
        st.success(
            _("You have labelled, or skipped, every clip whose sound was kept."),
            icon=":material/done_all:",
        )
        st.page_link(links.CALIBRATION_PAGE, label=_("On to the calibration"), icon=":material/balance:")


def _kind_name(kind: str) -> str:
    return {
        "mixed": _("A good mix"),
        "random": _("Drawn at random"),
        "uncertain": _("The model is unsure"),
        "disagreeing": _("Not agreed on"),
    }[kind]


def _reason(kind: Queue) -> str:
    return {
        "random": _("Drawn at random: it speaks for all clips"),
        "uncertain": _("Here the model is least certain"),
        "disagreeing": _("Here raters, or a rater and the model, disagree"),
    }[kind]


def _reached(clips: int) -> str:
    if clips < LEAST_LABELS:
        return _("{count} more until a calibration can be fitted", count=LEAST_LABELS - clips)
    if clips < FEW_LABELS:
        return _(
            "Enough to fit a calibration; {count} more until its figures can be told from chance",
            count=FEW_LABELS - clips,
        )
    return _("Enough to fit a calibration and to measure it")


def _agreement(found: labelling.Agreement) -> str:
    if found.alpha is None:
        return _("How far raters agree is not known yet: several of them have to label the same clips.")
    said = (
        _("their labels can be relied on")
        if found.alpha >= RELIABLE
        else _("that suffices for tentative conclusions")
        if found.alpha >= TENTATIVE
        else _("that is little, so talk about what each emotion means to you")
    )
    return _(
        "On {count} clips with several labels, raters agree with α = {alpha:.2f}: {said}.",
        count=f"{found.clips:,}",
        alpha=found.alpha,
        said=said,
    )


def _alpha_help() -> str:
    return _("Krippendorff's alpha: 1 is full agreement, 0 is what chance gives. From 0.8 labels can be relied on.")
