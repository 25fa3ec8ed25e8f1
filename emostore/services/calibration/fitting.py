"""Fitting a calibration on what raters heard, and what it is worth on clips that it has not seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emostore import access
from emostore.analytics.calibration import training
from emostore.analytics.calibration.fitting import TRAINING_FOLDS, Clips, Fitted, Labelled, Options, fit, learnable
from emostore.analytics.reliability import Figures, cautions, difference, figures, losses
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.calibration import calibrating
from emostore.store.calibration import labels
from emostore.store.rollups.rollup_reading import Model
from emostore.store.session import Store

Verdict = Literal["better", "perhaps", "mixed", "nothing", "worse"]

MOST_UNLABELLED = 20_000  # newest clips from which shares and domains are learnt
LEAST_CHANGE = 0.01  # of the calibration error: less is not worth a word
FEW_TO_TRAIN = 300  # labels; of fewer, a head of a thousand numbers an emotion learns as much chance as voice


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Clips whose raters agree on one emotion: what `fit` takes, and what they are.

    `reasons` are why they were labelled: `random` if for any rater. `divided` counts the clips that were left out,
    `raters` those who labelled the others.
    """

    labelled: Labelled
    domains: tuple[str | None, ...]
    languages: tuple[str | None, ...]
    reasons: tuple[str, ...]
    divided: int
    raters: int

    def where(self, *, domain: str | None = None, language: str | None = None) -> NDArray[np.bool_]:
        """Which clips (n,) are of a domain and of a language; None is any."""
        kept = np.ones(len(self.reasons), bool)
        for wanted, values in ((domain, self.domains), (language, self.languages)):
            if wanted is not None:
                kept &= np.array([value == wanted for value in values], bool)
        return kept


@dataclass(frozen=True, slots=True)
class Teaching:
    """From how many `labels` a head would learn the emotions `given`; `never` are others that the model can give.

    `wrong` labels are of emotions that it never gives, `unread` ones of clips without an embedding.
    """

    labels: int
    given: tuple[str, ...]
    never: tuple[str, ...]
    wrong: int
    unread: int


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A calibration that is not stored yet, with its figures on held-out clips, before (raw) and after.

    `nll_change` is the mean change of the negative log-likelihood, low and high of its interval; below 0 is better.
    """

    model: Model
    options: Options
    sample: Sample
    fitted: Fitted
    before: Figures
    after: Figures
    nll_change: tuple[float, float, float]
    cautions: tuple[Sentence, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether it is worth it, by the loss; a calibration error that grows beside it keeps it from being so."""
        change, low, high = self.nll_change
        if low > 0:
            return "worse"
        if change >= 0:
            return "nothing"
        if self.after.ece > self.before.ece + LEAST_CHANGE:
            return "mixed"
        return "better" if high < 0 else "perhaps"

    def part(self, *, domain: str | None = None, language: str | None = None) -> tuple[Figures, Figures] | None:
        """The figures before and after of one domain or language; None without such clips."""
        rows = self.sample.where(domain=domain, language=language)
        if not rows.any():
            return None
        truth = self.sample.labelled.labels[rows]
        return figures(self.fitted.before[rows], truth), figures(self.fitted.after[rows], truth)


def sample(store: Store, model: Model) -> Sample:
    """The labelled clips that a model analysed. Several raters count as one voice; where they are divided, as none."""
    access.require("read")
    told = [(clip, labels.majority(clip.verdicts)) for clip in labels.labelled(store, model)]
    kept = [(clip, truth) for clip, truth in told if truth is not None]
    if not kept:
        raise MetadataError("No clip of this model has a label that its raters agree on. Label some first.")
    clips = [clip for clip, _ in kept]
    vectors = _stacked([clip.embedding for clip in clips])
    domains = tuple(clip.domain for clip in clips)
    return Sample(
        Labelled(
            Clips(np.stack([clip.logits for clip in clips]), vectors, domains),
            np.array([EMOTIONS.index(truth) for _, truth in kept], np.int64),
            np.array([clip.session_id for clip in clips], np.int64),
        ),
        domains,
        tuple(clip.language for clip in clips),
        tuple("random" if "random" in clip.reasons else clip.reasons[0] for clip in clips),
        len(told) - len(kept),
        len({rater for clip in clips for rater in clip.raters}),
    )


