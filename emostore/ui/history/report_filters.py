"""Filters that the pages of reports share with the History page, and what is said of an address that nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import streamlit as st

from emostore.services.views import watching
from emostore.services.views.history_address import Asked
from emostore.store.reports import history
from emostore.ui.bootstrap import open_store
from emostore.ui.history import history_filters
from emostore.ui.text import _, plain

_SHOWN_VALUE = 60  # characters of a bad value that are quoted


def model(found: Asked) -> tuple[str, str] | None:
    """The one model whose scores count: the asked one, else that of the newest analysis; None before the first one.

    Where there are several, the reader is asked, because scores of two models are never mixed.
    """
    used = watching.model_in_use(open_store())
    if used is None:
        return None
    counts = found.wanted.model or (used.name, used.revision)
    known = ["@".join(each) for each in history.options(open_store()).models]
    if len(known) > 1:
        usual = "@".join((used.name, used.revision))
        st.selectbox(
            _("Model"),
            known,
            format_func=history_filters.model_name,
            width=240,
            help=_("More than one model was used here. Scores of two models are never mixed: choose which one counts."),
            **history_filters.bound("model", "@".join(counts), usual),
        )
    return counts


def several_models() -> None:
    """A word on why only a part of the clips is shown, where there is more than one model."""
    if len(history.options(open_store()).models) > 1:
        st.caption(
            _("More than one model was used here, and scores of two models are never mixed: choose which one counts.")
        )


def strangers(allowed: Mapping[str, Collection[str]]) -> None:
    """Say which parts of the address name none of what is allowed, by the names of the parts."""
    parts = [
        f"{name} = {value[:_SHOWN_VALUE]}"
        for name, values in allowed.items()
        if (value := st.query_params.get(name)) is not None and value not in values
    ]
    if parts:
        st.warning(
            _(
                "A part of this link stands for nothing here, so it was left out: {parts}.",
                parts=plain(", ".join(parts)),
            ),
            icon=":material/link_off:",
        )
