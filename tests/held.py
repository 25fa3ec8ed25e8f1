"""An import that is held half-way, and a table for it to read."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from emostore.emotions import EMOTIONS
from emostore.services.calibration import calibrating

WAIT_S = 60.0  # until a test gives up
ROWS = 250  # three batches


class Gate:
    """Holds an import after its first batch until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._save = calibrating.save_many
        self.reached, self.opened = threading.Event(), threading.Event()
        monkeypatch.setattr(calibrating, "save_many", self)

    def __call__(self, *arguments: Any) -> Any:
        answers = self._save(*arguments)
        self.reached.set()
        assert self.opened.wait(WAIT_S)
        return answers


def table() -> bytes:
    """A CSV of clips."""
    scores = ",".join(["0.2"] + ["0.1"] * 8)
    return "\n".join(["file," + ",".join(EMOTIONS), *(f"{number}.wav,{scores}" for number in range(ROWS))]).encode()
