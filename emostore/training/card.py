"""The model card, filled with the figures of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emostore.emotions import EMOTIONS
from emostore.engine.baseline import DEFAULT, LICENCE

SPEED = DEFAULT.with_name("speed.json")  # written by `python -m benchmarks.baseline --save-speed`

_CARD = """\
# Model card: the bundled baseline

Revision `{revision}`. A small model for trying the product out where nothing can be downloaded. It was
trained on acted German speech alone and is **weak on other languages and on feelings that are not acted**;
use a larger model for anything that matters, and never judge a person by it.

## Data and licence
EmoDB (Burkhardt et al. 2005, <https://doi.org/10.21437/Interspeech.2005-446>), CC0-1.0: ten actors (five
women, five men), ten German sentences, recorded in an anechoic room. {utterances} utterances of six
classes ({counts}) are used. The 81 utterances of boredom are left out: boredom is none of the nine
emotions, and one feeling is not *other*. Nothing else was used, neither for training nor for choosing.
The weights are under {licence}.

## What it does
{features} features of the band up to 3.7 kHz, the same for a phone call and a studio: cepstral shape, how fast it
changes, how the spectrum follows loudness, pitch height and melody, rhythm of voice and pauses; each
relative to the loud speech of the clip, so gain cancels. Limited to three standard deviations, they are
the *embedding*; one linear head (multinomial logistic regression, classes balanced)
gives the logits.
Windows of 3 s go through the same two steps; a clip over 30 s is the mean of its windows, weighted by voice.

Trained on {copies} copies of the utterances: as they are, and with phone lines (mu-law), codecs (AMR, Opus,
MP3, G.726), noise, babble of other training speakers, rooms, microphones, silence around, speed, tempo
and pitch changes, cuts, joins and mixtures of these.

It **cannot produce** {missing}: their scores are exactly 0.

## Figures out of fold
Leave one speaker out, ten folds. Penalty and temperature are chosen inside each fold by leaving out
groups of its nine speakers (the penalty on clean and mixed copies, the temperature on clean ones); nothing
of the test speaker is heard in training, not even in the babble. UAR is the unweighted average recall
over six classes, *of four* over angry, happy, neutral and sad (choosing among these four), WA the share
that is right, ECE the calibration error of the top class in 15 bins of equal width.

{conditions}

*crop* is 40 to 80 % of a clip, *join* two to four clips of one speaker and emotion. The rows *unseen …*
were measured with a model trained without anything like that degradation. Chance is 0.17 (of four 0.25).

Confusion on clean speech (row: truth, column: answer):

{confusion}

By test speaker: {speakers}.

## Other corpora
{outside}
Models trained on ten German actors do badly elsewhere: for scale, plain MFCC statistics with
a logistic regression reach 0.71 here and 0.26 to 0.54, of four classes, on seven other corpora. Expect far
less than the table above on other languages, microphones and ways of acting. Anger and happiness are
confused most.

## Speed
{speed}

## Again
`python -m emostore.training.train --emodb <folder>` writes these files, the same bytes on the same
machine (seed {seed}). `python -m benchmarks.baseline` measures speed, `--loso` the figures.
"""


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats get three decimals."""
    lines = [header, ["---"] * len(header), *rows]
    shown = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in shown)


def measured_speed() -> Mapping[str, Any] | None:
    """What the benchmark last saved, or None."""
    return dict(json.loads(SPEED.read_text(encoding="utf-8"))) if SPEED.is_file() else None


def render(numbers: Mapping[str, Any], speed: Mapping[str, Any] | None) -> str:
    """The card of one run (see `metrics.json`) and one measurement of speed."""
    training, found = numbers["training"], numbers["out_of_fold"]
    conditions = [[name, *row.values()] for name, row in found["conditions"].items()]
    confusion = [[name, *row] for name, row in zip(found["classes"], found["confusion"], strict=True)]
    return _CARD.format(
        revision=numbers["revision"],
        utterances=sum(training["utterances"].values()),
        counts=", ".join(f"{name} {count}" for name, count in training["utterances"].items()),
        licence=LICENCE,
        features=training["features"],
        copies=training["training_copies"],
        missing=", ".join(name for name in EMOTIONS if name not in found["classes"]),
        conditions=table(["condition", "UAR", "WA", "ECE", "UAR of four"], conditions),
        confusion=table(["", *found["classes"]], confusion),
        speakers=", ".join(f"{name} {row['uar']:.2f}" for name, row in found["speakers"].items()),
        outside=_outside(numbers.get("outside")),
        speed=_speed(speed),
        seed=training["seed"],
    )


def _outside(outside: Mapping[str, Any] | None) -> str:
    if not outside:
        return "No recordings of other corpora were at hand in this run."
    corpora = ", ".join(sorted({clip["corpus"] for clip in outside["clips"]}))
    return (
        f"{outside['right']} of {len(outside['clips'])} clips of other corpora ({corpora}) are right, and "
        f"{outside['right_of_four']} of {outside['four']} choosing among four: "
        "too few to conclude from, and used for nothing else."
    )


def _speed(speed: Mapping[str, Any] | None) -> str:
    if not speed:
        return "Not measured in this run; see `python -m benchmarks.baseline`."
    rates = ", ".join(f"{row['times_real_time']:.0f} × for {row['clip']}" for row in speed["rows"])
    return f"On one core ({speed['machine']}), windows included, times faster than real time: {rates}."
