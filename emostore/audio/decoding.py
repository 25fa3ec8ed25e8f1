"""A whole recording at once: in memory while it is small, else in files that vanish with their arrays."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from emostore.audio.recording import Audio, FloatArray, Limits, Note
from emostore.audio.stream import open_stream
from emostore.errors import AudioError
from emostore.i18n import N_

SPOOL_BYTES = 64 * 1024**2  # decoded sound up to this size stays in memory

# The mean of a channel above which it is taken out: −40 dB of full scale, as much as a quiet voice. Sound cards stay
# below a third of it. Left in, silence would have a level and quiet speech would not be raised enough.
MAX_OFFSET = 0.01

_PIECE = 4 * 1024**2  # samples
_SHIFTED = N_("The sound was shifted by {percent:.1f} per cent of full scale; the shift was taken out.")


def decode(
    path: Path | str, limits: Limits | None = None, *, name: str | None = None, spool_dir: Path | None = None
) -> Audio:
    """Decode a recording to float32 at 16 kHz, one waveform a channel.

    Parameters
    ----------
    path : the file
    limits : how large it may be, by default as in `Limits`
    name : what messages call the file, by default its own name
    spool_dir : where the sound of a long recording is put, by default the system's temporary folder

    Returns
    -------
    Audio : above `SPOOL_BYTES` its waveforms are memory-mapped, copied on write, from unlinked files, so
        that four hours of eight channels do not fill the memory

    Raises
    ------
    AudioError : the file cannot be decoded or is over a limit, or the disk is full
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_stream(path, limits, name=name))
        spool = _Spool(stream.info.channels, spool_dir, stack)
        for block in stream:
            try:
                spool.add(block)
            except OSError as error:
                raise AudioError(
                    "There is no room on the disk for the decoded sound of {name} ({found}). Free some space.",
                    name=name or Path(path).name,
                    found=error.strerror or str(error),
                ) from error
        shift = float(np.abs(spool.offsets).max(initial=0.0))
        noted = (Note(_SHIFTED, {"percent": 100 * shift}),) if shift else ()
        return Audio(stream.info, spool.waveforms(), (*stream.notes, *noted))


class _Spool:
    """Collects blocks of shape (channels, n); one file a channel, since each is read by itself later."""

    def __init__(self, channels: int, folder: Path | None, stack: ExitStack) -> None:
        self._channels, self._folder, self._stack = channels, folder, stack
        self._blocks: list[FloatArray] = []
        self._bytes = 0
        self._sums, self._count = np.zeros(channels), 0
        self._files: list[IO[bytes]] = []

    def add(self, block: FloatArray) -> None:
        self._blocks.append(block)
        self._sums += block.sum(axis=1, dtype=np.float64)
        self._count += block.shape[1]
        self._bytes += block.nbytes
        if self._bytes > SPOOL_BYTES:
            self._write()

    @property
    def offsets(self) -> NDArray[np.float64]:
        """The mean of each channel where it is worth taking out, else 0; shape (channels,)."""
        means = self._sums / max(1, self._count)
        return np.where(np.abs(means) > MAX_OFFSET, means, 0.0)

    def waveforms(self) -> tuple[FloatArray, ...]:
        """One array a channel, each around zero."""
        if not self._files:
            joined = np.concatenate([np.empty((self._channels, 0), np.float32), *self._blocks], axis=1)
            if self.offsets.any():
                joined -= self.offsets.astype(np.float32)[:, None]
            return tuple(joined)
        self._write()
        for file, offset in zip(self._files, self.offsets.tolist(), strict=True):
            if offset:  # in the file, piece by piece: a copy on write would fill the memory
                written = np.memmap(file, dtype=np.float32, mode="r+")
                for start in range(0, written.size, _PIECE):
                    written[start : start + _PIECE] -= np.float32(offset)
                written.flush()
        # Mode "c": writable without a warning from torch, and never written back.
        return tuple(np.memmap(file, dtype=np.float32, mode="c").view(np.ndarray) for file in self._files)

    def _write(self) -> None:
        if not self._files:
            self._files = [
                self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder, prefix="emostore-"))  # noqa: SIM115
                for _ in range(self._channels)
            ]
        for block in self._blocks:
            for file, samples in zip(self._files, block, strict=True):
                file.write(np.ascontiguousarray(samples).data)
        for file in self._files:
            file.flush()
        self._blocks.clear()
