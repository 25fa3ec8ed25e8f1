"""What calibration is worth on real speech: EmoDB, scored by the baseline's recipe without the speaker it hears.

python -m benchmarks.calibration [--emodb FOLDER] [--json PATH]

Four trials, every score by what was learnt from other speakers: a model made too sure on purpose, other shares of
emotions than among the labels, a telephone line that nobody labelled, and a head learnt over the telephone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emostore.analytics.calibration import Calibration, Head, alignment
from emostore.analytics.calibration.applying import softmax
from emostore.analytics.calibration.fitting import Clips, Labelled, Options, fit
from emostore.analytics.reliability import difference, figures, losses
from emostore.engine.baseline import Weights
from emostore.engine.features import features
from emostore.training.augment import phone
from emostore.training.copies import CLEAN, Copies
from emostore.training.corpus import read_corpus
from emostore.training.model import REAL
from emostore.training.model import fit as train
from tests.audio_samples import shared_audio

Floats = NDArray[np.float64]
SIX = np.array(REAL)
TOO_SURE = 8.0  # what logits are multiplied by
CHEERFUL = (0.03, 0.02, 0.03, 0.45, 0.45, 0.02)  # shares of SIX among calls whose labels had them all


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Scores (n, 9) of the same clips before and after, what actors meant (n,), and which clips belong together."""

    before: Floats
    after: Floats
    truth: NDArray[np.int64]
    groups: NDArray[np.int64]
    calibration: Calibration | None = None


class Heard:
    """EmoDB as it is and over a phone line, as features, and models that have not heard certain speakers."""

    def __init__(self, folder: Path) -> None:
        corpus = read_corpus(folder)
        self.label = SIX[np.unique([each.label for each in corpus], return_inverse=True)[1]]
        self.speaker = np.unique([each.speaker for each in corpus], return_inverse=True)[1]
        self.clean = np.stack([features(each.waveform) for each in corpus])
        over = [phone(each.waveform, np.random.default_rng(i), low=300, high=3400) for i, each in enumerate(corpus)]
        self.phone = np.stack([features(waveform) for waveform in over])
        self.speakers = range(10)
        self._trained: dict[bytes, Weights] = {}

    def trained(self, rows: NDArray[np.bool_]) -> Weights:
        """The baseline, trained on these clean clips alone; once for each choice of them."""
        if rows.tobytes() not in self._trained:
            n = int(rows.sum())
            label = np.searchsorted(SIX, self.label[rows])
            copies = Copies(self.clean[rows], label, np.arange(n), np.full(n, CLEAN), (("?",),) * n)
            self._trained[rows.tobytes()] = train(copies, 0.1)
        return self._trained[rows.tobytes()]

    def held_out(self, rows: NDArray[np.bool_]) -> Floats:
        """Logits of these clips, each by a model that was trained on the others of them without its speaker."""
        logits = np.zeros((len(self.label), 9))
        for speaker in self.speakers:
            mine = self.speaker == speaker
            logits[mine] = said(self.trained(rows & ~mine), self.clean[mine])[0]
        return logits[rows]


def said(weights: Weights, vectors: Any) -> tuple[Any, Any]:
    """Logits and embeddings of feature vectors."""
    embeddings = weights.embed(vectors)
    return embeddings @ weights.head_weight.T + weights.head_bias, embeddings


def too_sure(heard: Heard) -> Trial:
    """Every second clip, by models that are far too sure, and by one temperature learnt from other speakers."""
    half = np.arange(len(heard.label)) % 2 == 0
    logits = (TOO_SURE * heard.held_out(half)).astype(np.float32)
    sample = Labelled(Clips(logits), heard.label[half], heard.speaker[half])
    found = fit(sample, sample.clips, Options(scaling="temperature"))
    return Trial(found.before, found.after, sample.labels, sample.groups, found.calibration)


