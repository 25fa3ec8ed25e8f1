"""Changes to what is stored, each asked for its right, done whole or not at all, and written to the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from emostore import access
from emostore.errors import MetadataError
from emostore.services import alerting
from emostore.services.calibration import calibrating
from emostore.services.metadata.descriptions import DOMAINS, ROLES, SCENARIOS, Role
from emostore.store import audit
from emostore.store.session import Store
from emostore.store.writing import edits, sides

MAX_OFFSET_S = 86_400.0  # between the beginnings of two files of one call

_ALLOWED: dict[str, tuple[str, ...]] = {"scenario": SCENARIOS, "domain": DOMAINS}


def rename_agent(store: Store, name: str, new_name: str) -> None:
    """Give an agent another name. Raises `MetadataError` if it is taken: then the two can be merged."""
    access.require("edit", name)
    with edits.changing(store) as session:
        agent_id = edits.rename_agent(session, name, new_name)
        details = {"from": name, "to": new_name}
        _record(session, "renamed", "agent", agent_id, details)


def merge_agents(store: Store, source: str, target: str) -> int:
    """Give all clips of `source` to `target` and forget `source`; how many clips."""
    access.require("edit", source)
    with edits.changing(store) as session:
        moved = edits.merge_agents(session, source, target)
        details = {"from": source, "to": target, "clips": moved}
        _record(session, "merged", "agent", None, details)
    return moved


def set_team(store: Store, agent: str, team: str | None) -> None:
    """Put an agent into a team, which is made if it is not there, or into none."""
    access.require("edit", agent)
    with edits.changing(store) as session:
        before = edits.set_team(session, agent, team)
        details = {"agent": agent, "what": "team", "from": before, "to": team}
        _record(session, "changed", "agent", None, details)


def rename_session(store: Store, session_id: int, new_name: str) -> None:
    """Give a session another name. Raises `MetadataError` if it is taken: then clips can be moved there."""
    access.require("edit", session_id)
    with edits.changing(store) as session:
        before = edits.rename_session(session, session_id, new_name)
        details = {"from": before, "to": new_name}
        _record(session, "renamed", "session", session_id, details)


def merge_sessions(store: Store, source_id: int, target_id: int) -> int:
    """Move all clips of one session into another and forget the first; how many clips."""
    access.require("edit", source_id)
    with edits.changing(store) as session:
        moved = edits.merge_sessions(session, source_id, target_id)
        details = {"to": target_id, "clips": moved}
        _record(session, "merged", "session", source_id, details)
    return moved


def move_clips_to_session(store: Store, clip_ids: Sequence[int], name: str) -> int:
    """Move clips into the session of this name, which is made if it is not there; its id.

    Sessions that nobody named and that are left empty go.
    """
    access.require("edit", clip_ids)
    with edits.changing(store) as session:
        session_id = edits.move_clips(session, clip_ids, name)
        details = {"to": name, **_listed(clip_ids)}
        _record(session, "moved", "clip", _only(clip_ids), details)
    return session_id


def set_agent(store: Store, clip_ids: Sequence[int], agent: str | None) -> None:
    """Say whose clips these are: an agent, who is made if not there, or nobody known."""
    access.require("edit", clip_ids)
    with edits.changing(store) as session:
        edits.set_agent(session, clip_ids, agent)
        _record(session, "changed", "clip", _only(clip_ids), {"what": "agent", "to": agent, **_listed(clip_ids)})


def set_role(store: Store, clip_ids: Sequence[int], role: Role) -> None:
    """Say whose voice these clips are: agent, customer, mixed or unknown."""
    access.require("edit", clip_ids)
    _check("role", role, ROLES)
    rules = alerting.active_rules(store)
    with edits.changing(store) as session:
        edits.set_role(session, clip_ids, role)
        alerting.ask_again(session, rules, clip_ids)  # rules name the voices that they hold for
        _record(session, "changed", "clip", _only(clip_ids), {"what": "role", "to": role, **_listed(clip_ids)})


def swap_roles(store: Store, recording_id: int) -> None:
    """Exchange the two sides of a call: roles, and whose clips they are. Twice gives what was before.

    Raises `MetadataError` for a recording that is not one of two voices, nor paired with the other side's.
    """
    access.require("edit", recording_id)
    rules = alerting.active_rules(store)
    with edits.changing(store) as session:
        clip_ids = sides.swap(session, recording_id)
        alerting.ask_again(session, rules, clip_ids)
        _record(session, "changed", "recording", recording_id, {"what": "sides", **_listed(clip_ids)})


def pair(
    store: Store,
    first_clip_id: int,
    second_clip_id: int,
    offset_s: float = 0.0,
    *,
    roles: tuple[Role, Role] = ("agent", "customer"),
) -> int:
    """Make one call of two clips of two files, the second beginning `offset_s` seconds after the first; its session.

    It is the first one's. Raises `MetadataError` unless each is the only voice of its file and without a partner, and
    for an offset of more than a day.
    """
    access.require("edit", [first_clip_id, second_clip_id])
    for role in roles:
        _check("role", role, ROLES)
    if not abs(offset_s) <= MAX_OFFSET_S:
        raise MetadataError(
            "One side cannot begin {found} s after the other; at most {allowed} s are accepted.",
            found=offset_s,
            allowed=MAX_OFFSET_S,
        )
    rules = alerting.active_rules(store)
    with edits.changing(store) as session:
        first, second, session_id = sides.pair(session, first_clip_id, second_clip_id, roles, offset_s)
        alerting.ask_again(session, rules, [first_clip_id, second_clip_id])
        details = {"what": "pair", "files": [first, second], **_listed([first_clip_id, second_clip_id])}
        _record(session, "merged", "clip", first_clip_id, details)
    return session_id


def unpair(store: Store, clip_id: int) -> None:
    """Undo `pair` for a clip and its partner: they get back the roles and sessions that they had."""
    access.require("edit", clip_id)
    rules = alerting.active_rules(store)
    with edits.changing(store) as session:
        clip_ids = sides.unpair(session, clip_id)
        alerting.ask_again(session, rules, clip_ids)
        _record(session, "changed", "clip", clip_id, {"what": "pair", "to": "none", **_listed(clip_ids)})


def set_happened_at(store: Store, recording_id: int, moment: datetime) -> None:
    """Say when a recording happened; `moment` needs a time zone."""
    access.require("edit", recording_id)
    with edits.changing(store) as session:
        before = edits.set_happened_at(session, recording_id, moment)
        details = {"what": "happened_at", "from": before.isoformat(), "to": moment.astimezone(UTC).isoformat()}
        _record(session, "changed", "recording", recording_id, details)


def set_description(store: Store, recording_ids: Sequence[int], **changes: str | None) -> None:
    """Change `scenario`, `domain` or `language` of recordings; what is not named stays, None empties."""
    access.require("edit", recording_ids)
    for what, value in changes.items():
        if what not in ("scenario", "domain", "language"):
            raise TypeError(f"a recording has no {what}")
        if value is not None and what in _ALLOWED:
            _check(what, value, _ALLOWED[what])
    rules = alerting.active_rules(store) if "domain" in changes else ()
    with edits.changing(store) as session:
        edits.set_description(session, recording_ids, changes)
        if "domain" in changes:
            calibrating.follow_domains(session, recording_ids, rules)
        details: Mapping[str, Any] = {"to": changes, **_listed(recording_ids)}
        _record(session, "changed", "recording", _only(recording_ids), details)


def _record(
    session: Session,
    action: audit.Action,
    object_type: audit.ObjectType,
    object_id: int | None,
    details: Mapping[str, Any],
) -> None:
    audit.record(session, access.current_user().name, action, object_type, object_id, details)


def _only(ids: Sequence[int]) -> int | None:
    return ids[0] if len(ids) == 1 else None


def _listed(ids: Sequence[int]) -> dict[str, Any]:
    """Which objects an event is about, unless it is a single one: some ids, and how many there are."""
    return {"count": len(ids), "ids": list(ids[: audit.LISTED])} if len(ids) != 1 else {}


def _check(field: str, found: str, allowed: Sequence[str]) -> None:
    if found not in allowed:
        raise MetadataError(
            "{found} is not allowed for {field}; choose one of {allowed}.",
            found=repr(found[:50]),
            field=field,
            allowed=", ".join(allowed),
        )
