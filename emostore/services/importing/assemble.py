"""What was found, with what the reader says beside it, into what the store takes, and what is doubtful about it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from emostore import audio
from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.engine.recognizer import HOP_S, WINDOW_S
from emostore.errors import AudioError, MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.exports.clip_line import MOST_SECONDS
from emostore.services.importing.bounded import DIM
from emostore.services.importing.found import Found, Frames, OtherSide
from emostore.services.importing.frame_scores import checked_hop
from emostore.services.importing.sources import Entry
from emostore.services.importing.values import FloatArray, logits_of
from emostore.services.metadata.descriptions import Description, merge
from emostore.store.calibration.labels import Said
from emostore.store.reports.export_reports import ModelKey
from emostore.store.writing import records
from emostore.store.writing.names import clean_name

REVISION = "imported"
UNNAMED = "unnamed model"  # what scores belong to whose model nobody names
EMBEDDING_HOP_S = 0.02  # frames of Emotion2Vec+: 50 a second
ODD_HOP_S = 5.0  # scores over time are seldom as far apart; milliseconds are taken for seconds now and then
KEPT_HOP_S = 0.5  # frames that come more often than this are averaged
_RATE = 16_000  # Hz: what the scores were computed from, where the file does not say it
_YEARS = (1900, 2199)
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """What the reader says of everything that is imported; what a file says itself counts more.

    Times without a zone are read in `time_zone`; unless `zone_given`, that is a doubt. `hop_s` is the distance of
    frames that do not say it, `model` the name of the model where none is given.
    """

    time_zone: str = "UTC"
    zone_given: bool = False
    about: Description = field(default_factory=Description)
    model: str | None = None
    hop_s: float | None = None

    def __post_init__(self) -> None:
        if self.hop_s is not None:
            checked_hop(self.hop_s)
        object.__setattr__(self, "model", clean_name(self.model, "model"))


@dataclass(frozen=True, slots=True)
class Sound:
    """The audio beside a result: its hash, what it is, and where it lies while it is looked at."""

    path: Path
    sha256: str
    info: audio.AudioInfo
    byte_count: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """An analysis ready to be saved, and what is doubtful about it."""

    analysis: records.NewAnalysis
    doubts: tuple[Sentence, ...]
    sound: Sound | None = None
    labels: tuple[Said, ...] = ()
    other_side: OtherSide | None = None
    said: ModelKey | None = None  # the model as the file names it, which may be one that has heard the clip here

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What makes it the same as another: recording, channel, model, revision."""
        clip, model = self.analysis.clip, self.analysis.model
        return clip.recording.sha256, clip.channel, model.name, model.revision


@contextmanager
def sound(entry: Entry, settings: Settings) -> Iterator[Sound]:
    """The audio of an entry, decoded once to the end. Raises `AudioError` if it is none, or over a limit."""
    limits = audio.Limits(settings.max_file_bytes, settings.max_duration_s, settings.max_channels)
    with _on_disk(entry, limits) as path:
        sha256 = audio.content_hash(path, limits, name=entry.base)
        with audio.open_stream(path, limits, name=entry.base) as stream:
            for _block in stream:
                pass
            yield Sound(path, sha256, stream.info, entry.size)


