"""Everything in the tables as plain JSON rows, the same from both databases, and back.

What waits in the queue is left out: it hangs on staged files, which nobody keeps. So are the roll-ups,
which are made again from the rows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Column, Connection, Table, func, inspect, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.errors import StoreError
from emostore.store.failures import named, place
from emostore.store.rollups import rollup_build
from emostore.store.session import Store
from emostore.store.tables.job_models import Job, JobItem
from emostore.store.tables.models import Base
from emostore.store.tables.report_models import RollupState, clusters, rollups
from emostore.store.tables.types import EmbeddingVector, Logits, Segments, UtcDateTime, WindowLogits

_DERIVED = {rollups.name, clusters.name, RollupState.__tablename__}
_LEFT_OUT = {Job.__tablename__, JobItem.__tablename__} | _DERIVED
_AT_ONCE = 200  # rows that the database hands over at a time


def tables() -> list[Table]:
    """The tables that are dumped, each after those it refers to."""
    return [table for table in Base.metadata.sorted_tables if table.name not in _LEFT_OUT]


@contextmanager
def snapshot(store: Store) -> Iterator[Connection]:
    """A connection that sees one state of everything, whatever others write meanwhile."""
    engine = store.engine
    if engine.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with named(engine.url), engine.connect() as connection, connection.begin():
        yield connection


def rows(connection: Connection, table: Table) -> Iterator[list[Any]]:
    """Each row in the order of the primary key, as values that JSON knows, in the order of the columns."""
    statement = select(table).order_by(*table.primary_key.columns)
    streamed = connection.execution_options(yield_per=_AT_ONCE).execute(statement)
    for row in streamed:
        yield [_plain(value) for value in row]


def insert(session: Session, table: Table, columns: Sequence[str], values: Iterable[Sequence[Any]]) -> None:
    """Insert rows as `rows` gave them.

    Raises `StoreError` for columns that this version does not have and `ValueError` for values that the
    columns do not take.
    """
    unknown = set(columns) - set(table.columns.keys())
    if unknown:
        raise StoreError(
            "The backup has columns that this version does not know: {found}. Update this program.",
            found=", ".join(sorted(f"{table.name}.{name}" for name in unknown)),
        )
    kinds = [table.columns[name] for name in columns]
    prepared = [
        {column.name: _stored(column, value) for column, value in zip(kinds, row, strict=True)} for row in values
    ]
    if not prepared:
        return
    try:
        session.execute(table.insert(), prepared)
    except (IntegrityError, DataError) as error:
        raise ValueError(f"rows that do not fit {table.name}") from error
    except StatementError as error:
        if isinstance(error, DBAPIError):
            raise
        raise ValueError(f"values that do not fit {table.name}") from error


def counters(connection: Connection) -> dict[str, int]:
    """The highest id that was ever given in a table, so that no deleted one is given again."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
        return {row.name: row.seq for row in found}
    counted = {}
    for table in _counted(connection):
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name})
        last = connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"))
        counted[table.name] = int(last or 0)
    return counted


def set_counters(session: Session, given: Mapping[str, int]) -> None:
    """Go on counting where another database had come to."""
    connection = session.connection()
    for table in _counted(connection):
        highest = max(given.get(table.name, 0), session.scalar(select(func.max(table.c.id))) or 0)
        if highest < 1:
            continue
        if connection.dialect.name == "postgresql":
            session.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"), {"name": table.name, "last": highest}
            )
        elif table.dialect_kwargs.get("sqlite_autoincrement"):
            session.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            values = {"name": table.name, "last": highest}
            session.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), values)


def forget_derived(session: Session) -> None:
    """Say that what is derived does not fit the rows any more; a database of an earlier version has none."""
    if RollupState.__tablename__ in inspect(session.connection()).get_table_names():
        rollup_build.forget(session)


def require_empty(session: Session) -> None:
    """Keep others from saving, and raise `StoreError` if there is a row in any table."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE recordings IN EXCLUSIVE MODE"))
    connection = session.connection()
    there = set(inspect(connection).get_table_names())
    for table in Base.metadata.sorted_tables:
        if table.name in there - _DERIVED and session.execute(text(f"SELECT 1 FROM {table.name} LIMIT 1")).first():
            raise StoreError(
                "The database {database} is not empty: there are rows in {found}. A backup is restored into an empty"
                " one. Choose another data folder or database.",
                database=place(connection.engine.url),
                found=table.name,
            )


def _counted(connection: Connection) -> list[Table]:
    there = set(inspect(connection).get_table_names())
    return [t for t in tables() if t.name in there and t.autoincrement_column is not None]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, np.ndarray):
        return base64.b64encode(value.tobytes()).decode("ascii")
    return value


def _stored(column: Column[Any], value: Any) -> Any:
    kind = column.type
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Logits):
        return np.frombuffer(base64.b64decode(value), "<f4")
    if isinstance(kind, WindowLogits):
        return np.frombuffer(base64.b64decode(value), "<f2").reshape(-1, len(EMOTIONS))
    if isinstance(kind, Segments):
        return np.frombuffer(base64.b64decode(value), "<f8").reshape(-1, 2)
    if isinstance(kind, EmbeddingVector):
        return np.frombuffer(base64.b64decode(value), "<f2")
    return value
