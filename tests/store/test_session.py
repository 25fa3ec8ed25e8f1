"""What the connection promises: rules enforced, errors in sentences, secrets kept."""

from __future__ import annotations

import sqlite3
import traceback
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError

from emostore.emotions import EmotionScores
from emostore.errors import MetadataError, StoreError
from emostore.store.reports import reports
from emostore.store.session import Store, create_store
from emostore.store.tables import models
from emostore.store.writing import bulk, clips
from emostore.store.writing.saving import score_row
from tests.store.samples import NOON, analysis, recording, row_counts


def test_a_block_that_raises_leaves_nothing(store: Store) -> None:
    def fail_half_way() -> None:
        with store.transaction() as session:
            session.add(models.Team(name="North"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert row_counts(store) == {}


def test_foreign_keys_are_enforced(store: Store) -> None:
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.add(models.Agent(name="Ann", team_id=12345))


def test_the_database_itself_refuses_a_second_clip_of_a_channel(store: Store) -> None:
    clips.save(store, analysis())
    columns = "recording_id, channel, role, session_id, happened_at, duration_s"
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.execute(text(f"INSERT INTO clips ({columns}) SELECT {columns} FROM clips"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE analyses SET status = 'no_speech'",
        "UPDATE analyses SET no_speech_reason = 'silence'",
        "UPDATE analyses SET logits = NULL",
        "UPDATE analyses SET window_count = 3",
        "UPDATE analyses SET window_hop_s = NULL",
        "UPDATE analyses SET window_logits = NULL",
        "UPDATE scores SET angry = 1.5",
        "UPDATE scores SET confidence = -0.5",
        "UPDATE scores SET dominant = 'tired'",
        "UPDATE clips SET role = 'boss'",
        "UPDATE clips SET channel = -1",
        "UPDATE recordings SET sha256 = 'abc'",
        "UPDATE recordings SET happened_at_source = 'rumour'",
        "UPDATE active_calibrations SET calibration_id = 99",
    ],
)
def test_the_database_itself_refuses_rows_that_contradict_themselves(store: Store, change: str) -> None:
    clips.save(store, analysis())
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.execute(text(change))


def test_every_foreign_key_has_an_index(store: Store) -> None:
    with store.reading() as session:
        found = inspect(session.connection())
        for table in models.Base.metadata.tables:
            indexed = [found.get_pk_constraint(table)["constrained_columns"]]
            indexed += [index["column_names"] for index in found.get_indexes(table)]
            indexed += [unique["column_names"] for unique in found.get_unique_constraints(table)]
            for key in found.get_foreign_keys(table):
                column = key["constrained_columns"][0]
                assert column in {columns[0] for columns in indexed}, f"{table}.{column}"


def test_a_time_without_a_zone_is_refused_before_and_at_the_database(store: Store) -> None:
    naive = datetime(2026, 3, 1, 12)
    with pytest.raises(MetadataError, match="2026-03-01 12:00:00 has no time zone"):
        recording(happened_at=naive)
    with pytest.raises(MetadataError, match="has no time zone"):
        analysis(analysed_at=naive)
    with pytest.raises(StatementError, match="needs a time zone"), store.transaction() as session:
        session.add(models.RecordingSession(key="name:x", name="x", created_at=naive))


def test_a_sum_within_rounding_of_one_is_stored_as_at_most_one(store: Store) -> None:
    saved = clips.save(store, analysis(outcome=clips.NoSpeech("silence")))
    row = score_row(saved.analysis_id, 1, saved.clip_id, NOON, EmotionScores((1.0000005, *[0.0] * 8)))
    even = score_row(saved.analysis_id, 1, saved.clip_id, NOON, EmotionScores((1 / 9,) * 9))
    assert (row["angry"], row["confidence"]) == (1.0, 1.0)
    assert even["entropy"] <= 1
    with store.transaction() as session:
        session.execute(insert(bulk.table(models.Score)), [row])


def test_an_id_is_not_given_again_after_its_clip_was_deleted(store: Store) -> None:
    first = clips.save(store, analysis("a"))
    with store.transaction() as session:
        session.execute(text("DELETE FROM recordings"))
    assert clips.save(store, analysis("b")).clip_id > first.clip_id


def test_sqlite_runs_with_a_write_ahead_log_a_timeout_and_foreign_keys(sqlite_store: Store) -> None:
    with sqlite_store.reading() as session:
        pragmas = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "busy_timeout": 30_000, "foreign_keys": 1, "synchronous": 1}


def test_a_store_makes_its_folder_and_connects_to_nothing_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "emostore.db"
    create_store(f"sqlite:///{path}")
    assert path.parent.is_dir()
    assert not path.exists()
    create_store("postgresql://nobody@127.0.0.1:1/nothing")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="for the database cannot be made"):
        create_store(f"sqlite:///{tmp_path / 'file' / 'emostore.db'}")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("These are my notes, and no database at all. " * 100)
    with pytest.raises(StoreError, match=r"notes\.db is not a database"):
        reports.count_clips(create_store(f"sqlite:///{path}"))


def test_a_database_without_tables_says_how_to_make_them(empty_url: str) -> None:
    empty = create_store(empty_url)
    with pytest.raises(StoreError, match="does not have the tables of this version"):
        reports.count_clips(empty)
    with pytest.raises(StoreError, match="does not have the tables of this version"):
        clips.save(empty, analysis())
    empty.close()


def test_a_database_that_is_not_writable_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "folder.db"
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be used: unable to open database file"):
        reports.count_clips(create_store(f"sqlite:///{path}"))


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is not a database that can be used"):
        create_store(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:hunter2@127.0.0.1:1/nothing",
        "postgresql+psycopg://bob:hunter2@127.0.0.1:1/nothing",
        "postgresql://bob@127.0.0.1:1/nothing?password=hunter2",
        "postgresql://bob:hun/hunter2@127.0.0.1/nothing",
        "postgresql://bob:12hunter2/x@127.0.0.1:1/nothing",
        "mysql://bob:hunter2@127.0.0.1/nothing",
        "hunter2",
    ],
)
def test_no_error_shows_the_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        reports.count_clips(create_store(url))
    assert "hunter2" not in str(caught.value)
    shown = traceback.format_exception(caught.value)
    assert "hunter2" not in "".join(line for line in shown if "File" not in line)


def test_too_many_at_once_are_told_to_wait(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store.engine.pool, "_timeout", 0)

    def take_every_connection() -> None:
        with ExitStack() as stack:
            while True:
                stack.enter_context(sqlite_store.reading()).execute(text("SELECT 1"))

    with pytest.raises(StoreError, match="already uses all of its connections"):
        take_every_connection()


def test_a_server_that_does_not_answer_is_named_and_so_is_what_to_check() -> None:
    store = create_store("postgresql://bob:hunter2@127.0.0.1:1/nothing")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/nothing cannot be used: .*EMOSTORE_DATABASE_URL"):
        reports.count_clips(store)
    assert "hunter2" not in repr(store)


def test_an_error_of_this_program_is_not_dressed_up_as_the_databases(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)syntax") as caught, store.reading() as session:
        session.execute(text("SELEC 1"))
    assert not isinstance(caught.value, StoreError)


def test_a_damaged_file_is_said_to_be_damaged(sqlite_store: Store, tmp_path: Path) -> None:
    clips.save(sqlite_store, analysis(analysed_at=NOON))
    sqlite_store.close()
    path = tmp_path / "emostore.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    with pytest.raises(StoreError, match="cannot be used: database disk image is malformed"):
        reports.latest_clips(sqlite_store)
