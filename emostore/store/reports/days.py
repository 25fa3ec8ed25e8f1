"""Days in a time zone, as conditions on stored times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement


def days_between(column: Any, first: date | None, last: date | None, time_zone: str) -> list[ColumnElement[bool]]:
    """Conditions that a time lies on these days, the first and the last included."""
    conditions: list[ColumnElement[bool]] = []
    if first is not None:
        conditions.append(column >= midnight(first, time_zone))
    if last is not None and last < date.max:
        conditions.append(column < midnight(last + timedelta(days=1), time_zone))
    return conditions


def midnight(day: date, time_zone: str) -> datetime:
    """When a day begins in a time zone."""
    # The earliest and latest days have no UTC equivalent in some zones.
    try:
        return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time(), UTC)
