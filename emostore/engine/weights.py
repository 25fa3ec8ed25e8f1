"""The tensors of a checkpoint's `model.pt`, read without executing anything in it."""

from __future__ import annotations

import hashlib
import math
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emostore.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

REVISION_DIGITS = 12
_BLOCK_BYTES = 16 * 1024**2  # large, because a thread that hashes waits for its turn after each
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # in the order in which FunASR unwraps them


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file does: size in bytes, times in ns. Another state is not proof of other bytes."""

    size: int
    mtime_ns: int
    ctime_ns: int  # cannot be set back, as a copy with its old times sets `mtime_ns`


_digests: dict[tuple[Path, FileState], str] = {}  # SHA-256; 1.9 GB take a second


def state_of(path: Path) -> FileState:
    """The state of a file now. Raises `OSError` where it is not there."""
    found = path.stat()
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def digest_of(path: Path) -> str:
    """The file's SHA-256 in hex digits, computed once a process for each state. Raises `OSError`."""
    state = state_of(path)
    if (path, state) not in _digests:
        _digests[path, state] = digest(path)
    return _digests[path, state]


def remember_digest(path: Path, state: FileState, known: str) -> None:
    """Spare `digest_of` the reading, where the digest of that state was written down earlier."""
    _digests[path, state] = known


def digest(path: Path) -> str:
    """The file's SHA-256 in hex digits, read now. Other threads run meanwhile."""
    hashed = hashlib.sha256()
    block = bytearray(_BLOCK_BYTES)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            hashed.update(memoryview(block)[:count])
    return hashed.hexdigest()


def revision_of(path: Path) -> str:
    """The first `REVISION_DIGITS` hex digits of the file's SHA-256."""
    return digest_of(path)[:REVISION_DIGITS]


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
        # Extremes carry NaN and infinity along, twenty times faster than asking each value.
        if tensor.numel() and not all(math.isfinite(extreme) for extreme in taken[name].aminmax()):
            raise ModelError(
                "{path} holds values in {name} that are not numbers. Download it again.", path=str(path), name=name
            )
    return taken
