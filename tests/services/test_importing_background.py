"""An import in the background: one at a time, followed and cancelled by anybody, its end told once to each."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emostore.config import Settings
from emostore.errors import StoreError
from emostore.services import importing
from emostore.services.calibration import calibrating
from emostore.services.importing import BackgroundImport, Given, Options
from emostore.store.reports import reports
from emostore.store.session import Store
from tests.held import ROWS, WAIT_S, Gate, table


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate(monkeypatch)
    yield made
    made.opened.set()


def begun(task: BackgroundImport, store: Store, tmp_path: Path) -> tuple[int | None, io.BytesIO]:
    config, stream = Settings(data_dir=tmp_path / "data"), io.BytesIO(table())
    given = [Given("x.csv", stream)]
    plan = importing.plan(store, config, given, Options())
    return task.start(store, config, given, Options(), plan), stream


def test_it_goes_on_by_itself_and_keeps_its_files_until_its_end(
    sqlite_store: Store, tmp_path: Path, gate: Gate
) -> None:
    task = BackgroundImport()
    number, stream = begun(task, sqlite_store, tmp_path)
    assert gate.reached.wait(WAIT_S)
    assert task.running
    assert 0 < task.progress[0] < task.progress[1] == ROWS
    assert not stream.closed
    assert task.told(number) is None
    other, unused = begun(task, sqlite_store, tmp_path)
    assert (other, unused.closed) == (None, False)
    gate.opened.set()
    task.wait(WAIT_S)
    assert stream.closed
    assert reports.count_clips(sqlite_store) == ROWS
    ended = task.told(None)  # nobody knew yet
    assert ended is not None
    assert ended.imported is not None
    assert (ended.imported.new, ended.imported.cancelled, ended.done, ended.total) == (ROWS, False, ROWS, ROWS)
    assert task.told(None) is None
    assert task.told(number) == ended  # who began it hears it, too


def test_what_was_cancelled_half_way_is_finished_by_importing_again(
    sqlite_store: Store, tmp_path: Path, gate: Gate
) -> None:
    task = BackgroundImport()
    number, _stream = begun(task, sqlite_store, tmp_path)
    assert gate.reached.wait(WAIT_S)
    task.cancel()
    assert task.cancelling
    gate.opened.set()
    task.wait(WAIT_S)
    ended = task.told(number)
    assert ended is not None
    assert ended.imported is not None
    assert ended.imported.cancelled
    assert reports.count_clips(sqlite_store) == ended.imported.new == 100
    assert begun(task, sqlite_store, tmp_path)[0] == 2
    task.wait(WAIT_S)
    again = task.told(2)
    assert again is not None
    assert again.imported is not None
    assert (again.imported.new, again.imported.cancelled) == (ROWS - 100, False)


@pytest.mark.parametrize(
    ("failure", "said"),
    [(StoreError("The disk is full."), "The disk is full."), (KeyError("x"), "that we did not foresee")],
)
def test_what_stopped_it_is_told(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str
) -> None:
    def fail(*_: Any) -> Any:
        raise failure

    monkeypatch.setattr(calibrating, "save_many", fail)
    task = BackgroundImport()
    number, stream = begun(task, sqlite_store, tmp_path)
    task.wait(WAIT_S)
    ended = task.told(number)
    assert ended is not None
    assert ended.imported is None
    assert said in str(ended.problem)
    assert stream.closed
