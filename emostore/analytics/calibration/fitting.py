"""Fitting the stages one after the other, and what the result is worth on labels that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from emostore.analytics.calibration import alignment, priors, scaling, training
from emostore.analytics.calibration.applying import apply, read_again, softmax
from emostore.analytics.calibration.scaling import Ints, Kind
from emostore.analytics.calibration.stages import RAW, Calibration, Floats, Head, Priors, Singles
from emostore.analytics.calibration.training import Learnt
from emostore.analytics.reliability import FOLDS, folds
from emostore.analytics.saved import check_choice
from emostore.emotions import EMOTIONS
from emostore.errors import SettingsError

LEAST_LABELS = 20
INNER_FOLDS = 5  # in which one of several ways is chosen, within the labels that may be seen
TRAINING_FOLDS = 5  # in which clips are held out where a head is trained in each, which takes its time

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

    @property
    def readable(self) -> Ints:
        """The positions of those that have an embedding."""
        none = np.zeros(0, np.int64)
        return none if self.embeddings is None else np.flatnonzero(np.isfinite(self.embeddings).all(axis=1))

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

    `reference` is the domain that others are brought to. `together` mixes in which emotions occur together. With
    `trained` a head is learnt from the labels, of every domain, in place of the model's own and of aligned ones.
    """

    alignment: AlignmentChoice = "none"
    reference: str | None = None
    scaling: ScalingChoice = "temperature"
    priors: bool = False
    together: bool = False
    trained: bool = False

    def __post_init__(self) -> None:
        check_choice("alignment", self.alignment, get_args(AlignmentChoice))
        check_choice("scaling", self.scaling, ("none", *scaling.KINDS))
        if self.alignment != "none" and not self.reference:
            raise SettingsError("Choose the domain that the others are brought to.")
        if self.alignment != "none" and self.trained:
            raise SettingsError("A trained head learns from recordings of every kind. Leave them as they are.")
        if self.together and not self.priors:
            raise SettingsError("Which emotions occur together is a part of prior fusion. Switch that on, too.")


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A calibration fitted on all labels; `before` and `after` (n, 9) are scores of clips held out, in their order.

    `fold` (n,) says which were held out together; `alignment` what was chosen, and `learnt` what labels taught, if a
    head was trained.
    """

    calibration: Calibration
    before: Floats
    after: Floats
    fold: Ints
    alignment: str
    learnt: Learnt | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What the heads say of labelled clips, as the later stages may see it: of none that taught the head it is from."""

    heads: Calibration
    logits: Floats
    labels: Ints
    groups: Ints


def fit(labelled: Labelled, corpus: Clips, options: Options, head: Head | None = None) -> Fitted:
    """Fit the stages on labels and on clips without labels, and score each labelled clip by what others taught.

    A group is held out whole. Alignment and prior fusion see the clips of `corpus`, never their labels. Raises
    `SettingsError` for too few labels or labels of one emotion, for an alignment without the model's head or without
    enough clips, and for a head to be trained without embeddings or enough labels of two emotions.
    """
    if len(labelled.labels) < LEAST_LABELS:
        raise SettingsError(
            "{found} labels are too few to fit anything; {allowed} are needed, some hundreds are better.",
            found=len(labelled.labels),
            allowed=LEAST_LABELS,
        )
    if len(np.unique(labelled.labels)) < 2:
        raise SettingsError(
            "All {found} labels say the same emotion, from which nothing can be learnt. Label clips of others, too.",
            found=len(labelled.labels),
        )
    classes = _checked(labelled) if options.trained else ()
    aligned = _alignments(corpus, options, head)
    if options.trained:
        corpus = corpus.take(corpus.readable)
        if options.priors and not len(corpus):
            raise SettingsError("Training a head needs embeddings, which this model did not give.")
    fold = folds(labelled.groups, TRAINING_FOLDS if options.trained else FOLDS)
    after = np.zeros(labelled.clips.logits.shape)
    for number in np.unique(fold).tolist():
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        found, _, _ = _fit(labelled.take(inside), corpus, options, aligned, classes, head)
        after[outside] = labelled.clips.take(outside).scores(found)
    calibration, chosen, learnt = _fit(labelled, corpus, options, aligned, classes, head)
    return Fitted(calibration, labelled.clips.scores(RAW), after, fold, chosen, learnt)


