"""Where on this machine Emotion2Vec+ Large may lie: the data folder and the caches of the two hubs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from emostore.engine.checkpoint import LARGE, missing_files

MODELSCOPE_OWNER = "iic"
HUGGINGFACE_OWNER = "emotion2vec"

logger = logging.getLogger(__name__)


def download_folder(data_dir: Path) -> Path:
    """Where the app itself puts the checkpoint."""
    return data_dir / "models" / LARGE


def search(data_dir: Path, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Every folder in which the checkpoint is looked for, existing or not, in the order of preference."""
    home = Path(environ.get("HOME") or Path.home())
    return (
        download_folder(data_dir),
        *(folder for root in _modelscope_roots(environ, home) for folder in _modelscope_folders(root)),
        _huggingface_root(environ, home) / f"models--{HUGGINGFACE_OWNER}--{LARGE}",
    )


def find(data_dir: Path, environ: Mapping[str, str] = os.environ) -> tuple[Path | None, tuple[Path, ...]]:
    """The first complete checkpoint, if any, and the incomplete ones (begun, but files are missing)."""
    incomplete: list[Path] = []
    for folder in search(data_dir, environ):
        try:
            for candidate in _snapshots(folder):
                if not missing_files(candidate):
                    return candidate, tuple(incomplete)
                if candidate.is_dir() and any(candidate.iterdir()):
                    incomplete.append(candidate)
        except (OSError, UnicodeDecodeError) as error:  # another user's cache, say, is no reason to stop
            logger.debug("%s was not searched: %s", folder, error)
    return None, tuple(incomplete)


def _modelscope_roots(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    if environ.get("MODELSCOPE_CACHE"):
        root = Path(environ["MODELSCOPE_CACHE"]).expanduser()
    else:
        root = home / ".cache" / "modelscope"
    return (root, root / "hub")  # older versions put everything under hub


def _modelscope_folders(root: Path) -> Iterator[Path]:
    yield root / "models" / f"{MODELSCOPE_OWNER}--{LARGE}"  # since modelscope 1.38, with snapshots
    yield root / "models" / MODELSCOPE_OWNER / LARGE
    yield root / MODELSCOPE_OWNER / LARGE


def _huggingface_root(environ: Mapping[str, str], home: Path) -> Path:
    """See https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]).expanduser() / "hub"
    cache = Path(environ["XDG_CACHE_HOME"]) if environ.get("XDG_CACHE_HOME") else home / ".cache"
    return cache / "huggingface" / "hub"


def _snapshots(folder: Path) -> Iterator[Path]:
    """The folder itself, or its snapshots: the one that `refs` points to first, then the newest."""
    inside = folder / "snapshots"
    if not inside.is_dir():
        yield folder
        return
    for reference in ("main", "master"):
        pointer = folder / "refs" / reference
        if pointer.is_file():
            current = inside / pointer.read_text(encoding="utf-8").strip()
            if current.is_dir():
                yield current
    yield from sorted(
        (path for path in inside.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True
    )
