"""Words, numbers and times in the reader's language, safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from babel.dates import format_datetime

from emostore import i18n
from emostore.config import settings
from emostore.emotions import BY_NAME
from emostore.errors import EmostoreError
from emostore.ui.bootstrap import in_force

LANGUAGE_KEY = "lang"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$<>:&])")


def language() -> str:
    """The reader's language: the choice in the sidebar (and the URL), else the setting, else the browser's."""
    chosen = st.session_state.get(LANGUAGE_KEY)
    return chosen if chosen in i18n.LANGUAGES else default_language()


def default_language() -> str:
    """The language before the reader chose one."""
    try:
        configured = in_force().language
    except EmostoreError:  # the database cannot be read; its error is shown in the language of the environment
        configured = settings().language
    return i18n.choose(st.context.locale) if configured == "auto" else configured


def _(message: str, **params: Any) -> str:
    """`message` in the reader's language with its fields filled in."""
    return i18n.translator(language()).gettext(message).format(**params)


def explain(sentence: i18n.Explained) -> str:
    """An error, note or finding in the reader's language."""
    return i18n.explain(sentence, language())


def emotion(name: str) -> str:
    """The emotion's name as a label."""
    return i18n.emotion_name(BY_NAME[name], language())


def listed(names: Iterable[str]) -> str:
    """Names in a row, with the comma of the language."""
    return i18n.listed(names, language())


def role(name: str) -> str:
    """Whose voice a channel holds."""
    return {
        "agent": _("Agent"),
        "customer": _("Customer"),
        "mixed": _("Several voices"),
        "unknown": _("Not known"),
    }[name]


def scenario(name: str) -> str:
    """What a recording is about."""
    return {
        "customer_service": _("Customer service"),
        "teaching": _("Teaching"),
        "business": _("Business"),
        "general": _("General"),
    }[name]


def domain(name: str) -> str:
    """What a recording was made with."""
    return {"phone": _("Telephone"), "headset": _("Headset"), "room": _("A microphone in the room")}[name]


def calibration(name: str) -> str:
    """How raw results became scores; a calibration that users made has their name."""
    return _("uncalibrated") if name == "raw" else plain(name)


def plain(text: str) -> str:
    """Text by a user, escaped so that Markdown shows it as it was written."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def when(moment: datetime) -> str:
    """A moment in the reporting time zone."""
    locale = {"en": "en_GB", "zh": "zh_Hans_CN"}[language()]
    return str(format_datetime(moment, "medium", tzinfo=ZoneInfo(in_force().time_zone), locale=locale))


def duration(seconds: float) -> str:
    """A length of time: 2.1 s, 3:07 or 1:02:03."""
    if seconds < 60:
        return _("{seconds:.1f} s", seconds=seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(byte_count: float) -> str:
    """A number of bytes, as computers count them: 2 GB are 2 · 1024³."""
    for unit in ("B", "kB", "MB"):
        if byte_count < 1024:
            return f"{byte_count:.0f} {unit}"
        byte_count /= 1024
    return f"{byte_count:.1f} GB"


def table(scores: Mapping[str, float], sums: Mapping[str, float] | None = None) -> list[dict[str, object]]:
    """The scores as rows for a table beside a chart, in the product's order, and sums of them by their names below."""
    named = {emotion(name): scores.get(name, 0.0) for name in BY_NAME}
    named |= {f"Σ {plain(name)}": value for name, value in (sums or {}).items()}  # a table reads Markdown
    return [{_("Emotion"): name, _("Score"): round(value, 3)} for name, value in named.items()]
