"""Reading the queue: jobs and items as they stand, and what may be analysed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Row, Select, and_, func, or_, select

from emostore.store.queue.job_records import ItemRow, JobRow, Kind, Load, NewItem, State, Tally
from emostore.store.queue.jobs import HAS_SOURCE, OPEN
from emostore.store.session import Store
from emostore.store.tables.job_models import Job, JobItem
from emostore.store.tables.models import Analysis, Clip, ModelRevision, Recording
from emostore.store.writing import bulk

_SHOWN = 5  # failed items that come with a job


def count_open(store: Store) -> int:
    """How many items are waiting or running, of all jobs."""
    with store.reading() as session:
        return session.scalar(select(func.count(JobItem.id)).where(JobItem.state.in_(OPEN))) or 0


def load(store: Store) -> Load:
    """How many workers are busy, and how many jobs have something to do."""
    workers = select(func.count(JobItem.worker.distinct())).where(JobItem.state == "running").scalar_subquery()
    jobs = select(func.count(JobItem.job_id.distinct())).where(JobItem.state.in_(OPEN)).scalar_subquery()
    with store.reading() as session:
        return Load(*session.execute(select(workers, jobs)).one())


def find_jobs(store: Store, limit: int, before: int | None = None, job_id: int | None = None) -> list[JobRow]:
    """The newest jobs that were not cleared, from the id `before` on down; or the one with `job_id`, cleared or not."""
    wanted = select(Job).order_by(Job.id.desc()).limit(limit)
    wanted = wanted.where(Job.id == job_id) if job_id is not None else wanted.where(Job.cleared_at.is_(None))
    if before is not None:
        wanted = wanted.where(Job.id < before)
    with store.reading() as session:
        jobs = session.scalars(wanted).all()
        ids = [job.id for job in jobs]
        counted = session.execute(_counted(ids)).all()
        shown = [_item_row(row) for row in session.execute(_worth_showing(ids))]
    started = {
        job: min((row.started_at for row in counted if row.job_id == job and row.started_at), default=None)
        for job in ids
    }
    return [
        JobRow(
            id=job.id,
            kind=cast(Kind, job.kind),
            created_at=job.created_at,
            created_by=job.created_by,
            cancelled_at=job.cancelled_at,
            started_at=started[job.id],
            tallies={row.state: Tally(row.items, row.bytes, row.took_s) for row in counted if row.job_id == job.id},
            running=tuple(item for item in shown if item.job_id == job.id and item.state == "running"),
            failed=tuple(item for item in shown if item.job_id == job.id and item.state == "failed"),
        )
        for job in jobs
    ]


def find_items(
    store: Store, job_id: int, limit: int, after: int | None = None, state: State | None = None
) -> list[ItemRow]:
    """Items of a job in their order, from the position `after` on; of one state if asked."""
    wanted = _ITEM.where(JobItem.job_id == job_id).order_by(JobItem.position).limit(limit)
    if after is not None:
        wanted = wanted.where(JobItem.position > after)
    if state is not None:
        wanted = wanted.where(JobItem.state == state)
    with store.reading() as session:
        return [_item_row(row) for row in session.execute(wanted)]


def kept_recordings(
    store: Store, *, clip_ids: Sequence[int] | None = None, model: tuple[str, str] | None = None
) -> list[NewItem]:
    """An item for each recording of these clips, or of all that a model (name, revision) has analysed."""
    wanted = (
        select(Recording.file_name, Recording.byte_count, func.min(Clip.id).label("clip_id"))
        .join(Clip, Clip.recording_id == Recording.id)
        .group_by(Recording.id, Recording.file_name, Recording.byte_count)
        .order_by(func.min(Clip.id))
    )
    with store.reading() as session:
        if model is not None:
            analysed = select(Analysis.clip_id).join(ModelRevision)
            name, revision = model
            wanted = wanted.where(
                Clip.id.in_(analysed.where(ModelRevision.name == name, ModelRevision.revision == revision))
            )
            rows = list(session.execute(wanted))
        else:
            keys = [(clip_id,) for clip_id in sorted(set(clip_ids or ()))]
            rows = [
                row
                for condition, parameters in bulk.matching(session, [bulk.table(Clip).c.id], keys)
                for row in session.execute(wanted.where(condition), parameters)
            ]
    return [NewItem(row.file_name, row.byte_count, clip_id=row.clip_id) for row in rows]


def left_to_analyse(store: Store, name: str, revision: str) -> list[tuple[str, str, int]]:
    """Other models with how many kept recordings they have analysed and this one has not: (name, revision, count)."""
    this = select(Analysis.clip_id).join(ModelRevision)
    done = this.where(ModelRevision.name == name, ModelRevision.revision == revision)
    wanted = (
        select(ModelRevision.name, ModelRevision.revision, func.count(Clip.recording_id.distinct()))
        .join(Analysis, Analysis.model_revision_id == ModelRevision.id)
        .join(Clip, Clip.id == Analysis.clip_id)
        .join(Recording, Recording.id == Clip.recording_id)
        .where(Recording.media_path.is_not(None), Clip.id.not_in(done))
        .group_by(ModelRevision.id, ModelRevision.name, ModelRevision.revision)
        .order_by(ModelRevision.id)
    )
    with store.reading() as session:
        return [(other, its_revision, count) for other, its_revision, count in session.execute(wanted)]


def kept_media(store: Store, clip_id: int) -> tuple[str | None, str] | None:
    """Where the audio of a clip was kept, and its file's name; None if there is no such clip."""
    wanted = select(Recording.media_path, Recording.file_name).join(Clip, Clip.recording_id == Recording.id)
    with store.reading() as session:
        found = session.execute(wanted.where(Clip.id == clip_id)).one_or_none()
        return (found[0], found[1]) if found else None


_ITEM_COLUMNS = (
    JobItem.id,
    JobItem.job_id,
    JobItem.position,
    JobItem.name,
    JobItem.byte_count,
    JobItem.state,
    JobItem.stage,
    JobItem.attempts,
    JobItem.error,
    JobItem.results,
    and_(JobItem.state == "failed", HAS_SOURCE).label("can_retry"),
    JobItem.queued_at,
    JobItem.started_at,
    JobItem.finished_at,
)
_ITEM = select(*_ITEM_COLUMNS)


def _item_row(row: Row[*tuple[Any, ...]]) -> ItemRow:
    # By name and in this order; what else a query answers does not belong to the item.
    return ItemRow(*(getattr(row, column.key) for column in _ITEM_COLUMNS))


def _counted(job_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            JobItem.job_id,
            JobItem.state,
            func.count().label("items"),
            func.sum(JobItem.byte_count).label("bytes"),
            func.coalesce(func.sum(JobItem.took_s), 0.0).label("took_s"),
            func.min(JobItem.started_at).label("started_at"),
        )
        .where(JobItem.job_id.in_(job_ids))
        .group_by(JobItem.job_id, JobItem.state)
    )


def _worth_showing(job_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    """The items that run, and of those that failed the first few of each job."""
    place = func.row_number().over(partition_by=(JobItem.job_id, JobItem.state), order_by=JobItem.position)
    numbered = (
        select(*_ITEM_COLUMNS, place.label("place"))
        .where(JobItem.job_id.in_(job_ids), JobItem.state.in_(("running", "failed")))
        .subquery()
    )
    return (
        select(numbered)
        .where(or_(numbered.c.state == "running", numbered.c.place <= _SHOWN))
        .order_by(numbered.c.job_id, numbered.c.position)
    )
