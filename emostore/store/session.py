"""The connection to the database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg.halfvec import HalfVectorBinaryDumper
from sqlalchemy import URL, Connection, Engine, Pool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from emostore.errors import StoreError
from emostore.store.failures import named, place
from emostore.store.tables.arrays import ArrayDumper

BUSY_TIMEOUT_S = 30.0  # how long a statement waits for another writer before the user is told
_RETRY_S = 0.02
_CACHE_KIB = 32_768  # of SQLite's pages, at most, a connection; the 2 MiB by default make a large batch slow
_LOG_PAGES = 4_000  # 16 MiB, after which they are copied into the file: a page that many commits change is copied once
_MAPPED_BYTES = 2**31 - 65_536  # of the file are read where the system has them, without a copy (SQLite allows no more)


@dataclass(frozen=True, slots=True)
class Store:
    """A database that can be read and written, from several threads. Made by `create_store`."""

    engine: Engine
    _readers: sessionmaker[Session] = field(repr=False)
    _writers: sessionmaker[Session] = field(repr=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that writes: committed at the end of the block, rolled back if it raises.

        Raises `StoreError` when the database cannot be reached or stays locked.
        """
        with named(self.engine.url), self._writers() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads; all of its queries on SQLite see the same state. Raises `StoreError`."""
        with named(self.engine.url), self._readers() as session:
            yield session

    def close(self) -> None:
        """Give the idle connections back; the store stays usable."""
        self.engine.dispose()


def create_store(url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Store:
    """The store at an SQLAlchemy URL. Connects to nothing yet; for SQLite it makes the folder.

    Raises `StoreError` if the URL names no database that is supported.
    """
    engine = create_database_engine(_parsed(url), busy_timeout_s=busy_timeout_s)
    # A transaction that reads first and then writes fails at once on SQLite, without waiting, if another
    # one wrote in between (SQLITE_BUSY_SNAPSHOT); one that takes the write lock first waits for it.
    writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    return Store(
        engine,
        sessionmaker(engine, expire_on_commit=False),
        sessionmaker(writing, expire_on_commit=False),
    )


def create_database_engine(
    url: URL, *, busy_timeout_s: float = BUSY_TIMEOUT_S, foreign_keys: bool = True, poolclass: type[Pool] | None = None
) -> Engine:
    """An engine whose connections wait for locks, enforce foreign keys and begin transactions themselves."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=poolclass, connect_args={"timeout": busy_timeout_s})
        event.listen(engine, "connect", lambda raw, _: _prepare_sqlite(raw, busy_timeout_s, foreign_keys))
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(url, poolclass=poolclass, pool_pre_ping=True)
        event.listen(engine, "connect", lambda raw, _: _prepare_postgresql(raw, busy_timeout_s))
    return engine


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not chained: the parser's message may hold a piece of the password.
        raise StoreError(
            "The database URL cannot be read. It looks like {example}; in a user name or password the"
            " characters @ : / and % are written as %40 %3A %2F and %25.",
            example="postgresql://user:password@host/database",
        ) from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite") or url.database in (None, "", ":memory:"):
        raise StoreError(
            "{found} is not a database that can be used. Give sqlite:///path/to/file.db or"
            " postgresql://user:password@host/database.",
            found=f"{url.drivername}://{place(url)}",
        )
    _make_folder(Path(str(url.database)))
    return url


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "The folder {folder} for the database cannot be made: {problem}. Choose another data folder.",
            folder=str(database.parent),
            problem=error.strerror or str(error),
        ) from error


def _prepare_sqlite(connection: Any, busy_timeout_s: float, foreign_keys: bool) -> None:
    # Left to itself, the driver begins a transaction only before it writes, and never IMMEDIATE.
    # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#pysqlite-serializable
    connection.isolation_level = None
    _use_wal(connection, busy_timeout_s)
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, a power cut loses the last commits, never the file
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
    connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")


def _use_wal(connection: Any, busy_timeout_s: float) -> None:
    """Readers then do not block the writer. The change itself does not wait for locks, so this does."""
    deadline = time.monotonic() + busy_timeout_s
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return  # where it is not possible (some network drives) the mode stays as it was
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _prepare_postgresql(connection: Any, busy_timeout_s: float) -> None:
    # Without an extension's type id the server takes the type from the column, so this works
    # before the extension exists too.
    connection.adapters.register_dumper(HalfVector, HalfVectorBinaryDumper)
    connection.adapters.register_dumper(np.ndarray, ArrayDumper)
    # Reports read a few rows by an index each: compiling such a query takes longer than running it, and the
    # default price of reading out of order is that of a turning disk.
    connection.execute("SET jit = off")
    connection.execute("SET random_page_cost = 1.1")
    connection.execute(f"SET lock_timeout = {int(busy_timeout_s * 1000)}")
    connection.commit()
