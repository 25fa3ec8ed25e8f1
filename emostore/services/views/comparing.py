"""Agents, sessions, clips and the published examples as samples to lay side by side: of one model, never of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil
from types import MappingProxyType
from typing import Literal, get_args

from emostore import access
from emostore.analytics import comparison
from emostore.analytics.comparison import TARGETS, Difference, MeanDistribution
from emostore.analytics.reference import CASES
from emostore.analytics.resampling import SessionSums
from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.calibration import masked
from emostore.services.metadata.descriptions import ROLES
from emostore.store import audit, profiles
from emostore.store.reports import comparing
from emostore.store.reports.report_views import CompareItem, ModelInUse
from emostore.store.session import Store
from emostore.store.writing import edits

Kind = Literal["agent", "session", "clip", "case"]
Half = Literal["", "before", "after"]
Model = tuple[str, str]  # name and revision

MOST = 6  # samples that can be told apart on one chart
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_TEXT = 220  # characters of a thing in an address: a kind and the longest name
CASE_NAMES: Mapping[str, str] = MappingProxyType(
    {"business": "Business talk", "complaint": "Customer complaint", "teaching": "Teaching voice"}
)
# Whose voices are compared. Those of agents only if somebody asks: judging employees by their emotions is not for all.
VOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"others": tuple(role for role in ROLES if role != "agent"), "agent": ("agent",), "all": ROLES}
)
_MOST_ID = 18  # digits


@dataclass(frozen=True, slots=True)
class Thing:
    """What can be compared: an agent by name, a session or clip by id, or a published case."""

    kind: Kind
    key: str

    @property
    def text(self) -> str:
        """How it stands in an address."""
        return f"{self.kind}:{self.key}"

    @classmethod
    def read(cls, text: str) -> Thing | None:
        """The thing that `text` wrote; None for anything else."""
        kind, _, key = text.partition(":")
        if kind not in KINDS or not key or len(text) > MOST_TEXT:
            return None
        is_id = key.isascii() and key.isdigit() and len(key) <= _MOST_ID
        if (kind in ("session", "clip") and not is_id) or (kind == "case" and key not in CASE_NAMES):
            return None
        return cls(kind, key)


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the things with its mean; `mean` is None if nothing of it is scored, `sums` if it has no sessions.

    `name` is as it was given; that of a case is translated where it is shown. With a date to split at, an agent is
    two samples, `half` says which.
    """

    thing: Thing
    name: str
    half: Half = ""
    demo: bool = False
    clips: int = 0
    sums: SessionSums | None = None
    mean: MeanDistribution | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Samples with scores of one model, those that have none, and what is not there at all."""

    model: ModelInUse | None = None
    samples: tuple[Sample, ...] = ()
    empty: tuple[Sample, ...] = ()
    absent: tuple[Thing, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The days that count, both included; with `split`, an agent is compared before that day and from it on."""

    first: date | None = None
    last: date | None = None
    split: date | None = None
    time_zone: str = "UTC"


_ALL_DAYS = Span()


def compare(
    store: Store, things: Sequence[Thing], *, model: Model | None = None, span: Span = _ALL_DAYS, voices: str = "others"
) -> Comparison:
    """The things as samples, in their order. Without a model, that of the newest analysis counts for all of them.

    `span.split` holds for a single agent. Raises `AccessError` without the right to read what is asked for.
    """
    if any(thing.kind == "agent" for thing in things) and voices != "others":
        access.require("read", things)
    used: ModelInUse | None = None
    samples: list[Sample] = []
    absent: list[Thing] = []
    for thing in things[:MOST]:
        if thing.kind == "case":
            samples.append(_case(thing))
            continue
        for half, first, last in _halves(thing, things, span):
            item = comparing.compare_item(
                store,
                thing.kind,
                thing.key if thing.kind == "agent" else int(thing.key),
                model=(used.name, used.revision) if used else model,
                from_date=first,
                to_date=last,
                time_zone=span.time_zone,
                roles=VOICES[voices],
            )
            if item is None:
                absent.append(thing)
                break
            used = used or masked.honest(store, item.model)
            samples.append(_sample(thing, item, half, used if item.model else None))
    return Comparison(
        used,
        tuple(sample for sample in samples if sample.mean),
        tuple(sample for sample in samples if not sample.mean),
        tuple(absent),
    )


