"""The dry run: what an import would create, what is there already, what is doubtful, and what is refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from emostore import access
from emostore.config import Settings
from emostore.emotions import EmotionScores
from emostore.errors import AudioError, EmostoreError, MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.importing import assemble, reading
from emostore.services.importing.assemble import Options, Prepared
from emostore.services.importing.items import Item, grouped
from emostore.services.importing.sources import Given, Refused, listed
from emostore.store.calibration import label_reading
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports import export_reports
from emostore.store.reports.export_reports import ModelKey
from emostore.store.session import Store
from emostore.store.writing import records

MAX_CLIPS = 100_000  # in one import
MOST_REFUSED = 1_000  # told one by one; the rest is only counted
_AT_ONCE = 500  # clips looked up together
_NO_LABELS = N_("Its labels are left out: you do not have the right to label clips.")
_OTHER_LABEL = N_("A rater said something else of it here; that stays.")

Key = tuple[str, int, str, str]  # recording, channel, model, revision
State = Literal["new", "added", "stored", "twin"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One clip of an import, and how many labels it brings that are not here yet.

    `state`: the clip is `new`, or is there and gets scores `added` of a model that it has none of, or all of it is
    `stored` already, or it is the `twin` of another one of this import.
    """

    source: str
    line: int | None
    state: State
    key: Key
    file_name: str
    agent: str | None
    happened_at: datetime
    happened_at_source: str
    scores: EmotionScores | None
    windows: int
    has_embedding: bool
    has_sound: bool
    labels: int = 0


