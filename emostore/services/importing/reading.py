"""Items into what they tell of clips, one after the other, each with what lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emostore.errors import EmostoreError, MetadataError
from emostore.services.importing import bounded, frame_scores, kinds, score_table
from emostore.services.importing.found import Found
from emostore.services.importing.items import Item
from emostore.services.importing.sources import Entry


def clips(item: Item) -> Iterator[tuple[int | None, Found | EmostoreError]]:
    """What an item tells, each clip with its line where there are many; what is refused is among them, and why."""
    try:
        if item.kind == "lines":
            with item.main.open() as stream:
                for number, line in bounded.lines(stream):
                    found = _one(line, item)
                    if isinstance(found, kinds.PartsError):  # all of its lines are
                        raise found
                    yield number, found
        elif item.kind == "table":
            with item.main.open() as stream:
                for number, row in bounded.table(stream):
                    kinds.check_columns(row)
                    try:
                        yield number, score_table.read(row, number)
                    except EmostoreError as error:
                        yield number, error
        else:
            several = list(_json(item))
            for number, each in enumerate(several, start=1):
                yield number if len(several) > 1 else None, each
    except EmostoreError as error:
        yield None, error


def _one(line: bytes, item: Item) -> Found | EmostoreError:
    try:
        found = list(kinds.clips(bounded.json_value(line), item.name))
        if len(found) != 1:
            raise MetadataError("The line holds several clips; each has a line of its own.")
        return found[0]
    except EmostoreError as error:
        return error


def _json(item: Item) -> Iterator[Found]:
    """The clips of a file of JSON, the one of a folder with its frames and its embedding."""
    values = list(bounded.json_values(_bytes(item.main)))
    found = [clip for value in values for clip in kinds.clips(value, item.name)]
    beside = item.frames or item.embedding or item.audio
    if beside is not None and len(found) != 1:
        raise MetadataError(
            "It holds {found} clips, so {name} could belong to any.", found=len(found), name=beside.base
        )
    for clip in found:
        yield _with_companions(clip, item)


def _with_companions(clip: Found, item: Item) -> Found:
    if item.frames is not None and clip.windows is None:  # a line of our own has its windows in full
        if clip.frames is not None:
            raise MetadataError("There are frames in it and in {name}; which count is not said.", name=item.frames.base)
        clip = replace(clip, frames=frame_scores.read(bounded.json_value(_bytes(item.frames))))
    if item.embedding is not None and clip.embedding is None and clip.no_speech is None:
        with item.embedding.open() as stream:
            vector, count = bounded.npy_mean(stream, item.embedding.size, clip.model.dim or bounded.DIM)
        clip = replace(clip, embedding=vector, embedding_frames=count)
    if item.started is not None and not clip.model.raw:
        facts = clip.facts if clip.time is None else {**clip.facts, "analysed_at": clip.time}
        clip = replace(clip, time=item.started, facts=facts)
    return clip


def _bytes(entry: Entry) -> bytes:
    with entry.open() as stream:
        return bounded.whole(stream, bounded.MAX_JSON_BYTES)