def prepare(
    found: Found,
    name: str,
    options: Options,
    *,
    byte_count: int,
    now: datetime,
    heard: Sound | AudioError | None = None,
) -> Prepared:
    """A clip as it would be stored. `name` is what it is called if it has no name of its own.

    Raises `MetadataError` for what contradicts itself, and where frames do not say how far apart they are.
    """
    doubts = list(found.doubts)
    if isinstance(heard, AudioError):
        message = N_("The sound beside it is left out: {problem}")
        doubts.append(Sentence(message, {"problem": heard}))
        heard = None
    about = merge(found.about, options.about)
    frames = _with_hop(found.frames, options)
    outcome = _outcome(found, frames, doubts)
    happened_at, source = _happened(found, options, now, doubts)
    duration_s = _duration(found, frames, heard, doubts)
    if duration_s > MOST_SECONDS:
        raise MetadataError(
            "It would be {found:g} s long; {allowed:g} s are allowed.", found=duration_s, allowed=MOST_SECONDS
        )
    if about.agent is None:
        doubts.append(Sentence(N_("No agent is named, so the clip belongs to nobody.")))
    facts = found.facts
    recording = records.NewRecording(
        sha256=heard.sha256 if heard else found.identity,
        file_name=found.name or name,
        byte_count=facts.get("byte_count", heard.byte_count if heard else byte_count),
        duration_s=facts.get("recording_duration_s", duration_s),
        sample_rate=facts.get("sample_rate", heard.info.sample_rate if heard else _RATE),
        channel_count=found.channel_count,
        container=facts.get("container", heard.info.container if heard else REVISION),
        codec=facts.get("codec", heard.info.codec if heard else "scores"),
        uploaded_at=facts.get("uploaded_at", now),
        happened_at=happened_at,
        happened_at_source=source,
        scenario=about.scenario,
        domain=about.domain,
        language=about.language,
        notes=tuple(records.Note("{text}", {"text": note[:500]}) for note in facts.get("notes", ())),
        demo=facts.get("demo", False),
    )
    clip = records.NewClip(
        recording=recording,
        channel=found.channel,
        duration_s=duration_s,
        speech_s=facts.get("speech_s"),
        role=about.role(found.channel),
        agent=about.agent,
        team=about.team,
        session_name=about.session,
        segments=facts.get("segments"),
        session_of=found.session_of if about.session is None else None,
    )
    model = _model(found, options, doubts)
    analysed_at = facts.get("analysed_at")
    when = _aware(analysed_at, options) if analysed_at else happened_at if source != "upload" else now
    analysis = records.NewAnalysis(clip, model, outcome, when, facts.get("compute_s"))
    labels = tuple(replace(each, labelled_at=_aware(each.labelled_at, options)) for each in found.labels)
    said = (found.model.name, found.model.revision) if found.model.name and found.model.revision else None
    return Prepared(analysis, tuple(doubts), heard, labels, found.other_side, said)


def windows_of(frames: Frames) -> records.NewWindows:
    """Frames as windows: as they are if they are half a second apart or more, else averaged into windows as ours."""
    assert frames.hop_s is not None
    if frames.hop_s >= KEPT_HOP_S:
        return records.NewWindows(logits_of(frames.scores), frames.hop_s, frames.length_s or frames.hop_s)
    return records.NewWindows(logits_of(_averaged(frames.scores, frames.hop_s)), HOP_S, WINDOW_S)


def _averaged(scores: FloatArray, hop_s: float) -> FloatArray:
    """The mean of the frames of every window of `WINDOW_S`, one every `HOP_S`."""
    count = 1 + max(0, ceil((len(scores) * hop_s - WINDOW_S) / HOP_S - 1e-9))
    sums = np.vstack([np.zeros(len(EMOTIONS)), np.cumsum(scores, axis=0)])
    first = np.minimum(np.round(np.arange(count) * HOP_S / hop_s).astype(int), len(scores) - 1)
    last = np.clip(np.round((np.arange(count) * HOP_S + WINDOW_S) / hop_s).astype(int), first + 1, len(scores))
    means = np.clip((sums[last] - sums[first]) / (last - first)[:, None], 0, None)
    return np.asarray(means / means.sum(axis=1, keepdims=True))


def _with_hop(frames: Frames | None, options: Options) -> Frames | None:
    if frames is None or frames.hop_s is not None:
        return frames
    if options.hop_s is None:
        raise MetadataError(
            "The frames do not say how far apart they are. Say it yourself: the hop of Emotion2Vec+ is 0.02 s."
        )
    return Frames(frames.scores, options.hop_s, frames.length_s)


def _outcome(found: Found, frames: Frames | None, doubts: list[Sentence]) -> records.Analysed | records.NoSpeech:
    if found.no_speech is not None:
        return records.NoSpeech(found.no_speech)
    logits = found.logits
    if logits is None:
        logits = _logits(found, frames, doubts)
    windows = found.windows
    if windows is None and frames is not None and frames.hop_s is not None:
        windows = windows_of(frames)
        if frames.hop_s >= ODD_HOP_S:
            message = N_("It says that a frame begins every {hop:g} s. If it counts milliseconds, call them hop_ms.")
            doubts.append(Sentence(message, {"hop": frames.hop_s}))
        if frames.hop_s < KEPT_HOP_S:
            message = N_("Frames every {hop:g} s were averaged into windows of {length:g} s, one each second.")
            doubts.append(Sentence(message, {"hop": frames.hop_s, "length": WINDOW_S}))
    # What is shown is what the stored logits give, to the last bit, as for every other clip.
    return records.Analysed(logits, EmotionScores.from_logits(logits.tolist()), windows, found.embedding)


