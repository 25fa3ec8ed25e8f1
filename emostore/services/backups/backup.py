"""Backup and restore: one file with everything that is stored, taken while the app runs.

The rows are a snapshot of one moment, in a form that both databases read. Audio is kept before its
recording is saved and deleted after it, so every file of the snapshot is there, unless it is deleted
while the backup runs; then it is counted as missing.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Table, select

from emostore import access
from emostore.config import Settings
from emostore.errors import StoreError
from emostore.services import preferences
from emostore.services.backups import backup_reading
from emostore.services.backups.backup_file import (
    AUDIO_LIST,
    BLOCK,
    MANIFEST,
    HashedWriter,
    Manifest,
    Member,
    TableMember,
    not_a_backup,
    read_manifest,
)
from emostore.services.sound import media
from emostore.store import dump, migrate
from emostore.store.rollups import rollup_build
from emostore.store.session import Store
from emostore.store.tables.models import Recording

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
            backup_reading.check(manifest, settings, source)
            with store.transaction() as session:
                dump.require_empty(session)
            backup_reading.bring_to(store, manifest.revision, source)
            try:
                backup_reading.read_all(archive, manifest, store, settings)
            finally:
                migrate.upgrade(store)
        rollup_build.ensure(store, preferences.effective(store, settings).time_zone)
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
