"""What users save as data, read with care: scoring profiles, label groups, alert rules, targets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Self

from emostore.errors import SettingsError

MAX_BYTES = 10_000  # a rule or profile takes a few hundred
MAX_NAME = 80  # characters
MAX_VERSION = 1_000_000
_MAX_SHOWN = 50  # characters of a bad value in an error


class Saved:
    """A frozen dataclass that is kept as a JSON object of its fields; its `__post_init__` checks them."""

    __slots__ = ()

    def as_data(self) -> dict[str, Any]:
        """The fields as JSON knows them."""
        return dict(json.loads(self.to_json()))

    def to_json(self) -> str:
        """The fields as one line of JSON."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return json.dumps(data, ensure_ascii=False, allow_nan=False, default=dict)

    @classmethod
    def from_data(cls, data: object) -> Self:
        """The object that `as_data` wrote, or that a user edited. Raises `SettingsError`."""
        known = {field.name: field.default is MISSING for field in fields(cls)}  # type: ignore[arg-type]
        if not isinstance(data, Mapping):
            raise SettingsError(
                "{found} was found where an object with the fields {allowed} was expected.",
                found=shown(data),
                allowed=", ".join(known),
            )
        strangers = [shown(name) for name in data if name not in known]
        if strangers:
            raise SettingsError(
                "{found} is not one of the fields {allowed}. Correct it or leave it out.",
                found=", ".join(strangers[:3]),
                allowed=", ".join(known),
            )
        missing = [name for name, needed in known.items() if needed and name not in data]
        if missing:
            raise SettingsError("{missing} is missing. Add it.", missing=", ".join(missing))
        return cls(**data)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The same from JSON text in UTF-8 of at most `MAX_BYTES`. Raises `SettingsError`."""
        size = len(text.encode()) if isinstance(text, str) else len(text)
        if size > MAX_BYTES:
            raise SettingsError(
                "The text has {found} bytes; at most {allowed} are read.", found=size, allowed=MAX_BYTES
            )
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8, a number of too many digits
            raise SettingsError("The text is not JSON: {problem}.", problem=str(error)[:200]) from error
        return cls.from_data(data)


def shown(value: object) -> str:
    """A value as an error quotes it."""
    return repr(value)[:_MAX_SHOWN]


def check_name(value: object) -> None:
    """Raise `SettingsError` unless it is a name that a page can show."""
    if not (isinstance(value, str) and value.strip() == value and 0 < len(value) <= MAX_NAME and value.isprintable()):
        raise SettingsError(
            "{found} is no name: it needs 1 to {allowed} visible characters, without spaces around them.",
            found=shown(value),
            allowed=MAX_NAME,
        )


def check_version(value: object) -> None:
    """Raise `SettingsError` unless it is the number of a version, counted from 1."""
    if check_number("version", value, 1, MAX_VERSION) != value or isinstance(value, float):
        raise SettingsError("version is {found}; it must be a whole number.", found=value)


def check_choice(field: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise `SettingsError` unless the value is one of those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise SettingsError(
            "{field} is {found}; it must be one of {allowed}.",
            field=field,
            found=shown(value),
            allowed=", ".join(allowed),
        )


def check_choices(field: str, values: object, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Different values of those allowed, as a tuple. Raises `SettingsError`."""
    if not isinstance(values, (list, tuple)):
        raise SettingsError(
            "{field} is {found}; it must be a list of {allowed}.",
            field=field,
            found=shown(values),
            allowed=", ".join(allowed),
        )
    for value in values:
        check_choice(field, value, allowed)
    if len(set(values)) < len(values):
        raise SettingsError("{field} names one of them twice: {found}.", field=field, found=", ".join(values))
    return tuple(values)


def check_number(field: str, value: object, low: float, high: float) -> float:
    """A finite number from `low` to `high`. Raises `SettingsError`."""
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and low <= value <= high
        and math.isfinite(value)
    ):
        return float(value)
    raise SettingsError(
        "{field} is {found}; it must be a number from {low} to {high}.",
        field=field,
        found=shown(value),
        low=f"{low:g}",
        high=f"{high:g}",
    )
