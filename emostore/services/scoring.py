"""Scoring profiles: the built-in ones and those that users save, each edit a new version."""

from __future__ import annotations

import logging
from dataclasses import replace

from emostore import access
from emostore.analytics.quality import BALANCED, BUILT_IN, ScoringProfile
from emostore.errors import MetadataError, SettingsError
from emostore.store import audit, profiles
from emostore.store.profiles import ScoringView
from emostore.store.session import Store
from emostore.store.writing import edits

log = logging.getLogger(__name__)

_MOST_DIGITS = 7  # of a version


def available(store: Store) -> tuple[ScoringProfile, ...]:
    """The built-in profiles, then the newest version of every saved one, by name."""
    saved = (_read(view) for view in profiles.newest_scoring(store))
    return (*BUILT_IN, *(profile for profile in saved if profile is not None))


def name_of(profile: ScoringProfile) -> str:
    """How a profile stands in an address: name and version."""
    return f"{profile.name}@{profile.version}"


def named(store: Store, text: str | None) -> ScoringProfile | None:
    """The profile that `name_of` wrote, also of an older version; None if there is none."""
    name, _at, version = (text or "").rpartition("@")
    if not (version.isascii() and version.isdigit() and len(version) <= _MOST_DIGITS):
        return None
    built_in = next((each for each in BUILT_IN if (each.name, each.version) == (name, int(version))), None)
    view = None if built_in else profiles.get_scoring(store, name, int(version))
    return built_in or (_read(view) if view else None)


def save(store: Store, profile: ScoringProfile) -> ScoringProfile:
    """Save the next version of a profile's name, and answer it. Raises `MetadataError` for the name of a built-in."""
    access.require("administer")
    if any(profile.name == each.name for each in BUILT_IN):
        raise MetadataError("{name} is built in and stays as it is. Give yours another name.", name=profile.name)
    user = access.current_user().name
    with edits.changing(store) as session:
        numbered = replace(profile, version=profiles.next_version(session, profile.name))
        profiles.add_scoring(session, numbered.name, numbered.as_data(), user)
        audit.record(session, user, "changed", "settings", None, {"scoring_profile": numbered.as_data()})
    return numbered


def is_built_in(profile: ScoringProfile) -> bool:
    """Whether a profile comes with the program; the names of these are translated."""
    return profile in BUILT_IN


def default() -> ScoringProfile:
    """The profile that counts unless another is chosen."""
    return BALANCED


def _read(view: ScoringView) -> ScoringProfile | None:
    try:
        return ScoringProfile.from_data({**view.data, "name": view.name, "version": view.version})
    except SettingsError as error:
        log.warning("Version %s of the scoring profile %r was left out: %s", view.version, view.name, error)
        return None
