"""The interface in English and Chinese: gettext catalogues in `locale/`, compiled ones committed."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from emostore.emotions import Emotion
from emostore.errors import EmostoreError

LANGUAGES = {"en": "English", "zh": "中文"}
DOMAIN = "emostore"
LOCALE_DIR = Path(__file__).parent / "locale"

Translate = Callable[[str], str]


def N_(message: str) -> str:  # noqa: N802 (the name gettext's tools know)
    """Mark `message` for extraction; it is translated where it is shown."""
    return message


@lru_cache
def translator(language: str) -> gettext.NullTranslations:
    """The catalogue of `language`; English sentences are their own keys."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, LOCALE_DIR, languages=[language])


def choose(preferred: str | None) -> str:
    """The language we speak that fits a browser's or a setting's tag ("zh-CN" → "zh"), else English."""
    tag = (preferred or "").replace("_", "-").split("-")[0].lower()
    return tag if tag in LANGUAGES else "en"


class Explained(Protocol):
    """A sentence with named fields and the values for them: an error, a note, a finding."""

    @property
    def message(self) -> str:
        """The template, in English: the key of its translation."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """The values of its fields."""
        ...


@dataclass(frozen=True, slots=True)
class Sentence:
    """An English sentence with named fields, translated and filled where it is shown."""

    message: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """In English, as logs and the texts of errors hold it."""
        return explain(self, "en")


def explain(sentence: Explained, language: str) -> str:
    """The sentence in `language`, its fields filled in: emotions named in it, tuples listed with its comma."""
    params = {key: _in_language(value, language) for key, value in sentence.params.items()}
    return translator(language).gettext(sentence.message).format(**params)


def _in_language(value: Any, language: str) -> Any:
    if isinstance(value, tuple):
        return listed((str(_in_language(each, language)) for each in value), language)
    if isinstance(value, Emotion):
        return emotion_name(value, language).lower()
    return explain(value, language) if isinstance(value, (Sentence, EmostoreError)) else value


def listed(names: Iterable[str], language: str) -> str:
    """Names in a row, with the comma of the language."""
    return {"en": ", ", "zh": "、"}[language].join(names)


def clock(seconds: float) -> str:
    """A place in a recording as a player shows it, in any language: 0:05, 3:07 or 1:02:03."""
    minutes, rest = divmod(int(seconds + 1e-6), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def emotion_name(emotion: Emotion, language: str) -> str:
    """The emotion's name in `language`, as a label."""
    return emotion.zh if language == "zh" else emotion.en
