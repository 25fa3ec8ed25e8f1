"""The sides of a call: where somebody speaks in a clip, swapping the sides, making one call of two files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from emostore.analytics.alerts import AlertRule
from emostore.errors import MetadataError
from emostore.services import alerting, editing
from emostore.store import audit
from emostore.store.reports import agent_reports, alert_reports, reports
from emostore.store.reports.report_views import LeaderboardRow
from emostore.store.session import Store
from emostore.store.tables import models
from emostore.store.tables.models import MAX_SEGMENTS
from emostore.store.writing import clips, deletes, edits
from tests.store import rollup_oracle
from tests.store.samples import OTHER_MODEL, analysis, recording, row_counts
from tests.store.test_alerting import MODEL_OF_NINE, outcome

SEGMENTS = np.array([[0.1, 1 / 3], [0.5, 2.0]])


def test_where_somebody_speaks_comes_back_bit_for_bit_and_only_where_it_is_known(store: Store) -> None:
    known, silent, unknown = clips.save_many(
        store,
        [analysis("a", segments=SEGMENTS), analysis("b", segments=np.empty((0, 2))), analysis("c")],
    )
    found = reports.speech_segments(store, [known.clip_id, silent.clip_id, unknown.clip_id, 999])
    assert found.keys() == {known.clip_id, silent.clip_id}
    assert found[known.clip_id].dtype == np.float64
    assert found[known.clip_id].tolist() == SEGMENTS.tolist()
    assert found[silent.clip_id].shape == (0, 2)


def test_a_later_analysis_tells_where_somebody_speaks_unless_that_is_known(store: Store) -> None:
    clip_id = clips.save(store, analysis("a")).clip_id
    clips.save(store, analysis("a", model=OTHER_MODEL, segments=SEGMENTS))
    clips.save(store, analysis("a", segments=SEGMENTS + 1))
    assert reports.speech_segments(store, [clip_id])[clip_id].tolist() == SEGMENTS.tolist()
    assert row_counts(store)["clip_speech"] == 1


@pytest.mark.parametrize(
    "segments",
    [
        np.zeros((3,)),
        np.zeros((MAX_SEGMENTS + 1, 2)),
        np.array([[1.0, 0.5]]),
        np.array([[0.0, 2.0], [1.0, 3.0]]),
        np.array([[-0.1, 1.0]]),
        np.array([[0.0, np.nan]]),
    ],
)
def test_segments_that_are_none_are_refused(segments: np.ndarray) -> None:
    with pytest.raises(ValueError, match="segments must"):
        analysis("a", segments=segments)


def save(store: Store, name: str, channel: int, role: str, angry: float, **about: Any) -> int:
    made = analysis(name, channel, outcome=outcome(angry), model=MODEL_OF_NINE, role=role, speech_s=4.0, **about)
    assert isinstance(made.outcome, clips.Analysed)
    found = alerting.raised(
        alerting.active_rules(store), made.outcome.scores, role=made.clip.role, speech_s=4.0, windows=None
    )
    return clips.save(store, replace(made, alerts=found)).clip_id


def mono(store: Store, name: str, role: str = "unknown", angry: float = 0.3, **about: Any) -> int:
    return save(store, name, 0, role, angry, recording=recording(name, channel_count=1), **about)


def view(store: Store, clip_id: int) -> reports.ClipView:
    found = reports.clip_view(store, clip_id)
    assert found is not None
    return found


def board(store: Store) -> tuple[LeaderboardRow, ...]:
    return agent_reports.leaderboard(store).rows


def rows_of_clips(store: Store) -> list[tuple[Any, ...]]:
    with store.reading() as session:
        clip_rows = session.execute(select(*models.Clip.__table__.columns).order_by(models.Clip.id)).all()
        sessions = session.execute(select(*models.RecordingSession.__table__.columns)).all()
    return [tuple(row) for row in [*clip_rows, *sorted(sessions)]]


def told(store: Store) -> list[tuple[Any, ...]]:
    """What alerts say, without their numbers and their times."""
    page = alert_reports.queue(store, alert_reports.AlertFilter())
    return sorted((row.clip_id, row.rule, row.value) for row in page.rows)


def exact(store: Store) -> bool:
    return rollup_oracle.stored(store) == rollup_oracle.recomputed(store)


def test_swapping_the_sides_moves_reports_and_alerts_along_and_twice_restores_everything(store: Store) -> None:
    for name, agent in (("a", "Ann"), ("b", "Bob"), ("c", "Ann")):
        save(store, name, 0, "agent", 0.9 if name == "a" else 0.1, agent=agent)
        save(store, name, 1, "customer", 0.3, agent=agent)
    left = next(row.clip_id for row in reports.latest_clips(store).rows if (row.file_name, row.channel) == ("a.wav", 0))
    recording_id = view(store, left).recording_id
    before = (rows_of_clips(store), rollup_oracle.stored(store), told(store))
    assert told(store) == []  # the rule holds for customers
    editing.swap_roles(store, recording_id)

    assert [view(store, clip_id).role for _, clip_id in view(store, left).siblings] == ["customer", "agent"]
    assert exact(store)
    assert [row[0] for row in told(store)] == [left]
    swapped = board(store)
    assert [(row.agent, row.clips, row.alerts) for row in swapped] == [("Ann", 2, 1), ("Bob", 1, 0)]
    event = audit.page(store).rows[0]
    assert (event.action, event.object_type, event.details["what"]) == ("changed", "recording", "sides")

    editing.swap_roles(store, recording_id)
    assert (rows_of_clips(store), rollup_oracle.stored(store), told(store)) == before
    with edits.changing(store) as session:
        deletes.delete_clips(session, [clip_id for _, clip_id in view(store, left).siblings])
    for channel, role, angry in ((0, "customer", 0.9), (1, "agent", 0.3)):
        save(store, "a", channel, role, angry, agent="Ann")
    assert board(store) == swapped  # as if it had been so from the start


def test_the_agent_goes_with_the_side_where_only_one_of_them_has_one(store: Store) -> None:
    left, right = (save(store, "a", n, role, 0.1) for n, role in ((0, "agent"), (1, "customer")))
    editing.set_agent(store, [left], "Ann")
    editing.swap_roles(store, view(store, left).recording_id)
    found = [(each.role, each.agent) for each in (view(store, left), view(store, right))]
    assert found == [("customer", None), ("agent", "Ann")]
    assert exact(store)


def test_what_has_not_two_sides_is_not_swapped(store: Store) -> None:
    alone = mono(store, "a")
    many = [save(store, "m", n, "mixed", 0.1, recording=recording("m", channel_count=3)) for n in range(3)]
    before = rows_of_clips(store)
    for clip_id, found in ((alone, 1), (many[0], 3)):
        with pytest.raises(MetadataError, match=f"this recording has {found}"):
            editing.swap_roles(store, view(store, clip_id).recording_id)
    assert rows_of_clips(store) == before


def test_two_files_become_the_sides_of_one_call_and_part_again_as_they_were(store: Store) -> None:
    first = mono(store, "x_agent", agent="Ann", angry=0.9)
    second = mono(store, "x_caller", "mixed", 0.9, session_name="Case 7")
    before = (rows_of_clips(store), rollup_oracle.stored(store), told(store))

    session_id = editing.pair(store, first, second, -2.5)

    one, two = view(store, first), view(store, second)
    assert (one.role, two.role, one.agent, two.agent) == ("agent", "customer", "Ann", "Ann")
    assert (one.starts_s, two.starts_s) == (2.5, 0.0)
    assert (one.partner_id, two.partner_id) == (second, first)
    assert one.session_id == two.session_id == session_id
    assert [row[0] for row in told(store)] == [second]
    assert exact(store)

    editing.swap_roles(store, one.recording_id)
    assert [view(store, each).role for each in (first, second)] == ["customer", "agent"]
    assert exact(store)

    editing.unpair(store, second)
    assert [(each.role, each.agent, each.starts_s) for each in (view(store, first), view(store, second))] == [
        ("unknown", "Ann", 0.0),
        ("mixed", None, 0.0),
    ]
    assert (rows_of_clips(store), rollup_oracle.stored(store), told(store)) == before
    with pytest.raises(MetadataError, match="not paired"):
        editing.unpair(store, first)


def test_a_session_that_pairing_emptied_is_there_again_and_a_clip_moved_since_stays(store: Store) -> None:
    first, second, third, fourth = (mono(store, name) for name in "abcd")
    was = view(store, second)
    editing.pair(store, first, second)
    assert view(store, second).session_id == view(store, first).session_id
    editing.unpair(store, first)
    again = view(store, second)
    assert (again.session_name, again.role) == (was.session_name, "unknown")
    assert again.session_id != view(store, first).session_id
    editing.pair(store, third, fourth)
    editing.move_clips_to_session(store, [fourth], "Elsewhere")
    editing.unpair(store, third)
    assert view(store, fourth).session_name == "Elsewhere"
    assert exact(store)


def test_what_is_no_pair_is_refused_with_a_sentence_and_nothing_changes(store: Store) -> None:
    first, second, third = (mono(store, name) for name in "abc")
    left, right = (save(store, "two", n, "unknown", 0.1) for n in (0, 1))
    editing.pair(store, first, second)
    before = rows_of_clips(store)
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: editing.pair(store, first, third), "a.wav is paired with another file already"),
        (lambda: editing.pair(store, third, second), "b.wav is paired with another file already"),
        (lambda: editing.pair(store, third, left), "two.wav holds 2 voices already"),
        (lambda: editing.pair(store, left, right), "two.wav cannot be paired with itself"),
        (lambda: editing.pair(store, third, 999), "no such clip"),
        (lambda: editing.pair(store, third, third), "cannot be paired with itself"),
        (lambda: editing.pair(store, third, left, float("nan")), "at most 86400"),
        (lambda: editing.pair(store, third, left, roles=("boss", "agent")), "'boss' is not allowed for role"),  # type: ignore[arg-type]
    ]
    for attempt, sentence in refused:
        with pytest.raises(MetadataError, match=sentence):
            attempt()
    assert rows_of_clips(store) == before
    with edits.changing(store) as session:
        deletes.delete_clips(session, [second])
    assert view(store, first).partner_id is None
    fourth = mono(store, "d")
    editing.pair(store, first, fourth, -2.0)
    assert view(store, first).starts_s == 2.0
    with edits.changing(store) as session:
        deletes.delete_clips(session, [fourth])
    assert (view(store, first).starts_s, view(store, first).role) == (0.0, "agent")


def test_windows_without_speech_raise_no_sustained_alert_where_it_is_known_where_speech_is(store: Store) -> None:
    rule = AlertRule("Long anger", ("angry",), ">", 0.6, sustained_s=3.0, roles=())
    alerting.save_rule(store, rule)
    windows = clips.NewWindows(np.tile(outcome(0.9).logits, (10, 1)), 1.0, 3.0)
    said = replace(outcome(0.1), windows=windows)
    about: dict[str, Any] = {"model": MODEL_OF_NINE, "outcome": said, "speech_s": 4.0, "role": "customer"}
    spoken = np.array([[0.0, 1.0], [5.0, 12.0]])  # windows 0 and 3 to 9: those of a pause end a stretch
    known = clips.save(store, analysis("a", segments=spoken, **about)).clip_id
    unknown = clips.save(store, analysis("b", **about)).clip_id
    alerting.apply(store, "Long anger")
    rows = alert_reports.queue(store, alert_reports.AlertFilter(rule="Long anger")).rows
    assert {row.clip_id: (row.start_s, row.end_s) for row in rows} == {known: (4.0, 11.0), unknown: (0.0, 11.0)}
