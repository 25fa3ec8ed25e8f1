"""`kill -9` in the middle of the work loses nothing and doubles nothing."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from emostore.config import Settings
from emostore.services.analysis import Status
from emostore.services.metadata.descriptions import Description
from emostore.services.queue import jobs
from emostore.store.reports import reports
from emostore.store.session import Store, create_store
from tests.services import worker_child
from tests.services.worker_child import POINTS
from tests.store.samples import row_counts

COUNT = 20
AT_ONCE = 3
DEADLINE_S = 60.0  # a dead worker's item would be free by its lease alone only after 30 s
Tone = Callable[..., Path]


# Each child is forked from a process that has imported everything and opened nothing: that takes no time,
# and it is a process of its own, that can be killed like any other.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", worker_child.__name__])


@dataclass
class Children:
    """Processes with a worker on one store."""

    url: str
    folder: Path
    started: list[BaseProcess] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder.parent / "asked.txt"

    def start(
        self, die_at: str | None = None, nth: int = 1, seconds: float = 0.01, at_once: int = AT_ONCE
    ) -> BaseProcess:
        given = (self.url, self.folder, self.log, die_at, nth, seconds, at_once)
        child = _FORKS.Process(target=worker_child.work, args=given, daemon=True)
        child.start()
        self.started.append(child)
        return child

    def asked(self) -> list[str]:
        """What the models were asked about, of all processes together."""
        return self.log.read_text(encoding="utf-8").split()


@pytest.fixture
def children(store_url: str, config: Settings) -> Iterator[Children]:
    children = Children(store_url, config.data_dir)
    yield children
    for child in children.started:
        child.kill()
        child.join(DEADLINE_S)


def exit_code(child: BaseProcess) -> int | None:
    """How the child ended; None if it goes on for too long."""
    child.join(DEADLINE_S)
    return child.exitcode


@pytest.fixture
def opened(store_url: str) -> Iterator[Store]:
    store = create_store(store_url)
    yield store
    store.close()


@pytest.fixture
def job_id(opened: Store, config: Settings, tone: Tone) -> int:
    """Twenty different tones, handed in."""
    files = []
    for number in range(COUNT):
        with tone(f"{number}.wav", 0.04 * (number + 1), seconds=0.5).open("rb") as stream:
            files.append(jobs.stage(stream, f"{number}.wav", config))
    return jobs.submit(opened, config, files, Description(agent="Ana"))


def assert_everything_is_stored_once(store: Store, config: Settings, job_id: int) -> None:
    assert row_counts(store)["analyses"] == row_counts(store)["recordings"] == reports.count_clips(store) == COUNT
    done = jobs.items(store, job_id, COUNT).items
    assert [item.state for item in done] == ["done"] * COUNT
    # Also the item whose worker died between saving it and saying so: it is new to whoever handed it in.
    assert [[result.status for result in item.results] for item in done] == [[Status.ANALYSED]] * COUNT
    assert len({item.clip_ids for item in done}) == COUNT
    assert list((config.data_dir / "staged").iterdir()) == []
    kept = [path for path in (config.data_dir / "audio").rglob("*") if path.is_file()]
    assert len(kept) == COUNT


def test_a_worker_killed_at_every_point_of_its_way_loses_and_doubles_nothing(
    children: Children, opened: Store, config: Settings, job_id: int
) -> None:
    for point in POINTS:
        child = children.start(die_at=point, nth=2, at_once=1)  # the second, so that each run does at least one item
        assert exit_code(child) == -signal.SIGKILL, point
    assert exit_code(children.start(at_once=1)) == 0
    assert_everything_is_stored_once(opened, config, job_id)
    attempts = [item.attempts for item in jobs.items(opened, job_id, COUNT).items]
    assert max(attempts) == 2
    assert sum(attempts) - COUNT == 4  # two of the deaths came after the item was done
    assert len(children.asked()) <= COUNT + len(POINTS)


def test_a_worker_killed_in_the_middle_of_several_items_loses_and_doubles_nothing(
    children: Children, opened: Store, config: Settings, job_id: int
) -> None:
    for point in POINTS:
        child = children.start(die_at=point, nth=3)
        assert exit_code(child) == -signal.SIGKILL, point
    assert exit_code(children.start()) == 0
    assert_everything_is_stored_once(opened, config, job_id)  # so none failed for what happened beside it
    attempts = [item.attempts for item in jobs.items(opened, job_id, COUNT).items]
    assert sum(attempts) - COUNT <= len(POINTS) * AT_ONCE
    assert len(children.asked()) <= COUNT + len(POINTS) * AT_ONCE


def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(
    children: Children, opened: Store, config: Settings, job_id: int
) -> None:
    for enough in (3, 8):
        child = children.start(seconds=0.2)
        wait_until(lambda enough=enough: reports.count_clips(opened) >= enough)
        child.kill()
        assert exit_code(child) == -signal.SIGKILL
    assert jobs.active(opened) > 0
    assert exit_code(children.start()) == 0
    assert_everything_is_stored_once(opened, config, job_id)
    assert max(item.attempts for item in jobs.items(opened, job_id, COUNT).items) <= 3


def test_two_processes_share_the_work_and_recognise_each_recording_once(
    children: Children, opened: Store, config: Settings, job_id: int
) -> None:
    both = [children.start(seconds=0.05) for _ in range(2)]
    for child in both:
        assert exit_code(child) == 0
    assert_everything_is_stored_once(opened, config, job_id)
    assert len(children.asked()) == len(set(children.asked())) == COUNT
    assert {item.attempts for item in jobs.items(opened, job_id, COUNT).items} == {1}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
