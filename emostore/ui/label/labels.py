"""Saying what one hears in a clip: the form, and what others heard once one has said it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from emostore import access
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError
from emostore.services.calibration import labelling
from emostore.store.calibration import labels
from emostore.store.calibration.labels import LabelView, NewLabel, Reason
from emostore.store.reports.reports import ClipView
from emostore.store.tables.label_models import CANNOT_TELL, VERDICTS
from emostore.ui import links
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, emotion, explain, plain, when

KEYS = dict(zip(VERDICTS, "1234567890", strict=True))  # one beside the other on every keyboard
_CHOICE_PX = 135  # of a button: two stand side by side on a phone


def section(view: ClipView) -> None:
    """On a clip's page: one's own label, to be given or changed, and those of others after it."""
    given = labels.of_clip(open_store(), view.clip_id)
    me = access.current_user().name
    mine = next((each for each in given if each.rater == me), None)
    st.subheader(_("Label"), anchor=False)
    if mine is not None:
        with st.container(horizontal=True, vertical_alignment="center", key="my_label"):
            st.markdown(_("You heard: {label}", label=_said(mine.label)), width="content")
            if access.can("edit", view):
                with st.popover(_("Change it"), icon=":material/edit:", on_change="rerun", key="change_label") as box:
                    if box.open:
                        form(view.clip_id, mine.label.reason, known=mine, saved=st.rerun)
                st.button(
                    _("Take it back"),
                    icon=":material/undo:",
                    key="take_back",
                    on_click=_take_back,
                    args=(view.clip_id,),
                )
        _others([each for each in given if each is not mine])
    elif access.can("edit", view):
        with st.container(horizontal=True, vertical_alignment="center", key="no_label"):
            with st.popover(
                _("Say what you hear"), icon=":material/label:", on_change="rerun", key="give_label"
            ) as box:
                if box.open:
                    form(view.clip_id, "chosen", saved=st.rerun)
            st.page_link(
                links.LABEL_PAGE, label=_("Label clips without seeing scores"), icon=":material/visibility_off:"
            )
        if given:
            st.caption(
                _("Labels by others: {count}. You see them after you have given yours.", count=f"{len(given):,}")
            )
    else:
        _others(given)


def form(
    clip_id: int,
    reason: Reason,
    *,
    saved: Callable[[], None],
    known: LabelView | None = None,
    shortcuts: bool = False,
) -> None:
    """The nine and "cannot tell"; once one is chosen, what may be added, and the button to save. `saved` comes after.

    With `shortcuts` the keys of `KEYS` choose, and Enter saves.
    """
    begun = known.label if known else None
    key = f"heard_{clip_id}"
    heard: str | None = st.session_state.setdefault(key, begun.emotion if begun else None)
    with st.grid(min_column_width=_CHOICE_PX, gap="small", key="verdicts"):
        for verdict in VERDICTS:
            st.button(
                name(verdict),
                key=f"hear_{verdict}_{clip_id}",
                type="primary" if verdict == heard else "secondary",
                icon=":material/check:" if verdict == heard else None,
                shortcut=KEYS[verdict] if shortcuts else None,
                width="stretch",
                on_click=_hear,
                args=(key, verdict),
            )
    if heard is None:
        if shortcuts:
            st.caption(_("Choose with a click or with the keys 1 to 9 and 0."))
        return
    second, intensity = None, None
    if heard != CANNOT_TELL:
        second, intensity = _more(clip_id, heard, begun)
    comment = st.text_input(
        _("Comment"),
        begun.comment.replace("\n", " ") if begun and begun.comment else "",
        max_chars=labelling.COMMENT_LENGTH,
        key=f"label_comment_{clip_id}",
    )
    if st.button(
        # Named, so that those who hear the page know what is chosen.
        _("Save “{heard}” and go on", heard=name(heard)) if shortcuts else _("Save “{heard}”", heard=name(heard)),
        type="primary",
        icon=":material/check:",
        key=f"save_label_{clip_id}",
        shortcut="Enter" if shortcuts else None,
    ):
        try:
            labelling.save(open_store(), clip_id, NewLabel(heard, second, intensity, comment or None, reason))
        except EmostoreError as error:
            st.error(plain(explain(error)), icon=":material/error:")
            return
        st.session_state.pop(key, None)
        saved()


def name(verdict: str) -> str:
    """What a rater hears, as a label."""
    return _("Cannot tell") if verdict == CANNOT_TELL else emotion(verdict)


def intensity_name(value: int) -> str:
    """How strong an emotion is."""
    return {
        1: _("1 barely"),
        2: _("2 a little"),
        3: _("3 clearly"),
        4: _("4 strongly"),
        5: _("5 extremely"),
    }[value]


def _more(clip_id: int, heard: str, begun: NewLabel | None) -> tuple[str | None, int | None]:
    """A second emotion and how strong it is; neither has to be given."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        others = [each for each in EMOTIONS if each != heard]
        place = others.index(begun.second) if begun and begun.second in others else None
        second = st.selectbox(
            _("And a second emotion"),
            others,
            place,
            format_func=emotion,
            placeholder=_("none"),
            width=200,
            key=f"second_{heard}_{clip_id}",
        )
        intensity = st.selectbox(
            _("How strong"),
            labelling.INTENSITIES,
            labelling.INTENSITIES.index(begun.intensity) if begun and begun.intensity else None,
            format_func=intensity_name,
            placeholder=_("not said"),
            width=200,
            key=f"intensity_{clip_id}",
        )
    return second, intensity


def _hear(key: str, verdict: str) -> None:
    st.session_state[key] = verdict


def _take_back(clip_id: int) -> None:
    st.session_state.pop(f"heard_{clip_id}", None)
    try:
        labelling.remove(open_store(), clip_id)
    except EmostoreError as error:
        st.toast(plain(explain(error)), icon=":material/error:")


def _said(label: NewLabel) -> str:
    """A label in a line."""
    parts = [f"**{name(label.emotion)}**"]
    if label.second:
        parts.append(emotion(label.second))
    if label.intensity:
        parts.append(intensity_name(label.intensity))
    if label.comment:
        parts.append(plain(label.comment))
    return " · ".join(parts)


def _others(given: Sequence[LabelView]) -> None:
    for each in given:
        st.caption(f"{plain(each.rater)}: {_said(each.label)} · {when(each.labelled_at)}")
