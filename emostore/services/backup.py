"""Backup and restore: one file with everything that is stored, taken while the app runs.

The rows are a snapshot of one moment, in a form that both databases read. Audio is kept before its
recording is saved and deleted after it, so every file of the snapshot is there, unless it is deleted
while the backup runs; then it is counted as missing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.orm import Session

from emostore import access
from emostore.config import Settings
from emostore.errors import StoreError
from emostore.services import media
from emostore.services.backup_file import (
    AUDIO_LIST,
    BLOCK,
    MANIFEST,
    HashedWriter,
    Manifest,
    Member,
    TableMember,
    damaged,
    lines,
    not_a_backup,
    open_member,
    read_manifest,
)
from emostore.store import audit, dump, migrate
from emostore.store.models import Recording
from emostore.store.session import Store

_BATCH_BYTES = 4 * 1024**2  # of lines that are inserted together
_BATCH_ROWS = 500


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: rows by table, files of audio and their bytes, and how many had been lost before."""

    rows: dict[str, int]
    audio_files: int
    audio_bytes: int
    missing: int


def backup(store: Store, settings: Settings, target: Path) -> Contents:
    """Write everything that is stored to a new file. The app may go on working meanwhile.

    Raises `StoreError` if the file is there already or cannot be written; then nothing is left behind.
    """
    access.require("administer")
    if target.exists():
        raise StoreError("{name} is there already. Choose another name.", name=str(target))
    try:
        with _aside(target) as aside:
            with aside.open("wb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                    with dump.snapshot(store) as connection:
                        manifest = _write_all(archive, connection, settings)
                    archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, target)
    except OSError as error:
        raise StoreError(
            "The backup could not be written to {name}: {problem}. Free some space or choose another folder.",
            name=str(target),
            problem=error.strerror or str(error),
        ) from error
    return _contents(manifest)


def restore(store: Store, settings: Settings, source: Path) -> Contents:
    """Read a backup into an empty database, all of it or nothing, and bring it to this version.

    Raises `StoreError` if the database is not empty, or the file is no backup, is damaged or was written
    by a newer version.
    """
    access.require("administer")
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = read_manifest(archive)
            _check(manifest, settings, source)
            with store.transaction() as session:
                dump.require_empty(session)
            _at_revision(store, manifest.revision, source)
            try:
                _read_all(archive, manifest, store, settings)
            finally:
                migrate.upgrade(store)
    except zipfile.BadZipFile as error:
        raise not_a_backup(source.name) from error
    except OSError as error:
        raise StoreError(
            "{name} could not be restored: {problem}.", name=str(source), problem=error.strerror or str(error)
        ) from error
    return _contents(manifest)


def _write_all(archive: zipfile.ZipFile, connection: Connection, settings: Settings) -> Manifest:
    revision = migrate.current(connection)
    tables = tuple(_write_table(archive, connection, table) for table in dump.tables())
    counters = dump.counters(connection)
    with tempfile.TemporaryFile() as listed:
        files, size, missing = _write_audio(archive, connection, settings.data_dir, listed)
        listed.seek(0)
        with archive.open(AUDIO_LIST, "w", force_zip64=True) as stream:
            out = HashedWriter(stream)
            while block := listed.read(BLOCK):
                out.write(block)
    return Manifest(
        revision=revision,
        created_at=datetime.now(UTC).isoformat(),
        tables=tables,
        counters=counters,
        audio=Member(name=AUDIO_LIST, bytes=out.bytes, sha256=out.sha256),
        audio_files=files,
        audio_bytes=size,
        missing=missing,
    )


def _write_table(archive: zipfile.ZipFile, connection: Connection, table: Table) -> TableMember:
    name, count = f"tables/{table.name}.jsonl", 0
    with archive.open(name, "w", force_zip64=True) as stream:
        out = HashedWriter(stream)
        for row in dump.rows(connection, table):
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            count += 1
    columns = tuple(table.columns.keys())
    return TableMember(name=name, bytes=out.bytes, sha256=out.sha256, table=table.name, columns=columns, rows=count)


