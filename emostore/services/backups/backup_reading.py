"""Reading a backup into an empty database: checked member by member, in one transaction."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from emostore import access
from emostore.config import Settings
from emostore.errors import StoreError
from emostore.services.backups.backup_file import (
    Manifest,
    Member,
    TableMember,
    damaged,
    lines,
    not_a_backup,
    open_member,
)
from emostore.services.sound import media
from emostore.store import audit, dump, migrate
from emostore.store.session import Store

_BATCH_BYTES = 4 * 1024**2  # of lines that are inserted together
_BATCH_ROWS = 500


def check(manifest: Manifest, settings: Settings, source: Path) -> None:
    """Raise `StoreError` unless this version knows the tables and the disk has room."""
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


def bring_to(store: Store, revision: str, source: Path) -> None:
    """Bring the empty database to the revision of the backup, whose rows migrations then take along."""
    if not migrate.knows(revision):
        raise StoreError(
            "{name} was written by a newer version of this program. Update this program, then restore.",
            name=source.name,
        )
    if migrate.check(store).current != revision:
        migrate.downgrade(store, "base")
        migrate.upgrade(store, revision)


def read_all(archive: zipfile.ZipFile, manifest: Manifest, store: Store, settings: Settings) -> None:
    """Rows and audio, all or nothing. Raises `StoreError` if anything is not as it was written."""
    written: list[Path] = []
    try:
        with store.transaction() as session:
            dump.require_empty(session)
            by_table = {each.table: each for each in manifest.tables}
            for table in dump.tables():
                if table.name in by_table:
                    _read_table(archive, by_table[table.name], session, table)
            dump.set_counters(session, manifest.counters)
            dump.forget_derived(session)
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
