"""Results to look at without storing anything: the scores as they are given, not renormalised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emostore import access
from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError, MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.importing import reading
from emostore.services.importing.found import Found
from emostore.services.importing.items import grouped
from emostore.services.importing.sources import Given, Refused, listed
from emostore.services.metadata.descriptions import Role, Scenario


@dataclass(frozen=True, slots=True)
class Sample:
    """One result: its scores, the emotions that its model cannot give, and what is doubtful about it."""

    name: str
    scores: Mapping[str, float]
    missing: tuple[str, ...] = ()
    scenario: Scenario | None = None
    role: Role = "unknown"
    doubts: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """At most as many samples as were asked for, how many there are in all, and what is refused."""

    samples: tuple[Sample, ...]
    count: int
    refused: tuple[Refused, ...]


def samples(given: Sequence[Given], most: int) -> Drawing:
    """The first results of what was handed in. Anything that can be imported can be looked at."""
    access.require("read")
    found: list[Sample] = []
    count = 0
    with listed(given) as listing:
        items = grouped(listing.entries)
        refused = [*listing.refused, *items.refused]
        for item in items.items:
            for line, clip in reading.clips(item):
                try:
                    if isinstance(clip, EmostoreError):
                        raise clip
                    sample = _sample(clip, item.name if line is None else f"{item.name} [{line}]")
                    count += 1
                    if len(found) < most:
                        found.append(sample)
                except EmostoreError as error:
                    refused.append(Refused(item.main.name, error, line))
    return Drawing(tuple(found), count, tuple(refused))


def _sample(clip: Found, name: str) -> Sample:
    scores, doubts = clip.given, list(clip.doubts)
    if scores is None and clip.frames is not None:
        means = np.asarray(clip.frames.scores.mean(axis=0)).tolist()
        scores = dict(zip(EMOTIONS, means, strict=True))
        message = N_("It has no scores of the whole; the mean of its {count:,} frames stands for them.")
        doubts.append(Sentence(message, {"count": len(clip.frames.scores)}))
    if scores is None:
        raise MetadataError("There are no scores in it.")
    classes = clip.model.classes or EMOTIONS
    return Sample(
        clip.name or name,
        scores,
        tuple(each for each in EMOTIONS if each not in classes),
        clip.about.scenario,
        clip.about.role(clip.channel),
        tuple(doubts),
    )
