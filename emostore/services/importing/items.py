"""Files into the things they belong to: a folder of results is one clip, a list holds many."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from emostore.errors import MetadataError
from emostore.services.importing.sources import Entry, Refused

RESULT, FRAMES, EMBEDDING, AUDIO = "result.json", "result_frame.json", "embedding.npy", "processed_audio.wav"
_STAMP = re.compile(r"(?:^|/)outputs_(\d{8})_(\d{6})(?:_\d+)?(?:$|/|\.zip)", re.ASCII)
_KINDS: dict[str, Literal["json", "lines", "table"]] = {
    ".json": "json",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "table",
    ".tsv": "table",
}
_UNREAD_TABLES = ("xlsx", "xls", "ods", "parquet")


@dataclass(frozen=True, slots=True)
class Item:
    """What is read together: a file, and what lies beside it and belongs to it."""

    name: str
    kind: Literal["json", "lines", "table"]
    main: Entry
    frames: Entry | None = None
    embedding: Entry | None = None
    audio: Entry | None = None
    started: datetime | None = None  # by the name of its folder, which has no time zone

    @property
    def byte_count(self) -> int:
        """How large all of it is."""
        parts = (self.main, self.frames, self.embedding, self.audio)
        return sum(each.size for each in parts if each is not None)


@dataclass(frozen=True, slots=True)
class Grouped:
    """The items in their order, the files that belong to none, and those that mean nothing to an import."""

    items: tuple[Item, ...]
    refused: tuple[Refused, ...]
    passed: tuple[str, ...]


def grouped(entries: Iterable[Entry]) -> Grouped:
    """Which files belong together, by the folders they lie in."""
    by_folder: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_folder[entry.folder].append(entry)
    items: list[Item] = []
    refused: list[Refused] = []
    passed: list[str] = []
    for folder, inside in by_folder.items():
        outputs = _outputs(folder, inside)
        taken = {outputs.main, outputs.frames, outputs.embedding, outputs.audio} if outputs else set()
        items += [outputs] if outputs else []
        for entry in inside:
            if entry in taken:
                continue
            stem, dot, ending = entry.base.rpartition(".")
            kind = _KINDS.get(dot + ending)
            beside = [each for each in inside if kind == "json" and each.base == f"{stem}.npy"]
            if kind is not None:
                embedding = beside[0] if len(beside) == 1 and len(_called(entry.base, inside)) == 1 else None
                items.append(Item(_shown(entry), kind, entry, embedding=embedding, started=_stamp(entry.name)))
            elif ending == "npy" and len(_called(f"{stem}.json", inside)) != 1:
                error = MetadataError(
                    "An embedding alone has no scores. Put it into one folder with its {result}, as {embedding}.",
                    result=RESULT,
                    embedding=EMBEDDING,
                )
                refused.append(Refused(entry.name, error))
            elif ending in _UNREAD_TABLES:
                error = MetadataError(
                    "Tables are read as CSV, and clips of another installation best as JSON lines (.jsonl), which hold"
                    " everything. Export it as one of these."
                )
                refused.append(Refused(entry.name, error))
            elif ending != "npy":
                passed.append(entry.name)
    return Grouped(tuple(items), tuple(refused), tuple(passed))


def _outputs(folder: str, inside: list[Entry]) -> Item | None:
    """The one result that lies in a folder, with what belongs to it."""
    single = {name: found[0] for name in (RESULT, FRAMES, EMBEDDING, AUDIO) if len(found := _called(name, inside)) == 1}
    main = single.get(RESULT) or single.get(FRAMES)
    if main is None or len(_called(RESULT, inside)) > 1:
        return None
    return Item(
        folder.rpartition("/")[2] or main.name,
        "json",
        main,
        frames=single.get(FRAMES) if RESULT in single else None,
        embedding=single.get(EMBEDDING),
        audio=single.get(AUDIO),
        started=_stamp(folder),
    )


def _called(base: str, inside: list[Entry]) -> list[Entry]:
    return [each for each in inside if each.base == base]


def _shown(entry: Entry) -> str:
    return entry.name.rpartition("/")[2] if entry.base != RESULT else entry.name


def _stamp(name: str) -> datetime | None:
    found = _STAMP.findall(name)
    try:
        return datetime.strptime("".join(found[-1]), "%Y%m%d%H%M%S") if found else None
    except ValueError:  # no such day or hour
        return None
