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

UNCERTAIN_BELOW = 0.4  # the confidence below which a result counts as uncertain, until another one is chosen


def read(store: Store) -> dict[str, Any]:
    """Everything that was chosen, by name."""
    with store.reading() as session:
        return {each.key: each.value for each in session.scalars(select(Preference))}


def uncertain_below(session: Session) -> float:
    """The confidence below which a result counts as uncertain: what was chosen, if it is a share."""
    chosen = session.scalar(select(Preference.value).where(Preference.key == "uncertain_below"))
    return float(chosen) if is_share(chosen) else UNCERTAIN_BELOW


def is_share(value: Any) -> bool:
    """Whether a JSON value is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def write(session: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    """Choose; None forgets a choice. Answers what was chosen before under these names."""
    chosen = select(Preference).where(Preference.key.in_(list(values))).with_for_update()
    before = {each.key: each.value for each in session.scalars(chosen)}
    session.execute(delete(Preference).where(Preference.key.in_(list(values))))
    now = datetime.now(UTC)
    rows = [{"key": key, "value": values[key], "changed_at": now} for key in sorted(values) if values[key] is not None]
    bulk.add(session, Preference, rows)
    return before
