"""Threads and processes that save at once, and databases that are locked."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from emostore.errors import StoreError
from emostore.store.reports import reports
from emostore.store.session import Store, create_store
from emostore.store.writing import clips
from tests.store import races
from tests.store.samples import analysis, row_counts


def test_threads_that_save_the_same_clip_at_once_store_it_once(store: Store) -> None:
    threads = 8
    barrier = threading.Barrier(threads)

    def save(number: int) -> clips.Saved:
        barrier.wait()
        return clips.save(store, analysis(agent=f"Agent {number}", session_name=f"Session {number}"))

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(save, range(threads)))
    assert sum(answer.created for answer in answers) == 1
    assert sum(answer.clip_created for answer in answers) == 1
    assert len({(answer.clip_id, answer.analysis_id, answer.session_id, answer.agent) for answer in answers}) == 1
    assert set(row_counts(store).values()) == {1}  # nobody's agent or session is left over either


def test_threads_that_save_the_same_clips_in_different_orders_do_not_wait_for_each_other_forever(store: Store) -> None:
    names = [f"call {number}" for number in range(40)]
    barrier = threading.Barrier(4)

    def save(turn: int) -> list[clips.Saved]:
        mine = names[turn * 10 :] + names[: turn * 10]
        barrier.wait()
        return clips.save_many(store, [analysis(name, agent=f"Agent {name[-1]}", team="North") for name in mine])

    with ThreadPoolExecutor(4) as pool:
        answers = [answer for some in pool.map(save, range(4)) for answer in some]
    assert sum(answer.created for answer in answers) == len(names)
    assert reports.count_clips(store) == len(names)


def test_processes_that_save_the_same_clips_at_once_store_each_once(store_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    names = [f"call {number}" for number in range(25)]
    orders = (names, names[::-1])
    processes = [
        context.Process(target=races.save_together, args=(store_url, order, barrier, answers)) for order in orders
    ]
    for process in processes:
        process.start()
    told = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0], told
    pairs = [pair for each in told for pair in each]
    assert sum(created for _, created in pairs) == len(names)
    assert len({analysis_id for analysis_id, _ in pairs}) == len(names)
    store = create_store(store_url)
    assert reports.count_clips(store) == len(names)
    store.close()


def lock(store: Store) -> str:
    return "LOCK TABLE recordings IN ACCESS EXCLUSIVE MODE" if store.engine.name == "postgresql" else "SELECT 1"


def test_a_locked_database_is_waited_for(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as session:
            session.execute(text(lock(store)))
            waiting = pool.submit(clips.save, store, analysis())
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
        assert waiting.result(timeout=60).created


def test_a_database_that_stays_locked_is_said_to_be_busy_and_nothing_is_saved(store: Store, store_url: str) -> None:
    impatient = create_store(store_url, busy_timeout_s=0.1)
    with store.transaction() as session:
        session.execute(text(lock(store)))
        with pytest.raises(StoreError, match=r"The database is busy: .* Wait a moment and try again"):
            clips.save(impatient, analysis())
    assert row_counts(store) == {}
    assert clips.save(impatient, analysis()).created
    impatient.close()


def test_readers_on_sqlite_go_on_while_somebody_writes(sqlite_store: Store) -> None:
    with sqlite_store.transaction() as session:
        session.execute(text("DELETE FROM recordings"))
        assert reports.count_clips(sqlite_store) == 0
