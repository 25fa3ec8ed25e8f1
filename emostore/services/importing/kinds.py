"""Which of the formats a JSON value is, by what is in it, and the clips that it tells of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from emostore.errors import MetadataError
from emostore.services.importing import frame_scores, funasr, json_lines, result_json
from emostore.services.importing.found import Found

EXTENSION = "emostore"  # in a `result.json` of our own: the whole line of the clip


class PartsError(MetadataError):
    """A table or lines of what clips consist of: no row of the file is a clip."""


def check_columns(names: Collection[str]) -> None:
    """Raise `PartsError` for a row of those of our own exports that are not of whole clips.

    A window has nine scores as a clip has: only its columns tell that it is none.
    """
    if {"window", "start_s", "end_s"} <= set(names):
        raise PartsError(
            "Its rows are windows, which are parts of clips. Export the clips as JSON lines: they hold their windows."
        )
    if {"clip_id", "embedding"} <= set(names) and "format" not in names:
        raise PartsError(
            "Its rows are embeddings, without scores. Export the clips as JSON lines: they hold their embeddings."
        )
    if {"clip_id", "rater", "emotion", "labelled_at"} <= set(names):
        raise PartsError(
            "Its rows are labels of clips, and not clips. Labels are imported on the Label page, as CSV; JSON lines of"
            " clips bring theirs along."
        )


def clips(value: Any, name: str) -> Iterator[Found]:
    """The clips of a JSON value, one of which is called `name`. Raises `MetadataError` where it is none of ours."""
    if isinstance(value, Mapping):
        check_columns(value.keys())
    if json_lines.is_line(value):
        yield json_lines.read(value)
    elif json_lines.is_printed(value):
        yield json_lines.read_printed(value)
    elif funasr.is_answer(value):
        yield funasr.read(value)
    elif isinstance(value, Mapping) and json_lines.is_line(value.get(EXTENSION)):
        yield json_lines.read({**value[EXTENSION], "scores": value.get("scores")})
    elif result_json.is_result(value):
        yield result_json.read(value, name)
    elif isinstance(value, list) and value and all(map(_are_whole, value)):
        for each in value:
            yield from clips(each, name)
    elif frame_scores.is_frames(value):
        yield Found(name, frames=frame_scores.read(value))
    else:
        raise MetadataError(
            "There are no scores in it. What is read: {result}, answers of FunASR, frames with nine scores each, "
            "and lines or tables that this program wrote.",
            result="result.json",
        )


def _are_whole(value: Any) -> bool:
    """Whether an element of a list is a clip, or the list of clips that FunASR answers when it is asked once."""
    return _is_whole(value) or (isinstance(value, list) and bool(value) and all(map(funasr.is_answer, value)))


def _is_whole(value: Any) -> bool:
    """Whether an element of a list is a clip of its own and not a frame of one."""
    if json_lines.is_line(value) or json_lines.is_printed(value) or funasr.is_answer(value):
        return True
    said = isinstance(value, Mapping) and (isinstance(value.get("timestamp"), str) or "granularity" in value)
    return said and result_json.is_result(value)
