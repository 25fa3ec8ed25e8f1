"""Alert rules: data in numbered versions, of which at most one of a name is active."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from emostore.errors import MetadataError
from emostore.store.session import Store
from emostore.store.tables.models import NAME_LENGTH
from emostore.store.tables.report_models import AlertRule
from emostore.store.writing import bulk
from emostore.store.writing.names import clean, clean_name


@dataclass(frozen=True, slots=True)
class RuleView:
    """One version of a rule; what `data` means is not known here."""

    id: int
    name: str
    version: int
    data: Mapping[str, Any]
    active: bool
    created_at: datetime
    created_by: str


def active(store: Store) -> tuple[RuleView, ...]:
    """The rules that are asked when a clip is analysed, by name."""
    return _views(store, AlertRule.active)


def newest(store: Store) -> tuple[RuleView, ...]:
    """The newest version of every rule, active or not, by name."""
    later = select(func.max(AlertRule.id)).group_by(AlertRule.name)
    return _views(store, AlertRule.id.in_(later))


def get(store: Store, rule_id: int) -> RuleView | None:
    """One version of a rule; None if there is none."""
    return next(iter(_views(store, AlertRule.id == rule_id)), None)


def add_version(session: Session, name: str, data: Mapping[str, Any], user: str, *, active: bool = True) -> int:
    """Add the next version of a rule, the first if the name is new; its id. The others are not active any more.

    Raises `MetadataError` for a name that is empty or too long.
    """
    cleaned = clean_name(name, "rule")
    if cleaned is None:
        raise MetadataError("A name cannot be empty. Write one.")
    last = session.scalar(select(func.max(AlertRule.version)).where(AlertRule.name == cleaned)) or 0
    session.execute(update(AlertRule).where(AlertRule.name == cleaned).values(active=False))
    row = AlertRule(
        name=cleaned,
        version=last + 1,
        data=dict(data),
        active=active,
        created_at=datetime.now(UTC),
        created_by=clean(user)[:NAME_LENGTH],
    )
    session.add(row)
    session.flush()
    return row.id


def set_active(session: Session, rule_id: int, active: bool) -> None:
    """Switch a version on, and the other versions of its name off; or switch it off."""
    name = session.scalar(select(AlertRule.name).where(AlertRule.id == rule_id).with_for_update())
    if name is None:
        raise MetadataError("There is no such rule any more.")
    session.execute(update(AlertRule).where(AlertRule.name == name).values(active=False))
    if active:
        session.execute(update(AlertRule).where(AlertRule.id == rule_id).values(active=True))


def seed(session: Session, rules: Iterable[tuple[str, Mapping[str, Any]]], user: str) -> bool:
    """Add the rules that come with the program where there has never been any; whether it did.

    Of several processes that begin at once, one does.
    """
    if session.scalar(select(exists().where(AlertRule.id > 0))):
        return False
    common = {"version": 1, "active": True, "created_at": datetime.now(UTC), "created_by": clean(user)[:NAME_LENGTH]}
    rows = [{"name": name, "data": dict(data), **common} for name, data in rules]
    return bool(bulk.insert_missing(session, AlertRule, rows, ("name", "version")))


def _views(store: Store, condition: Any) -> tuple[RuleView, ...]:
    statement = select(AlertRule).where(condition).order_by(AlertRule.name, AlertRule.version)
    with store.reading() as session:
        return tuple(
            RuleView(each.id, each.name, each.version, each.data, each.active, each.created_at, each.created_by)
            for each in session.scalars(statement)
        )
