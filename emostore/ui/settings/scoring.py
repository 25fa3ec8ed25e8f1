"""Which scoring profile counts, and a form to make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from emostore import access
from emostore.analytics.groups import LabelGroup, as_sum
from emostore.analytics.quality import WEIGHTS, ScoringProfile
from emostore.errors import EmostoreError
from emostore.services import scoring
from emostore.ui import groups, urls
from emostore.ui.bootstrap import open_store
from emostore.ui.history import report_filters
from emostore.ui.text import _, explain

Emotions = tuple[str, ...]

_NAME = "profile"


def choose() -> ScoringProfile:
    """A choice of profiles in the URL; an older version that a link names is among them."""
    known = {scoring.name_of(each): each for each in scoring.available(open_store())}
    asked = st.query_params.get(_NAME)
    if asked and asked not in known and (older := scoring.named(open_store(), asked)):
        known[asked] = older
    report_filters.strangers({_NAME: known})
    default = scoring.name_of(scoring.default())
    binding = urls.bound(_NAME, list(known), default)
    chosen = st.selectbox(_("Scoring"), list(known), format_func=lambda name: label(known[name]), width=220, **binding)
    return known[chosen or default]


def label(profile: ScoringProfile) -> str:
    """A profile's name, and its version if it can have several."""
    if scoring.is_built_in(profile):
        return _(profile.name)
    return _("{name}, version {version}", name=profile.name, version=profile.version)


def editor(profile: ScoringProfile) -> None:
    """A form that begins with a profile's weights; saving makes the next version of its name."""
    if not access.can("administer"):
        return
    with st.popover(_("Edit the scoring"), icon=":material/tune:", key="edit_scoring"):
        st.caption(explain(profile.landmarks()))
        begun = scoring.name_of(profile)
        suggested = "" if scoring.is_built_in(profile) else profile.name
        name = st.text_input(_("Name"), suggested, max_chars=80, key=f"scoring_name_{begun}")
        known = tuple(groups.known().values())
        with st.container(horizontal=True):
            positive = _part(_("Counts as positive"), profile.positive_emotions, known, f"positive_of_{begun}")
            negative = _part(_("Counts as negative"), profile.negative_emotions, known, f"negative_of_{begun}")
        named = _weights(positive, negative)
        weights = {
            weight: st.number_input(
                named[weight], 0.0, 1.0, getattr(profile, weight), 0.05, format="%.3f", key=f"{weight}_{begun}"
            )
            for weight in WEIGHTS
        }
        _save(profile, name.strip(), {**weights, "positive_emotions": positive, "negative_emotions": negative})


def _part(label: str, begun: Emotions, known: Sequence[LabelGroup], key: str) -> Emotions:
    """The emotions of a group; those that a profile has and no group are offered, too."""
    offered = list(dict.fromkeys((*(group.emotions for group in known), begun)))
    return st.selectbox(
        label,
        offered,
        offered.index(begun),
        format_func=lambda emotions: groups.named(emotions, known),
        help=_("A label group. The profile keeps its emotions, whatever becomes of the group."),
        width=190,
        key=key,
    )


def _save(profile: ScoringProfile, name: str, parts: Mapping[str, object]) -> None:
    edited = None
    if not name:
        st.caption(_("Give it a name to save it. An edit of a saved one becomes its next version."))
    else:
        try:
            edited = ScoringProfile.from_data({"name": name, "kind": profile.kind, **parts})
        except EmostoreError as error:
            st.caption(explain(error))
    pressed = st.button(_("Save"), type="primary", icon=":material/save:", disabled=edited is None, key="save_scoring")
    if not pressed or edited is None:
        return
    try:
        saved = scoring.save(open_store(), edited)
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return
    st.query_params[_NAME] = scoring.name_of(saved)
    st.rerun()


def _weights(positive: Emotions, negative: Emotions) -> dict[str, str]:
    """What each weight is of."""
    return {
        "positive": _("Positive: {emotions}", emotions=explain(as_sum(positive))),
        "calm": _("Calm: without {emotions}", emotions=explain(as_sum(negative))),
        "engagement": _("Engagement: positive + neutral"),
        "clarity": _("Clarity: neither unknown nor other"),
    }
