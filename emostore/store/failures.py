"""What the databases' errors mean to a user, in sentences; the original stays chained behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from emostore.errors import StoreError

_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_POSTGRES_BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled)
_NOT_ALLOWED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
_NO_TABLES = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)


def place(url: URL) -> str:
    """Where a database is, without the user's name and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database or "")
    host = url.host or str(url.query.get("host") or "localhost")
    return f"{host}:{url.port}/{url.database}" if url.port else f"{host}/{url.database}"


@contextmanager
def named(url: URL) -> Iterator[None]:
    """Raise `StoreError` for what a user can do something about; an error in this program stays as it is."""
    try:
        yield
    except DBAPIError as error:
        translated = _translated(error, url)
        if translated is None:
            raise
        raise translated from error
    except NoFreeConnection as error:
        raise StoreError(
            "The database is busy: this program already uses all of its connections. Wait a moment and try again."
        ) from error


def _translated(error: DBAPIError, url: URL) -> StoreError | None:
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original, url)
    if isinstance(original, _POSTGRES_BUSY):
        return _busy(url)
    if isinstance(error, ProgrammingError) and isinstance(original, _NO_TABLES):
        return _no_tables(url)
    if isinstance(error, (OperationalError, InterfaceError)) or isinstance(original, _NOT_ALLOWED):
        return StoreError(
            "The database {database} cannot be used: {problem}. Check that it is running and that"
            " EMOSTORE_DATABASE_URL names it and a user who may use it, then try again.",
            database=place(url),
            problem=_problem(original, url),
        )
    return None


def _of_sqlite(original: sqlite3.Error, url: URL) -> StoreError | None:
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF  # the rest of the number only refines it
    if code in _SQLITE_BUSY:
        return _busy(url)
    if code == sqlite3.SQLITE_NOTADB:
        return StoreError(
            "{database} is not a database. Move the file away or choose another data folder.", database=place(url)
        )
    if "no such table" in str(original) or "no such column" in str(original):
        return _no_tables(url)
    if (
        isinstance(original, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR
    ) or code == sqlite3.SQLITE_CORRUPT:
        return StoreError(
            "The database {database} cannot be used: {problem}. Check that the disk has room, that the file"
            " is whole and that this program may write to it and its folder.",
            database=place(url),
            problem=str(original),
        )
    return None


def _busy(url: URL) -> StoreError:
    return StoreError(
        "The database is busy: something else kept {database} locked for too long. Nothing was saved. Wait a"
        " moment and try again; if it stays busy, close other programs that use it.",
        database=place(url),
    )


def _no_tables(url: URL) -> StoreError:
    return StoreError(
        "The database {database} does not have the tables of this version. Start the app again or run"
        " `alembic upgrade head`.",
        database=place(url),
    )


def _problem(original: object, url: URL) -> str:
    """The driver's first line. It does not hold the password; should one ever do so, it is struck out."""
    text = (str(original).strip().splitlines() or [type(original).__name__])[0].rstrip(".")
    secrets = [url.password, url.query.get("password")]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return text
