"""What workers do with the queue: take an item, keep it, say what became of it.

An item belongs to its worker as long as `worker` names it. Every change by a worker asks for that in the
same statement, so that one who was too slow and lost the item changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import JSON, ColumnElement, Update, case, func, literal, null, or_, select, update
from sqlalchemy.orm import Session

from emostore.store.queue.job_records import Claimed, Json, Kind
from emostore.store.session import Store
from emostore.store.tables.job_models import Job, JobItem
from emostore.store.tables.types import UtcDateTime

_FRONT = 200  # items, from the first on, among which one of a certain kind is looked for


def claim(store: Store, worker: str, lease_s: float, kind: Kind | None = None) -> Claimed | None:
    """Take the item whose turn it is, or None if there is none; two workers never get the same.

    With `kind`, only items of jobs of this kind are looked at.
    """
    with store.reading() as session:  # SQLite has one writer at a time: an idle worker does not queue up for that
        if session.scalar(select(JobItem.id).where(*_due(_now(session), kind)).limit(1)) is None:
            return None
    with store.transaction() as session:
        now = _now(session)
        due = (
            select(JobItem.id)
            .where(*_due(now, kind))
            .order_by(JobItem.turn, JobItem.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # on SQLite the transaction has the whole database
        )
        taken = (
            update(JobItem)
            .where(JobItem.id == due.scalar_subquery())
            .values(
                state="running",
                stage=None,
                worker=worker,
                lease_until=now + timedelta(seconds=lease_s),
                attempts=JobItem.attempts + 1,
                started_at=now,
                finished_at=None,
                not_before=None,
                took_s=None,
            )
            .returning(JobItem.id)
        )
        identifier = session.scalar(taken, execution_options={"synchronize_session": False})
        return _claimed(session, identifier) if identifier is not None else None


def renew(store: Store, item_id: int, worker: str, lease_s: float) -> bool:
    """Keep an item for longer. False if it was cancelled or is somebody else's by now."""
    with store.transaction() as session:
        until = _now(session) + timedelta(seconds=lease_s)
        return _changed(session, _running(item_id, worker).values(lease_until=until))


def is_running(store: Store, item_id: int, worker: str) -> bool:
    """Whether the item is still this worker's, and not cancelled."""
    mine = select(JobItem.id).where(JobItem.id == item_id, JobItem.worker == worker, JobItem.state == "running")
    with store.reading() as session:
        return session.scalar(mine) is not None


def set_stage(store: Store, item_id: int, worker: str, stage: str) -> None:
    """Say what is being done with an item."""
    with store.transaction() as session:
        _changed(session, _running(item_id, worker).values(stage=stage))


def set_hash(store: Store, item_id: int, worker: str, sha256: str) -> None:
    """Note, before the first clip is saved, that this item is about to save this recording."""
    with store.transaction() as session:
        _changed(session, _mine(item_id, worker).values(sha256=sha256))


def finish(store: Store, item_id: int, worker: str, results: Sequence[Json], took_s: float) -> bool:
    """Mark an item done. One that was cancelled too late, after its clips were saved, is done as well."""
    with store.transaction() as session:
        values = {**_ENDED, "state": "done", "results": list(results), "error": None}
        return _changed(session, _mine(item_id, worker).values(values | _at(session, took_s)))


def fail(store: Store, item_id: int, worker: str, error: Json, results: Sequence[Json], took_s: float) -> bool:
    """Keep an item with the reason why it failed."""
    with store.transaction() as session:
        values = {**_ENDED, "state": "failed", "results": list(results), "error": dict(error)}
        return _changed(session, _running(item_id, worker).values(values | _at(session, took_s)))


def try_later(store: Store, item_id: int, worker: str, error: Json, delay_s: float) -> bool:
    """Put an item back, to be tried again after a while; the reason is shown meanwhile."""
    with store.transaction() as session:
        later = _now(session) + timedelta(seconds=delay_s)
        values = {**_ENDED, "state": "waiting", "not_before": later, "error": dict(error)}
        return _changed(session, _running(item_id, worker).values(values))


