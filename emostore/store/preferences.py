"""What was chosen in the settings, as JSON values by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from emostore.store.session import Store
from emostore.store.tables.admin_models import Preference
from emostore.store.writing import bulk


def read(store: Store) -> dict[str, Any]:
    """Everything that was chosen, by name."""
    with store.reading() as session:
        return {each.key: each.value for each in session.scalars(select(Preference))}


def write(session: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    """Choose; None forgets a choice. Answers what was chosen before under these names."""
    chosen = select(Preference).where(Preference.key.in_(list(values))).with_for_update()
    before = {each.key: each.value for each in session.scalars(chosen)}
    session.execute(delete(Preference).where(Preference.key.in_(list(values))))
    now = datetime.now(UTC)
    rows = [{"key": key, "value": values[key], "changed_at": now} for key in sorted(values) if values[key] is not None]
    bulk.add(session, Preference, rows)
    return before
