"""Statements for many rows at once, the same on both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import Select, Table, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

# SQLite takes 32,766 variables in one statement (since 3.32), PostgreSQL 65,535.
MOST_VALUES = 10_000

T = TypeVar("T")
Key = tuple[Any, ...]
Row = Mapping[str, Any]


def table(model: type[DeclarativeBase]) -> Table:
    """The table of a model; the Core is several times faster than the ORM for many rows."""
    return cast(Table, model.__table__)


def insert_missing(
    session: Session, model: type[DeclarativeBase], rows: Sequence[Row], key: Sequence[str]
) -> dict[Key, int]:
    """Insert the rows whose key is not there, and answer the ids of these, by key.

    The rows must be in the order of their keys, so that two transactions take the same locks in the
    same order and cannot wait for each other.
    """
    if not rows:
        return {}
    target = table(model)
    columns = [target.c[name] for name in key]
    statement = _insert(session, target).on_conflict_do_nothing().returning(target.c.id, *columns)
    return {tuple(row[1:]): row[0] for row in session.execute(statement, list(rows))}


def add_missing(session: Session, model: type[DeclarativeBase], rows: Sequence[Row]) -> None:
    """Insert the rows whose key is not there, in the order of their keys."""
    if rows:
        session.execute(_insert(session, table(model)).on_conflict_do_nothing(), list(rows))


def ids(
    session: Session, model: type[DeclarativeBase], keys: Iterable[Key], names: Sequence[str], *, lock: bool = False
) -> dict[Key, int]:
    """The ids of the rows with these keys, by key; `lock` keeps other writers from them until the commit."""
    target = table(model)
    columns = [target.c[name] for name in names]
    found: dict[Key, int] = {}
    for some in chunks(sorted(keys), MOST_VALUES // len(columns)):
        wanted = columns[0].in_([key[0] for key in some]) if len(columns) == 1 else tuple_(*columns).in_(some)
        statement: Select[Any] = select(target.c.id, *columns).where(wanted).order_by(*columns)
        if lock:
            statement = statement.with_for_update(key_share=True)  # SQLite has the whole database locked
        found.update({tuple(row[1:]): row[0] for row in session.execute(statement)})
    return found


def ensure(
    session: Session, model: type[DeclarativeBase], rows: Mapping[Key, Row], names: Sequence[str], *, lock: bool = False
) -> tuple[dict[Key, int], set[Key]]:
    """Ids of all the rows, inserted or found, by key, and the keys of those inserted here.

    Safe against another transaction that inserts the same: one of them waits and finds the row.
    """
    found = insert_missing(session, model, [rows[key] for key in sorted(rows)], names)
    created = set(found)
    found |= ids(session, model, rows.keys() - created, names, lock=lock)
    return found, created


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def _insert(session: Session, target: Table) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(target)
