"""What the address of the History page asks for, and the address that asks for it: the page and downloads share it.

Everything is by names that are the same in every language, so that a link shows the same clips to every reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from emostore.analytics import groups
from emostore.analytics.groups import LabelGroup
from emostore.emotions import EMOTIONS
from emostore.services.metadata.descriptions import ROLES
from emostore.store.reports.history import EmotionGroup, HistoryFilter
from emostore.store.reports.history_query import ANY_ALERT
from emostore.store.tables.report_models import ALERT_STATES

PERIODS = ("7", "28", "90", "365", "all", "dates")  # the last so many days, every clip, or two dates of one's own
USUAL_PERIOD = "90"
ALERTS = (ANY_ALERT, *ALERT_STATES)
CERTAINTIES = ("certain", "uncertain")
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)  # what calendars offer; nobody recorded before
_NAME_LENGTH = 200  # characters of a name that is looked for
_ID_DIGITS = 18
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RANGE = re.compile(r"(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)-(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter, the period that its days come from, and the parts of the address that say nothing, as (name, value)."""

    wanted: HistoryFilter
    period: str = USUAL_PERIOD
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def inverted(self) -> bool:
        """Whether the first day comes after the last, so that nothing can fit."""
        first, last = self.wanted.from_date, self.wanted.to_date
        return first is not None and last is not None and first > last

    def without(self, name: str, value: object) -> Asked:
        """The same with one more part left out; `name` is a field of the filter."""
        part = ("session" if name == "session_id" else name, str(value))
        nothing: dict[str, Any] = {name: None}
        return replace(self, wanted=replace(self.wanted, **nothing), left_out=(*self.left_out, part))


def read(
    address: Mapping[str, str],
    today: date,
    time_zone: str,
    named: Callable[[str], LabelGroup | None] = groups.built_in,
) -> Asked:
    """The filter that an address names; what is no part of one (a language, a page) is passed over.

    Without days it means the last `USUAL_PERIOD`, `today` included. `named` answers which label group has a name; it
    is asked only where the address names one. Nothing in an address is trusted: what cannot be read, or stands for
    nothing, is left out and listed.
    """
    fields: dict[str, Any] = {}
    left_out: list[tuple[str, str]] = []
    for name, (field, parse) in _FIELDS.items():
        if (text := address.get(name)) is None:
            continue
        value = parse(text)
        if value is None:
            left_out.append((name, text))
        else:
            fields[field] = value
    for field, name in (("group", "group"), ("group_sum", "sum")):
        if (value := fields.pop(field, None)) is None:
            continue
        group_name, *limits = value
        if (group := named(group_name)) is None:
            left_out.append((name, address[name]))
        else:
            meant = EmotionGroup(group.name, group.emotions)
            fields[field] = (meant, *limits) if limits else meant
    period = fields.pop("period", "dates" if fields.keys() & {"from_date", "to_date"} else USUAL_PERIOD)
    if period != "dates":
        fields.pop("to_date", None)
        fields["from_date"] = None if period == "all" else today - timedelta(int(period) - 1)
    ranges = tuple((name, *fields.pop(f"score {name}")) for name in EMOTIONS if f"score {name}" in fields)
    return Asked(HistoryFilter(**fields, scores=ranges, time_zone=time_zone), period, tuple(left_out))


def write(wanted: HistoryFilter) -> dict[str, str]:
    """The address that asks for these clips, its days written out, so that it means the same tomorrow."""
    parts = {
        "agent": wanted.agent,
        "team": wanted.team,
        "session": wanted.session_id,
        "emotion": wanted.emotion,
        "role": wanted.role,
        "alert": wanted.alert,
        "certainty": None if wanted.certain is None else CERTAINTIES[not wanted.certain],
        "group": wanted.group.name if wanted.group else None,
        "sum": write_sum(wanted.group_sum[0].name, *wanted.group_sum[1:]) if wanted.group_sum else None,
        "model": "@".join(wanted.model) if wanted.model else None,
        "first": wanted.from_date,
        "last": wanted.to_date,
    }
    address = {name: str(value) for name, value in parts.items() if value is not None}
    if wanted.from_date is None and wanted.to_date is None:
        address["days"] = "all"
    return address | {name: write_range(low, high) for name, low, high in wanted.scores}


def write_range(low: float, high: float) -> str:
    """A range of scores as it stands in an address."""
    return f"{low:g}-{high:g}"


def write_sum(group: str, low: float, high: float) -> str:
    """The range of a group's sum as it stands in an address."""
    return f"{group}:{write_range(low, high)}"


def _name(text: str) -> str | None:
    return text if text.strip() and len(text) <= _NAME_LENGTH and text.isprintable() else None


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda text: text if text in allowed else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS else None


def day(text: str) -> date | None:
    """A day as it stands in an address; None for anything else, and for days that no calendar offers."""
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return found if found and FIRST_DAY <= found <= LAST_DAY else None


def _model(text: str) -> tuple[str, str] | None:
    name, _at, revision = text.rpartition("@")
    return (name, revision) if name and revision and _name(text) else None


def _range(text: str) -> tuple[float, float] | None:
    found = _RANGE.fullmatch(text)
    low, high = (float(end) for end in found.groups()) if found else (1.0, 0.0)
    return (low, high) if low <= high else None


def _group(text: str) -> tuple[str] | None:
    return (text,) if _name(text) else None


def _group_sum(text: str) -> tuple[str, float, float] | None:
    name, _colon, limits = text.rpartition(":")
    found = _range(limits)
    return (name, *found) if _name(name) and found else None


# the name in the address → the field of the filter, and what makes a value of the text (None: nothing can)
_FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "days": ("period", _one_of(PERIODS)),
    "first": ("from_date", day),
    "last": ("to_date", day),
    "agent": ("agent", _name),
    "team": ("team", _name),
    "session": ("session_id", _number),
    "emotion": ("emotion", _one_of(EMOTIONS)),
    "role": ("role", _one_of(ROLES)),
    "alert": ("alert", _one_of(ALERTS)),
    "certainty": ("certain", dict(zip(CERTAINTIES, (True, False), strict=True)).get),
    "model": ("model", _model),
    "group": ("group", _group),
    "sum": ("group_sum", _group_sum),
    **{name: (f"score {name}", _range) for name in EMOTIONS},
}
NAMES = tuple(_FIELDS)  # every name that an address of the History page may hold as a filter
