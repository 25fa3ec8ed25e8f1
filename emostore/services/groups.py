"""Label groups: those that come with the program and those that users make, and where each is used."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from emostore import access
from emostore.analytics import groups
from emostore.analytics.groups import BUILT_IN, LabelGroup
from emostore.errors import MetadataError, SettingsError
from emostore.services import alerting, scoring
from emostore.store import audit
from emostore.store import groups as stored
from emostore.store.alerts import alert_rules
from emostore.store.groups import GroupView
from emostore.store.session import Store
from emostore.store.writing import edits
from emostore.store.writing.names import clean_name

log = logging.getLogger(__name__)

MOST = 20  # of users: every clip's page shows the sum of each


@dataclass(frozen=True, slots=True)
class Use:
    """The names of the alert rules and scoring profiles, in their newest versions, that count a group's emotions."""

    rules: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()


def available(store: Store) -> tuple[LabelGroup, ...]:
    """The groups that come with the program, then the newest version of every other, by name."""
    own = (_read(view) for view in stored.active(store))
    return (*BUILT_IN, *(group for group in own if group is not None))


def named(store: Store, name: str) -> LabelGroup | None:
    """The group of this name; None if there is none."""
    return groups.built_in(name) or next((group for group in available(store) if group.name == name), None)


def is_built_in(group: LabelGroup) -> bool:
    """Whether a group comes with the program; the names of these are translated."""
    return group in BUILT_IN


def save(store: Store, name: str, emotions: Sequence[str]) -> LabelGroup:
    """Make a group, or the next version of the one of this name, and answer it; what changes nothing adds none.

    Raises `SettingsError` for emotions that are no group, and `MetadataError` for a name that is empty, too long or
    taken, for emotions that are another group already, and for more than `MOST` groups.
    """
    access.require("administer")
    cleaned = clean_name(name, "group")
    if cleaned is None:
        raise MetadataError("A name cannot be empty. Write one.")
    group = LabelGroup(cleaned, tuple(emotions))
    known = available(store)
    before = next((each for each in known[len(BUILT_IN) :] if each.name == group.name), None)
    if before is not None and before.emotions == group.emotions:
        return before
    _check(group, known, new=before is None)
    user = access.current_user().name
    with edits.changing(store) as session:
        version = stored.next_version(session, group.name)
        group = LabelGroup(group.name, group.emotions, version)
        stored.add_version(session, group.name, version, group.as_data(), user)
        _record(session, user, "changed", group.as_data())
    return group


def forget(store: Store, name: str) -> None:
    """Let a group be no more. Raises `MetadataError` for one that comes with the program or is not there.

    Rules and profiles that were made with it go on as before, because they keep the emotions themselves: an alert and
    a ranking mean what they meant, whatever becomes of the group. So nothing has to be refused; only links to a list
    that this group filters lead to a list without it, which says so.
    """
    access.require("administer")
    if groups.built_in(name):
        raise MetadataError("{name} comes with the program and stays as it is.", name=name)
    user = access.current_user().name
    with edits.changing(store) as session:
        _record(session, user, "deleted", stored.forget(session, name))


def uses(store: Store, known: Sequence[LabelGroup]) -> dict[str, Use]:
    """Where each of these groups is used, by its name."""
    rules = [(view.name, rule) for view in alert_rules.newest(store) if (rule := alerting.parsed(view)) is not None]
    profiles = scoring.available(store)

    def of(group: LabelGroup) -> Use:
        return Use(
            tuple(name for name, rule in rules if set(rule.emotions) == set(group.emotions)),
            tuple(
                profile.name
                for profile in profiles
                if group.emotions in (profile.positive_emotions, profile.negative_emotions)
            ),
        )

    return {group.name: of(group) for group in known}


def _check(group: LabelGroup, known: Sequence[LabelGroup], *, new: bool) -> None:
    """Raise `MetadataError` for a group that would be mistaken for another, or one too many."""
    if any(each.name.casefold() == group.name.casefold() for each in BUILT_IN):
        raise MetadataError(
            "{name} comes with the program and stays as it is. Give yours another name.", name=group.name
        )
    others = [each for each in known if each.name != group.name]
    twin = groups.same(group.emotions, others)
    if twin is not None:
        raise MetadataError(
            "The group {name} already has exactly these emotions. Use it, or choose others.", name=twin.name
        )
    if not new:
        return
    alike = next((each.name for each in others if each.name.casefold() == group.name.casefold()), None)
    if alike is not None:
        raise MetadataError("There is already a group {name}. Write its name the same way to change it.", name=alike)
    if len(known) - len(BUILT_IN) >= MOST:
        raise MetadataError("There are {found} groups of yours, and no more are kept. Forget one first.", found=MOST)


def _record(session: Session, user: str, action: Literal["changed", "deleted"], data: Mapping[str, Any]) -> None:
    about = {"label_group": {"name": data["name"], "version": data["version"]}, "emotions": data.get("emotions")}
    audit.record(session, user, action, "settings", None, about)


def _read(view: GroupView) -> LabelGroup | None:
    try:
        return LabelGroup.from_data({**view.data, "name": view.name, "version": view.version})
    except SettingsError as error:
        log.warning("Version %s of the label group %r was left out: %s", view.version, view.name, error)
        return None
