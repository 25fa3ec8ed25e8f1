"""One file from a hub: continued where it broke off, and checked before it gets its name.

What is on its way lies in `NAME.IDENTITY.part`, where the identity are the first digits of the hash that
the hub lists. A part is continued only under the same hash, which is a stronger validator than an ETag:
the machines that serve the files give each its own ETag, and the same bytes may come from either hub.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx2

from emostore.errors import ModelError
from emostore.i18n import N_
from emostore.services.downloads.connection import UnreachableError, problem_of, status_problem
from emostore.services.downloads.hubs import MIB, RemoteFile
from emostore.services.downloads.progress import Meter

RETRY_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
WORTH_A_FRESH_START = 8 * MIB  # bytes gained between two breaks after which the pauses begin anew
_RETRIED = (408, 425, 429, 500, 502, 503, 504)

Cancelled = Callable[[], bool]


class DownloadCancelledError(ModelError):
    """The download was stopped on request; what has arrived is kept."""


def fetch(client: httpx2.Client, file: RemoteFile, folder: Path, hub: str, meter: Meter, cancelled: Cancelled) -> None:
    """Bring `file` into `folder`, continuing what lies there.

    Raises `ModelError` where the hub stops answering (what has arrived is kept) or where what arrived is not
    what it lists (the file is deleted), `DownloadCancelledError`, and `OSError` of the disk.
    """
    part = part_path(folder, file)
    for stale in folder.glob(f"{file.name}.*part"):
        if stale != part or file.identity is None or stale.stat().st_size > file.size:
            stale.unlink()
    breaks = 0
    while (offset := size_of(part)) < file.size:
        try:
            _receive(client, file, part, meter, cancelled)
        except UnreachableError as error:
            breaks = 1 if size_of(part) - offset >= WORTH_A_FRESH_START else breaks + 1
            if breaks > len(RETRY_PAUSES_S):
                raise ModelError(
                    "The download of {name} from {hub} broke off: {problem} What has arrived is kept; start the "
                    "download again to continue, or take the other hub.",
                    name=file.name,
                    hub=hub,
                    problem=error.problem,
                ) from error
            _wait(RETRY_PAUSES_S[breaks - 1], cancelled)
    meter.begin("checking", file.name, file.size)
    if not matches(part, file, cancelled):
        part.unlink()
        raise ModelError(
            "{name} from {hub} is not the file that the hub lists: its hash is another one, so it was deleted. "
            "Start the download again, or take the other hub.",
            name=file.name,
            hub=hub,
        )
    with part.open("rb+") as kept:
        os.fsync(kept.fileno())
    os.replace(part, folder / file.name)


def part_path(folder: Path, file: RemoteFile) -> Path:
    """Where the file lies until it is complete and checked."""
    return folder / f"{file.name}.{(file.identity or 'unlisted')[:16]}.part"


def size_of(path: Path) -> int:
    """The file's size in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def matches(path: Path, file: RemoteFile, cancelled: Cancelled) -> bool:
    """Whether a file is the one that is listed: by size and, if the hub states one, by hash."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.sha256:
        return digest(path, hashlib.sha256(), cancelled) == file.sha256
    if file.git_blob:
        return digest(path, hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False), cancelled) == file.git_blob
    return True


def digest(path: Path, state: hashlib._Hash, cancelled: Cancelled) -> str:
    """The hex digest of `state` continued with the file's bytes. Raises `DownloadCancelledError`."""
    with path.open("rb") as stream:
        while block := stream.read(MIB):
            stop_if(cancelled)
            state.update(block)
    return state.hexdigest()


def stop_if(cancelled: Cancelled) -> None:
    """Raise `DownloadCancelledError` when the user asked for it."""
    if cancelled():
        raise DownloadCancelledError(
            N_("The download was stopped. What has arrived is kept; start the download again to continue.")
        )


def open_part(path: Path, mode: str) -> BinaryIO:
    """The part, opened so that the disk is written in pieces of 1 MiB however small the packets are."""
    return open(path, mode, buffering=MIB)  # type: ignore[return-value]


def _receive(client: httpx2.Client, file: RemoteFile, part: Path, meter: Meter, cancelled: Cancelled) -> None:
    """One request, from where the part ends. Raises `UnreachableError` where trying again may help."""
    stop_if(cancelled)
    offset = size_of(part)
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    try:
        with client.stream("GET", file.url, headers=headers) as response:
            start = _start(response, offset, file, part)
            meter.begin("downloading", file.name, start)
            with open_part(part, "ab" if start else "wb") as out:
                # Packet by packet, not gathered: a slow line can be stopped, and a broken one loses nothing.
                for packet in response.iter_raw():
                    start += len(packet)
                    if start > file.size:
                        break
                    out.write(packet)
                    meter.received(len(packet))
                    stop_if(cancelled)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UnreachableError(problem_of(error)) from error
    if start > file.size:
        part.unlink()
        raise UnreachableError(ModelError("More arrived than the {size} bytes that are listed.", size=file.size))
    if start < file.size:  # a complete answer, but of a shorter file
        raise UnreachableError(
            ModelError("The answer ended after {count} of {size} bytes.", count=start, size=file.size)
        )


def _start(response: httpx2.Response, offset: int, file: RemoteFile, part: Path) -> int:
    """The byte of the file with which the answer's body begins: `offset`, or 0 where ranges are not served."""
    status = response.status_code
    if status == 416:  # the hub's file is shorter than what is here: not the same
        part.unlink()
    if status == 416 or status in _RETRIED:
        raise UnreachableError(status_problem(status))
    if status not in (200, 206):
        raise ModelError(
            "{name} cannot be downloaded: the hub answers with HTTP {status}. Take the other hub, or copy the file "
            "by hand to {folder}.",
            name=file.name,
            status=status,
            folder=str(part.parent.with_suffix("")),  # without .partial
        )
    # The header decides, not the status: ModelScope serves ranges with 200, see
    # https://github.com/modelscope/modelscope_hub/issues/50
    stated = response.headers.get("Content-Range")
    if stated is None and status == 200:
        return 0
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", (stated or "").strip())
    if found is None or int(found[1]) not in (0, offset) or found[2] not in ("*", str(file.size)):
        part.unlink(missing_ok=True)
        raise UnreachableError(
            ModelError("Another part was sent than the one that was asked for ({range}).", range=stated or "-")
        )
    return int(found[1])


def _wait(seconds: float, cancelled: Cancelled) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        stop_if(cancelled)
        time.sleep(min(0.1, left))
