"""Staging, handing in, and a worker that does it, with a model that answers at once or when it is told."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from emostore import access
from emostore.config import Settings
from emostore.engine.queue import BatchingQueue
from emostore.engine.recognizer import FloatArray, Recognition
from emostore.errors import AccessError, AudioError, EmostoreError, MetadataError, ModelError, StoreError
from emostore.services.analysis import Analyser, Source, Stage, Status
from emostore.services.metadata.descriptions import Description
from emostore.services.queue import job_run, jobs, processes, staging, worker
from emostore.services.queue.worker import Worker
from emostore.store.queue import job_claims
from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.tables.job_models import JobItem
from tests.services.conftest import DEADLINE_S, LoudnessModel, Tone, Waiting, stage, wait_until
from tests.store.samples import statements

pytestmark = pytest.mark.usefixtures("talkative")


class Failing(LoudnessModel):
    """A model that raises what it is given, one after the other, before it answers."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self._errors = list(errors)

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        if self._errors:
            self.asked += 1
            raise self._errors.pop(0)
        return super().recognize(waveforms)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_run, "_FIRST_DELAY_S", 0.0)


def staged(config: Settings) -> list[Path]:
    folder = config.data_dir / "staged"
    return sorted(folder.iterdir()) if folder.exists() else []


def only_item(store: Store, job_id: int) -> jobs.ItemView:
    (item,) = jobs.items(store, job_id).items
    return item


def at_work(store: Store, job_id: int) -> list[tuple[str, Stage | None]]:
    job = jobs.find(store, job_id)
    assert job is not None
    return [(item.name, item.stage) for item in job.running_items]


def work(one: Worker) -> int:
    """Do what there is, in this thread; how many items that were."""
    count = 0
    while one.run_once():
        count += 1
    return count


# Staging


def test_a_staged_file_is_copied_under_a_name_of_chance(config: Settings) -> None:
    file = jobs.stage(io.BytesIO(b"abc" * 1_000_000), "../../etc/pass\x00wd.wav", config)
    assert (file.name, file.byte_count) == ("../../etc/passwd.wav", 3_000_000)
    (path,) = staged(config)
    assert file.path == f"staged/{path.name}"
    assert path.name.isalnum()
    assert path.read_bytes() == b"abc" * 1_000_000
    jobs.discard([file], config)
    assert staged(config) == []


def test_a_file_over_the_limit_is_refused_while_it_is_copied(config: Settings) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 2**20, "it is read in blocks"
            self.given += size
            return bytes(size)

    stream = Endless()
    small = config.model_copy(update={"max_file_bytes": 3_000_000})
    with pytest.raises(AudioError, match=r"endless\.wav has .* at most 3,000,000 are accepted"):
        jobs.stage(stream, "endless.wav", small)  # type: ignore[arg-type]
    assert stream.given < 5_000_000
    assert staged(config) == []


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"a\.wav could not be stored .*: No space left on device\. Free some space"):
        jobs.stage(io.BytesIO(b"abc"), "a.wav", config)
    assert staged(config) == []


def test_what_an_interrupted_upload_left_is_removed_after_a_day_and_what_waits_is_not(
    store: Store, config: Settings, hand_in: Callable[..., int]
) -> None:
    hand_in(0.5)
    (waiting,) = staged(config)
    fresh, old = (config.data_dir / jobs.stage(io.BytesIO(b"abc"), "a.wav", config).path for _ in range(2))
    for path in (waiting, old):
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    staging.sweep(store, config)
    assert staged(config) == sorted([waiting, fresh])


