"""What goes into the queue and what is read from it: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["analyse", "reanalyse", "rescore"]
State = Literal["waiting", "running", "done", "failed", "cancelled"]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewItem:
    """A recording to work on: `staged_path` (relative to the data folder), or the clip whose audio was kept."""

    name: str
    byte_count: int
    staged_path: str | None = None
    clip_id: int | None = None
    description: Json | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item that a worker took, and what it needs to know; `sha256` is set if an earlier try came to saving."""

    id: int
    job_id: int
    kind: Kind
    name: str
    staged_path: str | None
    clip_id: int | None
    description: Json
    attempts: int
    sha256: str | None
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as it stands; see `job_models.JobItem` for what each value means."""

    id: int
    job_id: int
    position: int
    name: str
    byte_count: int
    state: State
    stage: str | None
    attempts: int
    error: Json | None
    results: list[dict[str, Any]] | None
    can_retry: bool
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tally:
    """The items of one job in one state."""

    count: int = 0
    byte_count: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, its items counted by state, those that run now and the first of those that failed."""

    id: int
    kind: Kind
    created_at: datetime
    created_by: str
    cancelled_at: datetime | None
    started_at: datetime | None
    tallies: Mapping[State, Tally]
    running: tuple[ItemRow, ...]
    failed: tuple[ItemRow, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """How many workers are busy, and how many jobs share them."""

    workers: int
    jobs: int
