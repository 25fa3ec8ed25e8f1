"""Counting what is lost while a recording is decoded, and saying so."""

from __future__ import annotations

import numpy as np

from emostore.audio.recording import AudioInfo, FloatArray, Note
from emostore.errors import AudioError
from emostore.i18n import N_

CLIPPED_LEVEL = 0.9999  # of full scale: the highest value of 16 bits is 0.99997
CLIPPED_SHARE = 0.001  # of all samples at full scale, above which the recording counts as clipped
MISSING_SHARE = 0.02  # of the declared duration, at least `MISSING_S`, that may be missing without a note
MISSING_S = 0.5


class Losses:
    """What was lost so far of one recording, called `name` in messages."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._notes: dict[str, Note] = {}
        self.packets = self.bad_packets = 0
        self._samples = self._bad_samples = self._clipped = 0

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes so far, each kind once."""
        return tuple(self._notes.values())

    def note(self, kind: str, note: Note) -> None:
        """Keep the first note of its kind."""
        self._notes.setdefault(kind, note)

    def count(self, block: FloatArray, bad_samples: int) -> None:
        """Count a block at the file's own rate, in which `bad_samples` samples were silenced."""
        self._samples += block.size
        self._bad_samples += bad_samples
        self._clipped += int(np.count_nonzero(np.abs(block) >= CLIPPED_LEVEL))

    def check(self) -> None:
        """Raise `AudioError` if more of the file is damaged than not."""
        if self.bad_packets > self.packets - self.bad_packets:
            raise AudioError(
                "{name} is damaged: {found} of {total} pieces of it cannot be decoded. "
                "Export or copy the recording again.",
                name=self._name,
                found=self.bad_packets,
                total=max(self.packets, self.bad_packets),
            )

    def finish(self, info: AudioInfo) -> None:
        """Note what only shows at the end. Raises as `check` does."""
        self.check()
        if self.bad_packets:
            message = N_(
                "{bad} of {total} pieces of the file are damaged and were left out; {decoded_s:.2f} s were decoded."
            )
            params = {"bad": self.bad_packets, "total": self.packets, "decoded_s": info.duration_s}
            self.note("damage", Note(message, params))
        missing_s = (info.declared_s or 0.0) - info.duration_s
        if missing_s > max(MISSING_S, MISSING_SHARE * (info.declared_s or 0.0)):
            message = N_("The file is cut off: its header says {declared_s:.2f} s, and {decoded_s:.2f} s are there.")
            self.note("short", Note(message, {"declared_s": info.declared_s, "decoded_s": info.duration_s}))
        if self._bad_samples:
            message = N_("{found} samples were not numbers and were silenced.")
            self.note("numbers", Note(message, {"found": self._bad_samples}))
        if self._clipped > CLIPPED_SHARE * self._samples:
            message = N_("{percent:.1f} per cent of the samples are at full scale: the recording is clipped.")
            self.note("clipped", Note(message, {"percent": 100 * self._clipped / self._samples}))
