"""Labels from a CSV: checked first, then saved, all of them or none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from emostore import access
from emostore.emotions import BY_NAME
from emostore.errors import EmostoreError, MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.calibration import labelling
from emostore.services.metadata.sidecar import MAX_BYTES, MAX_PROBLEMS, MAX_ROWS
from emostore.store.calibration import labels
from emostore.store.calibration.labels import NewLabel
from emostore.store.session import Store
from emostore.store.tables.label_models import CANNOT_TELL
from emostore.store.writing.names import clean, clean_name

_HEADERS = {
    "clip": "clip, clip_id, 片段",
    "file": "file, filename, file name, 文件, 文件名",
    "channel": "channel, 声道",
    "emotion": "emotion, label, 情绪, 标签",
    "second": "second, second emotion, 第二情绪",
    "intensity": "intensity, 强度",
    "rater": "rater, 标注者",
    "comment": "comment, 备注",
}
_COLUMNS = {word: name for name, words in _HEADERS.items() for word in words.split(", ")}
_WORDS = {
    **{word: name for name, each in BY_NAME.items() for word in (name, each.en.lower(), each.zh)},
    **dict.fromkeys((CANNOT_TELL, "cannot tell", "?", "无法判断"), CANNOT_TELL),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a list would do: labels by clip and rater, how many of them are new or change one, and what is wrong.

    A row with a problem is left out.
    """

    labels: Mapping[tuple[int, str], NewLabel] = field(default_factory=dict)
    new: int = 0
    changed: int = 0
    problems: tuple[Sentence, ...] = ()


def check(store: Store, data: bytes) -> Checked:
    """Read a CSV with a column `clip` (its number) or `file` (and `channel`, counted from 0), and `emotion`.

    Besides: second, intensity (1 to 5), rater (without one, the current user), comment. UTF-8; emotions in English or
    Chinese, or "cannot tell". Changes nothing. Raises `MetadataError` if it is too large or no such list.
    """
    access.require("read")
    found: dict[tuple[int, str], NewLabel] = {}
    problems: list[Sentence] = []
    untold = 0
    user = access.current_user().name
    rows = list(_rows(data))
    names = labels.find_clips(store, {(row["file"], _number(row.get("channel"))) for _, row in rows if row.get("file")})
    there = labels.existing(store, {number for _, row in rows if (number := _number(row.get("clip"))) is not None})
    for number, row in rows:
        try:
            clip_id = _clip(row, names, there)
            rater = clean_name(row.get("rater"), "rater") or user
            if (clip_id, rater) in found:
                raise MetadataError("The clip {clip} stands in the list twice.", clip=clip_id)
            found[clip_id, rater] = _label(row)
        except EmostoreError as error:
            if len(problems) < MAX_PROBLEMS:
                problems.append(Sentence(_LINE, {"line": number, "problem": error}))
            else:
                untold += 1
    if untold:
        problems.append(Sentence(_MORE, {"count": untold}))
    before = labels.of_clips(store, {clip_id for clip_id, _ in found})
    new = sum(key not in before for key in found)
    changed = sum(key in before and before[key] != label for key, label in found.items())
    return Checked(found, new, changed, tuple(problems))


def save(store: Store, checked: Checked) -> None:
    """Save what `check` found, all of it or nothing."""
    if checked.labels:
        labelling.save_many(store, checked.labels)


_LINE = N_("Line {line}: {problem}")
_MORE = N_("{count} more lines have problems.")


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and cells by the names of `_HEADERS`."""
    if len(data) > MAX_BYTES:
        raise MetadataError(
            "The list is larger than {allowed} MB. Split it into several.", allowed=MAX_BYTES // 1024**2
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MetadataError("The list is not UTF-8 text. Save it as CSV in UTF-8.") from error
    first = text.split("\n", 1)[0]
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
        header = [_COLUMNS.get(clean(cell).lower()) for cell in next(rows, [])]
        if "emotion" not in header or not {"clip", "file"} & set(header):
            raise MetadataError("The list needs a column emotion, and a column clip or file.")
        for number, row in enumerate(rows, start=2):
            if number > MAX_ROWS + 1:
                raise MetadataError("The list has more than {allowed} rows. Split it into several.", allowed=MAX_ROWS)
            if any(cell.strip() for cell in row):
                yield number, {name: clean(cell) for name, cell in zip(header, row, strict=False) if name}
    except csv.Error as error:
        raise MetadataError("The list is not a CSV file: {problem}.", problem=str(error)) from error


def _clip(row: Mapping[str, str], names: Mapping[tuple[str, int | None], list[int]], there: set[int]) -> int:
    if row.get("clip"):
        number = _number(row["clip"])
        if number is None or number not in there:
            raise MetadataError("There is no clip {found}.", found=row["clip"][:50])
        return number
    file = row.get("file", "")
    found = names.get((file, _number(row.get("channel"))), [])
    if len(found) != 1:
        raise MetadataError(
            "{count} clips come from a file {name}; one is needed. Name its channel, or the number of the clip.",
            count=len(found),
            name=file[:100],
        )
    return found[0]


def _label(row: Mapping[str, str]) -> NewLabel:
    emotion, second = (_word(row.get(name, "")) for name in ("emotion", "second"))
    intensity = row.get("intensity") or None
    if emotion is None:
        raise MetadataError("No emotion is given.")
    number = _number(intensity)
    if intensity is not None and number is None:
        raise MetadataError(
            "The intensity {found} is not one of {allowed}.", found=intensity[:50], allowed="1, 2, 3, 4, 5"
        )
    return labelling.checked(NewLabel(emotion, second, number, row.get("comment") or None, "imported"))


def _word(text: str) -> str | None:
    """An emotion by any of its names; what is none of them stays, and is refused with the names that are."""
    return _WORDS.get(text.lower(), text) if text else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
