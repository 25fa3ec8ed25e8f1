"""Who did what, and when: written in the transaction that does it, so that neither is ever there alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from emostore.store.session import Store
from emostore.store.tables.admin_models import AuditEvent
from emostore.store.tables.models import NAME_LENGTH
from emostore.store.writing import bulk
from emostore.store.writing.names import clean

Action = Literal["analysed", "renamed", "merged", "moved", "changed", "deleted", "restored"]
ObjectType = Literal["recording", "clip", "session", "agent", "settings", "database"]
LISTED = 20  # ids or names of one event beyond this many are only counted


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One event: `user` did `action` to an object; `details` has names, counts and what changed."""

    id: int
    happened_at: datetime
    user: str
    action: str
    object_type: str
    object_id: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Events, the latest first; `next` is what to ask `page` for to go on, None at the end."""

    rows: tuple[AuditRow, ...]
    next: int | None


def record(
    session: Session,
    user: str,
    action: Action,
    object_type: ObjectType,
    object_id: int | str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to the transaction of what it tells about."""
    record_many(session, user, action, object_type, {object_id: details or {}})


def record_many(
    session: Session,
    user: str,
    action: Action,
    object_type: ObjectType,
    details: Mapping[int | str | None, Mapping[str, Any]],
) -> None:
    """Add one event for each object, by its id."""
    now = datetime.now(UTC)
    rows = [
        {
            "happened_at": now,
            "user_name": clean(user)[:NAME_LENGTH],
            "action": action,
            "object_type": object_type,
            "object_id": None if object_id is None else str(object_id),
            "details": dict(each),
        }
        for object_id, each in details.items()
    ]
    bulk.add(session, AuditEvent, rows)


def page(store: Store, limit: int = 50, before: int | None = None) -> AuditPage:
    """A page of events, the latest first, from the id `before` on down."""
    statement = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(AuditEvent.id < before)
    with store.reading() as session:
        found = session.scalars(statement).all()
    rows = tuple(
        AuditRow(each.id, each.happened_at, each.user, each.action, each.object_type, each.object_id, each.details)
        for each in found[:limit]
    )
    return AuditPage(rows, rows[-1].id if len(found) > limit and rows else None)
