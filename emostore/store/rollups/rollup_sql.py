"""Adding whole numbers to rows by their key, for many rows at once, on both databases.

Written by hand and sent as it is, because roll-ups have some fifty columns: compiling and converting them
value by value takes longer than the statement itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Date, Integer, Table

_MOST_VALUES = 10_000  # SQLite takes 32,766 variables in one statement (since 3.32)
_KINDS: tuple[tuple[type[Any], str], ...] = ((BigInteger, "bigint"), (Integer, "int"), (Date, "date"))


def add_up(
    connection: Connection, table: Table, keys: Sequence[Sequence[Any]], values: Sequence[Sequence[int]]
) -> None:
    """Add values to the rows with these keys, which are made where they are missing.

    The keys are distinct and sorted, so that two transactions take the same rows in the same order.
    """
    rows = [(*key, *value) for key, value in zip(keys, values, strict=True)]
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_insert(table, "postgresql"), tuple(map(_array, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(_insert(table, "sqlite"), _for_sqlite(table, rows))


def add_up_returning(
    connection: Connection, table: Table, keys: Sequence[Sequence[Any]], values: Sequence[Sequence[int]]
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Like `add_up`, and answer what is there now, by key; the rows stay locked until the commit."""
    size = len(table.primary_key)
    rows = [(*key, *value) for key, value in zip(keys, values, strict=True)]
    found: list[Any] = []
    if rows and connection.dialect.name == "postgresql":
        sql = _insert(table, "postgresql") + " RETURNING *"
        found = list(connection.exec_driver_sql(sql, tuple(map(_array, zip(*rows, strict=True)))))
    elif rows:
        at_once = _MOST_VALUES // len(table.columns)
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            sql = _insert(table, "sqlite", len(some)) + " RETURNING *"
            flat = tuple(value for row in _for_sqlite(table, some) for value in row)
            found += connection.exec_driver_sql(sql, flat)
    day = _day(table)
    answer = {}
    for row in found:
        key = list(row[:size])
        key[day] = date.fromisoformat(key[day]) if isinstance(key[day], str) else key[day]
        answer[tuple(key)] = tuple(row[size:])
    return answer


def drop(connection: Connection, table: Table, keys: Sequence[Sequence[Any]]) -> None:
    """Delete those of the rows with these keys that have come down to no clips."""
    if not keys:
        return
    names = [column.name for column in table.primary_key]
    if connection.dialect.name == "postgresql":
        given = f"unnest({', '.join(_casts(table)[: len(names)])}) AS given({', '.join(names)})"
        same = " AND ".join(f"{table.name}.{name} = given.{name}" for name in names)
        sql = f"DELETE FROM {table.name} USING {given} WHERE {same} AND clips = 0"
        connection.exec_driver_sql(sql, tuple(map(_array, zip(*keys, strict=True))))
    else:
        same = " AND ".join(f"{name} = ?" for name in names)
        sql = f"DELETE FROM {table.name} WHERE {same} AND clips = 0"
        connection.exec_driver_sql(sql, _for_sqlite(table, keys))


@lru_cache(maxsize=16)
def _insert(table: Table, dialect: str, rows: int = 1) -> str:
    names = [column.name for column in table.columns]
    key = [column.name for column in table.primary_key]
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names if name not in key)
    if dialect == "postgresql":
        given = f"SELECT * FROM unnest({', '.join(_casts(table))})"
    else:
        given = "VALUES " + ", ".join([f"({', '.join('?' * len(names))})"] * rows)
    return f"INSERT INTO {table.name} ({', '.join(names)}) {given} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"


def _casts(table: Table) -> list[str]:
    """One array for each column."""
    return [f"%s::{next((sql for kind, sql in _KINDS if isinstance(c.type, kind)), 'text')}[]" for c in table.columns]


def _array(values: Sequence[Any]) -> str:
    # As text: numbers, days and the fixed words of `ROLES` need no quotes in an array.
    return "{" + ",".join(map(str, values)) + "}"


def _for_sqlite(table: Table, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows with their day as text, which is what it is there."""
    day = _day(table)
    return [(*row[:day], row[day].isoformat(), *row[day + 1 :]) for row in rows]


@lru_cache(maxsize=4)
def _day(table: Table) -> int:
    """Which column is the day."""
    return next(index for index, column in enumerate(table.columns) if isinstance(column.type, Date))
