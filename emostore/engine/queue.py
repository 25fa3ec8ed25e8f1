"""One model, many callers: what they ask waits here and is put to the model in batches.

One thread asks the model. It takes what waits, urgent requests first, as much audio at a time as the model
does in about `TURN_S`: so whoever sits in front of a page waits for the batch at hand and no longer. A
recording of hours, which takes minutes by itself, lets urgent requests pass between two of its chunks,
provided that the model can pause (`PausingRecognizer`).
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from emostore.engine.recognizer import FloatArray, ModelInfo, Recognition, Recognizer
from emostore.engine.waiting import Answer, Bounds, Requests, WaitingRoom, seconds
from emostore.errors import EmostoreError, ModelBusyError, UnansweredError
from emostore.i18n import N_

log = logging.getLogger(__name__)

TURN_S = 2.0  # how long a batch should take
FIRST_SPEED = 10.0  # seconds of audio a second, until it is measured: about the large model on two cores
_LEARNING = 0.3  # how much one batch counts in the measured speed
_ASK_S = 0.25  # how often a caller who waits looks whether the answer is still wanted

_Cancelled = Callable[[], bool]


@runtime_checkable
class PausingRecognizer(Recognizer, Protocol):
    """A recogniser that can be interrupted between two passes through its network."""

    def recognize_pausing(
        self, waveforms: Sequence[FloatArray], pause: Callable[[], None]
    ) -> list[Recognition | EmostoreError]:
        """`recognize`, with a call of `pause` between two passes, in the same thread and holding no lock.

        A pass is about `CHUNK_S` of audio or more; with shorter ones, a recording of hours would hardly get on
        while people keep coming. `pause` may ask the recogniser something else in between. It may also raise,
        which ends the work: what it raises is not an `Exception` and is to be let through.
        """
        ...


class _GivenUp(BaseException):
    """Raised in a pause. Not an `Exception`, so that no model takes it for a fault of its own."""


class BatchingQueue:
    """A `Recognizer` in front of another one, for any number of threads.

    Waveforms are handed on as they are, never copied. Every request is answered once: by the model, or with
    its own error, or with an `UnansweredError`. If the model raises, it is asked again about each request of
    the batch alone, so that a fault hits the request that causes it and no other.
    """

    def __init__(self, recognizer: Recognizer, bounds: Bounds | None = None) -> None:
        self._recognizer = recognizer
        self._changed = threading.Condition()  # guards all that follows
        self._waiting = WaitingRoom(bounds or Bounds())
        self._at_hand: set[Answer] = set()  # with the model
        self._speed, self._done_s = FIRST_SPEED, 0.0
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._recognizer.info

    @property
    def recognizer(self) -> Recognizer:
        """The recogniser behind it."""
        return self._recognizer

    @property
    def closed(self) -> bool:
        """Whether no request is taken any more."""
        return self._closed

    def submit(self, waveform: FloatArray, *, interactive: bool = False) -> Answer:
        """Ask about a waveform (as in `Recognizer.recognize`) and wait for nothing.

        `interactive` says that somebody sits and waits. Raises `ModelBusyError` when too much waits already,
        and `UnansweredError` when the queue is closed.
        """
        answer = Answer(waveform, interactive=interactive)
        with self._changed:
            if not self._closed and not self._waiting.has_room(answer):
                before_s = self._waiting.seconds_before(answer) + seconds(self._at_hand)
                raise ModelBusyError(
                    N_("The model is busy with other recordings. Try again in about {seconds:,} s."),
                    seconds=max(1, math.ceil(before_s / self._speed)),
                )
            return self._add(answer, waveform)

    def recognize(
        self, waveforms: Sequence[FloatArray], *, interactive: bool = False, cancelled: _Cancelled | None = None
    ) -> list[Recognition | EmostoreError]:
        """See `Recognizer.recognize`; waits for room where `submit` says that the model is busy.

        `cancelled` is asked several times a second, in this thread; once it says yes, the model is spared what
        it has not begun. Raises `UnansweredError` then, and when the queue is closed.
        """
        answers: list[Answer] = []
        try:
            for waveform in waveforms:
                answer = Answer(waveform, interactive=interactive)
                self._add_when_there_is_room(answer, waveform, cancelled)
                answers.append(answer)
            while wait(answers, _ASK_S if cancelled else None).not_done:
                _check(cancelled)
            return [_said(answer) for answer in answers]
        finally:
            for answer in answers:
                answer.cancel()  # does nothing to one that is there

    def as_recognizer(self, *, interactive: bool, cancelled: _Cancelled | None = None) -> Recognizer:
        """The queue as one caller uses it: its `recognize` with these options."""
        return _Caller(self, interactive, cancelled)

    def close(self, timeout_s: float = 10.0) -> None:
        """Answer all that waits with an `UnansweredError`, and after `timeout_s` also what is with the model.

        May be called again, and from any thread.
        """
        self._refuse_waiting()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        self._refuse_at_hand(_closed_error())

    # From the callers to the waiting room

    def _add(self, answer: Answer, waveform: FloatArray) -> Answer:
        if self._closed:
            raise _closed_error()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve_until_closed, name="emostore-model", daemon=True)
            self._thread.start()
        self._waiting.add(answer, waveform)
        answer.add_done_callback(self._make_room)
        self._changed.notify_all()
        return answer

    def _add_when_there_is_room(self, answer: Answer, waveform: FloatArray, cancelled: _Cancelled | None) -> Answer:
        while True:
            _check(cancelled)  # which may take its time, so not inside the lock
            with self._changed:
                if self._changed.wait_for(lambda: self._closed or self._waiting.has_room(answer), _ASK_S):
                    return self._add(answer, waveform)

    def _make_room(self, answer: Future[Recognition]) -> None:
        """As soon as a request is cancelled."""
        if answer.cancelled() and isinstance(answer, Answer):
            with self._changed:
                self._waiting.remove_cancelled(answer)
                self._changed.notify_all()

    def _refuse_waiting(self) -> None:
        with self._changed:
            self._closed = True
            refused = self._waiting.empty()
            self._changed.notify_all()
        self._settle({answer: _closed_error() for answer in refused})

    def _refuse_at_hand(self, error: Exception) -> None:
        with self._changed:
            refused = list(self._at_hand)
        self._settle(dict.fromkeys(refused, error))

    def _settle(self, outcomes: Mapping[Answer, Recognition | Exception]) -> None:
        with self._changed:
            self._at_hand -= outcomes.keys()
        for answer, outcome in outcomes.items():
            with suppress(InvalidStateError):  # `close` did not wait for it
                if isinstance(outcome, Exception):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)

    # From the waiting room to the model: all of it in one thread

    def _serve_until_closed(self) -> None:
        fault: Exception = _closed_error()
        try:
            while self._serve():
                pass
        except BaseException as error:  # whatever ends this thread, nobody goes on waiting for it
            log.critical("The thread that asks the model has ended", exc_info=True)
            fault = RuntimeError(f"the model has ended the thread that asked it: {error!r}")
        finally:
            self._refuse_waiting()
            self._refuse_at_hand(fault)

    def _serve(self) -> bool:
        """Wait for requests and do one batch of them; False once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return False
            batch = self._hand_over(self._waiting.take(TURN_S * self._speed))
        began, done_s = time.perf_counter(), self._done_s
        try:
            self._answer(batch, self._pause)
        except _GivenUp:
            self._settle({answer: _closed_error() if self._closed else _cancelled_error() for answer in batch})
        if self._done_s > done_s:
            speed = (self._done_s - done_s) / max(1e-6, time.perf_counter() - began)
            self._speed += _LEARNING * (speed - self._speed)
        return True

    def _hand_over(self, batch: Requests) -> Requests:
        self._at_hand |= batch.keys()
        self._changed.notify_all()  # there is room again
        return batch

    def _answer(self, batch: Requests, pause: Callable[[], None] | None) -> None:
        """Put a batch to the model; if that raises, each of its requests by itself."""
        if not batch:
            return
        try:
            outcomes = dict(zip(batch, self._ask(list(batch.values()), pause), strict=True))
        except Exception as error:
            if len(batch) == 1:
                self._settle(dict.fromkeys(batch, error))
                return
            log.warning("The model failed on %s requests; it is asked about each alone", len(batch), exc_info=True)
            for answer, waveform in batch.items():
                if pause:
                    pause()
                self._answer({answer: waveform}, pause)
        else:
            self._done_s += seconds(batch)
            self._settle(outcomes)

    def _ask(
        self, waveforms: Sequence[FloatArray], pause: Callable[[], None] | None
    ) -> list[Recognition | EmostoreError]:
        if pause and isinstance(self._recognizer, PausingRecognizer):
            return self._recognizer.recognize_pausing(waveforms, pause)
        return self._recognizer.recognize(waveforms)

    def _pause(self) -> None:
        """End what nobody wants any more; let urgent requests pass, unless there are some in the batch at hand."""
        with self._changed:
            if self._closed or all(answer.unwanted for answer in self._at_hand):
                raise _GivenUp
            if any(answer.urgent for answer in self._at_hand):
                return
            passing = self._hand_over(self._waiting.take_urgent(TURN_S * self._speed))
        self._answer(passing, None)


