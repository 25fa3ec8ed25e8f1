"""The tables about running the product: who did what, and what was chosen in the settings."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from emostore.store.tables.models import Base, Id, Json, Name, Time, Word


class AuditEvent(Base):
    """Somebody did something at a time. It outlives what it was done to, so it refers to nothing.

    `details` holds names, counts and what changed, never sound or scores.
    """

    __tablename__ = "audit_events"
    id: Mapped[Id]
    happened_at: Mapped[Time]
    user: Mapped[Name] = mapped_column("user_name")
    action: Mapped[Word]
    object_type: Mapped[Word]
    object_id: Mapped[str | None] = mapped_column(Text)
    details: Mapped[Json]

    __table_args__ = ({"sqlite_autoincrement": True},)


class Preference(Base):
    """One thing that was chosen in the settings, as a JSON value."""

    __tablename__ = "preferences"
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[Json]
    changed_at: Mapped[Time]
