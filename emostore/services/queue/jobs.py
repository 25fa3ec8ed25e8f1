"""Work that outlives the page that asked for it: hand files in, follow them, cancel, retry, clear.

What is handed in is on disk and in the database before `submit` answers; `services.queue.worker` does it, in
this process or another one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emostore import access
from emostore.config import Settings
from emostore.errors import MetadataError
from emostore.services.metadata.descriptions import Description
from emostore.services.queue.job_views import ItemResult, ItemView, JobView, description_as_json, item_view, job_view
from emostore.services.queue.staging import StagedFile, discard, remove_left_over, stage
from emostore.store.queue import job_reports, jobs
from emostore.store.queue.job_records import NewItem, State
from emostore.store.session import Store
from emostore.store.writing.names import clean_name

__all__ = [
    "AnalysedBy",
    "ItemPage",
    "ItemResult",
    "ItemView",
    "JobView",
    "StagedFile",
    "active",
    "cancel",
    "cancel_item",
    "clear_finished",
    "discard",
    "find",
    "items",
    "left_to_analyse",
    "listen",
    "overview",
    "reanalyse",
    "retry",
    "retry_failed",
    "stage",
    "submit",
]

_bells: weakref.WeakSet[threading.Event] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class AnalysedBy:
    """Every recording that this revision of a model has analysed."""

    model: str
    revision: str


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Items of a job in their order; `after` begins the next page, None at the end."""

    items: tuple[ItemView, ...]
    after: int | None


def submit(
    store: Store,
    settings: Settings,
    files: Sequence[StagedFile],
    description: Description,
    *,
    per_file: Mapping[int, Description] | None = None,
) -> int:
    """Hand staged files in to be analysed, all of them or none; the job's id.

    `per_file` describes single files, by their place in `files`, instead of `description`. Raises
    `MetadataError` if there is no file or a name is too long, and `StoreError` if they were handed in
    before or the database cannot be used; the files then stay staged.
    """
    access.require("analyse")
    if not files:
        raise MetadataError("There are no files to analyse. Choose at least one.")
    own = {index: _checked(each) for index, each in (per_file or {}).items()}
    shared = _checked(description) if len(own) < len(files) else Description()
    new = [
        NewItem(
            file.name,
            file.byte_count,
            staged_path=file.path,
            description=description_as_json(own[index]) if index in own else None,
        )
        for index, file in enumerate(files)
    ]
    job_id = jobs.add(store, "analyse", access.current_user().name, description_as_json(shared), new)
    _ring()
    return job_id


def reanalyse(store: Store, settings: Settings, which: Sequence[int] | AnalysedBy) -> int | None:
    """Analyse kept recordings again with the model that is used now; the job's id, None if there is nothing to do.

    `which` names clips, or the model whose recordings are meant. What the model has analysed already is
    not done twice, and what other models said stays.
    """
    access.require("analyse")
    if isinstance(which, AnalysedBy):
        new = job_reports.kept_recordings(store, model=(which.model, which.revision))
    else:
        new = job_reports.kept_recordings(store, clip_ids=which)
    if not new:
        return None
    job_id = jobs.add(store, "reanalyse", access.current_user().name, description_as_json(Description()), new)
    _ring()
    return job_id


def left_to_analyse(store: Store, name: str, revision: str) -> list[tuple[AnalysedBy, int]]:
    """Other models, with how many kept recordings they have analysed and this one has not."""
    access.require("read")
    found = job_reports.left_to_analyse(store, name, revision)
    return [(AnalysedBy(other, its_revision), count) for other, its_revision, count in found]


def overview(store: Store, limit: int = 20, before: int | None = None) -> list[JobView]:
    """The newest jobs that were not cleared, from the id `before` on down."""
    access.require("read")
    load = job_reports.load(store)
    return [job_view(row, load) for row in job_reports.find_jobs(store, limit, before)]


def find(store: Store, job_id: int) -> JobView | None:
    """One job, cleared or not; None if there is none with this id."""
    access.require("read")
    load = job_reports.load(store)
    return next((job_view(row, load) for row in job_reports.find_jobs(store, 1, job_id=job_id)), None)


def items(store: Store, job_id: int, limit: int = 50, after: int | None = None, state: State | None = None) -> ItemPage:
    """Items of a job in their order, a page at a time; only those in `state` if asked."""
    access.require("read")
    rows = job_reports.find_items(store, job_id, limit + 1, after, state)
    shown = tuple(map(item_view, rows[:limit]))
    return ItemPage(shown, shown[-1].position if len(rows) > limit and shown else None)


def active(store: Store) -> int:
    """How many items wait or run, of all jobs."""
    access.require("read")
    return job_reports.count_open(store)


def cancel(store: Store, settings: Settings, job_id: int) -> int:
    """Cancel what is not finished of a job; how many items that were. What is stored stays."""
    access.require("analyse")
    count = jobs.cancel_job(store, job_id)
    remove_left_over(store, settings)
    return count


def cancel_item(store: Store, settings: Settings, item_id: int) -> bool:
    """Cancel one item; False if it was finished already."""
    access.require("analyse")
    cancelled = jobs.cancel_item(store, item_id)
    remove_left_over(store, settings)
    return cancelled


def retry(store: Store, item_id: int) -> bool:
    """Queue a failed item again; False if it did not fail or its file is gone."""
    access.require("analyse")
    again = jobs.retry(store, item_id=item_id) > 0
    _ring()
    return again


def retry_failed(store: Store, job_id: int) -> int:
    """Queue all failed items of a job again; how many there were."""
    access.require("analyse")
    count = jobs.retry(store, job_id=job_id)
    _ring()
    return count


def clear_finished(store: Store, settings: Settings) -> int:
    """Hide every job of which nothing is left to do, and remove the files of its failed items; how many jobs."""
    access.require("analyse")
    count = jobs.clear_finished(store)
    remove_left_over(store, settings)
    return count


def listen() -> threading.Event:
    """An event that is set whenever this process hands something in."""
    bell = threading.Event()
    _bells.add(bell)
    return bell


def _ring() -> None:
    for bell in list(_bells):
        bell.set()


def _checked(description: Description) -> Description:
    """The description, after it was found whole and its names short enough: better now than once a file."""
    description.check()
    for what in ("agent", "team", "session"):
        clean_name(getattr(description, what), what)
    return description
