"""The way of a clip: hash → stored already? → decode → speech → recognise → scores → save."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from emostore import access, audio, speech
from emostore.config import Settings
from emostore.emotions import EmotionScores
from emostore.engine.recognizer import ModelInfo, Recognition, Recognizer
from emostore.errors import AudioError, EmostoreError
from emostore.i18n import Explained, N_, Sentence
from emostore.services import media
from emostore.services.descriptions import Description
from emostore.store import clips
from emostore.store.session import Store

log = logging.getLogger(__name__)


class Status(StrEnum):
    """How the analysis of a clip, or of a file that gave none, ended."""

    ANALYSED = "analysed"
    STORED_ALREADY = "stored already"
    NO_SPEECH = "no speech"
    FAILED = "failed"


class Stage(StrEnum):
    """What is being done to a file, in this order."""

    READING = "reading"
    DECODING = "decoding"
    LISTENING = "listening"
    RECOGNISING = "recognising"
    SAVING = "saving"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to analyse: where its bytes are, and the name that people know it by."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """File `index` (from 0) of `total` is at `stage`."""

    index: int
    total: int
    name: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class ClipResult:
    """What became of one clip; of a file that could not be read there is one result without a clip.

    `reason` says why there are no scores (no speech, or a failure); `notes` what was lost in decoding.
    """

    file: str
    status: Status
    sha256: str | None = None
    clip_id: int | None = None
    channel: int | None = None
    duration_s: float | None = None
    model: ModelInfo | None = None
    scores: EmotionScores | None = None
    reason: Explained | None = None
    notes: tuple[Explained, ...] = ()


class _Cancelled(Exception):  # noqa: N818 (a signal, not an error)
    """The caller does not want the rest."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """Analyses files with one model into one store.

    `progress` hears of every stage; `cancelled` is asked between stages, and after it says yes nothing
    more is stored. What was stored before stays: each clip is one transaction.
    """

    store: Store
    settings: Settings
    recognizer: Recognizer
    progress: Callable[[Progress], None] = lambda _: None
    cancelled: Callable[[], bool] = lambda: False

    def analyse(self, sources: Iterable[Source], description: Description) -> Iterator[ClipResult]:
        """Analyse files one after the other; a file that fails never stops the others."""
        access.require("analyse")
        sources = list(sources)
        for index, source in enumerate(sources):

            def at(stage: Stage, index: int = index, source: Source = source) -> None:
                if self.cancelled():
                    raise _Cancelled
                self.progress(Progress(index, len(sources), source.name, stage))

            try:
                yield from self._file(source, description, at)
            except _Cancelled:
                return
            except EmostoreError as error:
                yield ClipResult(source.name, Status.FAILED, reason=error)
            except Exception:
                reference = uuid.uuid4().hex[:8]
                log.exception("Unexpected error %s while analysing %r", reference, source.name)
                yield ClipResult(source.name, Status.FAILED, reason=_unexpected(reference))

    def _file(self, source: Source, description: Description, at: Callable[[Stage], None]) -> Iterator[ClipResult]:
        at(Stage.READING)
        uploaded_at = datetime.now(UTC)
        sha256 = audio.content_hash(source.path, self._limits)
        model = self.recognizer.info
        stored = clips.find_recording(self.store, sha256)
        ...


def _unexpected(reference: str) -> Sentence:
    return Sentence(
        N_("Something went wrong that we did not foresee; the log has the details under {id}."), {"id": reference}
    )
