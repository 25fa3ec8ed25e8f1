"""The waiting room in front of a model: who waits, who is next, and when it is full. No threads, no locks."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from emostore.engine.recognizer import CHUNK_S, SAMPLE_RATE, FloatArray, Recognition

LONG_S = 300.0  # a longer recording is never urgent: whoever hands it in expects to wait
PATIENCE = 4  # batches in a row that pass those who are not urgent; then they have a turn


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, counted apart for urgent requests and for the others, and how large batches are.

    A request is taken as long as fewer than `waiting` wait, with less than `waiting_s` seconds of audio. A
    batch is one request, whatever its length, or several of `least_batch_s` to `most_batch_s` seconds of
    audio in all, depending on how fast the model is.
    """

    waiting: int = 256
    waiting_s: float = 3600.0
    least_batch_s: float = CHUNK_S
    most_batch_s: float = 3600.0

    def __post_init__(self) -> None:
        if self.waiting < 1 or self.waiting_s <= 0 or not 0 <= self.least_batch_s <= self.most_batch_s:
            raise ValueError(f"bounds must be positive, and the least no more than the most; got {self}")


class Answer(Future[Recognition]):
    """What the model will say: a `Recognition`, or the error of this request.

    `cancel` keeps a request that still waits from the model, and is then True. One that is with the model is
    given up at the next pause, with an `UnansweredError`, unless somebody else's is in the same batch.
    """

    def __init__(self, waveform: FloatArray, *, interactive: bool) -> None:
        super().__init__()
        self.seconds = waveform.size / SAMPLE_RATE
        self.urgent = interactive and self.seconds <= LONG_S
        self.unwanted = False

    def cancel(self) -> bool:
        """Say that the answer is not wanted; whether the model is spared the work for certain."""
        self.unwanted = True
        return super().cancel()


Requests = dict[Answer, FloatArray]  # waveforms, in the order in which they came


class WaitingRoom:
    """Requests in two lanes, urgent ones and others, each in the order in which they came."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._urgent: Requests = {}
        self._others: Requests = {}
        self._passed = 0  # batches in a row that held none of the others, while those waited

    def __bool__(self) -> bool:
        return bool(self._urgent or self._others)

    def has_room(self, answer: Answer) -> bool:
        """Whether this request may wait here."""
        lane = self._lane(answer)
        return len(lane) < self._bounds.waiting and seconds(lane) < self._bounds.waiting_s

    def seconds_before(self, answer: Answer) -> float:
        """How much audio would be recognised before this request."""
        return seconds(self._lane(answer))

    def add(self, answer: Answer, waveform: FloatArray) -> None:
        """Let a request wait."""
        self._lane(answer)[answer] = waveform

    def remove_cancelled(self, answer: Answer) -> None:
        """Make room again, if this request, which was cancelled, is still here."""
        if self._lane(answer).pop(answer, None) is not None:
            answer.set_running_or_notify_cancel()  # until then `concurrent.futures.wait` goes on waiting for it

    def empty(self) -> list[Answer]:
        """Send everybody away; who that was, but for those who were cancelled."""
        everybody = [*self._urgent, *self._others]
        self._urgent.clear()
        self._others.clear()
        return [answer for answer in everybody if answer.set_running_or_notify_cancel()]

    def take(self, budget_s: float) -> Requests:
        """The next batch, of about `budget_s` seconds of audio; empty if all who waited were cancelled."""
        others_first = self._others and self._passed >= PATIENCE
        batch = self._take(budget_s, *((self._others, self._urgent) if others_first else (self._urgent, self._others)))
        self._passed = self._passed + 1 if self._others and all(answer.urgent for answer in batch) else 0
        return batch

    def take_urgent(self, budget_s: float) -> Requests:
        """The next batch of urgent requests alone; empty if there are none."""
        return self._take(budget_s, self._urgent)

    def _lane(self, answer: Answer) -> Requests:
        return self._urgent if answer.urgent else self._others

    def _take(self, budget_s: float, *lanes: Requests) -> Requests:
        """The next request, whatever its length, and those behind it that fit in beside it."""
        left_s = min(self._bounds.most_batch_s, max(self._bounds.least_batch_s, budget_s))
        batch: Requests = {}
        for lane in lanes:
            while lane and (not batch or next(iter(lane)).seconds <= left_s):
                answer = next(iter(lane))
                waveform = lane.pop(answer)
                if answer.set_running_or_notify_cancel():
                    batch[answer] = waveform
                    left_s -= answer.seconds
        return batch


def seconds(answers: Iterable[Answer]) -> float:
    """How much audio these requests hold in all."""
    return sum(answer.seconds for answer in answers)
