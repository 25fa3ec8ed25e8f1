"""How many CPU threads a model may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "quota period" in microseconds, or "max period"


def physical_cores(cpuinfo: Path = CPUINFO, quota: Path = CPU_QUOTA) -> int:
    """Physical cores that this process may use, at least 1.

    Counts cores, not hyper-threads, among the processors that the scheduler allows, and no more than a
    container's quota: with more threads than that, matrix products wait for each other and a clip takes
    twenty times as long.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    cores = _cores(cpuinfo, allowed) or (len(allowed) if allowed else os.cpu_count() or 1)
    return max(1, min(cores, _quota(quota) or cores))


def _cores(cpuinfo: Path, allowed: set[int] | None) -> int:
    """Distinct (socket, core) pairs; 0 where the file does not say."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = set()
    for block in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
        entry = {key.strip(): value.strip() for key, value in fields.items()}
        if "core id" in entry and (allowed is None or int(entry["processor"]) in allowed):
            found.add((entry.get("physical id"), entry["core id"]))
    return len(found)


def _quota(path: Path) -> int:
    """Whole CPUs of the container's quota, rounded up; 0 where there is none."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or the word "max"
        return 0
