"""What a process with a worker does, for `test_worker_killed`.

It works until the queue is empty, unless it kills itself at the point that it is told, the way a power cut
or `kill -9` would.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emostore import speech
from emostore.config import Settings
from emostore.engine.queue import BatchingQueue
from emostore.engine.recognizer import FloatArray, Recognition
from emostore.errors import EmostoreError
from emostore.services.queue import jobs, staging
from emostore.services.queue.worker import Worker
from emostore.store.queue import job_claims
from emostore.store.session import create_store
from emostore.store.writing import clips
from tests.services.conftest import RATE, LoudnessModel


class LoggingModel(LoudnessModel):
    """Takes its time and notes each waveform that it was asked about, also if it then dies."""

    def __init__(self, log: Path, seconds: float) -> None:
        super().__init__()
        self._log, self._seconds = log, seconds

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        with self._log.open("a", encoding="utf-8") as out:
            out.writelines(f"{float(abs(waveform).max()):.3f}\n" for waveform in waveforms)
        time.sleep(self._seconds)  # long enough to be killed in
        return super().recognize(waveforms)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(original: Callable[..., Any], nth: int, *, after: bool) -> Callable[..., Any]:
    """The function, killing this process before or after its `nth` call."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and not after:
            die()
        answer = original(*arguments, **named)
        if calls == nth:
            die()
        return answer

    return call


POINTS: dict[str, tuple[Any, str, bool]] = {
    "in the model": (LoudnessModel, "recognize", False),
    "before keeping the audio": (job_claims, "set_hash", True),
    "before saving": (clips, "save_many", False),
    "between saving and saying so": (job_claims, "finish", False),
    "before removing the upload": (staging, "remove", False),
    "before noting that the upload is removed": (staging.jobs, "forget_staged", False),
}


def everything_is_speech(waveform: FloatArray) -> speech.SpeechReport:
    seconds = waveform.size / RATE
    return speech.SpeechReport((speech.Segment(0.0, seconds),), seconds, None)


def work(url: str, folder: Path, log: Path, die_at: str | None, nth: int, seconds: float, at_once: int | None) -> None:
    """Work until nothing is left to do; die at the `nth` time that the point `die_at` is reached.

    Without `at_once`, one item is done after the other, in this thread.
    """
    speech.detect = everything_is_speech
    if die_at is not None:
        place, name, after = POINTS[die_at]
        setattr(place, name, dying(getattr(place, name), nth, after=after))
    store = create_store(url)
    model = BatchingQueue(LoggingModel(log, seconds))
    worker = Worker(store, Settings(data_dir=folder, database_url=url), lambda: model, at_once=at_once)
    worker.start()
    while jobs.active(store):
        time.sleep(0.05)
    worker.stop()
