"""Whether the installed checkpoint gives in this app what it gives in FunASR, measured on the spot.

Three comparisons: this engine in 32-bit floats and in the precision that the settings ask for, each against
FunASR's own network, on sounds made from a seed and on the example that comes with a checkpoint; and, for
Emotion2Vec+ Large and that example, against figures that another user of FunASR published.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emostore import audio
from emostore.config import Settings
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.engine import registry
from emostore.engine.checkpoint import LARGE, Checkpoint, describe
from emostore.engine.checkpoint_config import FRAME_SAMPLES
from emostore.engine.recognizer import (
    CHUNK_S,
    MIN_SAMPLES,
    SAMPLE_RATE,
    FloatArray,
    Recognition,
    Recognizer,
    window_bounds,
)
from emostore.errors import EmostoreError, ModelError

if TYPE_CHECKING:
    from emostore.engine.emotion2vec import Emotion2vecRecognizer
    from emostore.engine.reference import FunasrAnswer

EXAMPLE = Path("example") / "test.wav"
LENGTHS_S = (MIN_SAMPLES / SAMPLE_RATE, 0.7, 3.0, 7.31, 12.0, CHUNK_S)
SEED = 2024

# Of a score, the windows' included, and of an embedding in relation to its length. Two unit vectors with a
# cosine of 0.999 are 0.0447 apart.
EXACT_SCORE, EXACT_EMBEDDING = 1e-5, 1e-5
HALF_SCORE, HALF_EMBEDDING = 0.01, math.sqrt(2 * (1 - 0.999))
CLEAR_MARGIN = 0.02  # above it, the dominant emotion has to be the same in every precision

# `AutoModel(model="iic/emotion2vec_plus_large").generate("example/test.wav", granularity="utterance")`, as a
# user ran it on an unnamed device. The scores saturate, so only their logarithms tell something.
EXAMPLE_SAMPLES = 65_666
PUBLISHED: Mapping[str, float] = {
    "angry": 1.0,
    "disgusted": 4.307079432691596e-12,
    "fearful": 7.651620656523583e-12,
    "happy": 1.8212416297291867e-10,
    "neutral": 7.213059316502068e-11,
    "other": 1.3731805914519914e-14,
    "sad": 9.798530042903764e-11,
    "surprised": 8.913316751346656e-10,
    "unknown": 5.704816692153179e-21,
}
LOG_LIMIT, LOG_FLOOR = 0.02, 0.001  # of the logarithm; two published runs differ by 0.0005 of it


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What FunASR says of a sound: scores (1 + windows, 9), the whole first, and the embedding (dim,)."""

    scores: NDArray[np.float64]
    embedding: FloatArray