def difference(first: Sample, second: Sample) -> Difference:
    """First minus second. A published case is one distribution without sessions, so chance cannot be judged."""
    if first.sums is not None and second.sums is not None:
        return comparison.difference(first.sums, second.sums)
    one, other = _scores(first), _scores(second)
    return Difference(
        values={name: one[name] - other[name] for name in EMOTIONS},
        low=None,
        high=None,
        p_values=None,
        real=(),
        distance=comparison.distance(one, other),
        note=Sentence(
            N_("A published example is one distribution: nothing tells how much others would differ from it.")
        ),
    )


@dataclass(frozen=True, slots=True)
class Distances:
    """Jensen–Shannon distances of every sample to every sample, and to the targets; rows in the samples' order."""

    between: tuple[tuple[float, ...], ...]
    targets: tuple[Target, ...] = field(default=())
    to_targets: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A distribution to come near to. The name of a built-in one is translated where it is shown."""

    name: str
    scores: Mapping[str, float]
    built_in: bool


def targets(store: Store) -> tuple[Target, ...]:
    """The built-in targets, then the saved ones."""
    own = (Target(view.name, view.scores, False) for view in profiles.targets(store))
    return (*(Target(each.name, each.scores, True) for each in TARGETS), *own)


def keep_target(store: Store, name: str, sample: Sample) -> None:
    """Keep the mean of a sample as a target, in the place of one of the same name.

    Raises `MetadataError` for the name of a built-in target, an empty or too long one.
    """
    access.require("administer")
    if name.strip().casefold() in {each.name.casefold() for each in TARGETS}:
        raise MetadataError("{name} is built in and stays as it is. Give yours another name.", name=name.strip())
    user = access.current_user().name
    with edits.changing(store) as session:
        profiles.save_target(session, name, _scores(sample), user)
        audit.record(session, user, "changed", "settings", None, {"target": name.strip()})


def forget_target(store: Store, name: str) -> None:
    """Forget a target that was kept."""
    access.require("administer")
    with edits.changing(store) as session:
        profiles.delete_target(session, name)
        audit.record(session, access.current_user().name, "deleted", "settings", None, {"target": name})


def distances(samples: Sequence[Sample], to: Sequence[Target]) -> Distances:
    """How far the samples are from each other and from targets."""
    rows = comparison.stacked([*(_scores(sample) for sample in samples), *(target.scores for target in to)])
    found = comparison.distances(rows)[: len(samples)].tolist()
    count = len(samples)
    return Distances(tuple(tuple(row[:count]) for row in found), tuple(to), tuple(tuple(row[count:]) for row in found))


def scale(scores: Sequence[Mapping[str, float]]) -> float:
    """The end of an axis that holds every score: the next tenth above the highest."""
    highest = max((value for each in scores for value in each.values()), default=1.0)
    return min(1.0, ceil(highest * 10) / 10) or 0.1


def _case(thing: Thing) -> Sample:
    name = CASE_NAMES[thing.key]
    return Sample(thing, name, mean=MeanDistribution(CASES[name], None, None, 0, 0.0))


def _halves(thing: Thing, things: Sequence[Thing], span: Span) -> list[tuple[Half, date | None, date | None]]:
    if span.split is None or thing.kind != "agent" or sum(each.kind == "agent" for each in things) != 1:
        return [("", span.first, span.last)]
    day_before = max(date.min, span.split - timedelta(days=1)) if span.split > date.min else date.min
    until = min(span.last, day_before) if span.last else day_before
    since = max(span.first, span.split) if span.first else span.split
    return [("before", span.first, until), ("after", since, span.last)]


def _sample(thing: Thing, item: CompareItem, half: Half, model: ModelInUse | None) -> Sample:
    spoken = item.speech_s > 0
    sums = SessionSums(item.sessions[spoken], item.speech_s[spoken], item.weighted[spoken])
    return Sample(
        thing,
        item.name,
        half,
        item.demo,
        int(item.clips.sum()),
        sums,
        comparison.averaged(sums) if len(sums) else None,
        tuple(name for name in EMOTIONS if model and name not in model.classes),
    )


def _scores(sample: Sample) -> Mapping[str, float]:
    if sample.mean is None:
        raise ValueError(f"{sample.thing.text} has no scores")
    return sample.mean.scores
