"""Target profiles on the Compare page: keep the mean of a sample as one, forget one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from emostore import access
from emostore.errors import EmostoreError
from emostore.services.views import comparing
from emostore.services.views.comparing import Sample, Target
from emostore.ui.bootstrap import open_store
from emostore.ui.text import _, explain, plain


def manage(samples: Mapping[str, Sample], targets: tuple[Target, ...]) -> None:
    """The button behind which targets are kept and forgotten, for those who may."""
    if not access.can("administer"):
        return
    with st.popover(_("Targets"), icon=":material/flag:", key="manage_targets", on_change="rerun") as box:
        if box.open:
            _keep(samples)
            _forget([target.name for target in targets if not target.built_in])


def _keep(samples: Mapping[str, Sample]) -> None:
    st.markdown(_("Keep the mean of a sample as a target, to see how near others come to it."))
    label = st.selectbox(_("Sample"), list(samples), key="target_sample")
    name = st.text_input(_("Name of the target"), max_chars=80, key="target_name").strip()
    if st.button(_("Keep"), key="keep_target", type="primary", icon=":material/flag:", disabled=not name):
        _try(lambda: comparing.keep_target(open_store(), name, samples[label]))


def _forget(names: list[str]) -> None:
    if not names:
        return
    name = st.selectbox(_("A target of yours"), names, key="own_target")
    if st.button(_("Forget"), key="forget_target", icon=":material/delete:"):
        _try(lambda: comparing.forget_target(open_store(), name))


def _try(change: Callable[[], None]) -> None:
    try:
        change()
    except EmostoreError as error:
        st.error(plain(explain(error)), icon=":material/error:")
        return
    st.rerun()
