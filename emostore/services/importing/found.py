"""What a file tells of one clip, before anything is asked for or looked up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emostore.i18n import Sentence
from emostore.services.importing.values import FloatArray
from emostore.services.metadata.descriptions import Description
from emostore.store.calibration.labels import Said
from emostore.store.writing.records import HappenedAtSource, NewWindows, NoSpeechReason, SessionOf


@dataclass(frozen=True, slots=True)
class Frames:
    """Scores over time, shape (frames, 9), each row summing to 1; without a hop it has to be asked for."""

    scores: FloatArray
    hop_s: float | None = None
    length_s: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """Which model the scores are of, as far as a file says it; `raw` if the file holds its raw results."""

    name: str | None = None
    revision: str | None = None
    dim: int | None = None
    classes: tuple[str, ...] | None = None
    licence: str | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class OtherSide:
    """The recording that holds the other side of the call, and how much later the second side begins, in seconds."""

    sha256: str
    first: bool  # whether this one is the first
    offset_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """One clip: its scores as given, or why there are none, and what is said of it.

    `given` has the scores by emotion as they stand in the file; `logits` are there only in lines of our own, and so are
    the `labels` of raters. `time` may be without a zone. `key` is what the content itself calls the clip, `name` what
    people see. `doubts` are what a reader of the file should know.
    """

    name: str
    given: dict[str, float] | None = None
    logits: NDArray[np.float32] | None = None
    no_speech: NoSpeechReason | None = None
    frames: Frames | None = None
    windows: NewWindows | None = None
    embedding: NDArray[np.float32] | None = None
    embedding_frames: int | None = None
    time: datetime | None = None
    time_source: HappenedAtSource = "metadata"
    about: Description = field(default_factory=Description)
    model: Model = field(default_factory=Model)
    key: str = ""
    sha256: str | None = None
    channel: int = 0
    channel_count: int = 1
    duration_s: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # further columns of the recording, clip and analysis
    labels: tuple[Said, ...] = ()
    session_of: SessionOf | None = None  # whose session it belongs to, if not its own and nobody named it
    other_side: OtherSide | None = None
    doubts: tuple[Sentence, ...] = ()

    @property
    def identity(self) -> str:
        """SHA-256 of the recording: of its own bytes where the file names it, else of everything that it says.

        The same content is the same recording, whatever its file is called and whatever is said of it beside. Scores
        alone are no such content: two calls may both be sad = 1.0, so then the name tells them apart.
        """
        if self.sha256 is not None:
            return self.sha256
        digest = hashlib.sha256(b"emostore import 1\n")
        tells = self.time or self.key or self.frames or self.windows or self.embedding is not None
        plain = [
            self.key if tells else self.name,
            self.channel,
            self.given,
            self.no_speech,
            self.time.isoformat() if self.time else None,
        ]
        digest.update(json.dumps(plain, sort_keys=True).encode())
        for values in (
            self.frames.scores if self.frames else None,
            self.windows.logits if self.windows else None,
            self.embedding,
        ):
            digest.update(b"\n" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()