def _logits(found: Found, frames: Frames | None, doubts: list[Sentence]) -> NDArray[np.float32]:
    if found.given is not None:
        scores = EmotionScores.from_raw(found.given)
        return logits_of(scores.vector)
    if frames is None:
        raise MetadataError("There are no scores in it.")
    message = N_("It has no scores of the whole; the mean of its {count:,} frames stands for them.")
    doubts.append(Sentence(message, {"count": len(frames.scores)}))
    mean = frames.scores.mean(axis=0)
    return logits_of(mean / mean.sum())


def _happened(
    found: Found, options: Options, now: datetime, doubts: list[Sentence]
) -> tuple[datetime, records.HappenedAtSource]:
    if found.time is None:
        message = N_("It does not say when it happened; the time of the import stands for it, marked as a guess.")
        doubts.append(Sentence(message))
        return now, "upload"
    if found.time.tzinfo is None and not options.zone_given:
        message = N_("Its time has no time zone; it is read as a time in {zone}.")
        doubts.append(Sentence(message, {"zone": options.time_zone}))
    return _aware(found.time, options), found.time_source


def _aware(moment: datetime, options: Options) -> datetime:
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise MetadataError(
            "Its time is in the year {found}; years from {first} to {last} are stored.",
            found=moment.year,
            first=_YEARS[0],
            last=_YEARS[1],
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(options.time_zone))


def _duration(found: Found, frames: Frames | None, heard: Sound | None, doubts: list[Sentence]) -> float:
    if heard is not None:
        return heard.info.duration_s
    if found.duration_s is not None:
        return found.duration_s
    if frames is not None and frames.hop_s is not None:
        return len(frames.scores) * frames.hop_s
    if found.embedding_frames is not None:
        return found.embedding_frames * EMBEDDING_HOP_S
    doubts.append(Sentence(N_("Its length is not known; it is stored as 0 s.")))
    return 0.0


def _model(found: Found, options: Options, doubts: list[Sentence]) -> records.ModelRevisionKey:
    """Raw results keep their model. Scores of others are kept apart from every model that was run here."""
    said = found.model
    if said.raw and said.name and said.revision and said.dim and said.classes:
        return records.ModelRevisionKey(said.name, said.revision, said.dim, said.classes, said.licence or "")
    name = clean_name(said.name, "model") or options.model
    if name is None:
        message = N_("It does not say which model gave the scores; they are kept as those of “{name}”.")
        doubts.append(Sentence(message, {"name": UNNAMED}))
    revision = clean_name(said.revision, "model")
    if revision is not None and revision.split(", ")[0] == REVISION:  # exported from where it had been imported to
        revision = revision.removeprefix(REVISION).removeprefix(", ")
    classes = said.classes or EMOTIONS
    parts = [REVISION, revision, None if len(classes) == len(EMOTIONS) else " ".join(classes)]
    dim = DIM if found.embedding is None else len(found.embedding)
    whole = ", ".join(part for part in parts if part)
    return records.ModelRevisionKey(name or UNNAMED, clean_name(whole, "model") or REVISION, dim, classes, "")


@contextmanager
def _on_disk(entry: Entry, limits: audio.Limits) -> Iterator[Path]:
    """A path to an entry's bytes: its own, else that of a copy that goes again."""
    if entry.path is not None:
        yield entry.path
        return
    if entry.size > limits.max_bytes:
        raise AudioError("{name} is larger than a recording may be.", name=entry.base)
    handle, name = tempfile.mkstemp(prefix="emostore-import-")
    try:
        with os.fdopen(handle, "wb") as copy, entry.open() as stream:
            while block := stream.read(_BLOCK):
                copy.write(block)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