@dataclass(frozen=True, slots=True)
class Comparison:
    """One sound in one precision against FunASR: the largest difference of a score, and the embedding's."""

    sound: str
    seconds: float
    precision: str
    score_error: float
    embedding_error: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """One published score and the one computed here, as natural logarithms."""

    emotion: str
    published: float
    here: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared. `note` says why published figures were not, where they were not."""

    folder: Path
    name: str
    revision: str
    comparisons: tuple[Comparison, ...]
    figures: tuple[Figure, ...]
    note: str | None

    @property
    def agrees(self) -> bool:
        """Whether nothing differs by more than it may."""
        return all(each.agrees for each in self.comparisons) and all(each.agrees for each in self.figures)


def verify(settings: Settings) -> Report:
    """Compare the checkpoint that `settings.model` means: about a minute on two cores.

    Raises `ModelError` where there is none, or where it or FunASR cannot be used.
    """
    from emostore.engine.emotion2vec import Emotion2vecRecognizer
    from emostore.engine.reference import FunasrRecognizer

    checkpoint = describe(registry.checkpoint_folder(settings))
    sounds, note = synthetic(), None
    try:
        sounds[str(EXAMPLE)] = _example(checkpoint)
    except EmostoreError as error:
        note = str(error)
    reference = FunasrRecognizer.load(checkpoint.path, device="cpu", threads=settings.threads)
    wanted = {name: reference.generate(sound) for name, sound in sounds.items()}
    comparisons: list[Comparison] = []
    figures: tuple[Figure, ...] = ()
    done: set[str] = set()
    for precision in ("float32", settings.precision):
        recognizer = Emotion2vecRecognizer.load(
            checkpoint.path, threads=settings.threads, precision=precision, cache_dir=settings.cache_dir
        )
        if recognizer.precision in done:
            continue
        done.add(recognizer.precision)
        found = _answers(recognizer, sounds)
        for name, sound in sounds.items():
            expected = _expected(wanted[name], sound.size, recognizer)
            comparisons.append(compare(name, sound.size / SAMPLE_RATE, recognizer.precision, found[name], expected))
        if recognizer.precision == "float32" and note is None:
            figures, note = _against_published(checkpoint, sounds[str(EXAMPLE)], found[str(EXAMPLE)])
    return Report(checkpoint.path, checkpoint.name, checkpoint.revision, tuple(comparisons), figures, note)


def synthetic() -> dict[str, FloatArray]:
    """Pulsing tones with overtones and noise, float32 at 16 kHz, of `LENGTHS_S`; always the same."""
    sounds = {}
    for i, seconds in enumerate(LENGTHS_S):
        rng = np.random.default_rng((SEED, i))
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        pitch = rng.uniform(90, 350) * (1 + rng.uniform(0.05, 0.3) * np.sin(2 * np.pi * rng.uniform(0.5, 5) * time))
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        voice = np.sum([np.sin(n * phase) / n for n in range(1, 9)], axis=0)
        wave = voice * (0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(1, 8) * time))
        wave += rng.uniform(0.01, 0.5) * rng.standard_normal(time.size)
        sounds[f"tone {i + 1}"] = (rng.uniform(0.05, 0.9) * wave / np.abs(wave).max()).astype(np.float32)
    return sounds


def compare(sound: str, seconds: float, precision: str, found: Recognition, wanted: Expected) -> Comparison:
    """How far an answer is from the expected one, and whether that is near enough."""
    exact = precision == "float32"
    ours, theirs = _scores(found.logits, *found.windows.logits), wanted.scores
    if ours.shape != theirs.shape:
        return Comparison(sound, seconds, precision, math.inf, math.inf, False)
    score_error = float(np.abs(ours - theirs).max())
    embedding_error = float(np.linalg.norm(found.embedding - wanted.embedding) / np.linalg.norm(wanted.embedding))
    top = np.sort(theirs, axis=1)
    clear = top[:, -1] - top[:, -2] > CLEAR_MARGIN
    agrees = (
        score_error <= (EXACT_SCORE if exact else HALF_SCORE)
        and embedding_error <= (EXACT_EMBEDDING if exact else HALF_EMBEDDING)
        and bool((ours.argmax(axis=1) == theirs.argmax(axis=1))[clear].all())
    )
    return Comparison(sound, seconds, precision, score_error, embedding_error, agrees)


def _expected(answer: FunasrAnswer, samples: int, recognizer: Emotion2vecRecognizer) -> Expected:
    """FunASR's scores of the whole; its frames, put through the head, for the windows."""
    named = {label.split("/")[-1].replace("<unk>", "unknown"): score for label, score in answer.scores.items()}
    whole = np.array([[named.get(name, 0.0) for name in EMOTIONS]])
    parts = [answer.frames[start // FRAME_SAMPLES : -(-end // FRAME_SAMPLES)] for start, end in window_bounds(samples)]
    means = np.array([part.mean(axis=0, dtype=np.float64) for part in parts])
    windows = _scores(*(means @ recognizer.head_weight.T.astype(np.float64) + recognizer.head_bias))
    return Expected(np.concatenate([whole, windows]), answer.frames.mean(axis=0))


def _scores(*logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.array([EmotionScores.from_logits(row.tolist()).vector for row in logits])


def as_text(report: Report) -> str:
    """The report as tables."""
    parts = [f"{report.name} {report.revision} in {report.folder}, against FunASR:", _table(_comparisons(report))]
    if report.figures:
        parts += [f"{EXAMPLE} in 32-bit floats, against published figures:", _table(_figures(report))]
    if report.note:
        parts.append(report.note)
    parts.append("Everything agrees." if report.agrees else "NOT EVERYTHING AGREES.")
    return "\n\n".join(parts)


def as_json(report: Report) -> str:
    """The report as an object."""
    return json.dumps({**asdict(report), "folder": str(report.folder), "agrees": report.agrees}, ensure_ascii=False)


def _example(checkpoint: Checkpoint) -> FloatArray:
    path = checkpoint.path / EXAMPLE
    if not path.is_file():
        raise ModelError(
            "The checkpoint has no {example}, so it was not compared with published figures.", example=str(EXAMPLE)
        )
    return audio.decode(path, audio.Limits(max_duration_s=CHUNK_S)).waveforms[0]


def _answers(recognizer: Recognizer, sounds: Mapping[str, FloatArray]) -> dict[str, Recognition]:
    """All sounds in one request, so that batches of unequal lengths are compared as well."""
    answers = dict(zip(sounds, recognizer.recognize(list(sounds.values())), strict=True))
    for answer in answers.values():
        if isinstance(answer, EmostoreError):
            raise answer
    return {name: answer for name, answer in answers.items() if isinstance(answer, Recognition)}


def _against_published(
    checkpoint: Checkpoint, sound: FloatArray, answer: Recognition
) -> tuple[tuple[Figure, ...], str | None]:
    if checkpoint.name != LARGE:
        return (), f"Published figures are of {LARGE} only."
    if sound.size != EXAMPLE_SAMPLES:
        return (), f"Published figures are of another {EXAMPLE}, of {EXAMPLE_SAMPLES:,} samples."
    logits = answer.logits.astype(np.float64)
    here = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())  # scores this small have no difference
    figures = [
        Figure(name, math.log(PUBLISHED[name]), float(value), _near(float(value), math.log(PUBLISHED[name])))
        for name, value in zip(EMOTIONS, here, strict=True)
    ]
    return tuple(figures), None


def _near(here: float, published: float) -> bool:
    return abs(here - published) <= LOG_LIMIT * abs(published) + LOG_FLOOR


def _comparisons(report: Report) -> list[list[str]]:
    rows = [["sound", "seconds", "precision", "largest |Δ score|", "embedding, relative", "verdict"]]
    for each in report.comparisons:
        errors = [f"{each.score_error:.1e}", f"{each.embedding_error:.1e}"]
        rows.append([each.sound, f"{each.seconds:.2f}", each.precision, *errors, _verdict(each.agrees)])
    return rows


def _figures(report: Report) -> list[list[str]]:
    rows = [["emotion", "ln published", "ln here", "|difference|", "verdict"]]
    for each in report.figures:
        logarithms = [f"{each.published:.4f}", f"{each.here:.4f}", f"{abs(each.here - each.published):.4f}"]
        rows.append([each.emotion, *logarithms, _verdict(each.agrees)])
    return rows


def _verdict(agrees: bool) -> str:
    return "agrees" if agrees else "DIFFERS"


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
