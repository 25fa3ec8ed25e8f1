"""Labels from a CSV: checked first, then saved, all of them or none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from emostore import access
from emostore.emotions import BY_NAME
from emostore.errors import EmostoreError, MetadataError
from emostore.i18n import N_, Sentence
from emostore.services.calibration import labelling
from emostore.services.exports.export_tables import undefused
from emostore.services.metadata.sidecar import MAX_PROBLEMS, MAX_ROWS, decoded
from emostore.store.calibration import label_reading
from emostore.store.calibration.labels import NewLabel, Reason
from emostore.store.session import Store
from emostore.store.tables.label_models import CANNOT_TELL
from emostore.store.writing.names import clean, clean_name

MAX_BYTES = 32 * 1024**2  # `MAX_ROWS` rows as they are exported, with a comment here and there
_HEADERS = {
    "sha256": "sha256",
    "clip": "clip, clip_id, 片段",
    "file": "file, filename, file name, file_name, 文件, 文件名",
    "channel": "channel, 声道",
    "emotion": "emotion, label, 情绪, 标签",
    "second": "second, second emotion, 第二情绪",
    "intensity": "intensity, 强度",
    "rater": "rater, 标注者",
    "comment": "comment, 备注",
    "reason": "reason, 原因",
    "labelled_at": "labelled_at, 标注时间",
}
_COLUMNS = {word: name for name, words in _HEADERS.items() for word in words.split(", ")}
_YEARS = (1900, 2199)  # of times that are stored
_WORDS = {
    **{word: name for name, each in BY_NAME.items() for word in (name, each.en.lower(), each.zh)},
    **dict.fromkeys((CANNOT_TELL, "cannot tell", "?", "无法判断"), CANNOT_TELL),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a list would do: labels by clip and rater, how many of them are new or change one, and what is wrong.

    `refused` rows have a problem and are left out; `problems` tells of the first. `said_at` has the times of labels
    that come with one.
    """

    labels: Mapping[tuple[int, str], NewLabel] = field(default_factory=dict)
    said_at: Mapping[tuple[int, str], datetime] = field(default_factory=dict)
    new: int = 0
    changed: int = 0
    refused: int = 0
    problems: tuple[Sentence, ...] = ()


def check(store: Store, data: bytes) -> Checked:
    """Read a CSV with a column `clip` (its number), `file` or `sha256` (and `channel`, counted from 0), and `emotion`.

    Besides: second, intensity (1 to 5), rater (without one, the current user), comment, reason (without one,
    `imported`), labelled_at (without one, now). The hash of the recording counts more than the number of the clip,
    which is another one in another database. UTF-8, UTF-16 or GB18030; emotions in English or Chinese, or "cannot
    tell". A table of labels that this program exported is such a list. Changes nothing. Raises `MetadataError` if it is
    too large or no such list.
    """
    access.require("read")
    found: dict[tuple[int, str], NewLabel] = {}
    said_at: dict[tuple[int, str], datetime] = {}
    problems: list[Sentence] = []
    refused = 0
    user = access.current_user().name
    rows = list(_rows(data))
    known = _Known(store, [row for _, row in rows])
    for number, row in rows:
        try:
            clip_id = known.clip(row)
            rater = clean_name(row.get("rater"), "rater") or user
            if (clip_id, rater) in found:
                raise MetadataError("The clip {clip} stands in the list twice.", clip=clip_id)
            label, moment = _label(row), _moment(row.get("labelled_at", ""))
            found[clip_id, rater] = label
            if moment is not None:
                said_at[clip_id, rater] = moment
        except EmostoreError as error:
            refused += 1
            if refused <= MAX_PROBLEMS:
                problems.append(Sentence(_LINE, {"line": number, "problem": error}))
    if refused > MAX_PROBLEMS:
        problems.append(Sentence(_MORE, {"count": refused - MAX_PROBLEMS}))
    there = label_reading.of_clips(store, {clip_id for clip_id, _ in found})
    before = {(view.clip_id, view.rater): view.label for views in there.values() for view in views}
    new = sum(key not in before for key in found)
    changed = sum(key in before and before[key] != label for key, label in found.items())
    return Checked(found, said_at, new, changed, refused, tuple(problems))