@pytest.mark.parametrize("links", [True, False], ids=["with second names", "without"])
def test_the_audio_is_kept_without_a_copy_where_the_disk_can(
    config: Settings, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    upload = config.data_dir / jobs.stage(io.BytesIO(b"abc"), "a.wav", config).path
    for _ in range(2):
        answer = staging.keep(upload, "ab" * 32, config)
        assert answer is not None
        kept = config.data_dir / answer.path
        assert kept.read_bytes() == b"abc"
        assert kept.samefile(upload) is links


# Handing in


def test_a_job_without_files_or_with_a_name_that_is_too_long_is_refused(store: Store, config: Settings) -> None:
    with pytest.raises(MetadataError, match="There are no files"):
        jobs.submit(store, config, [], Description())
    file = jobs.stage(io.BytesIO(b"abc"), "a.wav", config)
    with pytest.raises(MetadataError, match="The name of the agent has 201 characters"):
        jobs.submit(store, config, [file], Description(), per_file={0: Description(agent="A" * 201)})
    assert jobs.overview(store) == []


def test_without_the_right_nothing_is_handed_in_or_shown(
    store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: False)
    for refused in (
        lambda: jobs.submit(store, config, [], Description()),
        lambda: jobs.reanalyse(store, config, [1]),
        lambda: jobs.overview(store),
        lambda: jobs.find(store, 1),
        lambda: jobs.items(store, 1),
        lambda: jobs.active(store),
        lambda: jobs.cancel(store, config, 1),
        lambda: jobs.cancel_item(store, config, 1),
        lambda: jobs.retry(store, 1),
        lambda: jobs.retry_failed(store, 1),
        lambda: jobs.clear_finished(store, config),
    ):
        with pytest.raises(AccessError):
            refused()


def test_the_overview_takes_as_many_statements_for_thousands_as_for_one(store: Store, config: Settings) -> None:
    jobs.submit(store, config, [jobs.StagedFile("staged/one", "one.wav", 1)], Description())
    with statements(store) as for_one:
        jobs.overview(store)
    files = [jobs.StagedFile(f"staged/{i}", f"{i}.wav", 1) for i in range(5000)]
    jobs.submit(store, config, files, Description())
    with statements(store) as for_many:
        (many, one) = jobs.overview(store)
    assert (many.total, many.waiting, one.total) == (5000, 5000, 1)
    assert len(for_many) == len(for_one) < 10


# Working


def test_files_are_analysed_with_what_was_said_of_them_and_their_copies_removed(
    store: Store, config: Settings, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    happened = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
    own = Description("Bob", "North", "Case 7", happened, ("customer",))
    job_id = hand_in(0.2, 0.9, per_file={1: own})
    assert work(workers()) == 2
    first, second = jobs.items(store, job_id).items
    assert [(item.state, item.attempts, item.error) for item in (first, second)] == [("done", 1, None)] * 2
    assert [item.results[0].status for item in (first, second)] == [Status.ANALYSED] * 2
    views = [reports.clip_view(store, item.clip_ids[0]) for item in (first, second)]
    assert views[0] is not None
    assert views[1] is not None
    assert (views[0].agent, views[0].file_name) == ("Ana", "0.2.wav")
    assert (views[1].agent, views[1].team, views[1].session_name, views[1].role) == (
        "Bob",
        "North",
        "Case 7",
        "customer",
    )
    assert views[1].happened_at == happened
    assert views[0].happened_at == first.queued_at  # the time of the upload, not that of the analysis
    assert all((config.data_dir / str(view.media_path)).stat().st_size == view.byte_count for view in views if view)
    assert staged(config) == []
    job = jobs.find(store, job_id)
    assert job is not None
    assert (job.done, job.total, job.is_open, job.share_done, job.seconds_left) == (2, 2, False, 1.0, None)
    assert jobs.active(store) == 0


def test_the_same_bytes_twice_in_a_job_are_stored_once(
    store: Store, config: Settings, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    job_id = hand_in(0.5, 0.5)
    work(workers())
    first, second = jobs.items(store, job_id).items
    assert [item.results[0].status for item in (first, second)] == [Status.ANALYSED, Status.STORED_ALREADY]
    assert first.clip_ids == second.clip_ids
    assert reports.count_clips(store) == 1


def test_a_broken_file_fails_at_once_beside_the_others_and_keeps_its_copy_until_it_is_cleared(
    store: Store, config: Settings, tone: Tone, workers: Callable[..., Worker]
) -> None:
    broken = jobs.stage(io.BytesIO(b"not a sound at all" * 50), "broken.wav", config)
    job_id = jobs.submit(store, config, [broken, stage(config, tone("a.wav", 0.5))], Description())
    assert work(workers()) == 2
    failed, done = jobs.items(store, job_id).items
    assert (failed.state, failed.attempts, failed.can_retry, done.state) == ("failed", 1, True, "done")
    assert failed.error is not None
    assert failed.error.params["name"] == "broken.wav"
    job = jobs.find(store, job_id)
    assert job is not None
    assert [item.id for item in job.errors] == [failed.id]
    assert [path.name for path in staged(config)] == [broken.path.removeprefix("staged/")]
    assert jobs.retry(store, failed.id)
    assert work(workers()) == 1
    assert jobs.clear_finished(store, config) == 1
    assert jobs.overview(store) == []
    assert staged(config) == []


@pytest.mark.parametrize(
    "error", [StoreError("The database is busy."), ZeroDivisionError("inside")], ids=["busy", "unforeseen"]
)
def test_what_may_pass_is_tried_again_a_bounded_number_of_times(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], error: Exception
) -> None:
    passing, lasting = Failing(error, error), Failing(*[error] * 10)
    job_id = hand_in(0.3)
    assert work(workers(passing)) == worker.MAX_ATTEMPTS
    assert (only_item(store, job_id).state, passing.asked) == ("done", 3)
    job_id = hand_in(0.7)
    assert work(workers(lasting)) == worker.MAX_ATTEMPTS
    item = only_item(store, job_id)
    assert (item.state, item.attempts, lasting.asked) == ("failed", 3, 3)
    assert item.error is not None


def test_a_model_that_cannot_be_loaded_fails_the_items_with_its_sentence(
    store: Store, config: Settings, hand_in: Callable[..., int]
) -> None:
    def load() -> BatchingQueue:
        raise ModelError("There is no model in {folder}.", folder="/nowhere")

    job_id = hand_in(0.3)
    work(Worker(store, config, load))
    error = only_item(store, job_id).error
    assert error is not None
    assert (error.message, error.params) == ("There is no model in {folder}.", {"folder": "/nowhere"})


def test_a_copy_that_is_gone_is_said_so(
    store: Store, config: Settings, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    job_id = hand_in(0.3)
    staged(config)[0].unlink()
    work(workers())
    item = only_item(store, job_id)
    assert item.state == "failed"
    assert item.error is not None
    assert "Upload it again" in item.error.message


def test_cancelling_stops_the_items_at_work_and_stores_nothing_of_them(
    store: Store,
    config: Settings,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_run, "_ASK_S", 0.0)
    job_id, model = hand_in(0.3, 0.6), Waiting()
    workers(model).start()
    wait_until(lambda: at_work(store, job_id) == [("0.3.wav", Stage.RECOGNISING), ("0.6.wav", Stage.RECOGNISING)])
    assert model.is_asked.wait(DEADLINE_S)
    assert jobs.cancel(store, config, job_id) == 2
    wait_until(lambda: staged(config) == [])  # also while the model is still at it
    model.may_answer.set()
    assert [item.state for item in jobs.items(store, job_id).items] == ["cancelled", "cancelled"]
    assert reports.count_clips(store) == 0
    job = jobs.find(store, job_id)
    assert job is not None
    assert (job.was_cancelled, job.cancelled, job.is_open) == (True, 2, False)


def test_one_item_is_cancelled_while_the_others_go_on(
    store: Store, config: Settings, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    job_id = hand_in(0.3, 0.6)
    assert jobs.cancel_item(store, config, jobs.items(store, job_id).items[0].id)
    assert work(workers()) == 1
    assert [item.state for item in jobs.items(store, job_id).items] == ["cancelled", "done"]
    assert staged(config) == []


def test_a_worker_that_is_stopped_puts_its_item_back_and_another_one_does_it(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    job_id, model = hand_in(0.3), Waiting()
    first = workers(model)
    first.start()
    assert model.is_asked.wait(DEADLINE_S)
    stopping = threading.Thread(target=first.stop)
    stopping.start()
    assert first._stopping.wait(DEADLINE_S)
    model.may_answer.set()
    stopping.join(DEADLINE_S)
    item = only_item(store, job_id)
    assert (item.state, item.attempts) == ("waiting", 0)
    assert reports.count_clips(store) == 0
    assert work(workers()) == 1
    assert only_item(store, job_id).state == "done"


def test_an_item_that_takes_longer_than_a_lease_is_kept_by_its_worker(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    job_id, model = hand_in(0.3), Waiting()
    workers(model, lease_s=0.5, renew_s=0.02).start()
    assert model.is_asked.wait(DEADLINE_S)
    first = lease(store)
    wait_until(lambda: lease(store) > first + timedelta(seconds=0.6))
    assert not workers().run_once()
    model.may_answer.set()
    wait_until(lambda: jobs.active(store) == 0)
    assert only_item(store, job_id).attempts == 1


def test_what_was_saved_by_a_try_that_did_not_come_to_say_so_is_new_all_the_same(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_here(*_: Any) -> bool:
        raise RuntimeError("stopped here")

    job_id, model = hand_in(0.3), LoudnessModel()
    with monkeypatch.context() as patched:
        patched.setattr(job_claims, "finish", stop_here)
        with pytest.raises(RuntimeError, match="stopped here"):
            workers(model).run_once()
    assert (only_item(store, job_id).state, reports.count_clips(store)) == ("running", 1)
    with store.transaction() as session:
        session.execute(update(JobItem).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
    assert work(workers(model)) == 1
    item = only_item(store, job_id)
    assert (item.state, item.attempts, item.results[0].status) == ("done", 2, Status.ANALYSED)
    assert model.asked == 1


def test_the_rest_of_a_job_is_estimated_from_what_is_done(
    store: Store, hand_in: Callable[..., int], workers: Callable[..., Worker]
) -> None:
    job_id = hand_in(0.2, 0.4, 0.6, 0.8)
    job = jobs.find(store, job_id)
    assert job is not None
    assert (job.bytes_per_s, job.seconds_left, job.share_done) == (None, None, 0.0)
    one = workers()
    one.run_once()
    one.run_once()
    job = jobs.find(store, job_id)
    assert job is not None
    assert job.bytes_per_s is not None
    assert job.seconds_left is not None
    assert job.share_done == pytest.approx(0.5)
    assert job.seconds_left == pytest.approx(job.bytes_left / job.bytes_per_s)


def test_a_worker_in_the_background_is_woken_by_what_is_handed_in_and_outlives_errors(
    store: Store,
    hand_in: Callable[..., int],
    workers: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = []
    claim = job_claims.claim

    def fail_first(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise StoreError("The database is busy.")
        return claim(*arguments)

    monkeypatch.setattr(job_claims, "claim", fail_first)
    monkeypatch.setattr(worker, "_LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(worker, "POLL_S", 3600.0)  # only the bell wakes it
    monkeypatch.setattr(worker, "IDLE_POLL_S", 3600.0)
    one = workers()
    before = set(threading.enumerate())
    one.start()
    one.start()
    started = [thread.name for thread in set(threading.enumerate()) - before]
    assert started.count("emostore-worker") == 1
    wait_until(lambda: len(calls) == 2)
    hand_in(0.3)
    wait_until(lambda: jobs.active(store) == 0)
    assert "The database is busy" in caplog.text


def test_kept_recordings_are_analysed_again_with_another_model(
    store: Store, config: Settings, tone: Tone, workers: Callable[..., Worker]
) -> None:
    path = tone("call.wav", 0.2, 0.9)
    clips = list(Analyser(store, config, LoudnessModel("1")).analyse([Source(path, path.name)], Description("Ana")))
    path.unlink()
    job_id = jobs.reanalyse(store, config, jobs.AnalysedBy("loudness", "1"))
    assert job_id is not None
    assert work(workers(LoudnessModel("2"))) == 1
    item = only_item(store, job_id)
    assert (item.name, item.state, item.clip_ids) == ("call.wav", "done", tuple(clip.clip_id for clip in clips))
    for clip_id in item.clip_ids:
        view = reports.clip_view(store, clip_id)
        assert view is not None
        assert view.agent == "Ana"
        assert {each.revision for each in view.analyses} == {"1", "2"}
    assert jobs.reanalyse(store, config, jobs.AnalysedBy("loudness", "3")) is None


def test_a_recording_whose_audio_was_not_kept_says_so(
    store: Store, config: Settings, tone: Tone, workers: Callable[..., Worker]
) -> None:
    path = tone("a.wav", 0.5)
    (clip,) = Analyser(store, config, LoudnessModel("1")).analyse([Source(path, path.name)], Description())
    for kept in (config.data_dir / "audio").rglob("*"):
        if kept.is_file():
            kept.unlink()
    job_id = jobs.reanalyse(store, config, [clip.clip_id or 0])
    assert job_id is not None
    work(workers(LoudnessModel("2")))
    item = only_item(store, job_id)
    assert item.state == "failed"
    assert item.error is not None
    assert "audio of this recording was not kept" in item.error.message


# Who is gone


def test_a_worker_is_gone_only_if_that_is_certain() -> None:
    mine = processes.new_worker_name()
    assert mine != processes.new_worker_name()
    assert not processes.is_gone(mine)
    host, boot, namespace, pid, started, number = mine.split("/")
    assert processes.is_gone("/".join((host, boot, namespace, pid, str(int(started) + 1), number)))
    assert processes.is_gone("/".join((host, boot, namespace, str(2**22 + 1), started, number)))
    assert not processes.is_gone("/".join(("elsewhere", boot, namespace, str(2**22 + 1), started, number)))
    assert not processes.is_gone("/".join((host, "another boot", namespace, str(2**22 + 1), started, number)))
    assert not processes.is_gone("somebody")


def lease(store: Store) -> datetime:
    with store.reading() as session:
        until = session.query(JobItem.lease_until).filter(JobItem.state == "running").scalar()
    assert isinstance(until, datetime)
    return until
