"""Labels of many clips at once, and which clips a list of labels means."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from sqlalchemy import select

from emostore.store.calibration.labels import LabelView, NewLabel, view
from emostore.store.session import Store
from emostore.store.tables.label_models import Label
from emostore.store.tables.models import Clip, Recording
from emostore.store.writing import bulk


def find_clips(
    store: Store, recordings: set[tuple[str, int | None]], by: Literal["file_name", "sha256"] = "file_name"
) -> dict[tuple[str, int | None], list[int]]:
    """Clips by the names (or hashes) of their recordings and their channels (None: any).

    A name that no recording has stands for those whose end it is, or that are its end, in whole folders.
    """
    found: dict[tuple[str, int | None], list[int]] = {}
    column = bulk.table(Recording).c[by]
    names = {name for name, _ in recordings}
    clips = select(column, Clip.channel, Clip.id).join_from(Recording, Clip, Clip.recording_id == Recording.id)
    with store.reading() as session:
        for condition, parameters in bulk.matching(session, [column], [(name,) for name in sorted(names)]):
            for name, channel, clip_id in session.execute(clips.where(condition), parameters):
                for key in ((name, None), (name, channel)):
                    found.setdefault(key, []).append(clip_id)
        if by == "file_name" and (unknown := names - {name for name, _ in found}):
            ends: dict[str, list[str]] = {}
            for name in unknown:
                ends.setdefault(_last(name), []).append(name)
            # No index knows the ends of names, so all of them are read.
            for stored, channel, clip_id in session.execute(clips.execution_options(yield_per=10_000)):
                for name in ends.get(_last(stored), ()):
                    if stored.endswith(f"/{name}") or name.endswith(f"/{stored}"):
                        for key in ((name, None), (name, channel)):
                            found.setdefault(key, []).append(clip_id)
    return found


def of_clips(store: Store, clip_ids: Collection[int]) -> dict[int, tuple[LabelView, ...]]:
    """The labels of clips by their ids, those of a clip by rater; clips without one are left out."""
    found: dict[int, list[LabelView]] = {}
    column = bulk.table(Label).c.clip_id
    with store.reading() as session:
        for condition, parameters in bulk.matching(session, [column], [(key,) for key in sorted(clip_ids)]):
            for row in session.scalars(select(Label).where(condition).order_by(Label.rater), parameters):
                found.setdefault(row.clip_id, []).append(view(row))
    return {clip_id: tuple(each) for clip_id, each in found.items()}


def of_channels(store: Store, channels: Collection[tuple[str, int]]) -> dict[tuple[str, int], dict[str, NewLabel]]:
    """The labels of clips by rater, the clips by the SHA-256 of their recording and their channel."""
    found: dict[tuple[str, int], dict[str, NewLabel]] = {}
    column = bulk.table(Recording).c.sha256
    statement = (
        select(column, Clip.channel, Label)
        .join_from(Recording, Clip, Clip.recording_id == Recording.id)
        .join(Label, Label.clip_id == Clip.id)
    )
    with store.reading() as session:
        for condition, parameters in bulk.matching(
            session, [column], [(each,) for each in sorted({r for r, _ in channels})]
        ):
            for sha256, channel, row in session.execute(statement.where(condition), parameters):
                found.setdefault((sha256, channel), {})[row.rater] = view(row).label
    return found


def hashes(store: Store, clip_ids: Collection[int]) -> dict[int, str]:
    """The SHA-256 of the recordings that clips are of, by the clips' ids."""
    found: dict[int, str] = {}
    with store.reading() as session:
        for condition, parameters in bulk.matching(
            session, [bulk.table(Clip).c.id], [(key,) for key in sorted(clip_ids)]
        ):
            statement = select(Clip.id, Recording.sha256).join(Recording, Recording.id == Clip.recording_id)
            found.update((key, sha256) for key, sha256 in session.execute(statement.where(condition), parameters))
    return found


def _last(name: str) -> str:
    return name.rpartition("/")[2]
