"""Names for workers by which another process on the same machine can tell that they are gone."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

_GONE_STATES = frozenset("ZXx")  # a zombie works no more, although it still has its number


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a process number means something: a host, since it booted, in one namespace."""

    host: str
    boot: str
    namespace: str


def new_worker_name() -> str:
    """A name that nobody had before: host/boot/namespace/process/start time/number."""
    here = _here()
    pid = os.getpid()
    return "/".join((here.host, here.boot, here.namespace, str(pid), _started(pid) or "", uuid.uuid4().hex[:12]))


def is_gone(worker: str) -> bool:
    """Whether the worker's process certainly is no more; False where that cannot be known."""
    try:
        host, boot, namespace, pid, started, _ = worker.split("/")
    except ValueError:  # another version's way to name workers
        return False
    here = _here()
    if not (here.boot and here.namespace and started) or _Place(host, boot, namespace) != here:
        return False  # another machine, container or boot, or a system that tells nothing: the lease decides
    now = _started(int(pid))
    # A number is given again to another process, which then began at another time.
    return now != started if now is not None else not _exists(int(pid))


def _here() -> _Place:
    if not sys.platform.startswith("linux"):
        return _Place(socket.gethostname(), "", "")
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot = namespace = ""
    return _Place(socket.gethostname(), boot, namespace)


def _started(pid: int) -> str | None:
    """When a process began, in ticks since the boot; "" for one that has ended, None if it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = status[status.rindex(")") + 2 :].split()  # the name before may hold anything (proc_pid_stat(5))
    return "" if fields[0] in _GONE_STATES else fields[19]


def _exists(pid: int) -> bool:
    """Whether there is such a process, also where other people's are hidden in /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
