"""A planned download carried out: all files or none, checked as a whole, then put in place at once."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from emostore import access
from emostore.engine.checkpoint import read_checkpoint
from emostore.errors import ModelError
from emostore.services.downloads.connection import new_client
from emostore.services.downloads.hubs import MIB, HubName, RemoteFile
from emostore.services.downloads.planning import DownloadPlan
from emostore.services.downloads.progress import DownloadProgress, Meter
from emostore.services.downloads.transfer import Cancelled, digest, fetch, matches, part_path, size_of

RECORD = "download.json"
SPARE_BYTES = 100 * MIB  # left free for the database, which shares the disk

logger = logging.getLogger(__name__)


class FileRecord(BaseModel):
    """A downloaded file: size in bytes, SHA-256 in hex digits."""

    model_config = ConfigDict(frozen=True)

    size: int
    sha256: str


class DownloadRecord(BaseModel):
    """Where a downloaded model came from; lies beside it as `download.json`."""

    model_config = ConfigDict(frozen=True)

    source: HubName
    base_url: str
    repository: str
    commit: str
    downloaded_at: AwareDatetime
    files: dict[str, FileRecord]


def download(
    plan: DownloadPlan,
    *,
    progress: Callable[[DownloadProgress], None] = lambda _: None,
    cancelled: Cancelled = lambda: False,
) -> Path:
    """Carry out the plan and return the folder of the model.

    Continues an earlier try; where the model of the plan is installed already, nothing is downloaded.
    `progress` is called at most about five times a second. `cancelled` is asked between packets, so a line on
    which nothing comes any more is left after 20 s at the latest.
    Raises `AccessError`; `DownloadCancelledError`; and `ModelError` where another download runs, the hub fails,
    what arrived is not what was listed, or the disk is full. Whatever happens, the folder holds the whole
    model or is as it was before, and what has arrived is kept for the next try.
    """
    access.require("administer")
    target, partial = plan.target, plan.partial
    with _sentences(plan):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(target):
            if not target.exists() and _old(target).exists():  # stopped between the two renames of _put_in_place
                os.rename(_old(target), target)
            if _is_installed(plan, Meter(plan.total_bytes, progress), cancelled):
                return target
            partial.mkdir(exist_ok=True)
            _gather(plan, Meter(plan.total_bytes, progress), cancelled)
            _check(plan)
            _write_record(plan, cancelled)
            _put_in_place(partial, target)
    logger.info("%s at %s arrived from %s in %s", plan.repository, plan.commit, plan.hub_title, target)
    return target


def read_record(folder: Path) -> DownloadRecord | None:
    """Where the model in `folder` came from, or None where it was not downloaded by this app."""
    try:
        return DownloadRecord.model_validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def _is_installed(plan: DownloadPlan, meter: Meter, cancelled: Cancelled) -> bool:
    """Whether the installed model is the planned one, byte for byte."""
    if any(size_of(plan.target / file.name) != file.size for file in plan.files):
        return False
    for file in plan.files:
        meter.begin("checking", file.name, 0)
        if not matches(plan.target / file.name, file, cancelled):
            return False
        meter.finished(file.size)
    return True


def _gather(plan: DownloadPlan, meter: Meter, cancelled: Cancelled) -> None:
    """All files into the partial folder, and nothing else."""
    with new_client() as client:
        for file in plan.files:
            meter.begin("checking", file.name, size_of(part_path(plan.partial, file)))
            if not _is_here(file, plan, cancelled):
                _check_space(plan)
                fetch(client, file, plan.partial, plan.hub_title, meter, cancelled)
            meter.finished(file.size)
    for path in plan.partial.iterdir():
        if path.name not in {file.name for file in plan.files}:
            path.unlink()


def _is_here(file: RemoteFile, plan: DownloadPlan, cancelled: Cancelled) -> bool:
    """Whether the file is complete from an earlier try, or the same as the one that is installed."""
    gathered, installed = plan.partial / file.name, plan.target / file.name
    if matches(gathered, file, cancelled):
        return True
    gathered.unlink(missing_ok=True)
    # Without a hash, a file of the same size may be an older one.
    if file.identity is None or not matches(installed, file, cancelled):
        return False
    try:
        os.link(installed, gathered)
    except OSError:  # a file system without links
        shutil.copy2(installed, gathered)
    return True


def _check_space(plan: DownloadPlan) -> None:
    here = sum(max(size_of(plan.partial / file.name), size_of(part_path(plan.partial, file))) for file in plan.files)
    needed = plan.total_bytes - here
    free = shutil.disk_usage(plan.partial).free
    if free < needed + SPARE_BYTES:
        raise ModelError(
            "The download needs {needed} MB more in {folder}, and only {free} MB are free there. Free some space, or "
            "set EMOSTORE_DATA_DIR to a folder on a larger disk, then start the download again.",
            needed=f"{(needed + SPARE_BYTES) / 1e6:,.0f}",
            free=f"{free / 1e6:,.0f}",
            folder=str(plan.target.parent),
        )


def _check(plan: DownloadPlan) -> None:
    """Whether the files together are a checkpoint that the engine accepts."""
    try:
        read_checkpoint(plan.partial)
    except ModelError as error:
        raise ModelError(
            "{hub} serves files that are not a model which can be used. {problem} The hub may have been given "
            "another model; take the other hub.",
            hub=plan.hub_title,
            problem=error,
        ) from error


def _write_record(plan: DownloadPlan, cancelled: Cancelled) -> None:
    files = {
        file.name: FileRecord(
            size=file.size, sha256=file.sha256 or digest(plan.partial / file.name, hashlib.sha256(), cancelled)
        )
        for file in plan.files
    }
    record = DownloadRecord(
        source=plan.source,
        base_url=plan.base_url,
        repository=plan.repository,
        commit=plan.commit,
        downloaded_at=datetime.now(UTC),
        files=files,
    )
    (plan.partial / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename the complete folder, so that nobody ever sees half of one; what was there before goes."""
    old = _old(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(partial, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _old(target: Path) -> Path:
    return target.with_name(target.name + ".old")


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Hold the lock of the folder; the operating system frees it when the process ends, however it ends."""
    lock = FileLock(target.with_name(target.name + ".lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ModelError(
            "Another download of the model is running in {folder}. Wait until it is done, or stop it.",
            folder=str(target.parent),
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _sentences(plan: DownloadPlan) -> Iterator[None]:
    """Turn what the disk refuses into sentences; network failures are no `OSError` here."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                "The disk of {folder} is full. What has arrived is kept; free some space and start the download again "
                "to continue.",
                folder=str(plan.target.parent),
            ) from error
        raise ModelError(
            "The download cannot be written to {folder}: {problem}. Check the folder's permissions, or set "
            "EMOSTORE_DATA_DIR to another one.",
            folder=str(plan.target.parent),
            problem=error.strerror or str(error),
        ) from error
