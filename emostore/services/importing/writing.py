"""The import itself: what the dry run promised, each clip whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from emostore import access, audio
from emostore.config import Settings
from emostore.errors import AudioError, EmostoreError, StoreError
from emostore.services import alerting, editing
from emostore.services.calibration import calibrating, labelling, masked
from emostore.services.importing.assemble import Options
from emostore.services.importing.items import grouped
from emostore.services.importing.planning import MOST_REFUSED, Candidate, Key, Plan, read
from emostore.services.importing.sources import Given, Refused, listed
from emostore.services.sound import media, peaks
from emostore.store.calibration.labels import Said
from emostore.store.session import Store
from emostore.store.writing import clips, records

log = logging.getLogger(__name__)

MOST_NAMED = 50  # clips whose ids are answered
_AT_ONCE = 100  # clips in one transaction


@dataclass(slots=True)
class Imported:
    """What was written: new clips, clips that got scores of a further model, labels, and what failed after all.

    `cancelled` tells that it was stopped before its end; importing again brings the rest.
    """

    new: int = 0
    added: int = 0
    labels: int = 0
    clip_ids: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refused_count: int = 0
    cancelled: bool = False


def write(
    store: Store,
    settings: Settings,
    given: Sequence[Given],
    options: Options,
    planned: Plan,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Imported:
    """Write what `planned` lists as new, and nothing else: what has changed since then is left out.

    `progress` hears how many of the clips are through, and `cancelled` is asked before each. What is stored already
    stays as it is, also if it came meanwhile. Labels follow their clips; should that fail, importing again brings them.
    Raises `StoreError` when the database cannot be used; then whole clips may have been written.
    """
    access.require("analyse")
    wanted = set(planned.wanted)
    channels = _channels(planned)
    done, total = Imported(), len(wanted)
    writer = _Writer(store, settings, done)
    with listed(given) as listing:
        for candidate in _chosen(read(grouped(listing.entries).items, settings, options), wanted):
            if cancelled():
                done.cancelled = True
                break
            writer.add(_whole(candidate, channels))
            progress(total - len(wanted), total)
        writer.flush()
    return done


def _chosen(read: Iterator[Candidate | Refused], wanted: set[Key]) -> Iterator[Candidate]:
    """The clips that were promised, each once."""
    for each in read:
        if isinstance(each, Candidate) and each.prepared.key in wanted:
            wanted.discard(each.prepared.key)
            yield each
        if not wanted:
            return


def _channels(planned: Plan) -> dict[str, int]:
    """How many channels each recording has, as far as the import tells: lines of it need not say it."""
    found: dict[str, int] = {}
    for clip in planned.clips:
        found[clip.key[0]] = max(found.get(clip.key[0], 0), clip.key[1] + 1)
    return found


def _whole(candidate: Candidate, channels: dict[str, int]) -> Candidate:
    clip = candidate.prepared.analysis.clip
    count = max(clip.recording.channel_count, channels.get(clip.recording.sha256, 1))
    if count == clip.recording.channel_count:
        return candidate
    clip = replace(clip, recording=replace(clip.recording, channel_count=count))
    analysis = replace(candidate.prepared.analysis, clip=clip)
    return replace(candidate, prepared=replace(candidate.prepared, analysis=analysis))


class _Writer:
    """Saves clips some at a time; one that cannot be saved does not keep the others from it."""

    def __init__(self, store: Store, settings: Settings, done: Imported) -> None:
        self._store, self._settings, self._done = store, settings, done
        self._rules = alerting.active_rules(store)
        self._waiting: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        """Save a clip, or let it wait for others; one with sound goes at once, while its sound is at hand."""
        if candidate.prepared.sound is not None:
            self._with_sound(candidate)
            return
        self._waiting.append(candidate)
        if len(self._waiting) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Save what waits."""
        some, self._waiting = self._waiting, []
        try:
            self._save(some)
        except StoreError:
            raise
        except EmostoreError:  # one of them; all others are saved
            for each in some:
                try:
                    self._save([each])
                except EmostoreError as error:
                    self._refuse(each, error)

    def _with_sound(self, candidate: Candidate) -> None:
        """Audio is kept before its recording is saved, so that no recording ever lacks what it names."""
        sound, analysis = candidate.prepared.sound, candidate.prepared.analysis
        assert sound is not None
        # Of a recording that is stored already, the audio was kept then, or was not wanted.
        is_new = clips.find_recording(self._store, sound.sha256) is None
        kept = media.keep(sound.path, sound.sha256, self._settings) if is_new else None
        recording = replace(
            analysis.clip.recording,
            media_path=kept.path if kept else None,
            media_kind=kept.kind if kept else None,
        )
        analysis = replace(analysis, clip=replace(analysis.clip, recording=recording))
        candidate = replace(candidate, prepared=replace(candidate.prepared, analysis=analysis))
        try:
            self._save([candidate])
        except StoreError:
            raise
        except EmostoreError as error:
            self._refuse(candidate, error)
            return
        if kept:
            with suppress(StoreError, AudioError):  # then whoever opens it first waits for them
                waveforms = audio.decode(sound.path, name=recording.file_name).waveforms
                peaks.save(peaks.of(waveforms), sound.sha256, self._settings.data_dir)

    def _save(self, some: Sequence[Candidate]) -> None:
        if not some:
            return
        absent = alerting.absent(self._store)  # anew: what is imported here may tell
        analyses = [self._with_alerts(each.prepared.analysis, absent) for each in some]
        labels: dict[tuple[int, str], Said] = {}
        answers = calibrating.save_many(self._store, analyses, access.current_user().name)
        for candidate, saved in zip(some, answers, strict=True):
            labels |= {(saved.clip_id, each.rater): each for each in candidate.prepared.labels}
            self._done.new += saved.clip_created
            self._done.added += saved.created and not saved.clip_created
            if saved.created and len(self._done.clip_ids) < MOST_NAMED:
                self._done.clip_ids.append(saved.clip_id)
        for candidate in some:
            self._pair(candidate)
        if access.can("edit"):
            self._done.labels += labelling.restore(self._store, labels)

    def _pair(self, candidate: Candidate) -> None:
        """Make one call again of two files that were one, as soon as both are there."""
        side, own = candidate.prepared.other_side, candidate.prepared.key[0]
        if side is None:
            return
        found = [clips.find_recording(self._store, sha256) for sha256 in (own, side.sha256)]
        both = [each.clips[0] for each in found if each is not None and len(each.clips) == 1]
        if len(both) != 2:
            return
        first, second = both if side.first else both[::-1]
        try:
            editing.pair(self._store, first.clip_id, second.clip_id, side.offset_s, roles=(first.role, second.role))
        except EmostoreError as error:  # they are paired already, or edited here; both are whole without it
            log.info("%s was not paired: %s", candidate.item.main.name, error)

    def _with_alerts(self, analysis: records.NewAnalysis, absent: masked.Reader) -> records.NewAnalysis:
        """The analysis with what the active rules find in it, as for every clip that is analysed here."""
        outcome, clip = analysis.outcome, analysis.clip
        if isinstance(outcome, records.NoSpeech):
            return analysis
        model, rules = analysis.model, [each.rule for each in self._rules]
        found = alerting.raised(
            self._rules,
            outcome.scores,
            role=clip.role,
            speech_s=clip.speech_s,
            windows=alerting.windows_of(outcome, clip.segments),
            classes=alerting.trusted(model.classes, (model.name, model.revision), rules, absent),
        )
        return replace(analysis, alerts=found)

    def _refuse(self, candidate: Candidate, error: EmostoreError) -> None:
        self._done.refused_count += 1
        if len(self._done.refused) < MOST_REFUSED:
            self._done.refused.append(Refused(candidate.item.main.name, error, candidate.line))
