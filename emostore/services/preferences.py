"""What a user chose in the settings: an environment variable counts more, a default less."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import ValidationError

from emostore import access
from emostore.config import Settings
from emostore.errors import EmostoreError, SettingsError
from emostore.services.metadata.descriptions import Description
from emostore.services.queue.job_views import description_as_json, description_from_json
from emostore.store import audit
from emostore.store import preferences as stored
from emostore.store.session import Store
from emostore.store.writing import edits

log = logging.getLogger(__name__)

OF_SETTINGS = ("language", "time_zone", "model", "keep_audio")  # what an environment variable can fix
_UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is in force. `fixed` names what the environment decides, so that it cannot be chosen here.

    Below the confidence `uncertain_below` a result counts as uncertain. `upload` is what was said of the
    last upload, as far as it may hold for the next one: neither its time nor its session.
    """

    language: Literal["auto", "en", "zh"] = "auto"
    time_zone: str = "UTC"
    model: str = "auto"
    keep_audio: Literal["original", "opus", "none"] = "original"
    uncertain_below: float = stored.UNCERTAIN_BELOW
    upload: Description = field(default_factory=Description)
    fixed: frozenset[str] = field(default_factory=frozenset)


def load(store: Store, settings: Settings) -> Preferences:
    """What is in force; `settings` are those of the environment, not already `effective` ones.

    A stored value that this version does not allow is as if it had not been chosen.
    """
    chosen = stored.read(store)
    fixed = frozenset(OF_SETTINGS) & settings.model_fields_set
    values: dict[str, Any] = {name: getattr(settings, name) for name in OF_SETTINGS}
    for name in (*OF_SETTINGS, "uncertain_below"):
        if name in chosen and name not in fixed:
            try:
                values[name] = _checked(name, chosen[name])
            except SettingsError as error:
                log.warning("A stored setting was left out: %s", error)
    return Preferences(**values, upload=_upload(chosen.get(_UPLOAD)), fixed=fixed)


def uncertain_below(store: Store) -> float:
    """The confidence below which a result counts as uncertain; no environment variable decides it."""
    with store.reading() as session:
        return stored.uncertain_below(session)


def save(store: Store, settings: Settings, **changes: Any) -> Preferences:
    """Choose what is named (`language`, `time_zone`, `model`, `keep_audio`, `uncertain_below`).

    Raises `SettingsError` for a value that is not allowed and for what the environment fixes; then
    nothing is changed.
    """
    access.require("administer")
    for name, value in changes.items():
        if name not in (*OF_SETTINGS, "uncertain_below"):
            raise TypeError(f"there is no preference {name}")
        if name in settings.model_fields_set:
            raise SettingsError(
                "{variable} is set in the environment and decides this. Change it there, or take it away.",
                variable=f"EMOSTORE_{name.upper()}",
            )
        changes[name] = _checked(name, value)
    with edits.changing(store) as session:
        before = stored.write(session, changes)
        changed = {name: {"from": before.get(name), "to": value} for name, value in changes.items()}
        changed = {name: each for name, each in changed.items() if each["from"] != each["to"]}
        if changed:
            audit.record(session, access.current_user().name, "changed", "settings", None, changed)
    return load(store, settings)


def remember_upload(store: Store, description: Description) -> None:
    """Offer what was said of this upload for the next one, too."""
    access.require("analyse")
    kept = description_as_json(replace(description, happened_at=None, session=None))
    if stored.read(store).get(_UPLOAD) != kept:
        with edits.changing(store) as session:
            stored.write(session, {_UPLOAD: kept})


def effective(store: Store, settings: Settings) -> Settings:
    """The settings with what was chosen folded in; what counts as set in the environment stays the same."""
    chosen = load(store, settings)
    values = {name: getattr(chosen, name) for name in OF_SETTINGS}
    return Settings.model_construct(settings.model_fields_set, **{**dict(settings), **values})


def _checked(name: str, value: Any) -> Any:
    """A value as the settings allow it. Raises `SettingsError`."""
    if name == "uncertain_below":
        if stored.is_share(value):
            return float(value)
        raise SettingsError("{found} is not a share between 0 and 1.", found=repr(value))
    try:
        return getattr(Settings(**{name: value}), name)
    except ValidationError as error:
        raise SettingsError(
            "{found} is not allowed for {name}: {problem}.",
            found=repr(value),
            name=name,
            problem=error.errors()[0]["msg"],
        ) from error


def _upload(values: Mapping[str, Any] | None) -> Description:
    try:
        return description_from_json(values) if values else Description()
    except (TypeError, KeyError, ValueError, EmostoreError):  # written by another version
        return Description()
