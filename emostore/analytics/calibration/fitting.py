"""Fitting the stages one after the other, and what the result is worth on labels that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from emostore.analytics.calibration import alignment, priors, scaling
from emostore.analytics.calibration.scaling import Ints, Kind
from emostore.analytics.calibration.stages import (
    RAW,
    Calibration,
    Floats,
    Head,
    Priors,
    Singles,
    apply,
    read_again,
    softmax,
)
from emostore.analytics.reliability import folds
from emostore.analytics.saved import check_choice
from emostore.emotions import EMOTIONS
from emostore.errors import SettingsError

LEAST_LABELS = 20
INNER_FOLDS = 5  # in which one of several ways is chosen, within the labels that may be seen

AlignmentChoice = Literal["none", "variance", "coral", "best"]
ScalingChoice = Literal["none"] | Kind


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """What a model said of clips: `logits` (n, 9), `embeddings` (n, dim; rows of NaN: none) and their domains."""

    logits: Singles
    embeddings: Singles | None = None
    domains: Sequence[str | None] = ()

    def __post_init__(self) -> None:
        n = len(self.logits)
        if (self.domains and len(self.domains) != n) or (self.embeddings is not None and len(self.embeddings) != n):
            raise ValueError(f"{n} logits need as many embeddings and domains")

    def __len__(self) -> int:
        return len(self.logits)

    def take(self, rows: Ints) -> Clips:
        """The clips at these positions."""
        embeddings = None if self.embeddings is None else self.embeddings[rows]
        return Clips(self.logits[rows], embeddings, [self.domains[i] for i in rows.tolist()] if self.domains else ())

    def scores(self, calibration: Calibration) -> Floats:
        """Their scores (n, 9)."""
        return apply(calibration, self.logits, self.embeddings, self.domains or None)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Clips with the number of their true emotion, (n,), and of what may not be split: a speaker, a session."""

    clips: Clips
    labels: Ints
    groups: Ints

    def __post_init__(self) -> None:
        if not len(self.clips) == len(self.labels) == len(self.groups):
            raise ValueError("every clip needs a label and a group")

    def take(self, rows: Ints) -> Labelled:
        """Those at these positions."""
        return Labelled(self.clips.take(rows), self.labels[rows], self.groups[rows])


