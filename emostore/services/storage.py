"""How much room everything takes."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from emostore import access
from emostore.config import Settings
from emostore.engine import slim
from emostore.engine.places import download_folder
from emostore.services.queue import staging
from emostore.services.sound import media
from emostore.store.reports import reports, size
from emostore.store.session import Store


@dataclass(frozen=True, slots=True)
class StorageUse:
    """Bytes by what they are for, those still free on the disk of the data folder, and what is stored.

    With the audio counts what was made of it for playing.
    """

    database_bytes: int
    audio_bytes: int
    staged_bytes: int
    models_bytes: int
    free_bytes: int
    recordings: int
    clips: int


def used(store: Store, settings: Settings) -> StorageUse:
    """How much room is used. It looks at every kept file, so ask rarely."""
    access.require("read")
    counts = reports.counts(store)
    folder = settings.data_dir
    converted = _bytes(settings.cache_dir / slim.FOLDER)
    return StorageUse(
        database_bytes=size.database_bytes(store),
        audio_bytes=_bytes(folder / media.FOLDER) + _bytes(settings.cache_dir) - converted,
        staged_bytes=_bytes(folder / staging.FOLDER),
        models_bytes=_bytes(download_folder(folder).parent) + converted,
        free_bytes=shutil.disk_usage(_existing(folder)).free,
        recordings=counts.recordings,
        clips=counts.clips,
    )


def _bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name), follow_symlinks=False).st_size
            except FileNotFoundError:  # deleted in this moment
                continue
    return total


def _existing(folder: Path) -> Path:
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if path.exists())
