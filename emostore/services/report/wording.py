"""Words, numbers and times of a report in one language, escaped for HTML; names keep to their own direction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from markupsafe import Markup

from emostore import i18n
from emostore.emotions import BY_NAME, Emotion
from emostore.errors import EmostoreError

_LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}


@dataclass(frozen=True, slots=True)
class Wording:
    """What a report says, in `language`, with times in `time_zone`.

    Everything comes back as `Markup`: sentences with what users wrote in them escaped and, as `<bdi>`, kept
    from turning the sentence around it.
    """

    language: str
    time_zone: str

    def say(self, message: str, **params: Any) -> Markup:
        """`message` in the language with its fields filled in; text among them is a name that somebody gave."""
        translated = i18n.translator(self.language).gettext(message)
        return Markup.escape(translated).format(**{key: self._field(value) for key, value in params.items()})

    def explain(self, sentence: i18n.Explained) -> Markup:
        """An error, note or finding in the language."""
        return self.say(sentence.message, **sentence.params)

    def name(self, text: str) -> Markup:
        """What somebody called something."""
        return Markup("<bdi>{}</bdi>").format(" ".join(text.split()))

    def emotion(self, name: str) -> Markup:
        """The emotion's name as a label."""
        return Markup.escape(i18n.emotion_name(BY_NAME[name], self.language))

    def listed(self, names: Iterable[Markup]) -> Markup:
        """Names in a row, with the comma of the language."""
        return Markup(i18n.listed(names, self.language))

    def role(self, name: str) -> Markup:
        """Whose voice a channel holds."""
        _ = self.say
        return {
            "agent": _("Agent"),
            "customer": _("Customer"),
            "mixed": _("Several voices"),
            "unknown": _("Not known"),
        }[name]

    def scenario(self, name: str) -> Markup:
        """What a recording is about."""
        _ = self.say
        return {
            "customer_service": _("Customer service"),
            "teaching": _("Teaching"),
            "business": _("Business"),
            "general": _("General"),
        }[name]

    def domain(self, name: str) -> Markup:
        """What a recording was made with."""
        _ = self.say
        return {"phone": _("Telephone"), "headset": _("Headset"), "room": _("A microphone in the room")}[name]

    def severity(self, name: str) -> Markup:
        """How much an alert matters."""
        _ = self.say
        return {"low": _("Low"), "medium": _("Medium"), "high": _("High")}[name]

    def state(self, name: str) -> Markup:
        """What became of an alert."""
        _ = self.say
        return {
            "open": _("Open"),
            "acknowledged": _("Acknowledged"),
            "resolved": _("Resolved"),
            "false_alarm": _("False alarm"),
        }[name]

    def calibration(self, name: str) -> Markup:
        """How raw results became scores; a calibration that users made has their name."""
        _ = self.say
        return _("uncalibrated") if name == "raw" else self.name(name)

    def when(self, moment: datetime) -> Markup:
        """A moment in the reporting time zone."""
        said = format_datetime(moment, "medium", tzinfo=ZoneInfo(self.time_zone), locale=_LOCALES[self.language])
        return Markup.escape(said)

    def day(self, day: date) -> Markup:
        """A day."""
        return Markup.escape(format_date(day, "medium", locale=_LOCALES[self.language]))

    def duration(self, seconds: float) -> Markup:
        """A length of time: 2.1 s, 3:07 or 1:02:03."""
        _ = self.say
        return _("{seconds:.1f} s", seconds=seconds) if seconds < 60 else self.at(seconds)

    def at(self, seconds: float) -> Markup:
        """A moment of a recording: 0:02, 3:07 or 1:02:03."""
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return Markup(f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}")

    def percent(self, share: float, decimals: int = 1) -> Markup:
        """A share in per cent, as all sentences write it."""
        return Markup(f"{100 * share:.{decimals}f} %")

    def _field(self, value: Any) -> Any:
        if isinstance(value, (i18n.Sentence, EmostoreError)):
            return self.explain(value)
        if isinstance(value, Emotion):
            return self.emotion(value.name).lower()
        if isinstance(value, tuple):
            return self.listed(Markup.escape(self._field(each)) for each in value)
        return self.name(value) if isinstance(value, str) and not isinstance(value, Markup) else value