def give_back(store: Store, worker: str) -> int:
    """Put back what this worker holds, without counting the attempt: it was asked to stop. How many there were."""
    running = JobItem.state == "running"
    values = {
        **_ENDED,
        "state": case((running, "waiting"), else_=JobItem.state),
        "attempts": case((running, JobItem.attempts - 1), else_=JobItem.attempts),
    }
    with store.transaction() as session:
        return _count(session, update(JobItem).where(JobItem.worker == worker).values(values))


def running_workers(store: Store) -> list[str]:
    """Everybody who holds an item."""
    with store.reading() as session:
        held = select(JobItem.worker).where(JobItem.lease_until.is_not(None), JobItem.worker.is_not(None))
        return [worker for worker in session.scalars(held.distinct()) if worker]


def release(store: Store, gone: Collection[str], max_attempts: int, error: Json) -> int:
    """Put back what workers hold whose lease ran out or who are `gone`; how many items that were.

    An item that was tried `max_attempts` times fails with `error`.
    """
    expired = JobItem.lease_until < _now_of(store)
    with store.reading() as session:  # most of the time there is nothing to release
        lost = or_(expired, JobItem.worker.in_(gone)) if gone else expired
        if session.scalar(select(JobItem.id).where(lost).limit(1)) is None:
            return 0
    running, exhausted = JobItem.state == "running", JobItem.attempts >= max_attempts
    values = {
        **_ENDED,
        "state": case((running & exhausted, "failed"), (running, "waiting"), else_=JobItem.state),
        "error": case((running & exhausted, literal(dict(error), JSON)), else_=JobItem.error),
    }
    with store.transaction() as session:
        values["finished_at"] = case((running & exhausted, _now(session)), else_=null())
        return _count(session, update(JobItem).where(lost).values(values))


_ENDED: dict[str, Any] = {"worker": None, "lease_until": None, "stage": None}


def _mine(item_id: int, worker: str) -> Update:
    return update(JobItem).where(JobItem.id == item_id, JobItem.worker == worker)


def _running(item_id: int, worker: str) -> Update:
    return _mine(item_id, worker).where(JobItem.state == "running")


def _at(session: Session, took_s: float) -> dict[str, Any]:
    return {"finished_at": _now(session), "took_s": took_s}


def _changed(session: Session, statement: Update) -> bool:
    return _count(session, statement) > 0


def _count(session: Session, statement: Update) -> int:
    changed = session.scalars(statement.returning(JobItem.id), execution_options={"synchronize_session": False})
    return len(changed.all())


def _due(now: datetime, kind: Kind | None) -> list[ColumnElement[bool]]:
    due = [JobItem.state == "waiting", or_(JobItem.not_before.is_(None), JobItem.not_before <= now)]
    if kind is None:
        return due
    # Jobs alternate (see `store.queue.jobs`), so each has an item in front; the rest of a million need not be read.
    front = select(JobItem.id, JobItem.job_id).where(*due).order_by(JobItem.turn, JobItem.id).limit(_FRONT).subquery()
    return [*due, JobItem.id.in_(select(front.c.id).join(Job, Job.id == front.c.job_id).where(Job.kind == kind))]


def _claimed(session: Session, identifier: int) -> Claimed:
    item, job = session.execute(select(JobItem, Job).join(Job).where(JobItem.id == identifier)).one()
    return Claimed(
        id=item.id,
        job_id=job.id,
        kind=cast(Kind, job.kind),
        name=item.name,
        staged_path=item.staged_path,
        clip_id=item.clip_id,
        description=job.description if item.description is None else item.description,
        attempts=item.attempts,
        sha256=item.sha256,
        queued_at=item.queued_at,
    )


def _now_of(store: Store) -> datetime:
    with store.reading() as session:
        return _now(session)


def _now(session: Session) -> datetime:
    """The database's clock: machines that share one need not agree on the time."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    return session.scalars(select(func.clock_timestamp(type_=UtcDateTime))).one()
