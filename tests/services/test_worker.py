"""Several items at once: their requests share batches, and each keeps what holds for one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from emostore.config import Settings
from emostore.engine.queue import BatchingQueue
from emostore.engine.waiting import WaitingRoom
from emostore.errors import StoreError
from emostore.services.analysis import Analyser, Source, Status
from emostore.services.metadata.descriptions import Description
from emostore.services.queue import job_run, jobs
from emostore.services.queue.worker import MOST_AT_ONCE, Worker
from emostore.store.queue import job_claims
from emostore.store.queue import jobs as store_jobs
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.tables.job_models import JobItem
from tests.services.conftest import DEADLINE_S, LoudnessModel, Tone, Waiting, wait_until

pytestmark = pytest.mark.usefixtures("talkative")
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


class Batches(Waiting):
    """A model that notes how many waveforms came together."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def recognize(self, waveforms: Any) -> Any:
        self.sizes.append(len(waveforms))
        return super().recognize(waveforms)


@pytest.fixture
def urgent(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether it was urgent, of each request that any queue was given so far."""
    seen: list[bool] = []
    add = WaitingRoom.add

    def note(room: WaitingRoom, answer: Any, waveform: Any) -> None:
        add(room, answer, waveform)
        seen.append(answer.urgent)

    monkeypatch.setattr(WaitingRoom, "add", note)
    return seen


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """When items began and ended, in this order: ("begins" or "ends", how often it was tried)."""
    seen: list[tuple[str, int]] = []
    do = job_run.Run.do

    def note(run: job_run.Run) -> None:
        seen.append(("begins", run.item.attempts))
        do(run)
        seen.append(("ends", run.item.attempts))

    monkeypatch.setattr(job_run.Run, "do", note)
    return seen


def states(store: Store, job_id: int) -> list[str]:
    return [item.state for item in jobs.items(store, job_id).items]


def tries(store: Store, job_id: int) -> list[int]:
    return [item.attempts for item in jobs.items(store, job_id).items]


def leases(store: Store) -> list[datetime]:
    with store.reading() as session:
        return [until for (until,) in session.query(JobItem.lease_until).filter(JobItem.state == "running")]


def is_done(store: Store) -> bool:
    return jobs.active(store) == 0


def test_what_several_items_ask_becomes_one_batch(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], urgent: list[bool]
) -> None:
    job_id, model = hand_in(*LEVELS[:4]), Batches()
    workers(model, at_once=4).start()
    wait_until(lambda: len(urgent) == 4)
    model.may_answer.set()
    wait_until(lambda: is_done(store))
    assert states(store, job_id) == ["done"] * 4
    assert sum(model.sizes) == 4
    assert len(model.sizes) <= 2  # the model may have begun with the first of them alone


def test_no_more_than_so_many_items_are_at_work(
    store: Store,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    urgent: list[bool],
    runs: list[tuple[str, int]],
) -> None:
    hand_in(*LEVELS)
    model = Waiting()
    workers(model, at_once=3).start()
    wait_until(lambda: len(urgent) == 3)
    model.may_answer.set()
    wait_until(lambda: is_done(store) and len(runs) == 2 * len(LEVELS))
    open_now = [sum(1 if what == "begins" else -1 for what, _ in runs[: at + 1]) for at in range(len(runs))]
    assert max(open_now) == 3


def test_a_worker_left_to_itself_prepares_files_while_the_model_works(
    store: Store, workers: Callable[..., Worker]
) -> None:
    assert 2 <= workers()._at_once <= MOST_AT_ONCE


def test_an_upload_finds_a_hand_free_and_goes_before_what_is_analysed_again(
    store: Store,
    config: Settings,
    tone: Tone,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    urgent: list[bool],
) -> None:
    paths = [tone(f"kept{level}.wav", level) for level in LEVELS[:4]]
    list(
        Analyser(store, config, LoudnessModel("1")).analyse([Source(path, path.name) for path in paths], Description())
    )
    again = jobs.reanalyse(store, config, jobs.AnalysedBy("loudness", "1"))
    assert again is not None
    model = Waiting("2")
    workers(model, at_once=3).start()
    wait_until(lambda: len(urgent) == 2)
    uploaded = hand_in(0.9)
    wait_until(lambda: len(urgent) == 3)
    assert urgent == [False, False, True]
    assert (states(store, again), states(store, uploaded)) == (["running"] * 2 + ["waiting"] * 2, ["running"])
    model.may_answer.set()
    wait_until(lambda: is_done(store))
    assert (states(store, again), states(store, uploaded)) == (["done"] * 4, ["done"])


def test_the_leases_of_all_items_at_work_are_kept(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], urgent: list[bool]
) -> None:
    job_id, model = hand_in(*LEVELS[:3]), Waiting()
    workers(model, at_once=3, renew_s=0.02).start()
    wait_until(lambda: len(urgent) == 3)
    first = leases(store)
    assert len(first) == 3
    wait_until(lambda: min(leases(store)) > max(first))
    model.may_answer.set()
    wait_until(lambda: is_done(store))
    assert tries(store, job_id) == [1, 1, 1]


def test_one_item_is_cancelled_while_those_beside_it_go_on(
    store: Store,
    config: Settings,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    urgent: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_run, "_ASK_S", 0.0)
    job_id, model = hand_in(*LEVELS[:3]), Waiting()
    workers(model, at_once=3).start()
    wait_until(lambda: len(urgent) == 3)
    assert jobs.cancel_item(store, config, jobs.items(store, job_id).items[1].id)
    wait_until(lambda: len(list((config.data_dir / "staged").iterdir())) == 2)
    model.may_answer.set()
    wait_until(lambda: is_done(store))
    assert states(store, job_id) == ["done", "cancelled", "done"]
    assert reports.count_clips(store) == 2


def test_stopping_puts_all_items_back_without_waiting_for_the_model(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], urgent: list[bool]
) -> None:
    job_id, model = hand_in(*LEVELS[:3]), Waiting()
    one = workers(model, at_once=3)
    one.start()
    wait_until(lambda: len(urgent) == 3)
    one.stop()
    assert not any(thread.is_alive() for thread in one._threads)
    assert one._runs == {}
    assert (states(store, job_id), tries(store, job_id)) == (["waiting"] * 3, [0] * 3)
    model.may_answer.set()
    one.start()
    wait_until(lambda: is_done(store))
    assert (states(store, job_id), tries(store, job_id)) == (["done"] * 3, [1] * 3)
    assert reports.count_clips(store) == 3


def test_stopping_puts_back_an_item_that_does_not_come_to_its_next_stage(
    store: Store, config: Settings, hand_in: Callable[..., int]
) -> None:
    queue, is_loading, may_load = BatchingQueue(LoudnessModel()), threading.Event(), threading.Event()

    def load() -> BatchingQueue:
        is_loading.set()
        assert may_load.wait(DEADLINE_S)
        return queue

    job_id, one = hand_in(0.3), Worker(store, config, load)
    one.start()
    assert is_loading.wait(DEADLINE_S)
    one.stop(timeout_s=0.0)
    assert (states(store, job_id), tries(store, job_id)) == (["waiting"], [0])
    may_load.set()
    wait_until(lambda: one._runs == {})
    assert (states(store, job_id), tries(store, job_id)) == (["waiting"], [0])
    assert reports.count_clips(store) == 0
    one.stop()
    queue.close()


def test_an_item_that_was_tried_before_is_done_while_nothing_else_is(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], runs: list[tuple[str, int]]
) -> None:
    job_id = hand_in(*LEVELS)
    for _ in range(2):
        assert job_claims.claim(store, "a worker that died", -1.0) is not None
    workers(at_once=4).start()
    wait_until(lambda: is_done(store) and len(runs) == 2 * len(LEVELS))
    assert tries(store, job_id) == [2, 2, 1, 1, 1, 1]
    assert runs[:4] == [("begins", 2), ("ends", 2)] * 2


def test_an_item_that_was_tried_before_waits_for_those_at_work(
    store: Store,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    urgent: list[bool],
    runs: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hand_in(*LEVELS[:2])
    model, row = Waiting(), store_jobs._row
    workers(model, at_once=4).start()
    wait_until(lambda: len(urgent) == 2)
    monkeypatch.setattr(store_jobs, "_row", lambda *given: {**row(*given), "attempts": 1})
    tried_before = hand_in(0.9)
    wait_until(lambda: states(store, tried_before) == ["running"])
    assert runs == [("begins", 1)] * 2
    model.may_answer.set()
    wait_until(lambda: is_done(store) and len(runs) == 6)
    assert runs == [("begins", 1)] * 2 + [("ends", 1)] * 2 + [("begins", 2), ("ends", 2)]


def test_an_error_of_the_queue_beside_other_items_concerns_one(
    store: Store,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    finish, lock, failed = job_claims.finish, threading.Lock(), []

    def fail_first(store: Store, item_id: int, *rest: Any) -> bool:
        with lock:
            if not failed:
                failed.append(item_id)
                raise StoreError("The database is busy.")
        return finish(store, item_id, *rest)

    monkeypatch.setattr(job_claims, "finish", fail_first)
    job_id = hand_in(*LEVELS[:3])
    workers(at_once=3).start()
    wait_until(lambda: "The database is busy" in caplog.text)
    with store.transaction() as session:  # nobody keeps its lease any more; this only spares us the time
        session.execute(update(JobItem).where(JobItem.id == failed[0]).values(lease_until=datetime.now(UTC)))
    wait_until(lambda: is_done(store))
    items = jobs.items(store, job_id).items
    assert [item.state for item in items] == ["done"] * 3
    assert {item.id: item.attempts for item in items if item.attempts > 1} == {failed[0]: 2}
    assert [item.results[0].status for item in items] == [Status.ANALYSED] * 3
    assert reports.count_clips(store) == 3


def test_where_no_thread_is_to_be_had_the_work_goes_on_in_one(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "emostore-item":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    job_id = hand_in(*LEVELS[:3])
    workers(at_once=3).start()
    wait_until(lambda: is_done(store))
    assert (states(store, job_id), tries(store, job_id)) == (["done"] * 3, [1] * 3)


def test_an_item_whose_model_was_taken_away_is_put_back_and_not_counted(
    store: Store, config: Settings, hand_in: Callable[..., int]
) -> None:
    closed, fresh = BatchingQueue(LoudnessModel()), BatchingQueue(LoudnessModel())
    closed.close()
    models = iter([closed, fresh])
    job_id, one = hand_in(0.3), Worker(store, config, lambda: next(models))
    assert one.run_once()
    assert (states(store, job_id), tries(store, job_id)) == (["waiting"], [0])
    assert one.run_once()
    assert (states(store, job_id), tries(store, job_id)) == (["done"], [1])
    fresh.close()


def test_the_same_bytes_at_once_are_stored_once_and_new_once(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], urgent: list[bool]
) -> None:
    job_id, model = hand_in(0.5, 0.5), Waiting()
    workers(model, at_once=2).start()
    wait_until(lambda: len(urgent) == 2)
    model.may_answer.set()
    wait_until(lambda: is_done(store))
    first, second = jobs.items(store, job_id).items
    assert first.clip_ids == second.clip_ids
    assert {item.results[0].status for item in (first, second)} == {Status.ANALYSED, Status.STORED_ALREADY}
    assert reports.count_clips(store) == 1
