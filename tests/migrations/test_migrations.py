"""Migrations: up, down and up again; equal to the models; safe against each other and against strangers."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, inspect, make_url, text

from emostore.errors import StoreError
from emostore.services import groups
from emostore.store import migrate
from emostore.store.reports import history, reports
from emostore.store.rollups import rollup_build
from emostore.store.session import Store, create_store
from emostore.store.tables.models import Base
from emostore.store.writing import clips, deletes
from tests.conftest import Postgres
from tests.store import races, rollup_oracle
from tests.store.samples import analysis

ROOT = Path(__file__).resolve().parents[2]
REVISIONS = [script.revision for script in reversed(list(ScriptDirectory(str(migrate.SCRIPTS)).walk_revisions()))]


def tables(store: Store) -> set[str]:
    with store.reading() as session:
        return set(inspect(session.connection()).get_table_names()) - {"alembic_version"}


def comparable(index: Any) -> dict[str, Any]:
    """What is reflected of an index; the condition of a partial one is an object that equals only itself."""
    return {**index, "dialect_options": {key: str(value) for key, value in index.get("dialect_options", {}).items()}}


def structure(store: Store) -> dict[str, Any]:
    """Everything about the tables that the database can tell, in a fixed order."""
    with store.reading() as session:
        found = inspect(session.connection())
        return {
            table: [
                [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
                found.get_pk_constraint(table),
                sorted(found.get_check_constraints(table), key=lambda each: str(each["name"])),
                sorted(found.get_foreign_keys(table), key=lambda each: str(each["name"])),
                sorted(map(comparable, found.get_indexes(table)), key=lambda each: str(each["name"])),
                sorted(found.get_unique_constraints(table), key=lambda each: str(each["name"])),
            ]
            for table in sorted(found.get_table_names())
            if table != "alembic_version"
        }


def test_every_revision_goes_up_down_and_up_again(empty_url: str) -> None:
    store = create_store(empty_url)
    before = tables(store)
    for i, revision in enumerate(REVISIONS):
        below = REVISIONS[i - 1] if i else "base"
        assert migrate.upgrade(store, revision).current == revision
        migrate.downgrade(store, below)
        assert migrate.upgrade(store, revision).current == revision
    assert tables(store) == set(Base.metadata.tables)
    assert migrate.downgrade(store, "base").current is None
    assert tables(store) == before == set()
    store.close()


def test_the_migrations_make_the_tables_that_the_models_describe(store: Store) -> None:
    with store.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_the_same_constraints_as_the_models(empty_url: str) -> None:
    store = create_store(empty_url)
    with store.transaction() as session:
        if store.engine.name == "postgresql":
            session.execute(text("CREATE EXTENSION vector"))
        Base.metadata.create_all(session.connection())
    described = structure(store)
    with store.transaction() as session:
        Base.metadata.drop_all(session.connection())
    migrate.upgrade(store)
    assert structure(store) == described
    assert described["clips"]
    store.close()


def test_what_was_scored_before_there_were_reports_gets_into_them(store: Store) -> None:
    clips.save_many(store, [analysis("a", agent="Ann"), analysis("b", role="customer")])
    migrate.downgrade(store, "0003")
    migrate.upgrade(store)
    assert not rollup_build.status(store).ready
    assert rollup_build.ensure(store, "UTC")
    assert rollup_oracle.stored(store) == rollup_oracle.recomputed(store)
    assert len(rollup_oracle.stored(store)[0]) == 3 * 4  # days, weeks and four weeks of Ann, nobody, everybody twice
    assert history.search(store, history.HistoryFilter(emotion="happy")).count == 2


def test_a_database_from_before_there_were_label_groups_takes_them(store: Store) -> None:
    clips.save(store, analysis())
    migrate.downgrade(store, "0006")
    assert "label_groups" not in tables(store)
    migrate.upgrade(store)
    saved = groups.make(store, "Frustration", ["angry", "disgusted"])
    assert groups.named(store, "Frustration") == saved
    assert reports.latest_clips(store).rows


def test_checking_tells_how_far_a_database_is_and_changes_nothing(empty_url: str) -> None:
    store = create_store(empty_url)
    state = migrate.check(store)
    assert (state.current, state.head, state.up_to_date) == (None, REVISIONS[-1], False)
    assert tables(store) == set()
    assert migrate.upgrade(empty_url).up_to_date
    assert migrate.check(empty_url).up_to_date
    assert migrate.upgrade(store).up_to_date
    store.close()


def test_processes_that_upgrade_at_once_both_find_it_done(empty_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    processes = [context.Process(target=races.upgrade_together, args=(empty_url, barrier, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    told = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert told == [True, True]
    assert [process.exitcode for process in processes] == [0, 0]


def test_a_database_of_a_newer_version_is_left_alone(store: Store) -> None:
    with store.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for action in (migrate.check, migrate.upgrade):
        with pytest.raises(StoreError, match=r"written by a newer version .* its revision is 9999"):
            action(store)
    assert tables(store) == set(Base.metadata.tables)


def test_a_database_with_tables_of_something_else_is_left_alone(empty_url: str) -> None:
    store = create_store(empty_url)
    with store.transaction() as session:
        session.execute(text("CREATE TABLE clips (title TEXT)"))
    for action in (migrate.check, migrate.upgrade):
        with pytest.raises(StoreError, match=r"already holds tables of something else \(clips\)"):
            action(store)
    assert tables(store) == {"clips"}
    store.close()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("These are my notes, and no database at all. " * 100)
    before = path.read_bytes()
    for action in (migrate.check, migrate.upgrade):
        with pytest.raises(StoreError, match=r"notes\.db is not a database"):
            action(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_failing_migration_leaves_the_database_as_it_was(empty_url: str) -> None:
    store = create_store(empty_url)

    def fail_after_upgrading() -> None:
        with migrate.migrating(store) as connection:
            migrate.command.upgrade(migrate.alembic_config(connection), "head")
            raise RuntimeError("the machine stops here")

    with pytest.raises(RuntimeError, match="stops here"):
        fail_after_upgrading()
    assert migrate.check(store).current is None
    assert tables(store) == set()
    store.close()


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(sqlite_store: Store) -> None:
    saved = clips.save(sqlite_store, analysis())
    with migrate.migrating(sqlite_store) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("recordings", recreate="always") as batch:
            batch.add_column(Column("extra", Integer))
    assert reports.clip_view(sqlite_store, saved.clip_id) is not None


def test_a_migration_that_would_leave_loose_rows_is_undone(sqlite_store: Store) -> None:
    clips.save(sqlite_store, analysis())

    def delete_recordings() -> None:
        with migrate.migrating(sqlite_store) as connection:
            connection.execute(text("DELETE FROM recordings"))

    with pytest.raises(StoreError, match="would leave rows that refer to nothing"):
        delete_recordings()
    assert reports.latest_clips(sqlite_store).rows


def test_a_user_who_may_not_add_the_extension_is_told_what_to_run(postgres: Postgres) -> None:
    url = postgres.create()
    owner = create_store(url)
    with owner.transaction() as session:
        session.execute(text("CREATE ROLE visitor LOGIN"))
        session.execute(text("GRANT ALL ON SCHEMA public TO visitor"))
    visitor = make_url(url).set(username="visitor").render_as_string(hide_password=False)
    with pytest.raises(StoreError, match=r"permission denied .* CREATE EXTENSION vector;"):
        migrate.upgrade(visitor)
    assert tables(owner) == set()
    with owner.transaction() as session:
        session.execute(text("REVOKE ALL ON SCHEMA public FROM visitor"))
    with pytest.raises(StoreError, match=r"cannot be used: permission denied for schema public"):
        migrate.upgrade(visitor)
    owner.close()
    postgres.drop(url)


def test_migrating_leaves_logging_as_it_was_from_any_folder(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = logging.getLogger("somebody.else")
    before = (logging.getLogger().handlers[:], logging.getLogger().level, mine.disabled)
    migrate.upgrade(empty_url)
    assert (logging.getLogger().handlers, logging.getLogger().level, mine.disabled) == before


def test_the_alembic_command_line_migrates_the_database_of_the_environment(empty_url: str) -> None:
    environment = {**os.environ, "EMOSTORE_DATABASE_URL": empty_url}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert migrate.check(empty_url).up_to_date


def test_scripts_that_would_be_printed_are_refused(tmp_path: Path) -> None:
    environment = {**os.environ, "EMOSTORE_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "alembic", "upgrade", "head", "--sql"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "cannot be printed with --sql" in done.stderr


def test_the_ids_of_deleted_clips_are_not_given_again_after_an_upgrade(store: Store) -> None:
    kept, gone = (clips.save(store, analysis(name)) for name in ("a", "b"))
    with store.transaction() as session:
        deletes.delete_clips(session, [gone.clip_id])
    migrate.downgrade(store, "0004")
    migrate.upgrade(store)
    again = clips.save(store, analysis("b")).clip_id
    assert (kept.clip_id, gone.clip_id, again) == (1, 2, 3)
