"""What was handed in, as named files to read: single files, folders, and zips that nobody unpacks.

Nothing is ever written under a name that stands in an archive. Everything an archive declares is checked before any of
it is read, and what comes out of it is counted again.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from typing_extensions import override

from emostore.errors import EmostoreError, MetadataError
from emostore.services.importing.bounded import MIB
from emostore.services.importing.values import quoted

MAX_FILES = 50_000  # in one import
MAX_DIRECTORY_BYTES = 8 * MIB  # of a zip's list of contents, which is read at once
MAX_UNPACKED_BYTES = 8 * 1024 * MIB  # of a zip
MAX_RATIO = 200  # unpacked to packed; scores in JSON reach 50
_RATIO_FROM = 16 * MIB  # below this, a high ratio harms nobody
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UTF_8 = 0x800  # the bit of a name that is in UTF-8
_DRIVE = re.compile(r"^[A-Za-z]:")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Given:
    """Something handed in under a name: a path, or an open file."""

    name: str
    source: Path | IO[bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that can be opened again and again; `name` is a path with slashes, for people and for grouping only."""

    name: str
    size: int
    opened: Callable[[], IO[bytes]] = field(repr=False)
    path: Path | None = None  # where it is a file of its own

    @property
    def folder(self) -> str:
        """Where it lies: the name without its last part."""
        return self.name.rpartition("/")[0]

    @property
    def base(self) -> str:
        """The last part of its name, in lower case."""
        return self.name.rpartition("/")[2].lower()

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The bytes. Raises `MetadataError` when they cannot be read, also later."""
        try:
            with self.opened() as stream:
                yield stream
        except _DAMAGED as error:
            if isinstance(error, EmostoreError):
                raise
            raise MetadataError("It is damaged and cannot be unpacked. Make the zip again.") from error
        except OSError as error:
            raise MetadataError("It cannot be read: {problem}.", problem=error.strerror or str(error)) from error


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not taken, and why; `line` counts from 1 where only a line of it is meant."""

    name: str
    reason: EmostoreError
    line: int | None = None


@dataclass(slots=True)
class Listing:
    """All files that were found, and those that were refused for what they are."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@contextmanager
def listed(given: Sequence[Given]) -> Iterator[Listing]:
    """The files of everything handed in; they can be opened until the end of the block."""
    found = Listing()
    with ExitStack() as stack:
        for each in given:
            try:
                _add(each, found, stack)
            except EmostoreError as error:
                found.refused.append(Refused(each.name, error))
        yield found


def _add(given: Given, found: Listing, stack: ExitStack) -> None:
    if isinstance(given.source, Path):
        if given.source.is_dir():
            _add_folder(given, found, stack)
            return
        path = given.source
        entry = Entry(given.name, _size(path), partial(_read, path), path)
    else:
        entry = _of_stream(given.name, given.source)
    if entry.base.endswith(".zip"):
        _add_zip(entry, found, stack)
    else:
        _take(found, entry)


def _take(found: Listing, entry: Entry) -> None:
    if len(found.entries) >= MAX_FILES:
        raise MetadataError("There are more than {allowed:,} files. Import them in parts.", allowed=MAX_FILES)
    found.entries.append(entry)


def _read(path: Path) -> IO[bytes]:
    return path.open("rb")


def _size(path: Path) -> int:
    """The size of a regular file: a named pipe would let its reader wait for ever."""
    try:
        status = path.lstat() if path.is_symlink() else path.stat()
    except OSError as error:
        raise MetadataError("It cannot be read: {problem}.", problem=error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise MetadataError("It is a link or no file at all. Name the file that is meant.")
    return status.st_size


def _of_stream(name: str, stream: IO[bytes]) -> Entry:
    size = stream.seek(0, os.SEEK_END)

    def opened() -> IO[bytes]:
        stream.seek(0)
        return cast(IO[bytes], _Kept(stream))

    return Entry(name.replace("\\", "/"), size, opened)


class _Kept(io.RawIOBase):
    """An open file of somebody else's: it is read, and not closed."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    @override
    def tell(self) -> int:
        return self._stream.tell()

    @override
    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    @override
    def readline(self, size: int | None = -1, /) -> bytes:
        return self._stream.readline(-1 if size is None else size)