def _write_audio(
    archive: zipfile.ZipFile, connection: Connection, data_dir: Path, listed: IO[bytes]
) -> tuple[int, int, int]:
    """Copy the kept audio and list it; how many files and bytes, and how many were not there."""
    files = size = missing = 0
    kept = select(Recording.media_path).where(Recording.media_path.is_not(None)).order_by(Recording.id)
    for row in connection.execution_options(yield_per=200).execute(kept):
        relative = str(row.media_path)
        path = media.resolve(relative, data_dir)
        try:
            source = path.open("rb") if path else None
        except FileNotFoundError:
            source = None
        if source is None:
            missing += 1
            continue
        info = zipfile.ZipInfo(relative)  # stored as it is: sound does not get smaller
        with source, archive.open(info, "w", force_zip64=True) as stream:
            out = HashedWriter(stream)
            while block := source.read(BLOCK):
                out.write(block)
        member = Member(name=relative, bytes=out.bytes, sha256=out.sha256)
        listed.write(member.model_dump_json().encode() + b"\n")
        files, size = files + 1, size + out.bytes
    return files, size, missing


def _check(manifest: Manifest, settings: Settings, source: Path) -> None:
    """That this version knows the tables and the disk has room."""
    if {each.table for each in manifest.tables} - {table.name for table in dump.tables()}:
        raise not_a_backup(source.name)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    if manifest.audio_bytes > free:
        raise StoreError(
            "The audio of the backup needs {found:,} bytes, and {free:,} are free in {folder}. Free some space.",
            found=manifest.audio_bytes,
            free=free,
            folder=str(settings.data_dir),
        )


def _at_revision(store: Store, revision: str, source: Path) -> None:
    """Bring the empty database to the revision of the backup, whose rows migrations then take along."""
    if not migrate.knows(revision):
        raise StoreError(
            "{name} was written by a newer version of this program. Update this program, then restore.",
            name=source.name,
        )
    if migrate.check(store).current != revision:
        migrate.downgrade(store, "base")
        migrate.upgrade(store, revision)


def _read_all(archive: zipfile.ZipFile, manifest: Manifest, store: Store, settings: Settings) -> None:
    written: list[Path] = []
    try:
        with store.transaction() as session:
            dump.require_empty(session)
            by_table = {each.table: each for each in manifest.tables}
            for table in dump.tables():
                if table.name in by_table:
                    _read_table(archive, by_table[table.name], session, table)
            dump.set_counters(session, manifest.counters)
            _read_audio(archive, manifest, settings.data_dir, written)
            if "audit_events" in by_table:
                details = {"created_at": manifest.created_at, "rows": sum(each.rows for each in manifest.tables)}
                audit.record(session, access.current_user().name, "restored", "database", None, details)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise


def _read_table(archive: zipfile.ZipFile, member: TableMember, session: Session, table: Table) -> None:
    name = Path(str(archive.filename)).name
    batch: list[list[Any]] = []
    count = size = 0
    with open_member(archive, member) as reader:
        for row, length in lines(reader, name):
            batch.append(row)
            count, size = count + 1, size + length
            if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
                _insert(session, table, member, batch, name)
                batch, size = [], 0
        _insert(session, table, member, batch, name)
    if count != member.rows:
        raise damaged(name)


def _insert(session: Session, table: Table, member: TableMember, batch: list[list[Any]], name: str) -> None:
    try:
        dump.insert(session, table, member.columns, batch)
    except (TypeError, ValueError) as error:  # values of another kind than the columns'
        raise damaged(name) from error


def _read_audio(archive: zipfile.ZipFile, manifest: Manifest, data_dir: Path, written: list[Path]) -> None:
    name = Path(str(archive.filename)).name
    left = manifest.audio_bytes
    with open_member(archive, manifest.audio) as reader:
        for values, _ in lines(reader, name):
            try:
                member = Member.model_validate(values)
            except ValueError as error:
                raise damaged(name) from error
            target = media.resolve(member.name, data_dir)
            left -= member.bytes
            if target is None or media.hash_of(member.name) is None or left < 0:
                raise damaged(name)
            if target.exists():
                continue
            with open_member(archive, member) as stream:
                media.write(target, stream)
            written.append(target)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A file beside the target that is gone afterwards, unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _contents(manifest: Manifest) -> Contents:
    rows = {each.table: each.rows for each in manifest.tables}
    return Contents(rows, manifest.audio_files, manifest.audio_bytes, manifest.missing)
