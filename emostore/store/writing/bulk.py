"""Statements for many rows at once, with the same meaning on both databases.

PostgreSQL takes one array for each column, so that a statement stays short however many rows there are;
SQLite, which has no arrays, takes one variable for each value, a thousand rows or so at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, TypeVar
from typing import cast as typed

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    String,
    Table,
    TableValuedAlias,
    Text,
    bindparam,
    cast,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

from emostore.errors import StoreError
from emostore.store.tables.types import EmbeddingVector

_TRIES = 5  # to insert what others insert and delete at the same moment
_MOST_VALUES = 10_000  # SQLite takes 32,766 variables in one statement (since 3.32)

T = TypeVar("T")
Key = tuple[Any, ...]
Row = Mapping[str, Any]
Model = type[DeclarativeBase]
Lock = Literal["write", "hold", "share"]


def table(model: Model) -> Table:
    """The table of a model; the Core is several times faster than the ORM for many rows."""
    return typed(Table, model.__table__)


def insert_missing(session: Session, model: Model, rows: Sequence[Row], key: Sequence[str]) -> dict[Key, int]:
    """Insert the rows whose key is not there, and answer the ids of these, by key.

    The rows must be in the order of their keys, so that two transactions take the same locks in the
    same order and cannot wait for each other.
    """
    if not rows:
        return {}
    target = table(model)
    answer = (target.c.id, *(target.c[name] for name in key))
    if _is_postgresql(session):
        statement = _insert(target, tuple(rows[0])).on_conflict_do_nothing()
        result = session.execute(statement.returning(*answer), _as_columns(target, rows))
    else:
        result = session.execute(sqlite.insert(target).on_conflict_do_nothing().returning(*answer), list(rows))
    return {tuple(row[1:]): row[0] for row in result}


def add(session: Session, model: Model, rows: Sequence[Row]) -> None:
    """Insert rows that hang on rows of this transaction, so that nobody else can have inserted them."""
    target = table(model)
    # Vectors have no array that the driver knows.
    if len(rows) > 1 and _is_postgresql(session) and not any(isinstance(c.type, EmbeddingVector) for c in target.c):
        session.execute(_insert(target, tuple(rows[0])), _as_columns(target, rows))
    elif rows:
        session.execute(target.insert(), list(rows))


def add_missing(session: Session, model: Model, rows: Sequence[Row]) -> None:
    """Insert the rows whose primary key is not there, in the order of their keys (see `insert_missing`)."""
    if rows:
        insert = postgresql.insert if _is_postgresql(session) else sqlite.insert
        session.execute(insert(table(model)).on_conflict_do_nothing(), list(rows))


def ids(
    session: Session, model: Model, keys: Iterable[Key], names: Sequence[str], *, lock: Lock | None = None
) -> dict[Key, int]:
    """The ids of the rows with these keys, by key.

    Until the commit, `lock` keeps others from locking and writing to them (`write`), from writing to them
    (`hold`), or (`share`) only from deleting or renaming them, so that rows may refer to them.
    """
    target = table(model)
    columns = [target.c[name] for name in names]
    found: dict[Key, int] = {}
    for condition, parameters in matching(session, columns, sorted(keys)):
        statement = select(target.c.id, *columns).where(condition).order_by(*columns)
        if lock:  # SQLite has the whole database locked
            statement = statement.with_for_update(key_share=lock != "hold", read=lock != "write")
        found.update({tuple(row[1:]): row[0] for row in session.execute(statement, parameters)})
    return found


def ensure(
    session: Session,
    model: Model,
    rows: Mapping[Key, Row],
    names: Sequence[str],
    *,
    lock: Lock | None = None,
    likely: bool = False,
) -> tuple[dict[Key, int], set[Key]]:
    """Ids of all the rows, inserted or found, by key, and the keys of those inserted here.

    Safe against another transaction that inserts the same: one of them waits and finds the row. Where
    another one deletes it in between, it is inserted after all. Rows that are `likely` there are looked for
    first, which saves a statement; but not several to be locked, since locks have an order.
    """
    found: dict[Key, int] = {}
    created: set[Key] = set()
    if likely and (lock is None or len(rows) == 1):
        found = ids(session, model, rows, names, lock=lock)
        if len(found) == len(rows):
            return found, created
    for _ in range(_TRIES):
        missing = [key for key in sorted(rows) if key not in found]
        made = insert_missing(session, model, [rows[key] for key in missing], names)
        created |= set(made)
        found |= made | ids(session, model, set(missing) - made.keys(), names, lock=lock)
        if len(found) == len(rows):
            return found, created
    raise StoreError("Others keep changing the same names, so nothing was saved. Wait a moment and try again.")


def matching(
    session: Session, columns: Sequence[ColumnElement[Any]], keys: Collection[Key]
) -> Iterator[tuple[ColumnElement[bool], dict[str, Any]]]:
    """Conditions, with their parameters, that together hold for the rows with these keys."""
    if _is_postgresql(session):
        if keys:
            names = [f"key_{i}" for i in range(len(columns))]
            named = dict(zip(names, columns, strict=True))
            values = dict(zip(names, zip(*keys, strict=True), strict=True))
            arrays = {name: _array(named[name], values[name]) for name in names}
            yield _is_among(tuple(columns)), arrays
        return
    for some in _chunks(keys, _MOST_VALUES // len(columns)):
        yield tuple_(*columns).in_(some) if len(columns) > 1 else columns[0].in_([key[0] for key in some]), {}


# A statement of arrays is the same for any number of rows, and takes longer to make than to run.
@lru_cache(maxsize=256)
def _insert(target: Table, names: tuple[str, ...]) -> postgresql.Insert:
    given = _arrays({name: target.c[name] for name in names})
    return postgresql.insert(target).from_select(list(names), select(given))


@lru_cache(maxsize=256)
def _is_among(columns: tuple[ColumnElement[Any], ...]) -> ColumnElement[bool]:
    given = _arrays({f"key_{i}": column for i, column in enumerate(columns)})
    return tuple_(*columns).in_(select(given))


def _arrays(columns: Mapping[str, ColumnElement[Any]]) -> TableValuedAlias:
    """A table made of one array for each column."""
    arrays = []
    for name, column in columns.items():
        # As `text`, because a cast to `varchar(20)` would cut what is too long instead of refusing it.
        kind = postgresql.ARRAY(Text() if isinstance(column.type, String) else column.type, dimensions=1)
        arrays.append(cast(bindparam(name, type_=Text), kind) if _is_number(column) else bindparam(name, type_=kind))
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def _as_columns(target: Table, rows: Sequence[Row]) -> dict[str, Any]:
    return {name: _array(target.c[name], [row[name] for row in rows]) for name in rows[0]}


def _array(column: ColumnElement[Any], values: Iterable[Any]) -> Any:
    """The values as one parameter: of numbers a text, which the driver need not look through one by one."""
    if not _is_number(column):
        return list(values)
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def _is_number(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, Integer | Float)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
