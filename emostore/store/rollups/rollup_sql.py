"""Adding whole numbers to rows by their key, for many rows at once, on both databases.

Written by hand and sent as it is, because roll-ups have some fifty columns: compiling and converting them
value by value takes longer than the statement itself. Keys come as numbers, too: a role as its number in `ROLES`,
a day as `date.toordinal` counts it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Date, String, Table

from emostore.store.tables.models import ROLES

Ints = NDArray[np.int64]

_MOST_VALUES = 10_000  # SQLite takes 32,766 variables in one statement (since 3.32)
_BEFORE = 719_163  # days before 1970, from which NumPy counts
_ROLES = np.array(ROLES, object)


def add_up(connection: Connection, table: Table, keys: Ints, values: Ints) -> None:
    """Add values (n, columns behind the key) to the rows with these keys, which are made where they are missing.

    The keys are distinct and in an order, so that two transactions take the same rows in the same order.
    """
    if not len(keys):
        return
    numbers = np.concatenate([keys, values], 1)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_insert(table, "postgresql"), _arrays(table, numbers))
    else:
        connection.exec_driver_sql(_insert(table, "sqlite"), _rows(table, numbers))


def add_up_returning(connection: Connection, table: Table, keys: Ints, values: Ints) -> Ints:
    """Like `add_up`, and answer what is there now, row by row; the rows stay locked until the commit."""
    numbers = np.concatenate([keys, values], 1)
    rows = _rows(table, numbers)
    found: list[Any] = []
    if rows and connection.dialect.name == "postgresql":
        found += connection.exec_driver_sql(_insert(table, "postgresql", returning=True), _arrays(table, numbers))
    else:
        at_once = max(1, _MOST_VALUES // len(table.columns))
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            sql = _insert(table, "sqlite", len(some), returning=True)
            found += connection.exec_driver_sql(sql, tuple(chain.from_iterable(some)))
    # In which order they come is not said.
    size = keys.shape[1]
    now = {row[:size]: row[size:] for row in found}
    return np.array([now[row[:size]] for row in rows], np.int64).reshape(values.shape)


def drop(connection: Connection, table: Table, keys: Ints) -> None:
    """Delete those of the rows with these keys that have come down to no clips."""
    if not len(keys):
        return
    names = [column.name for column in table.primary_key]
    if connection.dialect.name == "postgresql":
        given = f"unnest({', '.join(_casts(table)[: len(names)])}) AS given({', '.join(names)})"
        same = " AND ".join(f"{table.name}.{name} = given.{name}" for name in names)
        sql = f"DELETE FROM {table.name} USING {given} WHERE {same} AND clips = 0"
        connection.exec_driver_sql(sql, _arrays(table, keys))
    else:
        same = " AND ".join(f"{name} = ?" for name in names)
        sql = f"DELETE FROM {table.name} WHERE {same} AND clips = 0"
        connection.exec_driver_sql(sql, _rows(table, keys))


@lru_cache(maxsize=16)
def _insert(table: Table, dialect: str, rows: int = 1, *, returning: bool = False) -> str:
    names = [column.name for column in table.columns]
    key = [column.name for column in table.primary_key]
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names if name not in key)
    if dialect == "postgresql":
        given = f"SELECT * FROM unnest({', '.join(_casts(table))})"
        answer = ", ".join(f"{c.name}::text" if isinstance(c.type, Date) else c.name for c in table.columns)
    else:
        given = "VALUES " + ", ".join([f"({', '.join('?' * len(names))})"] * rows)
        answer = ", ".join(names)
    sql = f"INSERT INTO {table.name} ({', '.join(names)}) {given} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"
    return f"{sql} RETURNING {answer}" if returning else sql


def _casts(table: Table) -> list[str]:
    """One array for each column."""
    kinds = {"day": "date", "role": "text", "number": "bigint"}
    return [f"%s::{kinds[_kind(column)]}[]" for column in table.columns]


def _arrays(table: Table, numbers: Ints) -> tuple[Any, ...]:
    """The first columns of a table as PostgreSQL takes them (see `tables.arrays`)."""
    return tuple(
        words.tolist() if _kind(column) == "role" else words
        for column, words in zip(table.columns, map(_words, table.columns, numbers.T), strict=False)
    )


def _rows(table: Table, numbers: Ints) -> list[tuple[Any, ...]]:
    """The first columns of rows as SQLite takes them: a day as text."""
    columns = (_words(column, given) for column, given in zip(table.columns, numbers.T, strict=False))
    return list(zip(*(_texts(c) if c.dtype.kind == "M" else c.tolist() for c in columns), strict=True))


def _words(column: Column[Any], numbers: Ints) -> NDArray[Any]:
    kind = _kind(column)
    if kind == "role":
        return _ROLES[numbers]
    return (numbers - _BEFORE).astype("datetime64[D]") if kind == "day" else numbers


def _texts(days: NDArray[np.datetime64]) -> list[str]:
    different, which = np.unique(days, return_inverse=True)
    return list(different.astype(str).astype(object)[which])


def _kind(column: Column[Any]) -> str:
    return "day" if isinstance(column.type, Date) else "role" if isinstance(column.type, String) else "number"
