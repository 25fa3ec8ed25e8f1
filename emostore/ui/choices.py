"""What can be chosen for the whole app."""

from __future__ import annotations

from zoneinfo import available_timezones

import streamlit as st

from emostore import i18n
from emostore.config import settings
from emostore.engine import registry
from emostore.errors import EmostoreError
from emostore.services import preferences
from emostore.ui.bootstrap import in_force, open_store, uncertain_below
from emostore.ui.text import _, explain


def section() -> None:
    """A form of every choice; what the environment decides is shown and cannot be changed here."""
    now = preferences.load(open_store(), settings())
    with st.form("choices"):
        left, right = st.columns(2)
        changes = {
            "language": left.selectbox(
                _("Language of the app"),
                languages := ("auto", *i18n.LANGUAGES),
                index=languages.index(now.language),
                format_func=_language,
                disabled="language" in now.fixed,
                key="choice_language",
            ),
            "time_zone": right.selectbox(
                _("Reporting time zone"),
                zones := sorted(available_timezones()),
                index=zones.index(now.time_zone) if now.time_zone in zones else None,
                help=_("Days begin and times are shown in it."),
                disabled="time_zone" in now.fixed,
                key="choice_time_zone",
            ),
            "model": left.selectbox(
                _("Model"),
                models := list(dict.fromkeys((*registry.NAMES, now.model))),
                index=models.index(now.model),
                format_func=_model,
                disabled="model" in now.fixed,
                key="choice_model",
            ),
            "keep_audio": right.selectbox(
                _("Keep the audio"),
                kinds := ("original", "opus", "none"),
                index=kinds.index(now.keep_audio),
                format_func=_kept,
                help=_("For recordings from now on. Without audio nothing can be played or analysed again."),
                disabled="keep_audio" in now.fixed,
                key="choice_keep_audio",
            ),
            "uncertain_below": left.slider(
                _("Call a result uncertain below this confidence"),
                0.0,
                1.0,
                now.uncertain_below,
                step=0.05,
                key="choice_uncertain",
            ),
        }
        if st.form_submit_button(_("Save"), type="primary", icon=":material/save:", key="save_choices"):
            _save({name: value for name, value in changes.items() if name not in now.fixed and value is not None})
    if now.fixed:
        names = ", ".join(f"`EMOSTORE_{name.upper()}`" for name in sorted(now.fixed))
        st.caption(_("Decided by the environment: {names}.", names=names))


def _save(changes: dict[str, object]) -> None:
    try:
        preferences.save(open_store(), settings(), **changes)
    except EmostoreError as error:
        st.error(explain(error), icon=":material/error:")
        return
    in_force.clear()
    uncertain_below.clear()
    st.toast(_("Saved."), icon=":material/check:")


def _language(language: str) -> str:
    return i18n.LANGUAGES.get(language) or _("That of the browser")


def _model(model: str) -> str:
    return _("The best that is installed") if model == registry.AUTO else model


def _kept(kind: str) -> str:
    return {
        "original": _("as it came"),
        "opus": _("as a small Opus copy"),
        "none": _("not at all"),
    }[kind]
