"""A checkpoint's weights as inference needs them: converted once, then memory-mapped.

`model.pt` holds three times what inference reads. `Loading` keeps what it needs in a safetensors file in
`<cache>/models`, with a record beside it: which state of which `model.pt` it was made of (SHA-256) and
what its own bytes are (SHA-256). What a start does:

- size and times of `model.pt` are compared with the record; where they differ, the file is hashed again,
  and only other bytes are converted again;
- every byte of the slim file is read and hashed, in a second thread while torch is imported: a file that is
  half-written, truncated or has a flipped bit is never used, and one that is used is in memory by then;
- what is not as recorded is made again from `model.pt`. Where it cannot be kept (no permission, a full
  disk), the weights are used without a cache and the log says so.

The hashes are there against accidents: whoever may write in the cache folder can replace record and file
together, as he could replace the database.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from emostore.engine import weights
from emostore.engine.architecture import AUDIO, shapes
from emostore.engine.checkpoint import Checkpoint, load_weights
from emostore.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "models"
FORMAT = 1  # of the slim file; another one makes every cache anew
SPARE_BYTES = 100 * 1024**2  # left free for the database, which shares the disk
PART = ".part"
LOCK_WAIT_S = 120.0  # for another process that converts; after that this one goes on without the cache

EXACT = ("proj.", f"{AUDIO}local_encoder.conv_layers.0.")  # what the network computes in float32 at any rate
Kept = Literal["float32", "bfloat16"]
Layout = Mapping[str, tuple[tuple[int, ...], Kept]]  # name → shape and type
_BYTES: Mapping[Kept, int] = {"float32": 4, "bfloat16": 2}

logger = logging.getLogger(__name__)


class SlimRecord(BaseModel):
    """What a slim file was made of and what its bytes are; digests are SHA-256 in hex digits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    state: weights.FileState
    sha256: str
    slim: str
    slim_sha256: str


def load(checkpoint: Checkpoint, cache_dir: Path | None = None, keep: Kept = "float32") -> dict[str, Tensor]:
    """`begin` and `Loading.tensors` at once."""
    return begin(checkpoint, cache_dir).tensors(keep)


def begin(checkpoint: Checkpoint, cache_dir: Path | None = None) -> Loading:
    """Begin to check what lies in `<cache_dir>/models` of this checkpoint, in another thread.

    Raises `ModelError` where `config.yaml` describes a network that is not supported.
    """
    slots = {}
    if cache_dir is not None:
        folder = cache_dir.absolute() / FOLDER
        slots = {keep: _Slot(folder, checkpoint.weights, layout_of(checkpoint, keep)) for keep in _BYTES}
    pool = ThreadPoolExecutor(1, "slim")
    checks = {keep: pool.submit(slot.check) for keep, slot in slots.items()}
    pool.shutdown(wait=False)
    return Loading(checkpoint, slots, checks)


@dataclass(frozen=True, slots=True)
class Loading:
    """Weights on their way: while the other thread reads, torch can be imported, which takes a second."""

    checkpoint: Checkpoint
    slots: Mapping[Kept, _Slot]
    checks: Mapping[Kept, Future[SlimRecord | None]]

    def tensors(self, keep: Kept = "float32") -> dict[str, Tensor]:
        """The tensors that inference needs, by FunASR's names without prefixes, in the shapes of the network.

        With `keep` bfloat16, matrices and kernels are rounded to it, except the head's and that of the first
        convolution; everything else is float32. With a cache they are mapped from it, privately: what is
        written to them reaches no file. Raises `ModelError` where `model.pt` is not what `config.yaml` and
        `tokens.txt` ask for, or not plain tensors.
        """
        if keep not in self.slots:
            return _convert(self.checkpoint, layout_of(self.checkpoint, keep))
        slot, record = self.slots[keep], self.checks[keep].result()
        return (slot.map(record) if record else None) or _build(self.checkpoint, slot)


def layout_of(checkpoint: Checkpoint, keep: Kept = "float32") -> Layout:
    """Names, shapes and types of the tensors that inference needs."""
    return {name: (shape, _kept(name, shape, keep)) for name, shape in shapes(checkpoint).items()}


def _kept(name: str, shape: tuple[int, ...], keep: Kept) -> Kept:
    is_matrix = len(shape) > 1 and name.endswith(".weight")
    return keep if is_matrix and not name.startswith(EXACT) else "float32"


def _convert(checkpoint: Checkpoint, layout: Layout) -> dict[str, Tensor]:
    """The tensors from `model.pt`, checked one by one."""
    import torch

    shapes = {name: shape for name, (shape, _) in layout.items()}
    tensors = weights.take(load_weights(checkpoint), shapes, checkpoint.prefixes, checkpoint.weights)
    return {name: tensors[name].to(getattr(torch, kept)) for name, (_, kept) in layout.items()}