def teaching(found: Sample) -> Teaching:
    """What there is to train a head with."""
    rows, classes = learnable(found.labelled)
    truth = found.labelled.labels
    given = np.flatnonzero(np.isfinite(found.labelled.clips.logits).any(axis=0)).tolist()
    return Teaching(
        len(rows),
        tuple(EMOTIONS[number] for number in classes),
        tuple(name for number, name in enumerate(EMOTIONS) if number in given and number not in classes),
        sum(number in given and number not in classes for number in truth.tolist()),
        len(truth) - len(found.labelled.clips.readable),
    )


def try_out(store: Store, model: Model, options: Options) -> Trial:
    """Fit a calibration on all labels of a model, and measure it on each session without its own.

    Raises `MetadataError` without labels, `SettingsError` with too few or for stages that cannot be fitted.
    """
    access.require("administer")
    found = sample(store, model)
    fitted = fit(found.labelled, _corpus(store, model, options), options, calibrating.head(store, model))
    truth, groups = found.labelled.labels, found.labelled.groups
    return Trial(
        model,
        options,
        found,
        fitted,
        figures(fitted.before, truth),
        figures(fitted.after, truth),
        difference(losses(fitted.before, truth), losses(fitted.after, truth), groups),
        (*cautions(truth, groups, found.reasons), *(untaught(teaching(found)) if options.trained else ())),
    )


def untaught(found: Teaching) -> tuple[Sentence, ...]:
    """What a head that is trained like this cannot do."""
    said = []
    if found.labels < FEW_TO_TRAIN:
        said.append(Sentence(_FEW, {"found": found.labels, "allowed": FEW_TO_TRAIN}))
    if found.never:
        never = tuple(BY_NAME[name] for name in found.never)
        said.append(Sentence(_NEVER, {"missing": never, "allowed": training.LEAST_OF_A_CLASS}))
    if found.wrong:
        said.append(Sentence(_WRONG, {"found": found.wrong}))
    if found.unread:
        said.append(Sentence(_UNREAD, {"found": found.unread}))
    return tuple(said)


def keep(store: Store, name: str, trial: Trial) -> int:
    """Store a trial as a calibration, with what it was fitted on and its figures; its id (see `activate`)."""
    truth = trial.sample.labelled.labels
    fitted_on: dict[str, Any] = {
        "options": asdict(trial.options),
        "alignment": trial.fitted.alignment,
        "labels": len(truth),
        "sessions": len(np.unique(trial.sample.labelled.groups)),
        "emotions": {name: int((truth == number).sum()) for number, name in enumerate(EMOTIONS)},
        "reasons": dict(Counter(trial.sample.reasons)),
        "raters": trial.sample.raters,
    }
    if trial.fitted.learnt is not None:
        learnt = trial.fitted.learnt
        fitted_on["trained"] = {
            "labels": len(learnt.held_out),
            "emotions": [EMOTIONS[number] for number in learnt.classes],
            "strength": learnt.strength,
            "folds": TRAINING_FOLDS,
        }
    metrics = {"before": _metrics(trial.before), "after": _metrics(trial.after), "nll_change": list(trial.nll_change)}
    if not np.isfinite(trial.nll_change).all():
        metrics.pop("nll_change")
    return calibrating.create(store, trial.model, name, trial.fitted.calibration, fitted_on=fitted_on, metrics=metrics)


def _metrics(found: Figures) -> dict[str, Any]:
    return {**asdict(found), "confusion": found.confusion.tolist()}


def _corpus(store: Store, model: Model, options: Options) -> Clips:
    """The newest clips, whose labels nobody needs."""
    wanted = options.alignment != "none" or (options.trained and options.priors)
    rows = labels.corpus(store, model, MOST_UNLABELLED, with_embeddings=wanted)
    vectors = _stacked([row[1] for row in rows]) if wanted else None
    return Clips(np.stack([row[0] for row in rows]), vectors, tuple(row[2] for row in rows))


def _stacked(vectors: list[NDArray[np.float16] | None]) -> NDArray[np.float32] | None:
    """Embeddings (n, dim) with NaN where there is none; None if there is none at all."""
    dim = next((len(vector) for vector in vectors if vector is not None), None)
    if dim is None:
        return None
    missing = np.full(dim, np.nan, np.float32)
    return np.stack([missing if vector is None else vector.astype(np.float32) for vector in vectors])


_FEW = N_("A head is learnt from {found} labels here: some hundreds, {allowed} at least, make it better.")
_NEVER = N_(
    "The trained head never gives {missing}: of each there are fewer than {allowed} labels, or all are of one session."
)
_WRONG = N_("{found} labels are of emotions that the trained head never gives: these clips count as wrong.")
_UNREAD = N_("{found} labelled clips have no embedding: these keep the scores that the model gave them.")
