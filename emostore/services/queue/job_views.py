"""Jobs and items as pages show them, and how descriptions, sentences and results lie in their rows as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from emostore.i18n import Explained, Sentence
from emostore.services.analysis import ClipResult, Stage, Status
from emostore.services.metadata.descriptions import Description
from emostore.store.queue.job_records import ItemRow, JobRow, Kind, Load, State, Tally


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one clip of an item; `reason` says why it has no scores."""

    status: Status
    clip_id: int | None = None
    channel: int | None = None
    reason: Sentence | None = None


@dataclass(frozen=True, slots=True)
class ItemView:
    """One recording of a job. `error` of one that waits is why the last try failed; it is tried again."""

    id: int
    job_id: int
    position: int
    name: str
    byte_count: int
    state: State
    stage: Stage | None
    attempts: int
    error: Sentence | None
    results: tuple[ItemResult, ...]
    can_retry: bool
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def clip_ids(self) -> tuple[int, ...]:
        """The clips that this recording gave, or had given before."""
        return tuple(result.clip_id for result in self.results if result.clip_id is not None)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job and how far it is. `errors` are the first items that failed, `running_items` those at work now.

    `bytes_per_s` and `seconds_left` are None until something is done that tells.
    """

    id: int
    kind: Kind
    created_at: datetime
    created_by: str
    started_at: datetime | None
    was_cancelled: bool
    waiting: int
    running: int
    done: int
    failed: int
    cancelled: int
    bytes_total: int
    bytes_left: float
    bytes_per_s: float | None
    seconds_left: float | None
    running_items: tuple[ItemView, ...]
    errors: tuple[ItemView, ...]

    @property
    def total(self) -> int:
        """How many items the job has."""
        return self.waiting + self.running + self.done + self.failed + self.cancelled

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.waiting + self.running > 0

    @property
    def share_done(self) -> float:
        """From 0 to 1, by bytes; 1 when nothing is left to do."""
        if not self.is_open:
            return 1.0
        return 1 - self.bytes_left / self.bytes_total if self.bytes_total else 0.0


def item_view(row: ItemRow) -> ItemView:
    """An item as it is shown."""
    return ItemView(
        id=row.id,
        job_id=row.job_id,
        position=row.position,
        name=row.name,
        byte_count=row.byte_count,
        state=row.state,
        stage=Stage(row.stage) if row.stage else None,
        attempts=row.attempts,
        error=_sentence(row.error),
        results=tuple(
            ItemResult(Status(each["status"]), each["clip_id"], each["channel"], _sentence(each["reason"]))
            for each in row.results or ()
        ),
        can_retry=row.can_retry,
        queued_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def job_view(row: JobRow, load: Load, now: datetime | None = None) -> JobView:
    """A job as it is shown; the workers are taken to be shared evenly by the jobs that are open."""
    nothing = Tally()
    tally: Mapping[State, Tally] = row.tallies
    waiting, running = tally.get("waiting", nothing), tally.get("running", nothing)
    done = tally.get("done", nothing)
    rate = done.byte_count / done.took_s if done.byte_count and done.took_s else None
    left = waiting.byte_count + running.byte_count - _bytes_under_way(row.running, rate, now or datetime.now(UTC))
    workers = max(1, load.workers) / max(1, load.jobs)
    return JobView(
        id=row.id,
        kind=row.kind,
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        was_cancelled=row.cancelled_at is not None,
        waiting=waiting.count,
        running=running.count,
        done=done.count,
        failed=tally.get("failed", nothing).count,
        cancelled=tally.get("cancelled", nothing).count,
        bytes_total=sum(each.byte_count for each in tally.values()),
        bytes_left=left,
        bytes_per_s=rate,
        seconds_left=left / (rate * workers) if rate and waiting.count + running.count else None,
        running_items=tuple(map(item_view, row.running)),
        errors=tuple(map(item_view, row.failed)),
    )


def _bytes_under_way(items: Sequence[ItemRow], rate: float | None, now: datetime) -> float:
    """How much of the running items is behind us, at the rate so far; never the whole of one."""
    if rate is None:
        return 0.0
    return sum(
        min(0.9 * item.byte_count, rate * max(0.0, (now - item.started_at).total_seconds()))
        for item in items
        if item.started_at
    )


def result_as_json(result: ClipResult, status: Status) -> dict[str, Any]:
    """What is kept of a clip's result beside its item; scores are in their own table."""
    return {
        "status": status.value,
        "clip_id": result.clip_id,
        "channel": result.channel,
        "reason": sentence_as_json(result.reason) if result.reason else None,
    }


def sentence_as_json(sentence: Explained) -> dict[str, Any]:
    """A sentence and its values, as far as JSON knows them; the others as text."""
    return {"message": sentence.message, "params": {key: _plain(value) for key, value in sentence.params.items()}}


def description_as_json(description: Description) -> dict[str, Any]:
    """A description as it lies in a row; what is not known is left out."""
    values = {each.name: getattr(description, each.name) for each in fields(description)}
    values["happened_at"] = description.happened_at.isoformat() if description.happened_at else None
    values["roles"] = list(description.roles)
    values["sides"] = list(description.sides) if description.sides else None
    return {name: value for name, value in values.items() if value is not None}


def description_from_json(values: Mapping[str, Any]) -> Description:
    """The description that `description_as_json` wrote."""
    given = {**values, "roles": tuple(values["roles"])}
    if "sides" in given:
        given["sides"] = tuple(given["sides"])
    if "happened_at" in given:
        given["happened_at"] = datetime.fromisoformat(given["happened_at"])
    return Description(**given)


def _sentence(values: Mapping[str, Any] | None) -> Sentence | None:
    return Sentence(values["message"], values["params"]) if values else None


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, float) and not math.isfinite(value):  # JSON in a database has no word for it
        return str(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