def _build(checkpoint: Checkpoint, slot: _Slot) -> dict[str, Tensor]:
    """Convert the weights, and keep the result where that is possible."""
    try:
        slot.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(slot.folder / "lock", timeout=LOCK_WAIT_S):
            record = slot.check()  # another process may have made it meanwhile
            if record and (found := slot.map(record)):
                return found
            state, digest = weights.state_of(slot.source), weights.digest_of(slot.source)
            tensors = _convert(checkpoint, slot.layout)
            if weights.state_of(slot.source) != state:
                raise ModelError("{path} was replaced while it was read. Try again.", path=str(slot.source))
            return slot.keep(tensors, state, digest)
    except (OSError, Timeout) as error:
        logger.warning("the weights are not cached in %s: %s", slot.folder, error)
        return _convert(checkpoint, slot.layout)


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where the slim file of one `model.pt` in one layout lies, with its record."""

    folder: Path
    source: Path
    layout: Layout

    @property
    def _layout_digest(self) -> str:
        return hashlib.sha256(json.dumps([FORMAT, self.layout]).encode()).hexdigest()[:8]

    @property
    def _record_path(self) -> Path:
        place = hashlib.sha256(os.fsencode(self.source)).hexdigest()[:16]
        return self.folder / f"{place}-{self._layout_digest}.json"

    def check(self) -> SlimRecord | None:
        """The record, if the source is as it says and the slim file has, byte for byte, the digest it gives."""
        record = _read(self._record_path)
        if record is None or record.source != str(self.source):
            return None
        try:
            state = weights.state_of(self.source)
            if state == record.state:
                weights.remember_digest(self.source, state, record.sha256)
            elif weights.digest_of(self.source) != record.sha256:
                return None
            if weights.digest(self.folder / record.slim) != record.slim_sha256:
                logger.warning("%s is damaged; it is made again", self.folder / record.slim)
                return None
            if state != record.state:  # touched or copied, with the same bytes
                self._write(record.model_copy(update={"state": state}))
        except OSError as error:
            logger.debug("no cached weights for %s: %s", self.source, error)
            return None
        return record

    def map(self, record: SlimRecord) -> dict[str, Tensor] | None:
        """The tensors of the file, mapped; None where it is not of this layout."""
        from safetensors.torch import load_file

        try:
            tensors: dict[str, Tensor] = load_file(self.folder / record.slim)
        except (OSError, SafetensorError) as error:
            logger.warning("%s cannot be mapped: %s", self.folder / record.slim, error)
            return None
        found = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
        wanted = {name: (shape, f"torch.{kept}") for name, (shape, kept) in self.layout.items()}
        return tensors if found == wanted else None

    def keep(self, tensors: dict[str, Tensor], state: weights.FileState, digest: str) -> dict[str, Tensor]:
        """Write the file, then the record, and map it; the tensors as they are where that fails."""
        from safetensors.torch import save_file

        name = f"{digest[:16]}-{self._layout_digest}.safetensors"
        part = self.folder / f"{name}{PART}"
        try:
            needed = sum(math.prod(shape) * _BYTES[kept] for shape, kept in self.layout.values())
            if shutil.disk_usage(self.folder).free < needed + SPARE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            save_file(tensors, part)
            _into_place(part, self.folder / name)
            record = SlimRecord(
                source=str(self.source),
                state=state,
                sha256=digest,
                slim=name,
                slim_sha256=weights.digest(self.folder / name),
            )
            self._write(record)
            self._sweep()
        except (OSError, SafetensorError) as error:
            logger.warning("the weights are not cached in %s: %s", self.folder, error)
            part.unlink(missing_ok=True)
            return tensors
        return self.map(record) or tensors

    def _write(self, record: SlimRecord) -> None:
        part = self._record_path.with_suffix(PART)
        part.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _into_place(part, self._record_path)

    def _sweep(self) -> None:
        """Delete what belongs to a source that is gone, and files that no record names."""
        named = set()
        for path in self.folder.glob("*.json"):
            record = _read(path)
            if record and Path(record.source).exists():
                named.add(record.slim)
            else:
                path.unlink(missing_ok=True)
        for path in (*self.folder.glob("*.safetensors"), *self.folder.glob(f"*{PART}")):
            if path.name not in named:
                path.unlink(missing_ok=True)


def _read(path: Path) -> SlimRecord | None:
    try:
        return SlimRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _into_place(part: Path, path: Path) -> None:
    """Rename a file that is whole on the disk, so that a crash leaves the old one or the new one."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
