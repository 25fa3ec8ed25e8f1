"""Uploads wait on disk: staged files under the data folder, named by chance, never by a user."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from emostore.audio.container import check_size
from emostore.config import Settings
from emostore.errors import StoreError
from emostore.services.sound import media
from emostore.store.queue import jobs
from emostore.store.session import Store
from emostore.store.writing.names import clean_file_name

FOLDER = "staged"
_BLOCK = 1024 * 1024  # bytes held in memory at a time
_ORPHAN_S = 24 * 3600.0  # a file this old that no item names was left by a process that died while copying
_AT_ONCE = 500  # files looked up in one query


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A copy on disk, safe from now on; `path` is relative to the data folder, `name` what people call it."""

    path: str
    name: str
    byte_count: int


def stage(stream: BinaryIO, name: str, settings: Settings) -> StagedFile:
    """Copy a stream into the data folder, block by block.

    Raises `AudioError` for one over the limit, `MetadataError` for a name that cannot be stored and
    `StoreError` when the disk does not take it; then nothing is left behind.
    """
    name = clean_file_name(name)
    relative = f"{FOLDER}/{uuid.uuid4().hex}"
    target = settings.data_dir / relative
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        byte_count = _copy(stream, name, target, settings.max_file_bytes)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise StoreError(
            "{name} could not be stored in {folder}: {problem}. Free some space or change the data folder.",
            name=name,
            folder=str(target.parent),
            problem=error.strerror or str(error),
        ) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return StagedFile(relative, name, byte_count)


def discard(files: Sequence[StagedFile], settings: Settings) -> None:
    """Remove staged files that are not handed in after all."""
    for file in files:
        _remove(settings.data_dir / file.path)


def keep(staged: Path, sha256: str, settings: Settings) -> media.Kept | None:
    """`media.keep` for a staged file, which nobody else changes: a second name for it instead of a copy."""
    if settings.keep_audio != "original":
        return media.keep(staged, sha256, settings)
    kept = media.Kept(media.path_of(sha256), "original")
    target = settings.data_dir / kept.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(staged, target)
    except FileExistsError:
        return kept
    except OSError:  # the file system knows no second names: then it is copied
        return media.keep(staged, sha256, settings)
    return kept


def remove_left_over(store: Store, settings: Settings) -> None:
    """Remove the staged files of items that are done, cancelled or cleared."""
    while (found := jobs.left_over(store, _AT_ONCE)) and remove(store, settings, found):
        pass


def remove(store: Store, settings: Settings, staged: Mapping[int, str]) -> bool:
    """Remove the staged files of these items; False if none could be (some systems keep what is open)."""
    gone = [item_id for item_id, path in staged.items() if _remove(settings.data_dir / path)]
    jobs.forget_staged(store, gone)
    return bool(gone)


def sweep(store: Store, settings: Settings) -> None:
    """Remove old staged files that no item names."""
    folder = settings.data_dir / FOLDER
    if not folder.is_dir():
        return
    oldest = time.time() - _ORPHAN_S
    old = [path for path in folder.iterdir() if _changed_at(path) < oldest]
    for start in range(0, len(old), _AT_ONCE):
        some = {f"{FOLDER}/{path.name}": path for path in old[start : start + _AT_ONCE]}
        known = jobs.known_staged(store, list(some))
        for relative in some.keys() - known:
            _remove(some[relative])


def _copy(stream: BinaryIO, name: str, target: Path, most: int) -> int:
    count = 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as out:
        while block := stream.read(_BLOCK):
            count += len(block)
            check_size(name, count, most)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    _sync_folder(target.parent)
    return count


def _sync_folder(folder: Path) -> None:
    """So that the file's name, too, survives a power cut."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process sweeps, too
        return float("inf")


def _remove(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
