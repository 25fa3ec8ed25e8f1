"""The queue in front of a model: a fake one that answers when it is let, and says what it was asked."""

from __future__ import annotations

import gc
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emostore.config import Settings
from emostore.emotions import EMOTIONS
from emostore.engine.baseline import BaselineRecognizer
from emostore.engine.queue import BatchingQueue, PausingRecognizer, shared
from emostore.engine.recognizer import SAMPLE_RATE, FloatArray, ModelInfo, Recognition, Windows
from emostore.engine.registry import load_recognizer
from emostore.engine.waiting import LONG_S, PATIENCE, Answer, Bounds, WaitingRoom
from emostore.errors import AudioError, EmostoreError, ModelBusyError, UnansweredError
from tests.engine import tiny_checkpoint

DEADLINE_S = 60.0
REFUSED, POISON, LETHAL = -1.0, -2.0, -3.0  # first samples of waveforms that are not answered
BOUNDS = Bounds(least_batch_s=10.0, most_batch_s=10.0)


class Fake:
    """A model whose logits tell the waveform's first sample, which here is its number."""

    info = ModelInfo("fake", "0123456789ab", 1, EMOTIONS, "none")

    def __init__(self) -> None:
        self.asked: list[list[float]] = []  # the numbers of each call
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
        numbers = [float(waveform[0]) for waveform in waveforms]
        self.asked.append(numbers)
        self.is_asked.set()
        assert self.may_answer.wait(DEADLINE_S)
        if LETHAL in numbers:
            raise SystemExit("the model wants to end it all")
        if POISON in numbers:
            raise RuntimeError(f"poisoned: {numbers}")
        return [AudioError("Refused.") if number == REFUSED else said(number) for number in numbers]


