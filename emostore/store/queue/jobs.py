"""The queue as people see it: hand in, follow, cancel, retry, clear.

`turn` makes the queue fair without counting anything. A new job's first item gets the turn that the queue
has come to, its second the next one, and so on; items are taken in the order of turns. So jobs alternate,
item by item, and a single upload does not wait for the thousands that were handed in before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emostore.errors import StoreError
from emostore.store.queue.job_records import Json, Kind, NewItem, State
from emostore.store.session import Store
from emostore.store.tables.job_models import Job, JobItem
from emostore.store.writing import bulk

OPEN: tuple[State, ...] = ("waiting", "running")
HAS_SOURCE = or_(JobItem.staged_path.is_not(None), JobItem.clip_id.is_not(None))

_AFRESH: dict[str, Any] = {
    "state": "waiting",
    "attempts": 0,
    "not_before": None,
    "error": None,
    "results": None,
    "finished_at": None,
    "took_s": None,
}


def add(store: Store, kind: Kind, created_by: str, description: Json, items: Sequence[NewItem]) -> int:
    """Hand in a job with all of its items at once, or nothing; its id.

    Raises `StoreError` if one of the staged files belongs to a job already.
    """
    now = datetime.now(UTC)
    try:
        with store.transaction() as session:
            job = Job(kind=kind, created_at=now, created_by=created_by, description=dict(description))
            session.add(job)
            session.flush()
            turn = _turn_now(session)
            bulk.add(session, JobItem, [_row(job.id, turn, at, item, now) for at, item in enumerate(items)])
            return job.id
    except IntegrityError as error:
        if "staged_path" not in str(error.orig):
            raise
        raise StoreError("These files were handed in already. Look at the list of jobs.") from error


def cancel_job(store: Store, job_id: int) -> int:
    """Cancel what is not finished of a job; how many items that were."""
    with store.transaction() as session:
        cancelled = _cancel(session, JobItem.job_id == job_id)
        if cancelled:
            session.execute(update(Job).where(Job.id == job_id).values(cancelled_at=datetime.now(UTC)))
    return cancelled


def cancel_item(store: Store, item_id: int) -> bool:
    """Cancel one item; False if it was finished already."""
    with store.transaction() as session:
        return _cancel(session, JobItem.id == item_id) > 0


def retry(store: Store, *, item_id: int | None = None, job_id: int | None = None) -> int:
    """Queue a failed item, or all those of a job, again from the start; how many that were."""
    which = JobItem.id == item_id if item_id is not None else JobItem.job_id == job_id
    failed = select(JobItem.id, JobItem.job_id).where(which, JobItem.state == "failed", HAS_SOURCE)
    with store.transaction() as session:
        found = session.execute(failed.order_by(JobItem.position).with_for_update()).all()
        if not found:
            return 0
        turn, items = _turn_now(session), bulk.table(JobItem)
        # Each gets its own turn, as in a new job, so that many of them do not stand before everybody else.
        again = items.update().where(items.c.id == bindparam("item")).values(**_AFRESH, turn=bindparam("its_turn"))
        session.execute(again, [{"item": row.id, "its_turn": turn + at} for at, row in enumerate(found)])
        reopened = update(Job).where(Job.id.in_({row.job_id for row in found}))  # so it is shown again
        session.execute(reopened.values(cleared_at=None, cancelled_at=None))
    return len(found)


def clear_finished(store: Store) -> int:
    """Hide every job of which nothing is left to do; how many that were."""
    is_open = select(JobItem.id).where(JobItem.job_id == Job.id, JobItem.state.in_(OPEN)).exists()
    with store.transaction() as session:
        hide = update(Job).where(Job.cleared_at.is_(None), ~is_open).values(cleared_at=datetime.now(UTC))
        hidden = session.scalars(hide.returning(Job.id), execution_options={"synchronize_session": False})
        return len(hidden.all())


def left_over(store: Store, limit: int) -> dict[int, str]:
    """Staged files that nobody needs any more, by item: of finished, cancelled and cleared ones."""
    needless = or_(
        JobItem.state == "done",
        and_(JobItem.state == "cancelled", JobItem.worker.is_(None)),  # with a worker it may be open just now
        and_(JobItem.state == "failed", Job.cleared_at.is_not(None)),
    )
    found = select(JobItem.id, JobItem.staged_path).join(Job).where(JobItem.staged_path.is_not(None), needless)
    with store.reading() as session:
        return {identifier: str(path) for identifier, path in session.execute(found.order_by(JobItem.id).limit(limit))}


def forget_staged(store: Store, item_ids: Iterable[int]) -> None:
    """Note that the staged files of these items are gone."""
    with store.transaction() as session:
        gone = update(JobItem).where(JobItem.id.in_(list(item_ids))).values(staged_path=None)
        session.execute(gone, execution_options={"synchronize_session": False})


def known_staged(store: Store, paths: Sequence[str]) -> set[str]:
    """Which of these staged files belong to an item."""
    with store.reading() as session:
        return {
            str(path) for path in session.scalars(select(JobItem.staged_path).where(JobItem.staged_path.in_(paths)))
        }


def _cancel(session: Session, which: Any) -> int:
    stop = (
        update(JobItem)
        .where(which, JobItem.state.in_(OPEN))
        .values(state="cancelled", stage=None, not_before=None, finished_at=datetime.now(UTC))
        .returning(JobItem.id)
    )
    return len(session.scalars(stop, execution_options={"synchronize_session": False}).all())


def _turn_now(session: Session) -> int:
    """The turn that the queue has come to. Tried again do not count: their turns lie in the past."""
    waiting = select(func.min(JobItem.turn)).where(JobItem.state == "waiting", JobItem.attempts == 0)
    return session.scalar(waiting) or 0


def _row(job_id: int, turn: int, position: int, item: NewItem, now: datetime) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "position": position,
        "name": item.name,
        "staged_path": item.staged_path,
        "byte_count": item.byte_count,
        "clip_id": item.clip_id,
        "description": dict(item.description) if item.description is not None else None,
        "state": "waiting",
        "turn": turn + position,
        "attempts": 0,
        "queued_at": now,
    }
