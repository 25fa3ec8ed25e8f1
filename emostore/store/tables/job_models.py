"""The tables of the work to do: a job is what somebody asked for at once, an item one recording of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from emostore.store.tables.models import Base, Clip, Id, Json, Name, Number, Time, Word
from emostore.store.tables.types import UtcDateTime

KINDS = ("analyse", "reanalyse", "rescore")
STATES = ("waiting", "running", "done", "failed", "cancelled")

# Without `none_as_null`, None would be stored as the JSON word null, which is not NULL to SQL.
OptionalJson = Annotated[Any, mapped_column(JSON(none_as_null=True))]


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


class Job(Base):
    """What one person asked for at once. `cleared_at` hides it from the lists."""

    __tablename__ = "jobs"
    id: Mapped[Id]
    kind: Mapped[Word]
    created_at: Mapped[Time]
    created_by: Mapped[Name]
    description: Mapped[Json]
    cancelled_at: Mapped[Time | None]
    cleared_at: Mapped[Time | None]

    __table_args__ = (_one_of("kind", KINDS), {"sqlite_autoincrement": True})


class JobItem(Base):
    """One recording of a job: a staged file, or the kept audio of a clip.

    `worker` and `lease_until` are set as long as somebody works on it; whoever finds the lease run out
    may take it. `turn` is its place in the queue (see `store.queue.jobs`), `not_before` when it may be tried
    again. `sha256` is known from just before its first clip is saved. `error` is
    `{"message": …, "params": {…}}`, `results` a list with one entry a clip; `took_s` is the time of the
    attempt that ended it.
    """

    __tablename__ = "job_items"
    id: Mapped[Id]
    job_id: Mapped[int] = mapped_column(ForeignKey(Job.id, ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    staged_path: Mapped[str | None] = mapped_column(Text, unique=True)  # relative to the data folder
    byte_count: Mapped[int] = mapped_column(BigInteger)
    clip_id: Mapped[int | None] = mapped_column(ForeignKey(Clip.id, ondelete="SET NULL"), index=True)
    description: Mapped[OptionalJson | None]  # instead of the job's
    state: Mapped[Word]
    stage: Mapped[Word | None]
    turn: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int]
    not_before: Mapped[Time | None]
    worker: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    error: Mapped[OptionalJson | None]
    results: Mapped[OptionalJson | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    queued_at: Mapped[Time]
    started_at: Mapped[Time | None]
    finished_at: Mapped[Time | None]
    took_s: Mapped[Number | None]

    __table_args__ = (
        UniqueConstraint("job_id", "position"),
        Index(None, "state", "turn", "id"),
        _one_of("state", STATES),
        CheckConstraint("state <> 'running' OR (worker IS NOT NULL AND lease_until IS NOT NULL)", name="running"),
        CheckConstraint("attempts >= 0 AND byte_count >= 0 AND took_s >= 0", name="numbers"),
        {"sqlite_autoincrement": True},
    )
