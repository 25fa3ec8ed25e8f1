"""Values of a file's JSON into scores: what a distribution may look like, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emostore.emotions import BY_NAME, EMOTIONS, SUM_TOLERANCE, EmotionScores
from emostore.errors import MetadataError
from emostore.services.metadata.sidecar import spreadsheet_time
from emostore.store.writing.names import clean

_SHOWN = 60  # characters of something odd that are quoted
_NAMES = {name: name for name in EMOTIONS} | {each.zh: each.name for each in BY_NAME.values()} | {"<unk>": "unknown"}
_FIRST_S = 1e8  # since 1970: the year 1973
_MILLISECONDS = 1e11  # of time since 1970: as seconds it would be the year 5138
_LEAST = 1e-9  # what adding up rounded scores leaves of the tolerance

FloatArray = NDArray[np.float64]


def emotion_of(label: Any) -> str | None:
    """The emotion that a label names, as `angry`, `生气/angry` or `<unk>`; None for any other."""
    if not isinstance(label, str):
        return None
    return _NAMES.get(clean(label).lower().rpartition("/")[2])


def quoted(value: Any) -> str:
    """Something odd as it is shown in a sentence: short, on one line."""
    return clean(value if isinstance(value, str) else repr(value))[:_SHOWN]


def number(value: Any, what: str) -> float:
    """A finite number. Raises `MetadataError` with the name of what was expected."""
    try:
        found = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number beyond every float
        found = math.inf
    if not math.isfinite(found):
        raise MetadataError("{what} is {found}, which is not a number.", what=what, found=quoted(value))
    return found


def text(value: Any, what: str) -> str | None:
    """A text, or None where there is none. Raises `MetadataError` for anything else."""
    if value is None or isinstance(value, str):
        return value
    raise MetadataError("{what} is {found}, which is not a text.", what=what, found=quoted(value))


def moment(said: str | None, what: str) -> datetime | None:
    """A time as ISO 8601 or a spreadsheet writes it, with or without zone; None for nothing. Raises `MetadataError`."""
    if said is None or not said.strip():
        return None
    try:
        return datetime.fromisoformat(said.strip())
    except ValueError as error:
        if (found := spreadsheet_time(said.strip())) is not None:
            return found
        raise MetadataError("{what} is {found}, which is not a time.", what=what, found=quoted(said)) from error


def unix_moment(seconds: Any, what: str) -> datetime | None:
    """A time as seconds, or milliseconds, since 1970; None for a number that counts from elsewhere, as of a frame.

    Raises `MetadataError` for what is no number, and for times that no calendar has.
    """
    said = number(seconds, what)
    if said < _FIRST_S:
        return None
    since = said / 1000 if said >= _MILLISECONDS else said
    try:
        return datetime.fromtimestamp(since, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise MetadataError("{what} is {found}, which is not a time.", what=what, found=quoted(seconds)) from error


def distribution(raw: Any, *, some: bool = False) -> dict[str, float]:
    """The scores as they are given, by emotion: an object of names and numbers, or nine numbers in their order.

    With `some`, emotions may be missing. Raises `MetadataError` for unknown or missing emotions and for values that are
    not numbers, and `ScoresError` for values outside [0, 1] and sums that are not 1 within rounding.
    """
    if isinstance(raw, list):
        if len(raw) != len(EMOTIONS):
            raise MetadataError(
                "The list holds {found} scores; a list holds all nine, in the order {order}.",
                found=len(raw),
                order=", ".join(EMOTIONS),
            )
        raw = dict(zip(EMOTIONS, raw, strict=True))
    if not isinstance(raw, Mapping):
        raise MetadataError(
            "The scores are {found}; they should be an object of nine emotions and numbers.", found=quoted(raw)
        )
    found: dict[str, float] = {}
    for label, value in raw.items():
        name = emotion_of(label)
        if name is None:
            raise MetadataError(
                "{found} is not one of the nine emotions ({allowed}).", found=quoted(label), allowed=", ".join(EMOTIONS)
            )
        if name in found:
            raise MetadataError("There are two scores for {name}; which counts is not said.", name=name)
        found[name] = number(value, name)
    missing = [name for name in EMOTIONS if name not in found]
    if missing and not (some and found):
        raise MetadataError(
            "There are no scores for {missing}. A distribution has all nine; a score of 0 is written as 0.",
            missing=", ".join(missing),
        )
    EmotionScores.from_raw(found)
    return {name: found[name] for name in EMOTIONS if name in found}


def matrix(rows: Sequence[Any], what: str = "Frame") -> FloatArray:
    """Rows of nine scores in their order as an array (n, 9), each renormalised. Raises `MetadataError`."""
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(EMOTIONS):
            raise MetadataError(
                "{what} {index} holds {found}; it should be nine scores in the order {order}.",
                what=what,
                index=index,
                found=quoted(row),
                order=", ".join(EMOTIONS),
            )
    if not rows:
        raise MetadataError("There are no frames in it.")
    odd = next((value for row in rows for value in row if type(value) not in (int, float)), None)
    if odd is not None or any(value is None for row in rows for value in row):
        raise MetadataError("{what} is {found}, which is not a number.", what="A score", found=quoted(odd))
    try:
        scores = np.array(rows, np.float64)
    except OverflowError as error:
        raise MetadataError("{what} is {found}, which is not a number.", what="A score", found="∞") from error
    return normalised(scores)


def normalised(scores: FloatArray) -> FloatArray:
    """Rows that miss a sum of 1 by rounding, corrected. Raises `MetadataError` for others, naming the first frame."""
    with np.errstate(over="ignore", invalid="ignore"):
        totals = scores.sum(axis=1)
        good = ((scores >= 0) & (scores <= 1 + SUM_TOLERANCE)).all(axis=1) & (
            np.abs(totals - 1) <= SUM_TOLERANCE + _LEAST
        )
    for index in np.flatnonzero(~good)[:1]:
        raise MetadataError(
            "Frame {index} is no distribution: its scores lie between {low:.4f} and {high:.4f} and sum to {total:.4f}.",
            index=int(index),
            low=float(scores[index].min()),
            high=float(scores[index].max()),
            total=float(totals[index]),
        )
    return np.asarray(scores / totals[:, None])


def logits_of(scores: Any) -> NDArray[np.float32]:
    """Logits whose softmax are these scores: their logarithm, −inf for exactly 0."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(scores, np.float64)).astype(np.float32)
