"""What the header of a WAV file says, beside what is in the file: FFmpeg believes the one or the other in silence."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from emostore.audio.recording import Note
from emostore.i18n import N_

MAX_CHUNKS = 64  # looked at before the sound; real files have a handful
LEAST_REST_S = 0.1  # of sound after the end that the header names; less is padding
_PLAIN = frozenset({1, 3, 6, 7, 0xFFFE})  # PCM, float, A-law, µ-law and their extension: a fixed size a second
_OPEN_END = frozenset({0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000})  # sizes of those who did not know yet


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a header says: the rate in Hz, and bytes a second as it states them and as they follow from the rate.

    `declared_s` seconds of sound are named (None where that is left open), and `rest_s` more follow them.
    """

    rate: int
    stated_bytes_per_s: int
    bytes_per_s: int
    declared_s: float | None
    rest_s: float

    @property
    def notes(self) -> tuple[tuple[str, Note], ...]:
        """What does not fit together, each with its kind."""
        found = []
        if self.stated_bytes_per_s and self.stated_bytes_per_s != self.bytes_per_s:
            other = round(self.rate * self.stated_bytes_per_s / self.bytes_per_s)
            message = N_(
                "The header contradicts itself: it says {rate:,} Hz, and as many bytes a second as {other:,} Hz have. "
                "{rate:,} Hz was taken; if the voices sound too high or too low, export the recording again."
            )
            found.append(("contradiction", Note(message, {"rate": self.rate, "other": other})))
        if self.rest_s:
            message = N_("The header names {declared_s:.2f} s of sound; {rest_s:.2f} s more follow and were read, too.")
            found.append(("rest", Note(message, {"declared_s": self.declared_s, "rest_s": self.rest_s})))
        return tuple(found)


def read_header(file: BinaryIO) -> WavHeader | None:
    """The header of a WAV file with samples of a fixed size, from its beginning; None for anything else."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    form: tuple[int, ...] | None = None
    at = 12
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        if name == b"fmt ":
            described = file.read(16)
            form = struct.unpack("<HHIIHH", described) if len(described) == 16 else None
        if name == b"data":
            return _header(file, form, at + 8, length, size) if form else None
        at += 8 + length + length % 2
    return None


def header_of(path: Path) -> WavHeader | None:
    """`read_header` for a regular file."""
    with path.open("rb") as file:
        return read_header(file)


def _header(file: BinaryIO, form: tuple[int, ...], start: int, length: int, size: int) -> WavHeader | None:
    kind, _channels, rate, stated, block, _bits = form
    per_second = rate * block
    if kind not in _PLAIN or not per_second:
        return None
    if length in _OPEN_END:
        return WavHeader(rate, stated, per_second, None, 0.0)
    end = start + length + length % 2
    rest_s = max(0, size - end) / per_second
    if rest_s < LEAST_REST_S or _is_chunk(file, end, size):
        rest_s = 0.0
    return WavHeader(rate, stated, per_second, length / per_second, rest_s)


def _is_chunk(file: BinaryIO, at: int, size: int) -> bool:
    """Whether something with a name and a size that fits stands at a place, as lists of titles do after the sound."""
    file.seek(at)
    chunk = file.read(8)
    name, length = chunk[:4], int.from_bytes(chunk[4:8], "little")
    return len(chunk) == 8 and all(0x20 <= byte < 0x7F for byte in name) and at + 8 + length <= size + 1
