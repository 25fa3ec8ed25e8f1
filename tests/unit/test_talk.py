"""Who talks when: on conversations whose answer is known, against a grid of samples, and on a real call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from emostore import audio, speech
from emostore.analytics import talk as talks
from emostore.analytics.talk import BREATH_S, OUTLAST_S, PAUSE_S, Talk, Turn, talk
from tests.audio_samples import real_audio

STEP_S = 0.125  # an exact number in binary, so that a grid of it and the figures agree to the last digit
LENGTH = 160  # steps


def overlapping() -> Talk:
    """A asks until 4 s; B answers after 1 s, talks until 12; A cuts in at 10, until 15; both are silent until 20."""
    return talk([[(0, 4), (10, 15)], [(5, 12)]], 20)


def test_shares_silence_and_overlap_are_those_of_the_constructed_call() -> None:
    found = overlapping()
    assert [side.talk_s for side in found.sides] == [9, 7]
    assert [side.share for side in found.sides] == [9 / 16, 7 / 16]
    assert (found.speech_s, found.overlap_s, found.silence_s) == (14, 2, 6)
    assert found.overlaps.tolist() == [[10, 12]]
    assert found.silences.tolist() == [[4, 5], [15, 20]]
    assert [each.tolist() for each in found.stretches] == [[[0, 4], [10, 15]], [[5, 12]]]


def test_an_answer_is_the_silence_before_another_side_speaks() -> None:
    found = talk([[(0, 4), (10, 15)], [(5.5, 8), (16, 17)]], 30)
    assert [(each.side, each.start_s, each.end_s) for each in found.answers] == [(1, 4, 5.5), (0, 8, 10), (1, 15, 16)]
    assert (found.gap_s, found.slowest) == (1.5, found.answers[1])
    assert (found.sides[1].answers, found.sides[1].gap_s, found.sides[1].slowest_s) == (2, 1.25, 1.5)
    assert found.sides[0].gap_s == 2


def test_a_pause_of_ones_own_and_a_silence_that_both_break_are_no_answers() -> None:
    assert talk([[(1, 2), (4, 5)], []], 10).answers == ()
    assert talk([[(1, 2), (4, 5)], [(4, 6)]], 10).answers == ()  # the one who spoke last goes on, too


def test_a_turn_goes_on_over_pauses_until_another_speaks_in_one() -> None:
    found = talk([[(0, 2), (3, 5), (5 + PAUSE_S, 9)], [(9.5, 10), (10 + BREATH_S / 2, 11)]], 20)
    assert found.turns == (Turn(0, 0, 5), Turn(0, 5 + PAUSE_S, 9), Turn(1, 9.5, 11))
    assert [side.monologue_s for side in found.sides] == [5, 1.5]
    broken = talk([[(0, 2), (3, 5)], [(2.25, 2.75)]], 20)
    assert broken.turns == (Turn(0, 0, 2), Turn(1, 2.25, 2.75), Turn(0, 3, 5))
    breath = talk([[(0, 2), (2 + 0.9 * BREATH_S, 5)], [(2, 2.125)]], 20)
    assert breath.turns == (Turn(0, 0, 5), Turn(1, 2, 2.125))


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ((3, 4 + OUTLAST_S), 1),  # goes on long enough
        ((3, 3.9 + OUTLAST_S), 0),  # a word at the end of the other's
        ((1, 2), 0),  # a "yes" inside
        ((4, 9), 0),  # begins when the other has ended
    ],
)
def test_an_interruption_begins_in_the_others_speech_and_outlasts_it(other: tuple[float, float], taken: int) -> None:
    found = talk([[(0, 4)], [other]], 20)
    assert [side.interruptions for side in found.sides] == [0, taken]


def test_who_goes_on_after_a_breath_was_not_interrupted() -> None:
    assert talk([[(0, 4), (4.5, 9)], [(3, 5.5)]], 20).sides[1].interruptions == 0


def test_speech_out_of_order_twice_or_outside_counts_once() -> None:
    found = talk([[(8, 12), (1, 3), (2, 4), (4, 5)]], 10)
    assert found.sides[0].talk_s == 6
    assert found.turns == (Turn(0, 1, 5), Turn(0, 8, 10))
    assert talk([[(0, 5)], [(0, 5)], [(0, 5)]], 5).overlap_s == 5


def test_silence_alone_and_one_side_alone_have_no_answers() -> None:
    for sides in ([], [[]], [[], []]):
        found = talk(sides, 10)
        assert (found.speech_s, found.silence_s, found.gap_s, found.slowest, found.turns) == (0, 10, None, None, ())
        assert all(side.share == 0 for side in found.sides)
    assert talk([[(0, 1)]], 10).sides[0].share == 1


@pytest.mark.parametrize("segments", [[(2, 1)], [(0, float("nan"))], [(0, float("inf"))]])
def test_what_is_no_stretch_of_time_is_refused(segments: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="a stretch of speech"):
        talk([segments], 10)


@pytest.mark.parametrize("length_s", [0, -1, float("nan"), float("inf")])
def test_a_conversation_needs_a_length(length_s: float) -> None:
    with pytest.raises(ValueError, match="a conversation has a length"):
        talk([[(0, 1)]], length_s)


stretches = some.lists(
    some.tuples(some.integers(0, LENGTH), some.integers(0, 40)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=12,
)


@given(some.lists(stretches, min_size=1, max_size=3))
def test_everything_equals_what_a_walk_over_samples_finds(sides: list[list[tuple[int, int]]]) -> None:
    found = talk([[(a * STEP_S, b * STEP_S) for a, b in side] for side in sides], LENGTH * STEP_S)
    grid = np.zeros((len(sides), LENGTH), bool)
    for row, side in zip(grid, sides, strict=True):
        for start, end in side:
            row[start:end] = True
    voices = grid.sum(axis=0)
    assert [side.talk_s for side in found.sides] == (grid.sum(axis=1) * STEP_S).tolist()
    assert sum(side.share for side in found.sides) == pytest.approx(float(grid.any()))
    assert found.overlap_s == (voices > 1).sum() * STEP_S
    assert found.silence_s == (voices == 0).sum() * STEP_S
    assert found.speech_s + found.silence_s == found.length_s
    assert (np.diff(found.overlaps) > 0).all()
    assert np.diff(found.overlaps).sum() == found.overlap_s
    assert np.diff(found.silences).sum() == found.silence_s

    answers, turns = walked(grid)
    assert [(each.start_s, each.end_s, each.side) for each in found.answers] == answers
    assert sorted((each.side, each.start_s, each.end_s) for each in found.turns) == turns


def walked(grid: np.ndarray) -> tuple[list[tuple[float, float, int]], list[tuple[int, float, float]]]:
    """Answers and turns, sample by sample."""
    answers, last, since = [], set[int](), 0
    for now, column in enumerate(grid.T):
        who = set(np.flatnonzero(column).tolist())
        if who and last and now > since and not who & last:
            answers.append((since * STEP_S, now * STEP_S, min(who)))
        if who:
            last, since = who, now + 1
    turns = []
    for side, row in enumerate(grid):
        others = grid[[number for number in range(len(grid)) if number != side]].any(axis=0)
        start = end = None
        for now in np.flatnonzero(row).tolist():
            if start is not None:
                pause_s = (now - end) * STEP_S
                if pause_s and pause_s >= BREATH_S and (pause_s >= PAUSE_S or others[end:now].any()):
                    turns.append((side, start * STEP_S, end * STEP_S))
                    start = None
            start, end = now if start is None else start, now + 1
        if start is not None:
            turns.append((side, start * STEP_S, end * STEP_S))
    return answers, sorted(turns)


def test_the_shares_of_a_real_call_are_those_of_a_count_of_samples() -> None:
    folder = real_audio() / "calls"
    found = [
        audio.decode(folder / f"amazon-transcribe-live-call-analytics__Auto_Repairs_40_UTC_{side}.wav").waveforms[0]
        for side in ("agent", "caller")
    ]
    heard = [[(each.start_s, each.end_s) for each in speech.detect(waveform).segments] for waveform in found]
    call = talk(heard, found[0].size / audio.SAMPLE_RATE)
    counted = np.zeros((2, found[0].size), bool)
    for row, side in zip(counted, heard, strict=True):
        for start, end in side:
            row[round(start * audio.SAMPLE_RATE) : round(end * audio.SAMPLE_RATE)] = True
    spoken = counted.sum(axis=1)
    assert [side.share for side in call.sides] == pytest.approx((spoken / spoken.sum()).tolist(), abs=1e-4)
    assert call.overlap_s == pytest.approx(counted.all(axis=0).sum() / audio.SAMPLE_RATE, abs=0.01)
    assert call.silence_s == pytest.approx((~counted.any(axis=0)).sum() / audio.SAMPLE_RATE, abs=0.01)
    assert 0.3 < call.sides[0].share < 0.7
    assert len(call.answers) > 5
    assert talks.joined(heard[0]).tolist() == [list(each) for each in heard[0]]
