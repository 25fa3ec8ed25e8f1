"""What can be chosen for the whole app."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import available_timezones

import streamlit as st

from emostore import i18n
from emostore.config import settings
from emostore.engine import registry
from emostore.errors import EmostoreError
from emostore.services import preferences
from emostore.ui.bootstrap import in_force, open_store, uncertain_below
from emostore.ui.text import _, explain, plain


def section() -> None:
    """A form of every choice but those that the environment has made."""
    now = preferences.load(open_store(), settings())
    with st.form("choices"):
        changes = {name: ask(now) for name, ask in _QUESTIONS.items() if name not in now.fixed}
        if st.form_submit_button(_("Save"), type="primary", icon=":material/save:", key="save_choices"):
            _save({name: value for name, value in changes.items() if value is not None})
    for name in sorted(now.fixed):
        st.caption(
            _("{variable} decides: {value}", variable=f"EMOSTORE_{name.upper()}", value=plain(getattr(now, name)))
        )


def _ask_language(now: preferences.Preferences) -> str | None:
    languages = ("auto", *i18n.LANGUAGES)
    label = _("Language of the app")
    return st.selectbox(label, languages, languages.index(now.language), format_func=_language, key="choice_language")


def _ask_time_zone(now: preferences.Preferences) -> str | None:
    zones = sorted(available_timezones())
    place = zones.index(now.time_zone) if now.time_zone in zones else None
    return st.selectbox(
        _("Reporting time zone"), zones, place, help=_("Days begin and times are shown in it."), key="choice_time_zone"
    )


def _ask_model(now: preferences.Preferences) -> str | None:
    models = list(dict.fromkeys((*registry.NAMES, now.model)))
    return st.selectbox(_("Model"), models, models.index(now.model), format_func=_model, key="choice_model")


def _ask_keep_audio(now: preferences.Preferences) -> str | None:
    kinds = ("original", "opus", "none")
    place = kinds.index(now.keep_audio)
    explained = _("For recordings from now on. Without audio nothing can be played or analysed again.")
    return st.selectbox(
        _("Keep the audio"),
        kinds,
        place,
        format_func=_kept,
        help=explained,
        key="choice_keep_audio",
    )


def _ask_uncertain_below(now: preferences.Preferences) -> float:
    label = _("Call a result uncertain below this confidence")
    return st.slider(label, 0.0, 1.0, now.uncertain_below, step=0.05, key="choice_uncertain")


_QUESTIONS: dict[str, Callable[[preferences.Preferences], object]] = {
    "language": _ask_language,
    "time_zone": _ask_time_zone,
    "model": _ask_model,
    "keep_audio": _ask_keep_audio,
    "uncertain_below": _ask_uncertain_below,
}


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
