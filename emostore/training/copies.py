"""Degraded copies of the corpus, each with the names of every speaker whose voice is in it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import resample

from emostore.engine.features import features
from emostore.engine.recognizer import SAMPLE_RATE, FloatArray
from emostore.training import augment
from emostore.training.corpus import CLASSES, Utterance

CLEAN = "clean"
TEST = "test: "  # prefix of the degradations that only measure; nothing is trained on them
PLAIN: dict[str, augment.Degrade] = {
    "phone": augment.phone,
    "codec": augment.codec,
    "noise": augment.noise,
    "room": augment.room,
    "speed": augment.speed,
    "tempo": augment.tempo,
    "pitch": augment.pitch,
    "equaliser": augment.equalise,
    "silence": augment.surround,
}
# Degradation and how likely it takes part in a mixture, in the order sound meets them.
_MIXTURE = (
    ("silence", 0.4),
    ("tempo", 0.3),
    ("speed", 0.4),
    ("equaliser", 0.5),
    ("room", 0.4),
    ("noise", 0.5),
    ("codec", 0.3),
    ("phone", 0.3),
)
# Family of training copies, and how many copies of each utterance.
TRAINING = {**dict.fromkeys(PLAIN, 2), "babble": 2, "crop": 2, "join": 2, "mixture": 4}
TESTING = (
    "phone",
    "AMR 4.75 kbit/s",
    "pink noise 10 dB",
    "white noise 10 dB",
    "babble 10 dB",
    "room 0.6 s",
    "15 % slower",
    "15 % faster",
)


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """One row per copy: features (n, features) float32, class indices (n,), and where each came from.

    `speakers[i]` names everyone heard in copy i, the speaker of the utterance first; `family` its
    degradation; `utterance` the index of the recording.
    """

    features: FloatArray
    label: NDArray[np.int64]
    utterance: NDArray[np.int64]
    family: NDArray[np.str_]
    speakers: tuple[tuple[str, ...], ...]

    def take(self, mask: NDArray[np.bool_]) -> Copies:
        """The rows where `mask` holds."""
        speakers = tuple(who for who, keep in zip(self.speakers, mask, strict=True) if keep)
        return Copies(self.features[mask], self.label[mask], self.utterance[mask], self.family[mask], speakers)

    def without(self, speakers: Sequence[str]) -> Copies:
        """Training copies in which none of `speakers` is heard, not even in the noise."""
        out = set(speakers)
        silent = np.array([out.isdisjoint(who) for who in self.speakers])
        return self.take(silent & ~np.char.startswith(self.family, TEST))

    def of(self, speakers: Sequence[str], family: str | None = None) -> Copies:
        """Copies of utterances of `speakers`, of one family or all."""
        own = np.array([who[0] in speakers for who in self.speakers])
        return self.take(own & (self.family == family) if family is not None else own)


def make_copies(
    corpus: Sequence[Utterance],
    seed: int,
    per_family: dict[str, int],
    workers: int,
    testing: Sequence[str] = TESTING,
) -> Copies:
    """The corpus as it is, degraded for training, and degraded for tests.

    Each copy has its own random generator, so any of them can be made alone, in any process.
    """
    kinds = [(CLEAN, 0), *((family, k) for family, count in per_family.items() for k in range(count))]
    jobs = [(i, family, k) for family, k in [*kinds, *((TEST + t, 0) for t in testing)] for i in range(len(corpus))]
    with ProcessPoolExecutor(workers, initializer=_hold, initargs=(corpus, seed)) as pool:
        rows = list(pool.map(_describe, jobs, chunksize=64))
    return Copies(
        features=np.stack([vector for vector, _ in rows]),
        label=np.array([CLASSES.index(corpus[i].label) for i, _, _ in jobs]),
        utterance=np.array([i for i, _, _ in jobs]),
        family=np.array([family for _, family, _ in jobs]),
        speakers=tuple(who for _, who in rows),
    )


_held: list[tuple[Sequence[Utterance], int]] = []  # of a worker process: sent once, not with every job


def _hold(corpus: Sequence[Utterance], seed: int) -> None:
    _held[:] = [(corpus, seed)]


def _describe(job: tuple[int, str, int]) -> tuple[FloatArray, tuple[str, ...]]:
    (corpus, seed), (index, family, copy) = _held[0], job
    waveform, speakers = degrade(corpus, seed, index, family, copy)
    return features(waveform), speakers


def degrade(
    corpus: Sequence[Utterance], seed: int, index: int, family: str, copy: int
) -> tuple[FloatArray, tuple[str, ...]]:
    """Copy number `copy` of an utterance in a family, and who is heard in it (its speaker first)."""
    random = np.random.default_rng([seed, index, copy, *family.encode()])
    mine = corpus[index]
    if family == CLEAN:
        return mine.waveform, (mine.speaker,)
    if family in PLAIN:
        return PLAIN[family](mine.waveform, random), (mine.speaker,)
    if family in ("babble", TEST + "babble 10 dB"):
        snr_db = random.uniform(5, 20) if family == "babble" else 10.0
        return _among_others(corpus, mine, snr_db, random)
    if family.startswith(TEST):
        return _test(mine.waveform, family.removeprefix(TEST), random), (mine.speaker,)
    if family == "join":
        return _join(corpus, mine, random), (mine.speaker,)
    return (_crop if family == "crop" else _mixture)(mine, random), (mine.speaker,)


def _among_others(
    corpus: Sequence[Utterance], mine: Utterance, snr_db: float, random: Generator
) -> tuple[FloatArray, tuple[str, ...]]:
    """Two other speakers, two recordings each, behind the utterance."""
    names = sorted({each.speaker for each in corpus} - {mine.speaker})
    others = [str(name) for name in random.choice(names, min(2, len(names)), replace=False)]
    voices = []
    for name in others:
        theirs = [each.waveform for each in corpus if each.speaker == name]
        voices += [theirs[int(random.integers(len(theirs)))] for _ in range(2)]
    noise = augment.babble(voices, mine.waveform.size, random)
    return augment.add_noise(mine.waveform, noise, snr_db), (mine.speaker, *others)


def _crop(mine: Utterance, random: Generator) -> FloatArray:
    """A part of at least a second: what a window sees."""
    length = min(mine.waveform.size, max(int(mine.waveform.size * random.uniform(0.4, 0.8)), SAMPLE_RATE))
    start = int(random.integers(mine.waveform.size - length + 1))
    return mine.waveform[start : start + length]


def _join(corpus: Sequence[Utterance], mine: Utterance, random: Generator) -> FloatArray:
    """The utterance and one to three more of the same speaker and emotion: what a long clip sounds like."""
    same = [each.waveform for each in corpus if (each.speaker, each.label) == (mine.speaker, mine.label)]
    more = [same[int(random.integers(len(same)))] for _ in range(random.integers(1, 4))]
    pauses = [int(random.uniform(0, 0.4) * SAMPLE_RATE) for _ in range(len(more) + 1)]
    return np.concatenate([np.pad(part, (0, gap)) for part, gap in zip([mine.waveform, *more], pauses, strict=True)])


def _mixture(mine: Utterance, random: Generator) -> FloatArray:
    waveform = mine.waveform
    for name, chance in _MIXTURE:
        if random.random() < chance:
            waveform = PLAIN[name](waveform, random)
    return waveform


def _test(waveform: FloatArray, name: str, random: Generator) -> FloatArray:
    """The degradations of `TESTING`, with fixed strength."""
    if name == "phone":
        return augment.phone(waveform, random, low=300, high=3400)
    if name == "AMR 4.75 kbit/s":
        return augment.through_codec(waveform, "libopencore_amrnb", 8000, 4750)
    if name.endswith("noise 10 dB"):
        return augment.add_noise(waveform, augment.coloured(name.split()[0], waveform.size, random), 10)
    if name == "room 0.6 s":
        return augment.reverberate(waveform, 0.6, 0, random)
    factor = {"15 % slower": 1.15, "15 % faster": 1 / 1.15}[name]
    return np.asarray(resample(waveform, round(waveform.size * factor)), np.float32)
