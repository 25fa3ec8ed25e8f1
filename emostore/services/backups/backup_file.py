"""The file of a backup: a zip with a manifest, one list of rows for each table, and the kept audio.

Nothing is ever unpacked by the names inside: only members that the manifest lists are read, each against
its size and hash.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import override

from emostore.errors import StoreError

MANIFEST = "manifest.json"
AUDIO_LIST = "audio.jsonl"
BLOCK = 1024 * 1024  # bytes held at a time
MAX_LINE = 64 * 1024**2  # bytes of one row
_MAX_MANIFEST = 16 * 1024**2

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0)]


class Member(BaseModel):
    """A part of the file, with what tells whether it is whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    bytes: Size
    sha256: Sha256


class TableMember(Member):
    """The rows of a table, one JSON array a line, in the order of `columns`."""

    table: str
    columns: tuple[str, ...]
    rows: Size


class Manifest(BaseModel):
    """What is in a backup. `missing` is how many recordings had lost their kept audio already."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["emostore backup"] = "emostore backup"
    version: Literal[1] = 1
    revision: str
    created_at: str
    tables: tuple[TableMember, ...]
    counters: dict[str, int]
    audio: Member
    audio_files: Size
    audio_bytes: Size
    missing: Size


class HashedWriter:
    """Writes a member and counts and hashes what goes through."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._digest, self.bytes = stream, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Write all of it."""
        self._stream.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    @property
    def sha256(self) -> str:
        """The hash so far."""
        return self._digest.hexdigest()


class HashedReader(io.RawIOBase):
    """Reads a member; one that is not what the manifest says is an error, at the latest at its end."""

    def __init__(self, stream: IO[bytes], member: Member, name: str) -> None:
        super().__init__()
        self._stream, self._member, self._name = stream, member, name
        self._digest, self._bytes = hashlib.sha256(), 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise damaged(self._name) from error
        buffer[: len(data)] = data
        self._digest.update(data)
        self._bytes += len(data)
        is_over = self._bytes > self._member.bytes
        is_other = not data and (self._bytes, self._digest.hexdigest()) != (self._member.bytes, self._member.sha256)
        if is_over or (is_other and len(buffer)):
            raise damaged(self._name)
        return len(data)


@contextmanager
def open_member(archive: zipfile.ZipFile, member: Member) -> Iterator[IO[bytes]]:
    """A member as a stream that checks itself. Raises `StoreError` if it is not there or damaged."""
    name = Path(str(archive.filename)).name
    try:
        stream = archive.open(member.name)
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise damaged(name) from error
    with stream, io.BufferedReader(HashedReader(stream, member, name), BLOCK) as reader:
        yield reader


def lines(reader: IO[bytes], name: str) -> Iterator[tuple[Any, int]]:
    """Each line's JSON, and its length in bytes."""
    while line := reader.readline(MAX_LINE):
        if not line.endswith(b"\n"):
            raise damaged(name)
        try:
            yield json.loads(line), len(line)
        except ValueError as error:
            raise damaged(name) from error


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """What is in the file. Raises `StoreError` if it is no backup of ours."""
    name = Path(str(archive.filename)).name
    try:
        with archive.open(MANIFEST) as stream:
            data = stream.read(_MAX_MANIFEST + 1)
        if len(data) > _MAX_MANIFEST:
            raise damaged(name)
        return Manifest.model_validate_json(data)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise not_a_backup(name) from error
    except ValidationError as error:
        raise not_a_backup(name) from error


def damaged(name: str) -> StoreError:
    """The error for a file that is not as it was written."""
    return StoreError("{name} is damaged, so nothing was restored. Take another copy of the backup.", name=name)


def not_a_backup(name: str) -> StoreError:
    """The error for another kind of file."""
    return StoreError("{name} is not a backup of this program that this version can read.", name=name)
