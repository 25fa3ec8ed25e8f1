"""Scoring profiles in numbered versions, and target profiles: data that users save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from emostore.errors import MetadataError
from emostore.store.session import Store
from emostore.store.tables.models import NAME_LENGTH
from emostore.store.tables.report_models import ScoringProfile, TargetProfile
from emostore.store.writing.names import clean, clean_name


@dataclass(frozen=True, slots=True)
class ScoringView:
    """One version of a scoring profile; what `data` means is not known here."""

    id: int
    name: str
    version: int
    data: Mapping[str, Any]
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """A distribution to compare with."""

    id: int
    name: str
    scores: Mapping[str, float]
    created_at: datetime
    created_by: str


def newest_scoring(store: Store) -> tuple[ScoringView, ...]:
    """The newest version of every saved scoring profile, by name."""
    newest = select(func.max(ScoringProfile.id)).group_by(ScoringProfile.name)
    return _scoring(store, ScoringProfile.id.in_(newest))


def get_scoring(store: Store, name: str, version: int) -> ScoringView | None:
    """One version of a scoring profile; None if there is none."""
    found = _scoring(store, (ScoringProfile.name == name) & (ScoringProfile.version == version))
    return found[0] if found else None


def next_version(session: Session, name: str) -> int:
    """The number that the next version of a scoring profile will have."""
    return (session.scalar(select(func.max(ScoringProfile.version)).where(ScoringProfile.name == name)) or 0) + 1


def add_scoring(session: Session, name: str, data: Mapping[str, Any], user: str) -> int:
    """Save the next version of a scoring profile; its number. Raises `MetadataError` for a name that cannot be."""
    cleaned = _name(name)
    version = next_version(session, cleaned)
    session.add(
        ScoringProfile(
            name=cleaned, version=version, data=dict(data), created_at=datetime.now(UTC), created_by=_by(user)
        )
    )
    session.flush()
    return version


def targets(store: Store) -> tuple[TargetView, ...]:
    """The saved target profiles, by name."""
    with store.reading() as session:
        return tuple(
            TargetView(each.id, each.name, each.scores, each.created_at, each.created_by)
            for each in session.scalars(select(TargetProfile).order_by(TargetProfile.name))
        )


def save_target(session: Session, name: str, scores: Mapping[str, float], user: str) -> None:
    """Save a target profile, in the place of one of the same name. Raises `MetadataError` for a bad name."""
    cleaned = _name(name)
    session.execute(delete(TargetProfile).where(TargetProfile.name == cleaned))
    session.add(TargetProfile(name=cleaned, scores=dict(scores), created_at=datetime.now(UTC), created_by=_by(user)))
    session.flush()


def delete_target(session: Session, name: str) -> None:
    """Forget a target profile."""
    session.execute(delete(TargetProfile).where(TargetProfile.name == name))


def _scoring(store: Store, condition: Any) -> tuple[ScoringView, ...]:
    statement = select(ScoringProfile).where(condition).order_by(ScoringProfile.name, ScoringProfile.version)
    with store.reading() as session:
        return tuple(
            ScoringView(each.id, each.name, each.version, each.data, each.created_at, each.created_by)
            for each in session.scalars(statement)
        )


def _name(text: str) -> str:
    name = clean_name(text, "profile")
    if name is None:
        raise MetadataError("A name cannot be empty. Write one.")
    return name


def _by(user: str) -> str:
    return clean(user)[:NAME_LENGTH]
