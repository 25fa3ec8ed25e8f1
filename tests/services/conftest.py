"""A store in a folder, recordings of tones, and a model that answers at once."""

from __future__ import annotations

import shutil
import threading
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emostore import speech
from emostore.config import Settings
from emostore.emotions import EMOTIONS
from emostore.engine.queue import BatchingQueue
from emostore.engine.recognizer import (
    HOP_S,
    WINDOW_S,
    FloatArray,
    ModelInfo,
    Recognition,
    Windows,
    check_waveform,
    window_bounds,
)
from emostore.errors import EmostoreError
from emostore.services.metadata.descriptions import Description
from emostore.services.queue import jobs
from emostore.services.queue.worker import Worker
from emostore.store.session import Store, create_store

RATE = 16_000
DEADLINE_S = 30.0
Tone = Callable[..., Path]


class LoudnessModel:
    """A recogniser whose anger grows with loudness: quick, and different for different sounds."""

    def __init__(self, revision: str = "1") -> None:
        self.info = ModelInfo("loudness", revision, 4, EMOTIONS[:7], "none")
        self.asked = 0

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        self.asked += len(waveforms)
        return [self._one(waveform) for waveform in waveforms]

    def _one(self, waveform: FloatArray) -> Recognition | EmostoreError:
        try:
            check_waveform(waveform)
        except EmostoreError as error:
            return error
        logits = np.array([8 * np.abs(waveform).mean(), 0, 0, 0, 1, 0, 0, -np.inf, -np.inf], np.float32)
        windows = np.tile(logits, (len(window_bounds(waveform.size)), 1))
        return Recognition(logits, np.ones(4, np.float32), Windows(windows, HOP_S, WINDOW_S))


class Waiting(LoudnessModel):
    """A model that answers when it is let."""

    def __init__(self, revision: str = "1") -> None:
        super().__init__(revision)
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        self.is_asked.set()
        assert self.may_answer.wait(DEADLINE_S)
        return super().recognize(waveforms)


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", time_zone="Asia/Shanghai")


@pytest.fixture
def store(config: Settings, sqlite_template: Path) -> Store:
    store = create_store(config.resolved_database_url)
    shutil.copyfile(sqlite_template, config.data_dir / sqlite_template.name)
    return store


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every sound for speech, so that tones can stand for voices."""

    def detect(waveform: FloatArray) -> speech.SpeechReport:
        seconds = waveform.size / RATE
        if not waveform.any():
            return speech.SpeechReport((), 0.0, speech.NoSpeech.SILENCE)
        return speech.SpeechReport((speech.Segment(0.0, seconds),), seconds, None)

    monkeypatch.setattr(speech, "detect", detect)


@pytest.fixture
def tone(tmp_path: Path) -> Callable[..., Path]:
    """Writes a wav file with one tone a channel, of the given loudness."""

    def write(name: str, *levels: float, seconds: float = 1.0) -> Path:
        time = np.arange(int(seconds * RATE)) / RATE
        sound = np.stack([level * np.sin(2 * np.pi * 220 * time) for level in levels], axis=1)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(len(levels))
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes((32767 * sound).astype("<i2").tobytes())
        return path

    return write


@pytest.fixture
def workers(store: Store, config: Settings) -> Iterator[Callable[..., Worker]]:
    """Makes workers, which are stopped at the end."""
    made: list[tuple[Worker, BatchingQueue]] = []

    def make(model: Any = None, **options: Any) -> Worker:
        queue = BatchingQueue(model or LoudnessModel())
        made.append((Worker(store, config, lambda: queue, **options), queue))
        return made[-1][0]

    yield make
    for each, queue in made:
        each.stop()
        queue.close()


@pytest.fixture
def hand_in(store: Store, config: Settings, tone: Tone) -> Callable[..., int]:
    """Stages a tone for each level, different for different levels, and hands them in as one job."""

    def submit(*levels: float, **options: Any) -> int:
        files = [stage(config, tone(f"{level}.wav", level)) for level in levels]
        description = options.pop("description", Description(agent="Ana"))
        return jobs.submit(store, config, files, description, **options)

    return submit


def stage(config: Settings, path: Path) -> jobs.StagedFile:
    with path.open("rb") as stream:
        return jobs.stage(stream, path.name, config)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