def _add_folder(given: Given, found: Listing, stack: ExitStack) -> None:
    """The files of a folder and those below it, in a stable order. Links are not followed."""
    root = given.source
    for place, folders, names in os.walk(str(root), followlinks=False):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            relative = f"{given.name}/{path.relative_to(str(root)).as_posix()}"
            if name.startswith("."):
                continue
            try:
                entry = Entry(relative, _size(path), partial(_read, path), path)
                if entry.base.endswith(".zip"):
                    _add_zip(entry, found, stack)
                else:
                    _take(found, entry)
            except EmostoreError as error:
                found.refused.append(Refused(relative, error))
                if len(found.entries) >= MAX_FILES:
                    return


def _add_zip(archive: Entry, found: Listing, stack: ExitStack) -> None:
    """The files of a zip; a dishonest one is refused whole."""
    try:
        stream = _Careful(stack.enter_context(archive.opened()))
        opened = zipfile.ZipFile(stream)
        stream.most = None
    except _DAMAGED as error:
        if isinstance(error, EmostoreError):
            raise
        raise MetadataError("It is no zip, or a damaged one. Make the zip again.") from error
    except OSError as error:
        raise MetadataError("It cannot be read: {problem}.", problem=error.strerror or str(error)) from error
    members = [each for each in opened.infolist() if not each.is_dir()]
    _check_sizes(members, archive.size)
    _check_names(members)
    root = PurePosixPath(archive.name)
    for member in members:
        name = _name(member)
        if name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith("."):
            continue
        if name.lower().endswith(".zip"):
            nested = MetadataError("It is a zip inside a zip, which is not opened. Unpack the outer one first.")
            found.refused.append(Refused(f"{root}/{name}", nested))
            continue
        _take(found, Entry(f"{root}/{name}", member.file_size, partial(opened.open, member)))


def _check_sizes(members: Sequence[zipfile.ZipInfo], size: int) -> None:
    unpacked, packed = sum(each.file_size for each in members), sum(each.compress_size for each in members)
    if len(members) > MAX_FILES:
        raise MetadataError("There are more than {allowed:,} files. Import them in parts.", allowed=MAX_FILES)
    if unpacked > MAX_UNPACKED_BYTES:
        raise MetadataError(
            "Unpacked, it would take {found:,} MB; {allowed:,} MB are allowed. Import it in parts.",
            found=unpacked // MIB,
            allowed=MAX_UNPACKED_BYTES // MIB,
        )
    if packed > size or (unpacked > _RATIO_FROM and unpacked > MAX_RATIO * size):
        raise MetadataError(
            "Its {size:,} bytes would unpack to {found:,}, as only archives made to fill a disk do. It is not opened.",
            size=size,
            found=unpacked,
        )


def _check_names(members: Sequence[zipfile.ZipInfo]) -> None:
    names = set()
    for member in members:
        name = _name(member)
        kind = stat.S_IFMT(member.external_attr >> 16)
        parts = name.replace("\\", "/").split("/")
        if "\0" in name or "\\" in name or name.startswith("/") or _DRIVE.match(name) or ".." in parts:
            raise MetadataError("It holds a file called {name}, which leads out of its folder.", name=quoted(name))
        if kind not in (0, stat.S_IFREG):
            raise MetadataError("It holds {name}, which is a link or no file at all.", name=quoted(name))
        if member.flag_bits & 1:
            raise MetadataError("It is locked with a password. Unpack it first.")
        if member.compress_type not in _METHODS:
            raise MetadataError("{name} is packed in an unusual way. Make the zip again.", name=quoted(name))
        if name in names:
            raise MetadataError("It holds two files called {name}; which counts is not said.", name=quoted(name))
        names.add(name)


def _name(member: zipfile.ZipInfo) -> str:
    """What a file of a zip is called: as it stands there, which is not what `filename` makes of it.

    Without the mark for UTF-8 no encoding is named: tools on Windows in Chinese write GB18030 then.
    """
    if member.flag_bits & _UTF_8:
        return member.orig_filename
    stored = member.orig_filename.encode("cp437")
    for encoding in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            return stored.decode(encoding)
    return member.orig_filename


class _Careful:
    """The file of a zip. While its list of contents is read, which takes one long read, that must not be too long."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.most: int | None = MAX_DIRECTORY_BYTES

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, if that is not more than a list of contents may have."""
        if self.most is not None and size > self.most:
            raise MetadataError("Its list of contents is longer than {allowed} MB.", allowed=self.most // MIB)
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
