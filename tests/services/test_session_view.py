"""What is said of a call: its voices over time, their turns, and sentences about both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emostore.analytics.trajectory import Trajectory
from emostore.emotions import EMOTIONS
from emostore.services import editing
from emostore.services.views import session_view
from emostore.services.views.session_view import Voice
from emostore.store.reports import reports
from emostore.store.session import Store
from tests.app.sides import AGENT, CUSTOMER, SILENT, call


def path(*names: str) -> Trajectory:
    return Trajectory(np.eye(len(EMOTIONS))[[EMOTIONS.index(name) for name in names]], 1.0, 3.0)


def voices(store: Store, clip_ids: list[int]) -> tuple[Voice, ...]:
    found = session_view.conversation(store, clip_ids)
    assert found is not None
    return found.voices


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["happy", "neutral"] * 20 + ["angry", "neutral"] * 20, "The mood worsens: from beginning to end it loses 1."),
        (["angry", "neutral"] * 20 + ["happy", "neutral"] * 20, "The mood improves: from beginning to end it gains 1."),
        (["happy", "angry"] * 40, "The mood is steady: that it moves by 0."),
        (["happy", "angry"], "Too little is said to tell whether the mood changes."),
    ],
)
def test_where_the_mood_goes_is_said_with_its_test(names: list[str], said: str) -> None:
    assert str(session_view.course(path(*names))).startswith(said)


def test_a_certain_but_tiny_trend_is_steady() -> None:
    sad = 0.02 + np.arange(400) / 8000 + 0.001 * (np.arange(400) % 2)
    scores = np.zeros((400, 9))
    scores[:, EMOTIONS.index("sad")], scores[:, EMOTIONS.index("neutral")] = sad, 1 - sad
    assert "it moves by only 0.05" in str(session_view.course(Trajectory(scores, 1.0, 3.0)))


def test_without_windows_nothing_is_said_of_the_mood() -> None:
    assert session_view.course(None) is None
    assert session_view.course(path("happy")) is None


def test_the_first_sentence_names_the_side_what_it_sounds_like_and_where_its_mood_goes(sqlite_store: Store) -> None:
    agent, customer = voices(sqlite_store, call(sqlite_store, AGENT, CUSTOMER))
    assert str(session_view.opening(agent, alone=False)) == (
        "The agent sounds mostly neutral (94.9 %), and the mood is steady."
    )
    short = replace(agent, path=path("happy", "angry"))
    assert str(session_view.opening(short, alone=False)) == "The agent sounds mostly neutral (94.9 %)."
    soured = replace(customer, path=path(*["happy", "neutral"] * 20, *["angry", "neutral"] * 20))
    assert str(session_view.opening(soured, alone=False)).endswith(", and the mood worsens.")
    assert session_view.by_interest([agent, customer]) == [customer, agent]
    unknown = replace(agent, view=replace(agent.view, role="unknown"))
    assert str(session_view.opening(unknown, alone=False)).startswith("The voice on channel 1 sounds")
    assert str(session_view.opening(unknown, alone=True)).startswith("The voice sounds")


def test_a_silent_side_and_one_without_an_analysis_have_sentences_of_their_own(sqlite_store: Store) -> None:
    _, silent = voices(sqlite_store, call(sqlite_store, AGENT, SILENT))
    assert str(session_view.opening(silent, alone=False)) == "The customer was not heard: no speech was found."
    assert session_view.worst(silent) is None
    assert session_view.opening(replace(silent, view=replace(silent.view, analyses=())), alone=False) is None


def test_a_turn_has_the_mean_of_the_windows_in_which_its_voice_speaks(sqlite_store: Store) -> None:
    found = voices(sqlite_store, call(sqlite_store, AGENT, CUSTOMER))
    turns = session_view.spoken_turns(found)
    assert [(each.turn.side, each.turn.start_s, each.turn.end_s) for each in turns] == [
        (0, 0, 10),
        (1, 12, 18),
        (0, 20, 32),
        (1, 30, 58),
    ]
    last = turns[-1]
    customer = found[1].path
    assert customer is not None
    rows = np.arange(customer.index_at(30), customer.index_at(58) + 1)
    mean = customer.scores[rows[customer.scored[rows]]].mean(axis=0)
    assert (last.emotion, last.score) == ("angry", pytest.approx(mean.max()))


def test_a_voice_that_was_never_scored_has_turns_without_an_emotion(sqlite_store: Store) -> None:
    agent, customer = voices(sqlite_store, call(sqlite_store, AGENT, CUSTOMER))
    turns = session_view.spoken_turns([replace(agent, path=None), customer])
    assert [each.emotion for each in turns if each.turn.side == 0] == [None, None]
    assert session_view.spoken_turns([replace(agent, segments=None), customer]) == ()


def test_two_files_of_one_call_are_one_conversation_on_one_time_line(sqlite_store: Store) -> None:
    store = sqlite_store
    (first,) = call(store, replace(AGENT, role="unknown"), name="agent.wav")
    (second,) = call(store, replace(CUSTOMER, role="unknown"), name="customer.wav")
    alone = session_view.conversation(store, [first])
    assert alone is not None
    assert len(alone.voices) == 1
    editing.pair(store, first, second, offset_s=5.0)
    found = session_view.conversation(store, [first])
    assert found is not None
    assert [voice.view.clip_id for voice in found.voices] == [first, second]
    assert [voice.view.clip_id for voice in found.played] == [first]
    assert found.talk is not None
    assert found.talk.length_s == 65
    assert found.talk.stretches[1].tolist() == [[17, 23], [35, 63]]
    assert found.talk.overlaps.tolist() == [[20, 23]]  # at once they would have been 30 to 32
    assert found.missing == 0


def test_clips_that_are_gone_are_no_conversation(sqlite_store: Store) -> None:
    assert session_view.conversation(sqlite_store, [999]) is None
    assert session_view.conversation(sqlite_store, []) is None


def test_windows_are_scored_where_somebody_speaks_and_everywhere_if_that_is_not_known(sqlite_store: Store) -> None:
    _, customer = voices(sqlite_store, call(sqlite_store, AGENT, CUSTOMER))
    assert customer.path is not None
    assert not customer.path.scored[:10].any()
    assert customer.path.scored[31:55].all()
    view = reports.clip_view(sqlite_store, call(sqlite_store, CUSTOMER, name="old.wav", known=False)[0])
    assert view is not None
    (old,) = session_view.voices(sqlite_store, [view])
    assert old.path is not None
    assert old.path.scored.all()
