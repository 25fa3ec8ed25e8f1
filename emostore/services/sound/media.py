"""The kept audio under the data folder, named by its content: the original, or an Opus copy."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from emostore import audio
from emostore.config import Settings
from emostore.errors import AudioError, StoreError
from emostore.services.sound import opus
from emostore.store.writing.records import MediaKind

FOLDER = "audio"
_OPUS = ".opus"
_ASIDE = ".keep-"  # how the name of a file begins that is still being written
_NAME = re.compile(r"audio/([0-9a-f]{2})/(\1[0-9a-f]{62})(\.opus)?")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where audio was put, relative to the data folder, and as what."""

    path: str
    kind: MediaKind


def path_of(sha256: str, kind: MediaKind = "original") -> str:
    """Where the audio of the recording with this content is kept, relative to the data folder."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}{_OPUS if kind == 'opus' else ''}"


def hash_of(relative: str) -> str | None:
    """The hash of the recording whose audio is kept at a path; None for any other path."""
    found = _NAME.fullmatch(relative)
    return found[2] if found else None


def keep(source: Path, sha256: str, settings: Settings) -> Kept | None:
    """Keep the audio of a recording as the settings say: as it came, as Opus, or not at all (None).

    The name is the content's hash, so keeping twice stores once, and no name by a user ever becomes a path.
    What cannot be made into Opus (more than two channels) is kept as it came. Raises `StoreError` if the
    disk does not take it.
    """
    if settings.keep_audio == "none":
        return None
    if settings.keep_audio == "opus":
        limits = audio.Limits(settings.max_file_bytes, settings.max_duration_s, settings.max_channels)
        try:
            _write(settings.data_dir / path_of(sha256, "opus"), lambda aside: opus.encode(source, aside, limits))
            return Kept(path_of(sha256, "opus"), "opus")
        except AudioError:
            pass
    _write(settings.data_dir / path_of(sha256), lambda aside: _copy(source, aside))
    return Kept(path_of(sha256), "original")


def resolve(relative: str, data_dir: Path) -> Path | None:
    """The path of a kept file, whether it is there or not; None for a name that is not one of ours."""
    folder = (data_dir / FOLDER).resolve()
    path = (data_dir / relative).resolve()
    is_ours = _NAME.fullmatch(relative) or path.name.startswith(_ASIDE)
    return path if is_ours and path.is_relative_to(folder) else None


def find(relative: str | None, data_dir: Path) -> Path | None:
    """The kept file of a recording, or None where none was kept or it is gone."""
    path = resolve(relative, data_dir) if relative else None
    return path if path is not None and path.is_file() else None


def kept_files(data_dir: Path) -> Iterator[Path]:
    """Every file of kept audio, also those that are still being written."""
    folder = data_dir / FOLDER
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            yield path


def write(target: Path, stream: IO[bytes]) -> None:
    """Write a stream to a kept file, whole or not at all. Raises `StoreError` if the disk does not take it."""
    _write(target, lambda aside: _fill(stream, aside))


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as stream:
        _fill(stream, target)


def _fill(stream: IO[bytes], target: Path) -> None:
    with target.open("wb") as out:
        shutil.copyfileobj(stream, out, 1024 * 1024)


def _write(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a file aside and rename it: a crash never leaves half a file under the final name."""
    if target.exists():
        return
    aside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=_ASIDE)
        os.close(handle)
        aside = Path(name)
        fill(aside)
        os.replace(aside, target)
    except OSError as error:
        raise StoreError(
            "The recording could not be kept in {folder}: {problem}. Free some space or change the data folder.",
            folder=str(target.parent),
            problem=error.strerror or str(error),
        ) from error
    finally:
        if aside:
            aside.unlink(missing_ok=True)
