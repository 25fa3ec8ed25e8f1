"""Label groups that users made: data in numbered versions, of which at most one of a name is active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from emostore.errors import MetadataError
from emostore.store.session import Store
from emostore.store.tables.models import NAME_LENGTH
from emostore.store.tables.report_models import LabelGroup
from emostore.store.writing.names import clean


@dataclass(frozen=True, slots=True)
class GroupView:
    """One version of a label group; what `data` means is not known here."""

    id: int
    name: str
    version: int
    data: Mapping[str, Any]
    created_at: datetime
    created_by: str


def active(store: Store) -> tuple[GroupView, ...]:
    """The newest version of every group that is not forgotten, by name."""
    statement = select(LabelGroup).where(LabelGroup.active).order_by(LabelGroup.name)
    with store.reading() as session:
        return tuple(
            GroupView(each.id, each.name, each.version, each.data, each.created_at, each.created_by)
            for each in session.scalars(statement)
        )


def next_version(session: Session, name: str) -> int:
    """The number that the next version of a group will have, also of one that was forgotten."""
    return (session.scalar(select(func.max(LabelGroup.version)).where(LabelGroup.name == name)) or 0) + 1


def add_version(session: Session, name: str, version: int, data: Mapping[str, Any], user: str) -> None:
    """Add a version of a group; the others of its name are not active any more."""
    session.execute(update(LabelGroup).where(LabelGroup.name == name).values(active=False))
    session.add(
        LabelGroup(
            name=name,
            version=version,
            data=dict(data),
            active=True,
            created_at=datetime.now(UTC),
            created_by=clean(user)[:NAME_LENGTH],
        )
    )
    session.flush()


def forget(session: Session, name: str) -> Mapping[str, Any]:
    """Let no version of a group be active; the data of the last one. Raises `MetadataError` if there is none."""
    statement = select(LabelGroup).where(LabelGroup.name == name, LabelGroup.active).with_for_update()
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise MetadataError("There is no label group of this name any more.")
    found.active = False
    session.flush()
    return {**found.data, "name": found.name, "version": found.version}
