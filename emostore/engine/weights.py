"""The tensors of a checkpoint's `model.pt`, read without executing anything in it."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emostore.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

REVISION_DIGITS = 12
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # in the order in which FunASR unwraps them


def revision_of(path: Path) -> str:
    """The first `REVISION_DIGITS` hex digits of the file's SHA-256, hashed again only when the file changes."""
    found = path.stat()
    return _digest(path, found.st_size, found.st_mtime_ns)[:REVISION_DIGITS]


@lru_cache(maxsize=32)  # 1.9 GB take seconds; size and time are part of the key only
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a torch file by name, memory-mapped where its format allows, without a wrapper.

    Raises `ModelError` where the file holds anything but plain data: `weights_only` refuses every pickle
    that would call a function, before it is called.
    """
    import torch

    try:
        # Files older than torch 1.6 are bare pickles, which cannot be mapped.
        mapped = zipfile.is_zipfile(path)
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise ModelError(
            "{path} is damaged or holds more than plain tensors, so it was not opened. "
            "Download it again, from a source that you trust.",
            path=str(path),
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            "{path} cannot be read as a torch file: {problem}. Download it again.",
            path=str(path),
            problem=(str(error).splitlines() or [type(error).__name__])[0].rstrip("."),
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not any(torch.is_tensor(value) for value in loaded.values()):
        raise ModelError("{path} holds no tensors by name. Download it again.", path=str(path))
    return {str(name): value for name, value in loaded.items() if torch.is_tensor(value)}


def find(tensors: Mapping[str, Tensor], name: str, prefixes: Iterable[str]) -> Tensor | None:
    """The tensor that FunASR would take for `name`: of several prefixes the last one that fits, else none."""
    found = tensors.get(name)
    for prefix in prefixes:
        found = tensors.get(prefix + name, found)
    return found


def take(
    tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], prefixes: Iterable[str], path: Path
) -> dict[str, Tensor]:
    """Copies of the tensors of these names and shapes, float32.

    Raises `ModelError` naming what is missing, shaped differently or not finite, where FunASR would go on
    with random numbers.
    """
    import torch

    prefixes = tuple(prefixes)
    taken = {}
    for name, shape in shapes.items():
        tensor = find(tensors, name, prefixes)
        if tensor is None:
            raise ModelError(
                "{path} lacks the tensor {name}, which config.yaml asks for. Download the checkpoint again.",
                path=str(path),
                name=name,
            )
        if tuple(tensor.shape) != shape or tensor.layout != torch.strided or not tensor.is_floating_point():
            raise ModelError(
                "{path} holds {name} with shape {found} and type {dtype}; config.yaml asks for floats of shape "
                "{needed}. The two files belong to different checkpoints: download both again.",
                path=str(path),
                name=name,
                found=str(tuple(tensor.shape)),
                dtype=str(tensor.dtype).removeprefix("torch."),
                needed=str(shape),
            )
        # A copy, because a mapped file that is replaced while it is in use would end the process.
        taken[name] = tensor.to(torch.float32, copy=True)
        if not bool(torch.isfinite(taken[name]).all()):
            raise ModelError(
                "{path} holds values in {name} that are not numbers. Download it again.", path=str(path), name=name
            )
    return taken
