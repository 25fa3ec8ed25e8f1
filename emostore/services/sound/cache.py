"""Files that can be made again from kept audio, under the data folder and named by the recording's content."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from emostore.errors import StoreError

FOLDER = "cache"
_ASIDE = ".make-"  # how the name of a file begins that is still being written
_ABANDONED_S = 24 * 3600.0  # after this long nobody writes any more

_making = threading.Lock()


def path_of(sha256: str, kind: str, data_dir: Path) -> Path:
    """Where what was made of a recording lies; `kind` ends its name."""
    return data_dir / FOLDER / sha256[:2] / f"{sha256}.{kind}"


def made(path: Path, make: Callable[[Path], None]) -> Path:
    """The file at `path`, made if it is not there: whole or not at all, and by one thread at a time.

    So ten readers who open the same recording do not encode it ten times. Raises `StoreError` if the disk does not
    take it, and what `make` raises.
    """
    if path.exists():
        return path
    with _making:
        if not path.exists():
            _make(path, make)
    return path


def forget(sha256: str, data_dir: Path) -> None:
    """Remove all that was made of a recording."""
    for path in path_of(sha256, "", data_dir).parent.glob(f"{sha256}.*"):
        path.unlink(missing_ok=True)


def _make(path: Path, make: Callable[[Path], None]) -> None:
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_ASIDE)
        os.close(handle)
        aside = Path(name)
        make(aside)
        os.replace(aside, path)
    except OSError as error:
        raise StoreError(
            "The recording could not be prepared for listening in {folder}: {problem}. "
            "Free some space or change the data folder.",
            folder=str(path.parent),
            problem=error.strerror or str(error),
        ) from error
    finally:
        if aside:
            aside.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    for left in folder.glob(f"{_ASIDE}*"):
        if left.stat().st_mtime < time.time() - _ABANDONED_S:
            left.unlink(missing_ok=True)
