"""How far a download is, told a few times a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

REPORT_EVERY_S = 0.2
RATE_OVER_S = 10.0  # long enough to be steady, short enough to follow a change

Phase = Literal["downloading", "checking"]


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """A moment of a download: sizes in bytes; rate and rest are None until they can be told."""

    phase: Phase
    file: str
    done_bytes: int
    total_bytes: int
    bytes_per_s: float | None
    seconds_left: float | None


class Meter:
    """Counts bytes and reports at most every `REPORT_EVERY_S`, and at each new file or phase."""

    def __init__(self, total_bytes: int, report: Callable[[DownloadProgress], None]) -> None:
        self._total = total_bytes
        self._report = report
        self._finished = 0  # bytes of the files before
        self._current = 0  # bytes of this one
        self._received = 0  # bytes over the network, now or in vain
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._reported_at = 0.0
        self._file = ""
        self._phase: Phase = "downloading"

    def begin(self, phase: Phase, file: str, at: int) -> None:
        """The file that is worked on from here, of which `at` bytes are there."""
        self._phase, self._file, self._current = phase, file, at
        self._tell(force=True)

    def received(self, count: int) -> None:
        """`count` more bytes of the file arrived."""
        self._current += count
        self._received += count
        self._tell()

    def finished(self, size: int) -> None:
        """The file is complete and checked."""
        self._finished += size
        self._current = 0
        self._tell(force=True)

    def _tell(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._reported_at < REPORT_EVERY_S:
            return
        self._reported_at = now
        self._samples.append((now, self._received))
        while len(self._samples) > 2 and now - self._samples[0][0] > RATE_OVER_S:
            self._samples.popleft()
        done = self._finished + self._current
        began, before = self._samples[0]
        rate = (self._received - before) / (now - began) if now > began and self._received > before else None
        left = (self._total - done) / rate if rate else None
        self._report(DownloadProgress(self._phase, self._file, done, self._total, rate, left))
