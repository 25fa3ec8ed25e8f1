"""The way of a clip: hash → stored already? → decode → one voice or two? → speech → recognise → scores → save."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from emostore import access, audio, speech
from emostore.config import Settings
from emostore.emotions import EmotionScores
from emostore.engine.recognizer import ModelInfo, Recognition, Recognizer
from emostore.errors import EmostoreError, StoreError
from emostore.i18n import N_, Explained, Sentence
from emostore.services import alerting, editing
from emostore.services.calibration import calibrating
from emostore.services.metadata.descriptions import Description, Role
from emostore.services.sound import media, peaks
from emostore.services.to_store import new_recording, outcome_to_store, segments
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import clips, records

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
    """A file to analyse: where its bytes are, and the name that people know it by.

    `uploaded_at` is when it came (None: now); `sha256` names the recording where the file is only a
    copy of its sound; `description` counts instead of the one that holds for all files.
    """

    path: Path
    name: str
    uploaded_at: datetime | None = None
    sha256: str | None = None
    description: Description | None = None


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


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What there is to say of a channel, and how many seconds the model took for it."""

    answer: records.Analysed | records.NoSpeech | EmostoreError
    seconds: float | None


class _Cancelled(Exception):  # noqa: N818 (a signal, not an error)
    """The caller does not want the rest."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """Analyses files with one model into one store.

    `progress` hears of every stage; `cancelled` is asked between stages, and after it says yes nothing
    more is stored. What was stored before stays: each recording is one transaction. Just before its clips
    are saved, `saving` hears its hash, and `keep` puts its audio away and tells where.
    """

    store: Store
    settings: Settings
    recognizer: Recognizer
    progress: Callable[[Progress], None] = lambda _: None
    cancelled: Callable[[], bool] = lambda: False
    saving: Callable[[str], None] = lambda _: None
    keep: Callable[[Path, str, Settings], media.Kept | None] = media.keep

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
                yield from self._file(source, source.description or description, at)
            except _Cancelled:
                return
            except EmostoreError as error:
                yield ClipResult(source.name, Status.FAILED, reason=error)
            except Exception:
                reference = uuid.uuid4().hex[:8]
                log.exception("Unexpected error %s while analysing %r", reference, source.name)
                yield ClipResult(source.name, Status.FAILED, reason=unexpected(reference))

    def _file(self, source: Source, description: Description, at: Callable[[Stage], None]) -> Iterator[ClipResult]:
        at(Stage.READING)
        uploaded_at = source.uploaded_at or datetime.now(UTC)
        sha256 = source.sha256 or audio.content_hash(source.path, self._limits, name=source.name)
        stored = clips.find_recording(self.store, sha256, model=self._model_key())
        if stored and len(stored.clips) == stored.channel_count and all(clip.status for clip in stored.clips):
            for clip in stored.clips:
                yield self._stored(source, stored, clip)
            self._pair(stored, description)  # an earlier try may have been stopped before it
            return
        at(Stage.DECODING)
        decoded = audio.decode(source.path, self._limits, name=source.name)
        # How many voices a recording has is decided once: other models, and copies of its sound, follow.
        if stored is None or stored.channel_count < len(decoded.waveforms):
            decoded = audio.fold(decoded, always=stored is not None)
        at(Stage.LISTENING)
        heard = [speech.detect(waveform) for waveform in decoded.waveforms]
        at(Stage.RECOGNISING)
        outcomes = self._recognise(decoded, heard)
        at(Stage.SAVING)
        self.saving(sha256)
        # Of a recording that is stored already, the audio was kept then, or was not wanted.
        kept = None if stored else self.keep(source.path, sha256, self.settings)
        recording = new_recording(source.path, source.name, sha256, decoded, description, uploaded_at, kept)
        roles: dict[int, Role] = {clip.channel: clip.role for clip in stored.clips} if stored else {}
        voices = [
            # A role that was corrected since counts, also for the rules.
            self._clip(recording, n, report, description, roles.get(n, description.role(n, len(heard))))
            for n, report in enumerate(heard)
        ]
        saved = self._save(voices, outcomes)
        if description.other_side:
            self._pair(clips.find_recording(self.store, sha256), description)
        for voice, outcome in zip(voices, outcomes, strict=True):
            yield self._result(source, voice, outcome, saved)
        if kept and not (self.settings.data_dir / kept.path).exists():
            # The same recording was deleted between keeping and saving, and the file with it.
            self.keep(source.path, sha256, self.settings)
        if kept:
            with contextlib.suppress(StoreError):  # then whoever opens it first waits for them
                peaks.save(peaks.of(decoded.waveforms), sha256, self.settings.data_dir)

    def _pair(self, stored: records.StoredRecording | None, description: Description) -> None:
        """Make one call of this recording and the file of its other side, whichever of them is stored last."""
        other = clips.find_recording(self.store, description.other_side) if description.other_side else None
        if stored is None or other is None or not (len(stored.clips) == len(other.clips) == 1):
            return
        first, second = stored.clips[0], other.clips[0]
        if (first.role, second.role) == ("customer", "agent"):
            first, second = second, first
        try:
            editing.pair(self.store, first.clip_id, second.clip_id, roles=(first.role, second.role))
        except EmostoreError as error:  # they are paired already, or one was edited; both are whole without it
            log.info("%s was not paired: %s", stored.file_name, error)

    def _recognise(self, decoded: audio.Audio, heard: list[speech.SpeechReport]) -> list[_Outcome]:
        """What the model says of every channel in which somebody speaks; the reason for the others."""
        voiced = [waveform for waveform, report in zip(decoded.waveforms, heard, strict=True) if report.reason is None]
        began = time.perf_counter()
        answers = self.recognizer.recognize(voiced) if voiced else []
        seconds = (time.perf_counter() - began) / max(1, len(voiced))
        said = iter(answers)
        return [
            _Outcome(_to_store(next(said)), seconds)
            if report.reason is None
            else _Outcome(outcome_to_store(report.reason), None)
            for report in heard
        ]

    def _clip(
        self,
        recording: records.NewRecording,
        channel: int,
        report: speech.SpeechReport,
        description: Description,
        role: Role,
    ) -> records.NewClip:
        return records.NewClip(
            recording=recording,
            channel=channel,
            duration_s=recording.duration_s,
            speech_s=report.speech_s,
            role=role,
            agent=description.agent,
            team=description.team,
            session_name=description.session,
            segments=segments(report),
        )

    def _save(self, voices: Sequence[records.NewClip], outcomes: Sequence[_Outcome]) -> dict[int, records.Saved]:
        """Save every voice that the model did not refuse, by channel; all at once, so that nobody sees half a call."""
        now = datetime.now(UTC)
        told = [
            records.NewAnalysis(
                *(voice, self._model_key(), answer, now, outcome.seconds), alerts=self._alerts(voice, answer)
            )
            for voice, outcome in zip(voices, outcomes, strict=True)
            if not isinstance(answer := outcome.answer, EmostoreError)
        ]
        saved = calibrating.save_many(self.store, told, access.current_user().name) if told else []
        if saved:
            calibrating.keep_head(self.store, self.recognizer)
        return {each.clip.channel: answer for each, answer in zip(told, saved, strict=True)}

    def _result(
        self, source: Source, voice: records.NewClip, outcome: _Outcome, saved: Mapping[int, records.Saved]
    ) -> ClipResult:
        recording, answer = voice.recording, outcome.answer
        result = ClipResult(
            source.name,
            Status.FAILED,
            sha256=recording.sha256,
            channel=voice.channel,
            duration_s=recording.duration_s,
            model=self.recognizer.info,
            notes=recording.notes,
        )
        if isinstance(answer, EmostoreError):
            return replace(result, reason=answer)
        there = saved[voice.channel]
        result = replace(result, clip_id=there.clip_id)
        # Somebody else may have stored the same bytes while these were recognised.
        if isinstance(answer, records.NoSpeech):
            status = Status.NO_SPEECH if there.created else Status.STORED_ALREADY
            return replace(result, status=status, reason=no_speech_sentence(answer.reason))
        return replace(result, status=Status.ANALYSED if there.created else Status.STORED_ALREADY, scores=there.scores)

    def _alerts(
        self, clip: records.NewClip, outcome: records.Analysed | records.NoSpeech
    ) -> tuple[records.NewAlert, ...]:
        """What the active rules find, to be stored with what they looked at."""
        if isinstance(outcome, records.NoSpeech):
            return ()
        info, rules = self.recognizer.info, alerting.active_rules(self.store)
        absent = alerting.absent(self.store)
        classes = alerting.trusted(info.classes, (info.name, info.revision), [each.rule for each in rules], absent)
        return alerting.raised(
            rules,
            outcome.scores,
            role=clip.role,
            speech_s=clip.speech_s,
            windows=alerting.windows_of(outcome, clip.segments),
            classes=classes,
        )

    def _stored(self, source: Source, recording: records.StoredRecording, clip: records.StoredClip) -> ClipResult:
        """What is stored of a clip whose bytes came again."""
        result = ClipResult(
            source.name,
            Status.STORED_ALREADY,
            sha256=recording.sha256,
            clip_id=clip.clip_id,
            channel=clip.channel,
            duration_s=recording.duration_s,
            model=self.recognizer.info,
        )
        view = reports.clip_view(self.store, clip.clip_id)
        info = self.recognizer.info
        for analysis in view.analyses if view else ():
            if (analysis.model, analysis.revision) == (info.name, info.revision):
                reason = no_speech_sentence(analysis.no_speech_reason) if analysis.no_speech_reason else None
                return replace(result, scores=analysis.scores, reason=reason)
        return result  # deleted in this very moment

    def _model_key(self) -> records.ModelRevisionKey:
        info = self.recognizer.info
        return records.ModelRevisionKey(info.name, info.revision, info.dim, info.classes, info.licence)

    @property
    def _limits(self) -> audio.Limits:
        chosen = self.settings
        return audio.Limits(chosen.max_file_bytes, chosen.max_duration_s, chosen.max_channels)


def _to_store(answer: Recognition | EmostoreError) -> records.Analysed | records.NoSpeech | EmostoreError:
    return answer if isinstance(answer, EmostoreError) else outcome_to_store(answer)


def no_speech_sentence(reason: str) -> Sentence:
    """Why a clip has no scores, by the reason that is stored."""
    return Sentence(speech.NoSpeech(reason).sentence)


def unexpected(reference: str) -> Sentence:
    """What a reader is told of an error that is logged under `reference`."""
    return Sentence(
        N_("Something went wrong that we did not foresee; the log has the details under {id}."), {"id": reference}
    )
