"""The queue: handed in whole, taken once, in fair turns, tried a bounded number of times."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
from sqlalchemy import text, update

from emostore.errors import StoreError
from emostore.store.queue import job_claims, job_reports, jobs
from emostore.store.queue.job_records import Claimed, ItemRow, NewItem
from emostore.store.session import Store
from emostore.store.tables.job_models import JobItem
from emostore.store.writing import clips
from tests.store import races
from tests.store.samples import MODEL, analysis, row_counts, statements

LEASE_S = 60.0
EXPIRED_S = -1.0  # a lease that has run out as soon as it is given
KILLER = {"message": "Stopped {count} times.", "params": {"count": 3}}
BROKEN = {"message": "{name} is broken.", "params": {"name": "a.wav"}}


def files(count: int, prefix: str = "f") -> list[NewItem]:
    return [NewItem(f"{prefix}{i}.wav", 100 + i, staged_path=f"staged/{prefix}{i}") for i in range(count)]


def add(store: Store, count: int = 1, prefix: str = "f") -> int:
    return jobs.add(store, "analyse", "local", {"agent": "Ana"}, files(count, prefix))


def claim(store: Store, worker: str = "me", lease_s: float = LEASE_S) -> Claimed:
    item = job_claims.claim(store, worker, lease_s)
    assert item is not None
    return item


def items(store: Store, job_id: int) -> list[ItemRow]:
    return job_reports.find_items(store, job_id, 10_000)


def states(store: Store, job_id: int) -> list[str]:
    return [item.state for item in items(store, job_id)]


def test_what_is_handed_in_is_there_whole_and_in_order(store: Store) -> None:
    job_id = add(store, 3)
    rows = items(store, job_id)
    assert [(row.position, row.name, row.byte_count, row.state) for row in rows] == [
        (0, "f0.wav", 100, "waiting"),
        (1, "f1.wav", 101, "waiting"),
        (2, "f2.wav", 102, "waiting"),
    ]
    assert all(row.error is None and row.results is None and row.attempts == 0 for row in rows)


def test_a_staged_file_is_handed_in_once_and_the_second_job_leaves_nothing(store: Store) -> None:
    add(store, 2)
    with pytest.raises(StoreError, match="handed in already"):
        jobs.add(store, "analyse", "local", {}, [NewItem("new.wav", 1, staged_path="staged/new"), *files(2)])
    assert row_counts(store) == {"jobs": 1, "job_items": 2}


def test_an_item_is_claimed_with_the_description_of_its_job_or_its_own(store: Store) -> None:
    own = NewItem("own.wav", 1, staged_path="staged/own", description={"agent": "Bob"})
    jobs.add(store, "analyse", "local", {"agent": "Ana"}, [*files(1), own])
    first, second = claim(store), claim(store)
    assert (first.name, first.description, first.attempts, first.kind) == ("f0.wav", {"agent": "Ana"}, 1, "analyse")
    assert (second.name, second.description) == ("own.wav", {"agent": "Bob"})
    assert job_claims.claim(store, "me", LEASE_S) is None


def test_jobs_take_turns_so_that_one_file_does_not_wait_for_thousands(store: Store) -> None:
    add(store, 50, "many")
    for _ in range(10):
        job_claims.finish(store, claim(store).id, "me", [], 0.1)
    add(store, 1, "single")
    add(store, 3, "few")
    names = [claim(store).name for _ in range(9)]
    assert names == [
        "many10.wav",
        "single0.wav",
        "few0.wav",
        "many11.wav",
        "few1.wav",
        "many12.wav",
        "few2.wav",
        "many13.wav",
        "many14.wav",
    ]


def test_failed_items_that_are_queued_again_take_turns_as_well(store: Store) -> None:
    failed = add(store, 3, "failed")
    for _ in range(3):
        job_claims.fail(store, claim(store).id, "me", BROKEN, [], 0.1)
    add(store, 3, "new")
    assert jobs.retry(store, job_id=failed) == 3
    names = [claim(store).name for _ in range(6)]
    assert names == ["failed0.wav", "new0.wav", "failed1.wav", "new1.wav", "failed2.wav", "new2.wav"]


def test_items_of_one_kind_of_job_can_be_asked_for(store: Store) -> None:
    jobs.add(store, "reanalyse", "local", {}, files(3, "again"))
    assert job_claims.claim(store, "me", LEASE_S, "analyse") is None
    add(store, 2, "new")
    found = [job_claims.claim(store, "me", LEASE_S, "analyse") for _ in range(3)]
    assert [item and item.name for item in found] == ["new0.wav", "new1.wav", None]
    assert claim(store).name == "again0.wav"


def test_processes_that_claim_at_once_never_get_the_same_item(store_url: str, store: Store) -> None:
    job_id = add(store, 60)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [
        context.Process(target=races.claim_together, args=(store_url, f"worker {i}", barrier, answers))
        for i in range(3)
    ]
    for process in processes:
        process.start()
    told = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    taken = [item for each in told for item in each]
    assert sorted(taken) == sorted(row.id for row in items(store, job_id))
    assert set(states(store, job_id)) == {"done"}
    assert {row.attempts for row in items(store, job_id)} == {1}


def test_an_item_whose_lease_ran_out_is_put_back_and_its_slow_worker_changes_nothing(store: Store) -> None:
    job_id = add(store)
    slow = claim(store, "slow", EXPIRED_S)
    assert job_claims.release(store, [], 3, KILLER) == 1
    assert states(store, job_id) == ["waiting"]
    quick = claim(store, "quick")
    assert (quick.id, quick.attempts) == (slow.id, 2)
    assert not job_claims.renew(store, slow.id, "slow", LEASE_S)
    assert not job_claims.is_running(store, slow.id, "slow")
    assert not job_claims.finish(store, slow.id, "slow", [], 1.0)
    assert not job_claims.fail(store, slow.id, "slow", BROKEN, [], 1.0)
    assert not job_claims.try_later(store, slow.id, "slow", BROKEN, 0.0)
    assert job_claims.give_back(store, "slow") == 0
    assert states(store, job_id) == ["running"]
    assert job_claims.finish(store, quick.id, "quick", [], 1.0)


def test_a_renewed_lease_keeps_an_item(store: Store) -> None:
    add(store)
    item = claim(store, "me", EXPIRED_S)
    assert job_claims.renew(store, item.id, "me", LEASE_S)
    assert job_claims.release(store, [], 3, KILLER) == 0


def test_what_a_gone_worker_held_is_put_back_at_once_and_what_others_hold_is_not(store: Store) -> None:
    job_id = add(store, 2)
    claim(store, "gone")
    claim(store, "alive")
    assert sorted(job_claims.running_workers(store)) == ["alive", "gone"]
    assert job_claims.release(store, ["gone"], 3, KILLER) == 1
    assert states(store, job_id) == ["waiting", "running"]


def test_an_item_that_stops_its_worker_every_time_fails_with_the_reason(store: Store) -> None:
    job_id = add(store)
    for attempt in (1, 2, 3):
        assert states(store, job_id) == ["waiting"]
        assert claim(store, "me", EXPIRED_S).attempts == attempt
        job_claims.release(store, [], 3, KILLER)
    (row,) = items(store, job_id)
    assert (row.state, row.error, row.attempts) == ("failed", KILLER, 3)
    assert row.finished_at is not None
    assert job_claims.claim(store, "me", LEASE_S) is None


def test_an_item_to_be_tried_later_waits_and_shows_why(store: Store) -> None:
    job_id = add(store)
    assert job_claims.try_later(store, claim(store).id, "me", BROKEN, 3600)
    (row,) = items(store, job_id)
    assert (row.state, row.error) == ("waiting", BROKEN)
    assert job_claims.claim(store, "me", LEASE_S) is None
    with store.transaction() as session:
        session.execute(update(JobItem).values(not_before=row.queued_at))
    assert claim(store).attempts == 2


def test_a_worker_that_is_asked_to_stop_gives_back_without_counting_the_attempt(store: Store) -> None:
    job_id = add(store, 2)
    claim(store)
    claim(store, "other")
    assert job_claims.give_back(store, "me") == 1
    assert states(store, job_id) == ["waiting", "running"]
    assert items(store, job_id)[0].attempts == 0


def test_cancelling_a_job_stops_what_is_not_finished(store: Store) -> None:
    job_id = add(store, 4)
    job_claims.finish(store, claim(store).id, "me", [], 0.1)
    job_claims.fail(store, claim(store).id, "me", BROKEN, [], 0.1)
    running = claim(store)
    assert jobs.cancel_job(store, job_id) == 2
    assert states(store, job_id) == ["done", "failed", "cancelled", "cancelled"]
    assert not job_claims.is_running(store, running.id, "me")
    assert job_claims.claim(store, "me", LEASE_S) is None
    assert jobs.cancel_job(store, job_id) == 0
    # The file of the item at work may be open; it is free once its worker has let go.
    assert list(jobs.left_over(store, 10).values()) == ["staged/f0", "staged/f3"]
    job_claims.give_back(store, "me")
    assert states(store, job_id)[2] == "cancelled"
    assert list(jobs.left_over(store, 10).values()) == ["staged/f0", "staged/f2", "staged/f3"]


def test_an_item_that_was_saved_before_it_was_cancelled_is_done(store: Store) -> None:
    job_id = add(store)
    item = claim(store)
    assert jobs.cancel_item(store, item.id)
    results = [{"status": "analysed", "clip_id": 1, "channel": 0, "reason": None}]
    assert job_claims.finish(store, item.id, "me", results, 0.1)
    (row,) = items(store, job_id)
    assert (row.state, row.results) == ("done", results)
    assert not jobs.cancel_item(store, item.id)


def test_only_failed_items_are_tried_again_and_from_the_start(store: Store) -> None:
    job_id = add(store, 2)
    done, failed = claim(store), claim(store)
    job_claims.finish(store, done.id, "me", [], 0.1)
    job_claims.fail(store, failed.id, "me", BROKEN, [], 0.1)
    assert [row.can_retry for row in items(store, job_id)] == [False, True]
    assert jobs.retry(store, item_id=done.id) == 0
    assert jobs.retry(store, item_id=failed.id) == 1
    row = items(store, job_id)[1]
    assert (row.state, row.attempts, row.error, row.results) == ("waiting", 0, None, None)
    assert claim(store).id == failed.id


def test_clearing_hides_finished_jobs_only_and_frees_their_files(store: Store) -> None:
    finished, still_open = add(store, 2, "a"), add(store, 1, "b")
    failed = claim(store)
    job_claims.fail(store, failed.id, "me", BROKEN, [], 0.1)
    assert jobs.left_over(store, 10) == {}  # a failed item keeps its file, to be tried again
    jobs.cancel_item(store, items(store, finished)[1].id)
    assert jobs.clear_finished(store) == 1
    assert [row.id for row in job_reports.find_jobs(store, 10)] == [still_open]
    assert job_reports.find_jobs(store, 1, job_id=finished)[0].id == finished
    freed = jobs.left_over(store, 10)
    assert sorted(freed.values()) == ["staged/a0", "staged/a1"]
    assert jobs.known_staged(store, ["staged/a0", "staged/b0", "staged/x"]) == {"staged/a0", "staged/b0"}
    jobs.forget_staged(store, freed)
    assert jobs.left_over(store, 10) == {}
    assert jobs.retry(store, item_id=failed.id) == 0  # there is nothing left to try


def test_jobs_are_counted_by_state_with_what_runs_and_what_failed_first(store: Store) -> None:
    job_id = add(store, 20)
    for number in range(9):
        item = claim(store)
        if number < 8:
            job_claims.fail(store, item.id, "me", BROKEN, [], 0.5)
    other = add(store, 1, "other")
    newest, row = job_reports.find_jobs(store, 10)
    assert (newest.id, row.id, row.kind, row.created_by) == (other, job_id, "analyse", "local")
    assert {state: tally.count for state, tally in row.tallies.items()} == {"failed": 8, "running": 1, "waiting": 11}
    assert row.tallies["failed"].took_s == pytest.approx(4.0)
    assert row.tallies["waiting"].byte_count == sum(100 + i for i in range(9, 20))
    assert [item.name for item in row.running] == ["f8.wav"]
    assert [item.name for item in row.failed] == [f"f{i}.wav" for i in range(5)]
    assert row.started_at is not None
    assert newest.started_at is None
    assert [row.id for row in job_reports.find_jobs(store, 10, before=other)] == [job_id]
    assert [row.id for row in job_reports.find_jobs(store, 1)] == [other]
    load = job_reports.load(store)
    assert (load.workers, load.jobs) == (1, 2)
    assert job_reports.count_open(store) == 13


def test_items_come_in_pages_and_by_state(store: Store) -> None:
    job_id = add(store, 5)
    job_claims.fail(store, claim(store).id, "me", BROKEN, [], 0.5)
    first = job_reports.find_items(store, job_id, 2)
    second = job_reports.find_items(store, job_id, 2, after=first[-1].position)
    assert [row.position for row in (*first, *second)] == [0, 1, 2, 3]
    assert [row.position for row in job_reports.find_items(store, job_id, 9, state="failed")] == [0]


def test_thousands_of_items_take_few_statements_to_hand_in_and_to_count(store: Store) -> None:
    add(store, 1, "one")
    with statements(store) as for_one:
        job_reports.find_jobs(store, 10)
    with statements(store) as handed_in:
        job_id = add(store, 5000)
    assert len([each for each in handed_in if "job_items" in each]) < 20
    with statements(store) as for_many:
        row = job_reports.find_jobs(store, 1)[0]
    assert row.tallies["waiting"].count == 5000
    assert len(for_many) == len(for_one)
    assert jobs.cancel_job(store, job_id) == 5000


def test_each_recording_is_analysed_again_once_however_many_of_its_clips_are_meant(store: Store) -> None:
    saved = clips.save_many(store, [analysis("a", 0), analysis("a", 1), analysis("b", 0)])
    by_clip = job_reports.kept_recordings(store, clip_ids=[each.clip_id for each in reversed(saved)])
    assert {(item.name, item.clip_id) for item in by_clip} == {
        ("a.wav", min(saved[0].clip_id, saved[1].clip_id)),
        ("b.wav", saved[2].clip_id),
    }
    assert job_reports.kept_recordings(store, model=(MODEL.name, MODEL.revision)) == by_clip
    assert job_reports.kept_recordings(store, model=(MODEL.name, "another")) == []
    assert job_reports.kept_recordings(store, clip_ids=[]) == []


def test_a_deleted_clip_leaves_its_item_without_a_source(store: Store) -> None:
    saved = clips.save(store, analysis())
    again = job_reports.kept_recordings(store, clip_ids=[saved.clip_id])
    job_id = jobs.add(store, "reanalyse", "local", {}, again)
    with store.transaction() as session:
        session.execute(text("DELETE FROM recordings"))
    assert claim(store).clip_id is None
    assert states(store, job_id) == ["running"]
    assert job_reports.kept_media(store, saved.clip_id) is None


@pytest.mark.parametrize(
    "values",
    [{"state": "running"}, {"state": "paused"}, {"attempts": -1}],
    ids=["running without a worker", "an unknown state", "fewer than no attempts"],
)
def test_the_database_itself_refuses_items_that_cannot_be(store: Store, values: dict[str, Any]) -> None:
    add(store)
    with pytest.raises(Exception, match="ck_job_items"), store.transaction() as session:
        session.execute(update(JobItem).values(**values))
