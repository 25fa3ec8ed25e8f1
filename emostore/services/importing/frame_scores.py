"""Scores over time as other tools write them: a list of objects, an object of lists, or bare arrays of nine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emostore.emotions import EMOTIONS
from emostore.errors import MetadataError
from emostore.services.importing.found import Frames
from emostore.services.importing.values import emotion_of, matrix, number, quoted

HOPS_S = (0.001, 60.0)  # seconds from one frame to the next
_EVEN = 0.1  # of the hop: how far the beginning of a frame may be off
_SCORES = ("scores", "frames", "frame_scores", "emotions")
_HOPS = ("hop", "frame_shift", "frame_hop", "hop_length")
_LENGTHS = ("length", "frame_length", "window")
_STARTS = ("start", "time", "start_time", "t", "timestamp", "begin")
_ENDS = ("end", "end_time")


def read(value: Any) -> Frames:
    """The frames that a JSON value holds. Raises `MetadataError` for any other shape."""
    hop = length = None
    starts: Sequence[Any] | None = None
    if isinstance(value, Mapping):
        hop, length = _seconds(value, _HOPS), _seconds(value, _LENGTHS)
        starts = next((found for name in _STARTS if isinstance(found := value.get(name), list)), None)
        inside = next((value[name] for name in _SCORES if isinstance(value.get(name), (list, Mapping))), None)
        value = {name: each for name, each in value.items() if emotion_of(name)} if inside is None else inside
        if isinstance(value, list) and starts is None and value and isinstance(value[0], Mapping):
            starts, ends = _times(value)
            length = length or _length(starts, ends)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        starts, ends = _times(value)
        length = _length(starts, ends)
    scores = matrix(_rows(value))
    if starts is not None and len(starts) != len(scores):
        raise MetadataError("There are {times} times for {frames} frames.", times=len(starts), frames=len(scores))
    hop = hop or _hop(starts) or (length if len(scores) == 1 else None)
    return Frames(scores, None if hop is None else checked_hop(hop), length)


def checked_hop(hop_s: float) -> float:
    """A hop that can be one. Raises `MetadataError`."""
    if not HOPS_S[0] <= hop_s <= HOPS_S[1]:
        raise MetadataError(
            "The frames would begin every {found} s; between {low} s and {high} s are allowed.",
            found=hop_s,
            low=HOPS_S[0],
            high=HOPS_S[1],
        )
    return hop_s


def is_frames(value: Any) -> bool:
    """Whether a JSON value looks like several distributions rather than one."""
    if isinstance(value, Mapping):
        inside = next((value[name] for name in _SCORES if name in value), value)
        if isinstance(inside, Mapping):
            return any(isinstance(each, list) for name, each in inside.items() if emotion_of(name))
        value = inside
    return isinstance(value, list) and bool(value) and isinstance(value[0], (list, Mapping))


def _rows(value: Any) -> list[Any]:
    """One list of nine a frame."""
    if isinstance(value, Mapping):
        columns = {emotion_of(name): each for name, each in value.items()}
        missing = [name for name in EMOTIONS if name not in columns]
        lengths = {len(each) if isinstance(each, list) else -1 for each in columns.values()}
        if missing or len(lengths) != 1 or -1 in lengths or len(columns) != len(value) or None in columns:
            raise MetadataError(
                "An object of frames has a list for each of the nine emotions ({allowed}), all of one length.",
                allowed=", ".join(EMOTIONS),
            )
        return [list(row) for row in zip(*(columns[name] for name in EMOTIONS), strict=True)]
    if not isinstance(value, list):
        raise MetadataError(
            "Frames are a list of objects, an object of lists or a list of nine scores each; this is {found}.",
            found=quoted(value),
        )
    return [_row(index, each) for index, each in enumerate(value)]


def _row(index: int, frame: Any) -> Any:
    if not isinstance(frame, Mapping):
        return frame
    inside = next((frame[name] for name in _SCORES if name in frame), None)
    if isinstance(inside, list):
        return inside
    named = frame if inside is None else inside
    if not isinstance(named, Mapping):
        raise MetadataError("Frame {index} has no scores.", index=index)
    found = {emotion_of(name): each for name, each in named.items() if inside is not None or emotion_of(name)}
    missing = [name for name in EMOTIONS if name not in found]
    if missing or None in found or (inside is not None and len(found) != len(inside)):
        raise MetadataError(
            "Frame {index} should have a score for each of the nine emotions ({allowed}), and nothing else.",
            index=index,
            allowed=", ".join(EMOTIONS),
        )
    return [found[name] for name in EMOTIONS]


def _times(frames: Sequence[Any]) -> tuple[list[Any] | None, list[Any] | None]:
    """When each frame begins and ends, where all of them say it in numbers."""

    def column(names: Sequence[str]) -> list[Any] | None:
        for name in _spelled(names):
            if all(isinstance(each, Mapping) and type(each.get(name)) in (int, float) for each in frames):
                scale = 1000 if name.endswith("_ms") else 1
                return [number(each[name], name) / scale for each in frames]
        return None

    return column(_STARTS), column(_ENDS)


def _length(starts: Sequence[float] | None, ends: Sequence[float] | None) -> float | None:
    if not starts or not ends:
        return None
    found = float(np.median(np.subtract(ends, starts)))
    return found if found > 0 else None


def _hop(starts: Sequence[Any] | None) -> float | None:
    if starts is None or len(starts) < 2:
        return None
    times = np.array([number(each, "A time") for each in starts])
    hop = float(times[-1] - times[0]) / (len(times) - 1)
    if hop <= 0 or (np.abs(times - times[0] - hop * np.arange(len(times))) > _EVEN * hop + 0.001).any():
        raise MetadataError("The frames do not begin at even distances, so they are no windows over time.")
    return hop


def _seconds(value: Mapping[str, Any], names: Sequence[str]) -> float | None:
    for name in _spelled(names):
        if name in value:
            found = number(value[name], name) / (1000 if name.endswith("_ms") else 1)
            if found <= 0:
                raise MetadataError("{what} is {found}; it should be above 0.", what=name, found=found)
            return found
    return None


def _spelled(names: Sequence[str]) -> list[str]:
    return [f"{name}{unit}" for name in names for unit in ("_s", "_ms", "")]
