"""The kept audio: originals under the data folder, named by their content."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from emostore.errors import StoreError

# What every current browser plays by itself, by FFmpeg's codec name and the container it comes in.
_BROWSER_PLAYS = {
    ("wav", "pcm_s16le"): "audio/wav",
    ("wav", "pcm_u8"): "audio/wav",
    ("wav", "pcm_s24le"): "audio/wav",
    ("wav", "pcm_f32le"): "audio/wav",
    ("mp3", "mp3"): "audio/mpeg",
    ("mp3", "mp3float"): "audio/mpeg",
    ("flac", "flac"): "audio/flac",
    ("ogg", "opus"): "audio/ogg",
    ("ogg", "vorbis"): "audio/ogg",
    ("mov,mp4,m4a,3gp,3g2,mj2", "aac"): "audio/mp4",
    ("matroska,webm", "opus"): "audio/webm",
}


@dataclass(frozen=True, slots=True)
class Media:
    """A kept file and its MIME type; `mime_type` is None where browsers cannot play it."""

    path: Path
    mime_type: str | None


def path_of(sha256: str) -> str:
    """Where the audio with this content is kept, relative to the data folder."""
    return f"audio/{sha256[:2]}/{sha256}"


def keep(source: Path, sha256: str, data_dir: Path) -> str:
    """Copy a recording into the data folder and return its path relative to it.

    The name is the content's hash, so keeping twice stores once, and no name by a user ever becomes a path.
    """
    relative = path_of(sha256)
    target = data_dir / relative
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: a crash never leaves half a file under the final name.
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=".keep-")
        try:
            with os.fdopen(handle, "wb") as out, source.open("rb") as stream:
                shutil.copyfileobj(stream, out, 1024 * 1024)
            os.replace(aside, target)
        except OSError as error:
            Path(aside).unlink(missing_ok=True)
            raise StoreError(
                "The recording could not be kept in {folder}: {problem}. Free some space or change the data folder.",
                folder=str(target.parent),
                problem=error.strerror or str(error),
            ) from error
    return relative


def find(relative: str | None, container: str, codec: str, data_dir: Path) -> Media | None:
    """The kept file of a recording, or None where none was kept or it is gone."""
    if relative is None:
        return None
    path = (data_dir / relative).resolve()
    if not path.is_relative_to(data_dir.resolve()) or not path.is_file():
        return None
    return Media(path, _BROWSER_PLAYS.get((container, codec)))
