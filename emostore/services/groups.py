"""Label groups: those that come with the program and those that users make, and where each is used."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy.orm import Session

from emostore import access
from emostore.analytics import groups
from emostore.analytics.groups import BUILT_IN, LabelGroup
from emostore.errors import MetadataError, SettingsError
from emostore.i18n import Sentence
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


def make(store: Store, name: str, emotions: Sequence[str]) -> LabelGroup:
    """Make a group, and answer it; one that was forgotten goes on with the next version of its name.

    Raises `SettingsError` for emotions that are no group, and `MetadataError` for a name that is empty, too long or
    taken, for emotions that are another group already, and where there are `MOST` groups.
    """
    access.require("administer")
    cleaned = clean_name(name, "group")
    if cleaned is None:
        raise MetadataError("A name cannot be empty. Write one.")
    group = LabelGroup(cleaned, tuple(emotions))
    known = available(store)
    taken = next((each for each in known if each.name.casefold() == group.name.casefold()), None)
    if taken is not None:
        raise MetadataError(
            "There is a group {name} already. Change it, or give yours another name.", name=_shown(taken)
        )
    _check_new(group, known)
    if len(known) - len(BUILT_IN) >= MOST:
        raise MetadataError("There are {found} groups of yours, and no more are kept. Forget one first.", found=MOST)
    return _add(store, group)


def change(store: Store, name: str, emotions: Sequence[str]) -> LabelGroup:
    """Save other emotions as the next version of a group, and answer it; the same ones change nothing.

    Raises `SettingsError` for emotions that are no group, and `MetadataError` for a group that comes with the program
    or is not there, and for emotions that are another group already.
    """
    access.require("administer")
    _check_own(name)
    known = available(store)
    before = next((each for each in known if each.name == name), None)
    if before is None:
        raise MetadataError("There is no label group of this name any more.")
    group = LabelGroup(name, tuple(emotions))
    if group.emotions == before.emotions:
        return before
    _check_new(group, known)
    return _add(store, group)


def forget(store: Store, name: str) -> None:
    """Let a group be no more. Raises `MetadataError` for one that comes with the program or is not there.

    Rules and profiles that were made with it go on as before, because they keep the emotions themselves: an alert and
    a ranking mean what they meant, whatever becomes of the group. So nothing has to be refused; only links to a list
    that this group filters lead to a list without it, which says so.
    """
    access.require("administer")
    _check_own(name)
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


def _check_own(name: str) -> None:
    ours = groups.built_in(name)
    if ours is not None:
        raise MetadataError("{name} comes with the program and stays as it is.", name=_shown(ours))


def _check_new(group: LabelGroup, known: Sequence[LabelGroup]) -> None:
    """Raise `MetadataError` for emotions of another group: a rule that counts them would have two names for them."""
    twin = groups.same(group.emotions, known)
    if twin is not None:
        raise MetadataError(
            "The group {name} already has exactly these emotions. Use it, or choose others.", name=_shown(twin)
        )


def _add(store: Store, group: LabelGroup) -> LabelGroup:
    user = access.current_user().name
    with edits.changing(store) as session:
        group = replace(group, version=stored.next_version(session, group.name))
        stored.add_version(session, group.name, group.version, group.as_data(), user)
        _record(session, user, "changed", group.as_data())
    return group


def _shown(group: LabelGroup) -> str | Sentence:
    """A name as an error says it: one of ours in the reader's language."""
    return Sentence(group.name) if is_built_in(group) else group.name


def _record(session: Session, user: str, action: Literal["changed", "deleted"], data: Mapping[str, Any]) -> None:
    about = {"label_group": {"name": data["name"], "version": data["version"]}, "emotions": data.get("emotions")}
    audit.record(session, user, action, "settings", None, about)


def _read(view: GroupView) -> LabelGroup | None:
    try:
        return LabelGroup.from_data({**view.data, "name": view.name, "version": view.version})
    except SettingsError as error:
        log.warning("Version %s of the label group %r was left out: %s", view.version, view.name, error)
        return None
