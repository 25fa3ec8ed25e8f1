"""Deleting, with everything that hangs on it: rows in one transaction, kept audio after it.

A crash in between leaves files that no recording names; `sweep_orphans` finds these. Never the other
way round: a recording whose audio was deleted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from emostore import access
from emostore.config import Settings
from emostore.services.sound import cache, media
from emostore.store import audit
from emostore.store.session import Store
from emostore.store.writing import deletes, edits
from emostore.store.writing.deletes import Deleted

log = logging.getLogger(__name__)

ORPHAN_S = 24 * 3600.0  # a file is kept before its recording is saved, so young ones are left alone
_AT_ONCE = 500  # files looked up in one transaction


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted; `bytes_freed` is the size of the kept audio."""

    clips: int
    recordings: int
    bytes_freed: int


def delete_clips(store: Store, settings: Settings, clip_ids: Sequence[int]) -> Deletion:
    """Delete clips and all that is known of them; a recording and its audio go with its last clip."""
    access.require("delete", clip_ids)
    with edits.changing(store) as session:
        gone = deletes.delete_clips(session, clip_ids)
        only = clip_ids[0] if len(clip_ids) == 1 else None
        audit.record(session, access.current_user().name, "deleted", "clip", only, _details(gone))
    return _finish(store, settings, gone)


def delete_session(store: Store, settings: Settings, session_id: int) -> Deletion:
    """Delete a session and its clips."""
    access.require("delete", session_id)
    with edits.changing(store) as session:
        gone = deletes.delete_session(session, session_id)
        audit.record(session, access.current_user().name, "deleted", "session", session_id, _details(gone))
    return _finish(store, settings, gone)


def delete_agent(store: Store, settings: Settings, name: str, *, with_clips: bool) -> Deletion:
    """Delete an agent; the clips go too, or stay without an agent."""
    access.require("delete", name)
    with edits.changing(store) as session:
        gone = deletes.delete_agent(session, name, with_clips=with_clips)
        audit.record(session, access.current_user().name, "deleted", "agent", None, _details(gone))
    return _finish(store, settings, gone)


def sweep_orphans(store: Store, settings: Settings, older_than_s: float = ORPHAN_S) -> int:
    """Remove kept audio that no recording names, and half-written files; how many files."""
    access.require("administer")
    removed = 0
    latest = time.time() - older_than_s
    old = (path for path in media.kept_files(settings.data_dir) if _changed_at(path) <= latest)
    while some := list(islice(old, _AT_ONCE)):
        removed += _remove(store, settings, [path.relative_to(settings.data_dir).as_posix() for path in some])[0]
    return removed


def _finish(store: Store, settings: Settings, gone: Deleted) -> Deletion:
    freed = 0
    for start in range(0, len(gone.media_paths), _AT_ONCE):
        freed += _remove(store, settings, gone.media_paths[start : start + _AT_ONCE])[1]
    return Deletion(gone.clips, gone.recordings, freed)


def _remove(store: Store, settings: Settings, media_paths: Sequence[str]) -> tuple[int, int]:
    """Remove those files that no recording names, how many and their bytes."""
    count = freed = 0
    with deletes.unclaimed(store, media_paths) as free:
        for relative in free:
            path = media.resolve(relative, settings.data_dir)
            try:
                size = path.stat().st_size if path else 0
                if path:
                    path.unlink()
                    count, freed = count + 1, freed + size
                if sha256 := media.hash_of(relative):
                    cache.forget(sha256, settings.data_dir)
            except FileNotFoundError:
                continue
            except OSError as error:  # it stays for `sweep_orphans`
                log.warning("The file %s could not be removed: %s", relative, error)
    return count, freed


def _changed_at(path: Path) -> float:
    # A second name for a staged file has the old modification time; the inode's own tells when it was made.
    try:
        found = path.stat()
    except FileNotFoundError:
        return float("inf")
    return max(found.st_mtime, found.st_ctime)


def _details(gone: Deleted) -> dict[str, object]:
    names = list(gone.file_names[: audit.LISTED])
    named = {"name": gone.name} if gone.name is not None else {}
    return {**named, "clips": gone.clips, "recordings": gone.recordings, "files": names}