def _fit(
    labelled: Labelled,
    corpus: Clips,
    options: Options,
    aligned: Mapping[str, Calibration],
    classes: Sequence[int],
    head: Head | None,
) -> tuple[Calibration, str, Learnt | None]:
    """The stages in their order, each fitted on what those before leave."""
    learnt, name = None, "none"
    if options.trained:
        learnt, read = _trained(labelled, classes, head)
    else:
        reads = {kind: _aligned(labelled, each) for kind, each in aligned.items()}
        name = min(reads, key=lambda kind: _held_out_loss(reads[kind])) if len(reads) > 1 else next(iter(reads))
        read = reads[name]
    found = read.heads
    if options.scaling != "none":
        found = replace(found, scaling=scaling.fit(read.logits, read.labels, options.scaling))
    if options.priors:
        found = replace(found, priors=_priors(read, corpus, found, options))
    return found, name, learnt


def learnable(labelled: Labelled) -> tuple[Ints, tuple[int, ...]]:
    """The positions of the clips that a head can be learnt from, and the emotions, by number, that it then gives.

    These are emotions that the model can give, with labels enough of clips with embeddings.
    """
    rows = labelled.clips.readable
    given = np.flatnonzero(np.isfinite(labelled.clips.logits).any(axis=0)).tolist()
    enough = training.teachable(labelled.labels[rows], labelled.groups[rows])
    classes = tuple(number for number in enough if number in given)
    return rows[np.isin(labelled.labels[rows], classes)], classes


def _checked(labelled: Labelled) -> tuple[int, ...]:
    """The emotions that a head can learn, if there are labels enough of them."""
    if not len(labelled.clips.readable):
        raise SettingsError("Training a head needs embeddings, which this model did not give.")
    rows, classes = learnable(labelled)
    training.check(len(rows), classes)
    return classes


def _trained(labelled: Labelled, classes: Sequence[int], own: Head | None) -> tuple[Learnt, _Read]:
    """A head of these labels, and what others of its kind say of each clip without having heard its group."""
    rows = labelled.clips.readable
    taught = labelled.take(rows[np.isin(labelled.labels[rows], classes)])
    vectors = taught.clips.embeddings
    if vectors is None or not len(vectors):
        raise SettingsError("Training a head needs embeddings, which this model did not give.")
    learnt = training.train(vectors, taught.labels, taught.groups, classes, own)
    logits = np.where(np.isneginf(taught.clips.logits), -np.inf, learnt.held_out)
    # An emotion that some of those heads had no label of tells nothing of how sure the head is.
    told = np.flatnonzero(np.isfinite(logits[np.arange(len(logits)), taught.labels]))
    return learnt, _Read(Calibration(trained=learnt.head), logits[told], taught.labels[told], taught.groups[told])


def _aligned(labelled: Labelled, found: Calibration) -> _Read:
    clips = labelled.clips
    logits = read_again(found.heads, np.asarray(clips.logits, np.float64), clips.embeddings, clips.domains or None)
    return _Read(found, logits, labelled.labels, labelled.groups)


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


def _held_out_loss(read: _Read) -> float:
    """The loss of an alignment on labels left out of its temperature."""
    return scaling.loss(_held_out_scores(read, "temperature"), read.labels)


def _held_out_scores(read: _Read, kind: ScalingChoice) -> Floats:
    scores = softmax(read.logits)
    if kind != "none":
        fold = folds(read.groups, INNER_FOLDS)
        for number in np.unique(fold).tolist():
            inside, outside = fold != number, fold == number
            taught = scaling.fit(read.logits[inside], read.labels[inside], kind)
            scores[outside] = softmax(taught.apply(read.logits[outside]))
    return scores


def _priors(read: _Read, corpus: Clips, found: Calibration, options: Options) -> Priors:
    scores = corpus.scores(found)
    source = priors.of_labels(read.labels, len(EMOTIONS))
    target = priors.of_corpus(scores, source)
    if not options.together:
        return Priors(source, target)
    table = priors.together(Priors(source, target).apply(scores))
    # Labels are as frequent as `source` says, so that the weight is chosen without the shift.
    held_out = _held_out_scores(read, options.scaling)
    weight = priors.best_weight(held_out, read.labels, Priors(source, source, 0.0, table))
    return Priors(source, target, weight, table)