def other_shares(heard: Heard) -> Trial:
    """Cheerful and matter-of-fact calls of five speakers, after labels of every emotion by the other five."""
    logits = heard.held_out(np.ones(len(heard.label), bool))
    shares = np.zeros(9)
    shares[SIX] = CHEERFUL
    rng, drawn, scores = np.random.default_rng(0), [], []
    for half in (0, 1):
        there = heard.speaker % 2 == half
        rows = np.flatnonzero(there)
        chance = (shares / np.bincount(heard.label[rows], minlength=9).clip(1))[heard.label[rows]]
        rows = rng.choice(rows, 1000, p=chance / chance.sum())
        sample = Labelled(Clips(logits[~there]), heard.label[~there], heard.speaker[~there])
        corpus = Clips(logits[rows])
        found = fit(sample, corpus, Options(priors=True)).calibration
        drawn.append(rows)
        scores.append([corpus.scores(each) for each in (replace(found, priors=None), found)])
    rows = np.concatenate(drawn)
    before, after = (np.concatenate([pair[i] for pair in scores]) for i in (0, 1))
    return Trial(before, after, heard.label[rows], rows)


def phone_line(heard: Heard) -> Trial:
    """Calls over a line that nobody labelled, brought toward the studio; every speaker left out of training."""
    n = len(heard.label)
    plain, aligned = np.zeros((n, 9)), np.zeros((n, 9))
    for speaker in heard.speakers:
        mine = heard.speaker == speaker
        weights = heard.trained(~mine)
        head, (logits, line) = Head(weights.head_weight, weights.head_bias), said(weights, heard.phone)
        studio = weights.embed(heard.clean[~mine])
        read = alignment.aligned_head(head, line.astype(np.float64), studio.astype(np.float64))
        plain[mine], aligned[mine] = softmax(logits[mine].astype(np.float64)), softmax(read.logits(line[mine]))
    return Trial(plain, aligned, heard.label, np.arange(n))


def own_head(heard: Heard) -> Trial:
    """Five speakers over the telephone that the model has not heard, by heads that have not heard them either."""
    mine = heard.speaker % 2 == 1
    weights = heard.trained(~mine)
    logits, embeddings = said(weights, heard.phone[mine])
    clips = Clips(logits.astype(np.float32), embeddings.astype(np.float16).astype(np.float32))
    sample, own = Labelled(clips, heard.label[mine], heard.speaker[mine]), Head(weights.head_weight, weights.head_bias)
    cooled, found = fit(sample, clips, Options()), fit(sample, clips, Options(trained=True), own)
    return Trial(cooled.after, found.after, sample.labels, sample.groups, found.calibration)


TRIALS: dict[str, Callable[[Heard], Trial]] = {
    "8 times too sure, and one temperature": too_sure,
    "other shares of emotions, and prior fusion": other_shares,
    "an unlabelled telephone line, and alignment": phone_line,
    "a telephone line, one temperature, and a head of its own": own_head,
}


def row(name: str, trial: Trial) -> dict[str, Any]:
    """The figures before → after, and how much the loss changes, with its interval over what belongs together."""
    before, after = (figures(scores, trial.truth) for scores in (trial.before, trial.after))
    change = difference(losses(trial.before, trial.truth), losses(trial.after, trial.truth), trial.groups)
    return {
        "trial": name,
        "clips": len(trial.truth),
        **{
            title: f"{getattr(before, field):.3f} → {getattr(after, field):.3f}"
            for field, title in (("ece", "ECE"), ("nll", "NLL"), ("brier", "Brier"), ("uar", "UAR"), ("wa", "WA"))
        },
        "change of NLL": "{:+.3f} ({:+.3f} to {:+.3f})".format(*change),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = shared_audio()
    parser.add_argument("--emodb", type=Path, default=shared / "emodb" if shared else None, required=shared is None)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    heard = Heard(arguments.emodb)
    rows = [row(name, trial(heard)) for name, trial in TRIALS.items()]
    print("| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
    for each in rows:
        print("| " + " | ".join(map(str, each.values())) + " |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