@dataclass(slots=True)
class Plan:
    """What an import comes to. `doubts` has each doubt once, with how many clips it holds for."""

    clips: list[Planned] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refused_count: int = 0
    passed: tuple[str, ...] = ()
    doubts: list[tuple[Sentence, int]] = field(default_factory=list)
    models: tuple[ModelKey, ...] = ()

    def count(self, *states: State) -> int:
        """How many clips are in one of these states."""
        return sum(clip.state in states for clip in self.clips)

    @property
    def wanted(self) -> frozenset[Key]:
        """What is to be written."""
        return frozenset(clip.key for clip in self.clips if clip.state in ("new", "added") or clip.labels)

    @property
    def labels(self) -> int:
        """How many labels are to be written."""
        return sum(clip.labels for clip in self.clips)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip that could be read, with the item and the line it stands in."""

    item: Item
    line: int | None
    prepared: Prepared


def plan(
    store: Store,
    settings: Settings,
    given: Sequence[Given],
    options: Options,
    progress: Callable[[int], None] = lambda done: None,
) -> Plan:
    """Read everything and write nothing. `progress` hears how many clips were looked at."""
    access.require("analyse")
    made = _Maker(store)
    with listed(given) as listing:
        found = grouped(listing.entries)
        for refused in (*listing.refused, *found.refused):
            made.refuse(refused)
        made.plan.passed = found.passed
        candidates = read(found.items, settings, options)
        while some := list(islice(candidates, _AT_ONCE)):
            if len(made.plan.clips) > MAX_CLIPS:
                raise MetadataError("There are more than {allowed:,} clips. Import them in parts.", allowed=MAX_CLIPS)
            made.add(some)
            progress(len(made.plan.clips))
    return made.done()


def read(items: Sequence[Item], settings: Settings, options: Options) -> Iterator[Candidate | Refused]:
    """Every clip of the items as it would be stored, one after the other, and what is refused."""
    now = datetime.now(UTC)
    for item in items:
        with ExitStack() as stack:
            heard = _heard(item, settings, stack)
            for line, found in reading.clips(item):
                try:
                    if isinstance(found, EmostoreError):
                        raise found
                    name = item.name if line is None else f"{item.name} [{line}]"
                    sound = None if found.model.raw else heard
                    prepared = assemble.prepare(found, name, options, byte_count=item.byte_count, now=now, heard=sound)
                    yield Candidate(item, line, prepared)
                except EmostoreError as error:
                    yield Refused(item.main.name, error, line)


def _heard(item: Item, settings: Settings, stack: ExitStack) -> assemble.Sound | AudioError | None:
    if item.audio is None:
        return None
    try:
        return stack.enter_context(assemble.sound(item.audio, settings))
    except AudioError as error:
        return error
    except EmostoreError as error:  # it could not be unpacked
        return AudioError("{name} could not be read: {problem}", name=item.audio.base, problem=error)


class _Maker:
    """A plan that grows, and what contradicts what was seen before."""

    def __init__(self, store: Store) -> None:
        self.plan = Plan()
        self._store = store
        self._models = export_reports.models(store)
        self._teams: dict[str, str] = {}
        self._seen: set[Key] = set()
        self._heard: set[tuple[str, int, str]] = set()  # recording, channel and rater of labels
        self._doubts: Counter[str] = Counter()
        self._sentences: dict[str, Sentence] = {}

    def refuse(self, refused: Refused) -> None:
        """Remember a refusal; of very many only the number."""
        self.plan.refused_count += 1
        if len(self.plan.refused) < MOST_REFUSED:
            self.plan.refused.append(refused)

    def add(self, some: Sequence[Candidate | Refused]) -> None:
        """Take some clips in, looked up together."""
        read = [each for each in some if isinstance(each, Candidate)]
        known = export_reports.analysed_by(self._store, {each.prepared.key[:2] for each in read})
        labelled = label_reading.of_channels(
            self._store, {each.prepared.key[:2] for each in read if each.prepared.labels}
        )
        agents = {each.prepared.analysis.clip.agent for each in read} - {None} - self._teams.keys()
        self._teams |= export_reports.teams(self._store, {agent for agent in agents if agent})
        for each in some:
            if isinstance(each, Refused):
                self.refuse(each)
                continue
            models = known.get(each.prepared.key[:2], frozenset())
            is_here = each.prepared.said in models
            try:
                if not is_here:
                    self._check(each.prepared.analysis)
            except EmostoreError as error:
                self.refuse(Refused(each.item.main.name, error, each.line))
                continue
            state = self._state(each.prepared.key, known.get(each.prepared.key[:2]), is_here)
            new = 0 if state == "twin" else self._labels(each.prepared, labelled.get(each.prepared.key[:2], {}))
            self.plan.clips.append(_planned(each, state, new))
            for doubt in each.prepared.doubts:
                self._doubt(doubt)

    def done(self) -> Plan:
        """The plan, its doubts sorted by how many clips they hold for."""
        self.plan.doubts = [(self._sentences[text], count) for text, count in self._doubts.most_common()]
        self.plan.models = tuple(sorted({clip.key[2:] for clip in self.plan.clips}))
        return self.plan

    def _doubt(self, doubt: Sentence) -> None:
        text = str(doubt)
        self._doubts[text] += 1
        self._sentences.setdefault(text, doubt)

    def _labels(self, prepared: Prepared, there: Mapping[str, NewLabel]) -> int:
        """How many labels of a clip would be written; what raters said of it here stays."""
        if prepared.labels and not access.can("edit"):
            self._doubt(Sentence(_NO_LABELS))
            return 0
        if any(there.get(each.rater, each.label) != each.label for each in prepared.labels):
            self._doubt(Sentence(_OTHER_LABEL))
        new = {(*prepared.key[:2], each.rater) for each in prepared.labels if each.rater not in there} - self._heard
        self._heard |= new
        return len(new)

    def _state(self, key: Key, models: frozenset[ModelKey] | None, is_here: bool) -> State:
        if key in self._seen:
            return "twin"
        self._seen.add(key)
        if models is None:
            return "new"
        return "stored" if is_here or key[2:] in models else "added"

    def _check(self, analysis: records.NewAnalysis) -> None:
        model, clip = analysis.model, analysis.clip
        stored = self._models.setdefault((model.name, model.revision), (model.dim, model.classes))
        if stored != (model.dim, model.classes):
            raise MetadataError(
                "{model} is known here with {found} numbers in an embedding and {classes} emotions, and differs in this"
                " file. Give the model of the file another name.",
                model=f"{model.name} · {model.revision}",
                found=stored[0],
                classes=len(stored[1]),
            )
        if clip.agent and clip.team and self._teams.setdefault(clip.agent, clip.team) != clip.team:
            raise MetadataError(
                "Agent {agent} belongs to team {found}, not {given}. Leave the team empty, or give the agent another"
                " name if it is somebody else.",
                agent=clip.agent,
                found=self._teams[clip.agent],
                given=clip.team,
            )


def _planned(candidate: Candidate, state: State, labels: int) -> Planned:
    analysis = candidate.prepared.analysis
    outcome, recording = analysis.outcome, analysis.clip.recording
    scored = outcome if isinstance(outcome, records.Analysed) else None
    return Planned(
        source=candidate.item.main.name,
        line=candidate.line,
        state=state,
        key=candidate.prepared.key,
        file_name=recording.file_name,
        agent=analysis.clip.agent,
        happened_at=recording.happened_at,
        happened_at_source=recording.happened_at_source,
        scores=scored.scores if scored else None,
        windows=len(scored.windows.logits) if scored and scored.windows else 0,
        has_embedding=scored is not None and scored.embedding is not None,
        has_sound=candidate.prepared.sound is not None,
        labels=labels,
    )
