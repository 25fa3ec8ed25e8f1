"""Bring a database to the tables of this version, however many processes start at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, inspect, text

from emostore.errors import StoreError
from emostore.store.failures import named, place
from emostore.store.session import Store, create_database_engine, create_store
from emostore.store.tables.models import Base

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
_ADVISORY_LOCK = 0x656D6F73746F7265  # "emostore": any number, if only every process takes the same


@dataclass(frozen=True, slots=True)
class MigrationState:
    """`current` is the database's revision (None: it is empty), `head` that of this program."""

    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to migrate."""
        return self.current == self.head


def check(store_or_url: Store | str) -> MigrationState:
    """How far the database is, changing nothing.

    Raises `StoreError` if it cannot be reached, holds something else or was written by a newer version.
    """
    with _opened(store_or_url) as store, store.reading() as session:
        return _state(session.connection())


def current(connection: Connection) -> str:
    """The revision of the database behind a connection; empty if it has none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def knows(revision: str) -> bool:
    """Whether this program has the migrations up to a revision."""
    return revision in {script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()}


def upgrade(store_or_url: Store | str, revision: str = "head") -> MigrationState:
    """Migrate to `revision` (the newest unless told), in one transaction, and tell the new state.

    Two processes may do this at once: one works, the other waits and finds it done. Raises `StoreError`
    like `check`, and leaves the database as it was if anything fails.
    """
    state = check(store_or_url)
    if revision == "head" and state.up_to_date:
        return state
    with _opened(store_or_url) as store, migrating(store) as connection:
        _state(connection)  # again, now that nobody else can change it
        command.upgrade(alembic_config(connection), revision)
        return _state(connection)


def downgrade(store_or_url: Store | str, revision: str) -> MigrationState:
    """Migrate back to `revision` (`base` removes every table), in one transaction. Raises `StoreError`."""
    with _opened(store_or_url) as store, migrating(store) as connection:
        _state(connection)
        command.downgrade(alembic_config(connection), revision)
        return _state(connection)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for a connection that is already open, from any working directory."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def migrating(store: Store) -> Iterator[Connection]:
    """A connection in a transaction that no other migration shares; committed unless the block raises."""
    url = store.engine.url
    # SQLite changes a table by copying it and dropping the old one; with foreign keys enforced the drop
    # would delete every row that refers to it. They can only be switched outside a transaction.
    engine = create_database_engine(url, foreign_keys=False, poolclass=NullPool).execution_options(
        sqlite_begin="BEGIN IMMEDIATE"
    )
    with named(url), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        yield connection
        if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise StoreError(
                "The migration of {database} would leave rows that refer to nothing, so nothing was changed."
                " Please report this.",
                database=place(url),
            )


def _state(connection: Connection) -> MigrationState:
    if not SCRIPTS.is_dir():
        raise StoreError("The folder {folder} with the migrations is missing. Install again.", folder=str(SCRIPTS))
    scripts = ScriptDirectory(str(SCRIPTS))
    head = scripts.get_current_head() or ""
    current = MigrationContext.configure(connection).get_current_revision()
    database = place(connection.engine.url)
    if current is None:
        _refuse_strangers(connection, database)
    elif not knows(current):
        raise StoreError(
            "The database {database} was written by a newer version of this program (or by another one): its"
            " revision is {found}, and this version knows those up to {head}. Update this program, or choose"
            " another database.",
            database=database,
            found=current,
            head=head,
        )
    return MigrationState(current, head)


def _refuse_strangers(connection: Connection, database: str) -> None:
    """A database without our revision must be empty; on PostgreSQL others may share it under other names."""
    found = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if connection.dialect.name == "postgresql":
        found &= set(Base.metadata.tables)
    if found:
        raise StoreError(
            "The database {database} already holds tables of something else ({found}). Nothing was changed."
            " Choose another database or data folder.",
            database=database,
            found=", ".join(sorted(found)[:5]),
        )


@contextmanager
def _opened(store_or_url: Store | str) -> Iterator[Store]:
    """The store, closed again if it was opened here."""
    if isinstance(store_or_url, Store):
        yield store_or_url
        return
    store = create_store(store_or_url)
    try:
        yield store
    finally:
        store.close()