class Pausing(Fake):
    """The same with a network that takes a second of sound at a time, and pauses in between."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[float] = []  # the number of the waveform of each pass
        self.before_pause: Callable[[int], object] = lambda at: None

    def recognize_pausing(
        self, waveforms: Sequence[FloatArray], pause: Callable[[], None]
    ) -> list[Recognition | EmostoreError]:
        for waveform in waveforms:
            for at in range(0, waveform.size, SAMPLE_RATE):
                self.passes.append(float(waveform[0]))
                self.before_pause(at // SAMPLE_RATE)
                pause()
        return self.recognize(waveforms)


def said(number: float) -> Recognition:
    logits = np.full(9, number, np.float32)
    return Recognition(logits, np.zeros(1, np.float32), Windows(logits[None], 1.0, 3.0))


def clip(number: float, seconds: float = 1.0) -> FloatArray:
    waveform = np.zeros(max(1, round(seconds * SAMPLE_RATE)), np.float32)
    waveform[0] = number
    return waveform


def number_of(answer: Answer | Recognition | EmostoreError) -> float:
    result = answer.result(DEADLINE_S) if isinstance(answer, Answer) else answer
    assert isinstance(result, Recognition)
    return float(result.logits[0])


@pytest.fixture
def model() -> Iterator[Fake]:
    model = Fake()
    yield model
    model.may_answer.set()  # so that nobody hangs when a test fails


@pytest.fixture
def queues() -> Iterator[Callable[..., BatchingQueue]]:
    """Makes queues, which are closed at the end."""
    made: list[BatchingQueue] = []

    def make(model: Fake, bounds: Bounds = BOUNDS) -> BatchingQueue:
        made.append(BatchingQueue(model, bounds))
        return made[-1]

    yield make
    for queue in made:
        queue.close(DEADLINE_S)


@pytest.fixture
def queue(model: Fake, queues: Callable[..., BatchingQueue]) -> BatchingQueue:
    return queues(model)


def hold(queue: BatchingQueue, model: Fake) -> Answer:
    """Keep the model at work on something, so that what comes now waits."""
    model.may_answer.clear()
    model.is_asked.clear()
    answer = queue.submit(clip(1000))
    assert model.is_asked.wait(DEADLINE_S)
    return answer


def let_go(model: Fake, *answers: Answer) -> list[list[float]]:
    """Let the model answer, wait for these answers, and tell the calls of the model since then."""
    done = len(model.asked)
    model.may_answer.set()
    assert not wait(answers, DEADLINE_S).not_done
    return model.asked[done:]


# Answering


def test_answers_come_in_the_order_asked_and_errors_stand_in_their_place(queue: BatchingQueue) -> None:
    answers = queue.recognize([clip(1), clip(REFUSED), clip(2)])
    assert [type(answer) for answer in answers] == [Recognition, AudioError, Recognition]
    assert (number_of(answers[0]), number_of(answers[2])) == (1, 2)
    assert queue.recognize([]) == []
    assert queue.info is Fake.info


def test_the_bundled_model_says_the_same_through_a_queue() -> None:
    direct = BaselineRecognizer.load()
    queue = BatchingQueue(direct)
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE).astype(np.float32)
    for got, expected in zip(
        queue.recognize([noise, noise[:9000]]), direct.recognize([noise, noise[:9000]]), strict=True
    ):
        assert isinstance(got, Recognition)
        assert isinstance(expected, Recognition)
        np.testing.assert_array_equal(got.logits, expected.logits)
    queue.close()


def test_what_many_threads_ask_while_the_model_is_at_work_becomes_one_batch(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    others = [queue.submit(clip(number)) for number in range(8)]
    assert let_go(model, first, *others) == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert [number_of(answer) for answer in others] == list(range(8))


def test_waveforms_are_handed_on_without_a_copy_and_not_kept_when_they_are_answered(
    queues: Callable[..., BatchingQueue], tmp_path: Path
) -> None:
    seen = []

    class Looking(Fake):
        def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
            seen.extend(id(waveform) for waveform in waveforms)
            return super().recognize(waveforms)

    on_disk = np.memmap(tmp_path / "sound", np.float32, "w+", shape=(4 * 3600 * SAMPLE_RATE,))  # a file of holes
    gone = weakref.ref(on_disk)
    queue = queues(Looking())
    answer = queue.submit(on_disk)
    answer.result(DEADLINE_S)
    assert seen == [id(on_disk)]
    del on_disk
    queue.recognize([clip(1)])  # so that the thread is past the first one
    gc.collect()
    assert gone() is None


def test_the_same_model_has_one_queue_until_it_is_closed() -> None:
    model = Fake()
    queue = shared(model)
    assert shared(model) is queue
    assert shared(Fake()) is not queue
    queue.close()
    assert shared(model) is not queue


# Whose turn it is


def test_urgent_requests_go_first_and_others_fill_the_batch(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    bulk = [queue.submit(clip(number, 3.0)) for number in range(4)]
    urgent = [queue.submit(clip(number, 3.0), interactive=True) for number in (10, 11)]
    assert let_go(model, first, *bulk, *urgent) == [[10, 11, 0], [1, 2, 3]]


def test_a_recording_of_hours_is_asked_about_alone_and_never_urgent(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    answers = [queue.submit(clip(1, LONG_S + 1), interactive=True), queue.submit(clip(2), interactive=True)]
    answers.append(queue.submit(clip(3)))
    assert let_go(model, first, *answers) == [[2], [1], [3]]


def test_others_have_a_turn_after_so_many_urgent_batches(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    bulk = queue.submit(clip(0, 8.0))
    urgent = [queue.submit(clip(number, 8.0), interactive=True) for number in range(1, PATIENCE + 3)]
    calls = let_go(model, first, bulk, *urgent)
    assert [numbers for (numbers,) in calls] == [*range(1, PATIENCE + 1), 0, PATIENCE + 1, PATIENCE + 2]


def test_batches_grow_with_the_speed_of_the_model(queues: Callable[..., BatchingQueue], model: Fake) -> None:
    queue = queues(model, Bounds(least_batch_s=2.0, most_batch_s=1e6))
    for _ in range(20):  # it answers at once, so it is found to be very fast
        queue.recognize([clip(0, 2.0)])
    first = hold(queue, model)
    answers = [queue.submit(clip(number, 2.0)) for number in range(30)]
    assert let_go(model, first, *answers) == [list(range(30))]


requests = st.lists(st.tuples(st.floats(0.01, 25.0), st.booleans(), st.booleans()), max_size=40)


@given(requests, st.floats(0.0, 30.0))
@settings(max_examples=200, deadline=None)
def test_every_batch_is_within_the_budget_or_one_request_and_nobody_is_lost_or_overtaken(
    drawn: list[tuple[float, bool, bool]], budget_s: float
) -> None:
    room = WaitingRoom(Bounds(least_batch_s=0.0))
    answers = [Answer(clip(0, seconds), interactive=urgent) for seconds, urgent, _ in drawn]
    for answer, (seconds, _, cancelled) in zip(answers, drawn, strict=True):
        room.add(answer, clip(0, seconds))
        if cancelled:
            assert answer.cancel()
    batches, passed = [], 0
    while room:
        waiting = [answer for batch in batches for answer in batch]
        bulk_waits = any(not answer.urgent and answer not in waiting for answer in answers if not answer.cancelled())
        batch = room.take(budget_s)
        batches.append(batch)
        assert len(batch) <= 1 or sum(answer.seconds for answer in batch) <= budget_s
        passed = passed + 1 if bulk_waits and all(answer.urgent for answer in batch) else 0
        assert passed <= PATIENCE
    taken = [answer for batch in batches for answer in batch]
    assert Counter(taken) == Counter(answer for answer in answers if not answer.cancelled())
    for urgent in (True, False):
        lane = [answer for answer in answers if answer.urgent is urgent and not answer.cancelled()]
        assert [answer for answer in taken if answer.urgent is urgent] == lane


@pytest.mark.parametrize("wrong", [{"waiting": 0}, {"waiting_s": 0.0}, {"least_batch_s": 5.0, "most_batch_s": 4.0}])
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="bounds must be positive"):
        Bounds(**wrong)  # type: ignore[arg-type]


# Pausing


def test_urgent_requests_pass_a_recording_of_hours_between_two_of_its_chunks(
    queues: Callable[..., BatchingQueue],
) -> None:
    model, passing = Pausing(), []
    queue = queues(model)

    def somebody_comes(second: int) -> None:
        if second == 2:
            passing.extend(queue.submit(clip(number), interactive=True) for number in (1, 2))
            passing.append(queue.submit(clip(3)))

    model.before_pause = somebody_comes
    long = queue.submit(clip(9, 5.0))
    assert number_of(long) == 9
    assert [number_of(answer) for answer in passing] == [1, 2, 3]
    assert model.asked == [[1, 2], [9], [3]]
    assert model.passes == [9, 9, 9, 9, 9, 3]  # those who pass are not paused for others


def test_a_batch_in_which_somebody_is_waited_for_goes_on(queues: Callable[..., BatchingQueue]) -> None:
    model, later = Pausing(), []
    queue = queues(model)

    def somebody_comes(second: int) -> None:
        if not later:
            later.append(queue.submit(clip(2), interactive=True))

    model.before_pause = somebody_comes
    assert number_of(queue.submit(clip(1, 3.0), interactive=True)) == 1
    assert number_of(later[0]) == 2
    assert model.asked == [[1], [2]]


def test_a_recording_that_is_cancelled_while_the_model_is_at_it_is_given_up_at_the_next_pause(
    queues: Callable[..., BatchingQueue],
) -> None:
    model, answers = Pausing(), []
    queue = queues(model)
    is_there = threading.Event()

    def cancel(second: int) -> None:
        assert is_there.wait(DEADLINE_S)
        if second == 1:
            assert not answers[0].cancel()  # too late to be sure

    model.before_pause = cancel
    answers.append(queue.submit(clip(1, 100.0)))
    is_there.set()
    with pytest.raises(UnansweredError, match="cancelled"):
        answers[0].result(DEADLINE_S)
    assert (model.passes, model.asked) == ([1, 1], [])
    assert number_of(queue.recognize([clip(2)])[0]) == 2


@pytest.mark.parametrize("name", ["baseline", "emotion2vec"])
def test_the_models_pause_and_say_the_same(name: str) -> None:
    tiny = name == "emotion2vec"
    model = load_recognizer(Settings(model=str(tiny_checkpoint.shared()) if tiny else name, threads=1))
    sound, pauses = tiny_checkpoint.probe(1, 70.0), []
    assert isinstance(model, PausingRecognizer)
    (paused,) = model.recognize_pausing([sound], lambda: pauses.append(model.recognize([sound[:SAMPLE_RATE]])))
    (straight,) = model.recognize([sound])
    assert isinstance(paused, Recognition)
    assert isinstance(straight, Recognition)
    np.testing.assert_array_equal(paused.windows.logits, straight.windows.logits)
    assert 0 < len(pauses) < 10  # about half a minute of sound between two, or more

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.recognize_pausing([sound], stop)
    np.testing.assert_array_equal(model.recognize([sound])[0].logits, straight.logits)  # type: ignore[union-attr]


# Cancelling


def test_a_request_that_is_cancelled_while_it_waits_is_never_asked(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    kept, dropped = queue.submit(clip(1)), queue.submit(clip(2))
    assert dropped.cancel()
    assert wait([dropped], DEADLINE_S).done == {dropped}
    assert let_go(model, first, kept) == [[1]]
    with pytest.raises(CancelledError):
        dropped.result(DEADLINE_S)


def test_who_asks_for_several_and_changes_their_mind_does_not_wait_for_the_model(
    queue: BatchingQueue, model: Fake
) -> None:
    first = hold(queue, model)
    asked = []

    def cancelled() -> bool:
        asked.append(len(asked))
        return len(asked) > 3  # once before each of the two, once while waiting

    with pytest.raises(UnansweredError, match="cancelled"):
        queue.as_recognizer(interactive=True, cancelled=cancelled).recognize([clip(1), clip(2)])
    last = queue.submit(clip(3))
    assert let_go(model, first, last) == [[3]]


# Faults


def test_a_model_that_raises_fails_only_the_request_that_makes_it(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    good = [queue.submit(clip(1)), queue.submit(clip(2))]
    poison, refused = queue.submit(clip(POISON)), queue.submit(clip(REFUSED))
    let_go(model, first, *good, poison, refused)
    assert [number_of(answer) for answer in good] == [1, 2]
    with pytest.raises(RuntimeError, match=r"poisoned: \[-2\.0\]"):
        poison.result()
    with pytest.raises(AudioError, match="Refused"):
        refused.result()
    with pytest.raises(RuntimeError, match="poisoned"):
        queue.recognize([clip(3), clip(POISON)])


def test_a_model_that_answers_too_little_is_at_fault(queues: Callable[..., BatchingQueue]) -> None:
    class Forgetful(Fake):
        def recognize(self, waveforms: Sequence[FloatArray]) -> list[Recognition | EmostoreError]:
            return super().recognize(waveforms)[:-1]

    with pytest.raises(ValueError, match="shorter"):
        queues(Forgetful()).recognize([clip(1)])


def test_nobody_is_left_waiting_when_the_thread_that_asks_the_model_ends(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    lethal = queue.submit(clip(LETHAL, 9.0))
    behind = queue.submit(clip(1, 9.0))
    let_go(model, first, lethal, behind)
    with pytest.raises(RuntimeError, match="SystemExit"):
        lethal.result()
    with pytest.raises(UnansweredError):
        behind.result()
    with pytest.raises(UnansweredError):
        queue.submit(clip(2))
    assert queue.closed


# Bounds


def test_too_many_who_wait_are_told_when_to_come_again_and_room_is_made_at_once(
    queues: Callable[..., BatchingQueue], model: Fake
) -> None:
    queue = queues(model, Bounds(waiting=2, waiting_s=100.0))
    first = hold(queue, model)
    waiting = [queue.submit(clip(number), interactive=True) for number in (1, 2)]
    with pytest.raises(ModelBusyError, match=r"The model is busy .* Try again in about \d+ s\.") as caught:
        queue.submit(clip(3), interactive=True)
    assert caught.value.params["seconds"] >= 1
    bulk = queue.submit(clip(4))  # counted apart
    assert waiting[0].cancel()
    instead = queue.submit(clip(5), interactive=True)
    assert let_go(model, first, waiting[1], bulk, instead) == [[2, 5, 4]]


def test_too_much_audio_that_waits_is_too_much_whatever_the_number(
    queues: Callable[..., BatchingQueue], model: Fake
) -> None:
    queue = queues(model, Bounds(waiting_s=10.0))
    first = hold(queue, model)
    long = queue.submit(clip(1, 50.0))  # what is longer than all that may wait is taken, too
    with pytest.raises(ModelBusyError) as caught:
        queue.submit(clip(2))
    assert caught.value.params["seconds"] > 1
    let_go(model, first, long)


def test_who_may_wait_for_room_does(queues: Callable[..., BatchingQueue], model: Fake) -> None:
    queue = queues(model, Bounds(waiting=1))
    first = hold(queue, model)
    answers: list[Recognition | EmostoreError] = []
    asking = threading.Thread(target=lambda: answers.extend(queue.recognize([clip(n) for n in range(5)])))
    asking.start()
    model.may_answer.set()
    asking.join(DEADLINE_S)
    assert [number_of(answer) for answer in answers] == list(range(5))
    assert number_of(first) == 1000


def test_who_waits_for_room_may_change_their_mind(queues: Callable[..., BatchingQueue], model: Fake) -> None:
    queue = queues(model, Bounds(waiting=1))
    hold(queue, model)
    waiting = queue.submit(clip(1))
    looks = iter([False, False, True])
    with pytest.raises(UnansweredError, match="cancelled"):
        queue.recognize([clip(2)], cancelled=lambda: next(looks))
    assert let_go(model, waiting) == [[1]]


# The end


def test_closing_answers_everybody_and_lets_the_model_finish(queue: BatchingQueue, model: Fake) -> None:
    first = hold(queue, model)
    waiting = [queue.submit(clip(1)), queue.submit(clip(2), interactive=True)]
    closing = [threading.Thread(target=queue.close, args=(DEADLINE_S,)) for _ in range(3)]
    for thread in closing:
        thread.start()
    for answer in waiting:
        with pytest.raises(UnansweredError, match="The program stopped"):
            answer.result(DEADLINE_S)
    model.may_answer.set()
    assert number_of(first) == 1000
    for thread in closing:
        thread.join(DEADLINE_S)
    queue.close()
    assert queue._thread is not None
    assert not queue._thread.is_alive()
    with pytest.raises(UnansweredError):
        queue.submit(clip(3))
    with pytest.raises(UnansweredError):
        queue.recognize([clip(3)])
    assert model.asked == [[1000]]


def test_closing_does_not_wait_for_ever_for_a_model_that_is_stuck(queue: BatchingQueue, model: Fake) -> None:
    stuck = hold(queue, model)
    queue.close(timeout_s=0.0)
    with pytest.raises(UnansweredError):
        stuck.result(DEADLINE_S)
    model.may_answer.set()  # what it says now comes too late, and does no harm
    assert queue._thread is not None
    queue._thread.join(DEADLINE_S)
    assert not queue._thread.is_alive()


def test_closing_ends_a_recording_of_hours_at_the_next_pause(queues: Callable[..., BatchingQueue]) -> None:
    model = Pausing()
    queue = queues(model)
    model.before_pause = lambda second: second == 1 and queue.close(0.0)
    long = queue.submit(clip(1, 1000.0))
    with pytest.raises(UnansweredError):
        long.result(DEADLINE_S)
    queue.close(DEADLINE_S)
    assert model.passes == [1, 1]


def test_a_queue_that_was_never_asked_closes() -> None:
    queue = BatchingQueue(Fake())
    queue.close()
    assert queue.closed


# Load

THREADS, EACH = 32, 40


@dataclass(eq=False)
class Asked:
    """One request of the load test, and how often its answer came."""

    what: str
    number: float
    answer: Answer
    came: int = 0

    def note(self, _: object) -> None:
        self.came += 1


def ask_many_things(queue: BatchingQueue, thread: int, journal: list[Asked], close_at: int | None) -> None:
    chance = random.Random(thread)
    for turn in range(EACH):
        number, seconds = float(1 + thread * EACH + turn), chance.choice([0.001, 0.05, 0.5, 1.0, 9.0])
        what = chance.choice(["ask", "ask", "several", "cancel", "poison", "refused"])
        if turn == close_at:
            queue.close(DEADLINE_S)
        if what == "several":
            expected = [number, number + 0.25, number + 0.5]
            answers = queue.recognize([clip(each, seconds) for each in expected], interactive=turn % 2 == 0)
            assert [number_of(answer) for answer in answers] == expected
            continue
        waveform = clip({"poison": POISON, "refused": REFUSED}.get(what, number), seconds)
        asked = Asked(what, number, submit_when_possible(queue, waveform, interactive=turn % 2 == 0))
        journal.append(asked)
        asked.answer.add_done_callback(asked.note)
        if what == "cancel":
            asked.answer.cancel()
        elif chance.random() < 0.5:  # others go on at once, so that more waits than threads
            wait([asked.answer], DEADLINE_S)


def submit_when_possible(queue: BatchingQueue, waveform: FloatArray, *, interactive: bool) -> Answer:
    while True:
        try:
            return queue.submit(waveform, interactive=interactive)
        except ModelBusyError:
            time.sleep(0.001)


@pytest.mark.parametrize("closed", [False, True], ids=["to the end", "closed in between"])
@pytest.mark.parametrize("kind", [Fake, Pausing])
def test_under_load_every_request_is_answered_once_and_rightly(
    kind: type[Fake], closed: bool, queues: Callable[..., BatchingQueue]
) -> None:
    model = kind()
    queue = queues(model, Bounds(waiting=24, waiting_s=60.0, least_batch_s=8.0, most_batch_s=8.0))
    journal: list[Asked] = []
    ends: list[BaseException | None] = []

    def run(thread: int) -> None:
        try:
            ask_many_things(queue, thread, journal, EACH // 2 if closed and thread == 0 else None)
            ends.append(None)
        except BaseException as error:
            ends.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not wait([asked.answer for asked in journal], DEADLINE_S).not_done
    queue.close(DEADLINE_S)

    assert len(ends) == THREADS
    allowed: tuple[type[BaseException], ...] = (UnansweredError,) if closed else ()
    assert [end for end in ends if end is not None and not isinstance(end, allowed)] == []
    reached = Counter(number for numbers in model.asked for number in numbers)
    for asked in journal:
        assert (asked.answer.done(), asked.came) == (True, 1)
        if asked.answer.cancelled():
            assert asked.what == "cancel"
            assert asked.number not in reached
            continue
        error = asked.answer.exception()
        if isinstance(error, UnansweredError):
            assert closed or asked.what == "cancel"
        elif asked.what in ("poison", "refused"):
            assert isinstance(error, RuntimeError if asked.what == "poison" else AudioError)
        else:
            assert error is None
            assert number_of(asked.answer) == asked.number
            assert 1 <= reached[asked.number] <= 2  # twice where another one of its batch was poisoned
    if not closed:
        assert {asked.what for asked in journal} == {"ask", "cancel", "poison", "refused"}
        assert max(len(numbers) for numbers in model.asked) > 1  # threads did share batches