@dataclass(frozen=True, slots=True)
class Options:
    """Which stages are fitted. With `best` the alignment is the one that wins on held-out labels, or none.

    `reference` is the domain that others are brought to. `together` mixes in which emotions occur together.
    """

    alignment: AlignmentChoice = "none"
    reference: str | None = None
    scaling: ScalingChoice = "temperature"
    priors: bool = False
    together: bool = False

    def __post_init__(self) -> None:
        check_choice("alignment", self.alignment, get_args(AlignmentChoice))
        check_choice("scaling", self.scaling, ("none", *scaling.KINDS))
        if self.alignment != "none" and not self.reference:
            raise SettingsError("Choose the domain that the others are brought to.")
        if self.together and not self.priors:
            raise SettingsError("Which emotions occur together is a part of prior fusion. Switch that on, too.")


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A calibration fitted on all labels; `before` and `after` (n, 9) are scores of clips held out, in their order.

    `fold` (n,) says which were held out together; `alignment` what was chosen.
    """

    calibration: Calibration
    before: Floats
    after: Floats
    fold: Ints
    alignment: str


def fit(labelled: Labelled, corpus: Clips, options: Options, head: Head | None = None) -> Fitted:
    """Fit the stages on labels and on clips without labels, and score each labelled clip by what others taught.

    A group is held out whole. Alignment and prior fusion see the clips of `corpus`, never their labels. Raises
    `SettingsError` for too few labels, and for an alignment without the model's head or without enough clips.
    """
    if len(labelled.labels) < LEAST_LABELS:
        raise SettingsError(
            "{found} labels are too few to fit anything; {allowed} are needed, some hundreds are better.",
            found=len(labelled.labels),
            allowed=LEAST_LABELS,
        )
    aligned = _alignments(corpus, options, head)
    fold = folds(labelled.groups)
    after = np.zeros(labelled.clips.logits.shape)
    for number in np.unique(fold).tolist():
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        found, _ = _fit(labelled.take(inside), corpus, options, aligned)
        after[outside] = labelled.clips.take(outside).scores(found)
    calibration, chosen = _fit(labelled, corpus, options, aligned)
    return Fitted(calibration, labelled.clips.scores(RAW), after, fold, chosen)


def _fit(
    labelled: Labelled, corpus: Clips, options: Options, aligned: Mapping[str, Calibration]
) -> tuple[Calibration, str]:
    """The stages in their order, each fitted on what those before leave."""
    chosen = min(aligned, key=lambda kind: _held_out_loss(labelled, aligned[kind])) if len(aligned) > 1 else None
    name = chosen or next(iter(aligned))
    found = aligned[name]
    if options.scaling != "none":
        found = replace(found, scaling=scaling.fit(_logits(labelled.clips, found), labelled.labels, options.scaling))
    if options.priors:
        found = replace(found, priors=_priors(labelled, corpus, found, options))
    return found, name


def _alignments(corpus: Clips, options: Options, head: Head | None) -> dict[str, Calibration]:
    """What may be chosen from, by name; made once, for no label takes part."""
    if options.alignment == "none":
        return {"none": RAW}
    if head is None or corpus.embeddings is None:
        raise SettingsError("Aligning domains needs the model's head and embeddings, which this model did not give.")
    known = np.isfinite(corpus.embeddings).all(axis=1)
    where = np.array([name or "" for name in corpus.domains])
    vectors = {name: corpus.embeddings[known & (where == name)].astype(np.float64) for name in set(where.tolist())}
    reference = vectors.pop(options.reference or "", None)
    others = {name: rows for name, rows in sorted(vectors.items()) if name and len(rows) >= alignment.LEAST_CLIPS}
    if reference is None or len(reference) < alignment.LEAST_CLIPS or not others:
        raise SettingsError(
            "Aligning takes at least {allowed} clips of the domain {reference} and of another one.",
            allowed=alignment.LEAST_CLIPS,
            reference=options.reference,
        )
    made: dict[str, Calibration] = {"none": RAW} if options.alignment == "best" else {}
    for kind in alignment.ALIGNMENTS if options.alignment == "best" else (options.alignment,):
        heads = {name: alignment.aligned_head(head, rows, reference, kind) for name, rows in others.items()}
        made[kind] = Calibration(heads)
    return made


def _held_out_loss(labelled: Labelled, found: Calibration) -> float:
    """The loss of an alignment on labels left out of its temperature."""
    return scaling.loss(_held_out_scores(labelled, found, "temperature"), labelled.labels)


def _held_out_scores(labelled: Labelled, found: Calibration, kind: ScalingChoice) -> Floats:
    logits = _logits(labelled.clips, found)
    scores = softmax(logits)
    if kind != "none":
        fold = folds(labelled.groups, INNER_FOLDS)
        for number in np.unique(fold).tolist():
            inside, outside = fold != number, fold == number
            taught = scaling.fit(logits[inside], labelled.labels[inside], kind)
            scores[outside] = softmax(taught.apply(logits[outside]))
    return scores


def _logits(clips: Clips, found: Calibration) -> Floats:
    return read_again(found.heads, np.asarray(clips.logits, np.float64), clips.embeddings, clips.domains or None)


def _priors(labelled: Labelled, corpus: Clips, found: Calibration, options: Options) -> Priors:
    scores = corpus.scores(found)
    source = priors.of_labels(labelled.labels, len(EMOTIONS))
    target = priors.of_corpus(scores, source)
    if not options.together:
        return Priors(source, target)
    table = priors.together(Priors(source, target).apply(scores))
    # Labels are as frequent as `source` says, so that the weight is chosen without the shift.
    held_out = _held_out_scores(labelled, found, options.scaling)
    weight = priors.best_weight(held_out, labelled.labels, Priors(source, source, 0.0, table))
    return Priors(source, target, weight, table)