def save(store: Store, checked: Checked) -> None:
    """Save what `check` found, all of it or nothing."""
    if checked.labels:
        labelling.save_many(store, checked.labels, checked.said_at)


_LINE = N_("Line {line}: {problem}")
_MORE = N_("{count} more lines have problems.")


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and cells by the names of `_HEADERS`."""
    if len(data) > MAX_BYTES:
        raise MetadataError(
            "The list is larger than {allowed} MB. Split it into several.", allowed=MAX_BYTES // 1024**2
        )
    text = decoded(data)
    first = text.split("\n", 1)[0]
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
        header = [_COLUMNS.get(clean(cell).lower()) for cell in next(rows, [])]
        if "emotion" not in header or not {"clip", "file", "sha256"} & set(header):
            raise MetadataError("The list needs a column emotion, and a column clip or file.")
        for name in filter(None, header):
            if header.count(name) > 1:
                raise MetadataError("The list has more than one column for {name}. Take one away.", name=name)
        for number, row in enumerate(rows, start=2):
            if number > MAX_ROWS + 1:
                raise MetadataError("The list has more than {allowed} rows. Split it into several.", allowed=MAX_ROWS)
            if any(cell.strip() for cell in row):
                cells = zip(header, map(undefused, row), strict=False)
                yield number, {name: cell if name == "comment" else clean(cell) for name, cell in cells if name}
    except csv.Error as error:
        raise MetadataError("The list is not a CSV file: {problem}.", problem=str(error)) from error


class _Known:
    """The clips that the rows of a list mean, looked up together."""

    def __init__(self, store: Store, rows: Sequence[Mapping[str, str]]) -> None:
        numbers = {number for row in rows if (number := _number(row.get("clip"))) is not None}
        self._there = label_reading.hashes(store, numbers).keys()
        files, hashes = (
            {(row[name], _number(row.get("channel"))) for row in rows if row.get(name)} for name in ("file", "sha256")
        )
        self._named = label_reading.find_clips(store, files)
        self._hashed = label_reading.find_clips(store, hashes, "sha256")

    def clip(self, row: Mapping[str, str]) -> int:
        """The one clip that a row means, by hash, else number, else name. Raises `MetadataError` if it is not one."""
        sha256, given = row.get("sha256"), row.get("clip")
        if given and not sha256:
            number = _number(given)
            if number is None or number not in self._there:
                raise MetadataError("There is no clip {found}.", found=given[:50])
            if row.get("file") and number not in self._named.get((row["file"], _number(row.get("channel"))), []):
                raise MetadataError("The clip {clip} is not of the file {name}.", clip=number, name=row["file"][:100])
            return number
        name, known = (sha256, self._hashed) if sha256 else (row.get("file", ""), self._named)
        found = known.get((name, _number(row.get("channel"))), [])
        if len(found) != 1:
            raise MetadataError(
                "{count} clips come from a file {name}; one is needed. Name its channel, or the number of the clip.",
                count=len(found),
                name=(row.get("file") or name)[:100],
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
    reason = cast(Reason, row.get("reason") or "imported")  # checked now
    return labelling.checked(NewLabel(emotion, second, number, row.get("comment") or None, reason))


def _moment(text: str) -> datetime | None:
    """A time with its offset. Raises `MetadataError` for anything else but nothing."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise MetadataError(
            "{found} is no time with its offset. Write one like 2026-03-31T14:05:00+08:00, or leave it empty.",
            found=text[:50],
        )
    return moment


def _word(text: str) -> str | None:
    """An emotion by any of its names; what is none of them stays, and is refused with the names that are."""
    return _WORDS.get(text.lower(), text) if text else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