@dataclass(frozen=True, slots=True)
class _Caller:
    """See `BatchingQueue.as_recognizer`."""

    queue: BatchingQueue
    interactive: bool
    cancelled: _Cancelled | None

    @property
    def info(self) -> ModelInfo:
        return self.queue.info

    @property
    def recognizer(self) -> Recognizer:
        return self.queue.recognizer

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        return self.queue.recognize(waveforms, interactive=self.interactive, cancelled=self.cancelled)


_shared: dict[int, BatchingQueue] = {}  # by the identity of the recogniser, which the queue keeps alive
_shared_lock = threading.Lock()


def shared(recognizer: Recognizer) -> BatchingQueue:
    """The one queue of this process in front of a recogniser; a new one if it was closed."""
    with _shared_lock:
        queue = _shared.get(id(recognizer))
        if queue is None or queue.closed:
            queue = _shared[id(recognizer)] = BatchingQueue(recognizer)
        return queue


@atexit.register
def _close_shared() -> None:
    """A thread that is in the middle of a network when the interpreter ends can abort the process."""
    for queue in list(_shared.values()):
        queue.close()


def _said(answer: Answer) -> Recognition | EmostoreError:
    """What came; an error that does not concern the waveform is raised."""
    error = answer.exception()
    if error is None:
        return answer.result()
    if isinstance(error, EmostoreError) and not isinstance(error, UnansweredError):
        return error
    raise error


def _check(cancelled: _Cancelled | None) -> None:
    if cancelled is not None and cancelled():
        raise _cancelled_error()


def _cancelled_error() -> UnansweredError:
    return UnansweredError(N_("This was cancelled before the model came to it."))


def _closed_error() -> UnansweredError:
    return UnansweredError(N_("The program stopped before the model came to this. Hand it in again."))
