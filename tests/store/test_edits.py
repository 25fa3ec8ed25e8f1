"""Changes and deletions: what follows them, what they refuse, and others who save at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from emostore.errors import EmostoreError, MetadataError
from emostore.store.reports import history, reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.writing import clips, deletes, edits
from tests.store.samples import NOON, analysis, recording, row_counts


def change(store: Store, action: Callable[[Session], object]) -> object:
    with edits.changing(store) as session:
        return action(session)


def agents(store: Store) -> dict[str, str | None]:
    """Agents and their teams, by the clips that name them."""
    return {row.agent: row.team for row in history.search(store).rows if row.agent}


def sessions(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in history.search(store).rows:
        found.setdefault(row.session_name, []).append(row.file_name)
    return {name: sorted(files) for name, files in found.items()}


def add(store: Store, name: str, **about: Any) -> clips.Saved:
    return clips.save(store, analysis(name, **about))


def test_a_renamed_agent_keeps_clips_and_team(store: Store) -> None:
    add(store, "a", agent="Ann", team="North")
    change(store, lambda session: edits.rename_agent(session, "Ann", "  Anna "))
    assert agents(store) == {"Anna": "North"}
    change(store, lambda session: edits.rename_agent(session, "Anna", "Anna"))
    assert agents(store) == {"Anna": "North"}


@pytest.mark.parametrize(
    ("name", "new", "part"),
    [
        ("Ann", "Bob", "There is an agent Bob already. Merge the two"),
        ("Zoe", "Bob", "There is no agent Zoe any more"),
        ("Ann", " \t", "A name cannot be empty"),
        ("Ann", "x" * 201, "has 201 characters"),
    ],
)
def test_a_name_that_cannot_be_given_is_refused(store: Store, name: str, new: str, part: str) -> None:
    add(store, "a", agent="Ann")
    add(store, "b", agent="Bob")
    with pytest.raises(MetadataError, match=part):
        change(store, lambda session: edits.rename_agent(session, name, new))
    assert agents(store) == {"Ann": None, "Bob": None}


def test_merging_gives_all_clips_to_the_other_agent_who_takes_the_team_if_there_was_none(store: Store) -> None:
    for name, agent, team in (("a", "Ann", "North"), ("b", "Ann", None), ("c", "Bob", None)):
        add(store, name, agent=agent, team=team)
    assert change(store, lambda session: edits.merge_agents(session, "Ann", "Bob")) == 2
    assert agents(store) == {"Bob": "North"}
    assert history.options(store).agents == ("Bob",)
    for target in ("Bob", "Zoe"):
        with pytest.raises(MetadataError):
            change(store, lambda session, target=target: edits.merge_agents(session, "Bob", target))


def test_a_team_is_made_when_named_and_forgotten_when_empty(store: Store) -> None:
    add(store, "a", agent="Ann", team="North")
    assert change(store, lambda session: edits.set_team(session, "Ann", "South")) == "North"
    assert history.options(store).teams == ("South",)
    assert change(store, lambda session: edits.set_team(session, "Ann", " ")) == "South"
    assert (agents(store), history.options(store).teams) == ({"Ann": None}, ())


def test_a_renamed_session_is_the_one_that_later_uploads_join(store: Store) -> None:
    saved = add(store, "a")
    assert change(store, lambda session: edits.rename_session(session, saved.session_id, "Case 7")) == "a"
    assert add(store, "b", session_name="case 7").session_id == saved.session_id
    other = add(store, "c", session_name="Case 8")
    with pytest.raises(MetadataError, match="There is a session CASE 7 already"):
        change(store, lambda session: edits.rename_session(session, other.session_id, "CASE 7"))
    change(store, lambda session: edits.rename_session(session, saved.session_id, "CASE 7"))
    assert sessions(store) == {"CASE 7": ["a.wav", "b.wav"], "Case 8": ["c.wav"]}


def test_moved_clips_leave_no_empty_session_behind_unless_somebody_named_it(store: Store) -> None:
    first, second = add(store, "a"), add(store, "b", session_name="Monday")
    ids = [first.clip_id, second.clip_id]
    moved = change(store, lambda session: edits.move_clips(session, ids, "Tuesday"))
    assert sessions(store) == {"Tuesday": ["a.wav", "b.wav"]}
    assert [name for _, name in history.options(store).sessions] == ["Tuesday", "Monday"]
    assert row_counts(store)["recording_sessions"] == 2
    assert change(store, lambda session: edits.merge_sessions(session, moved, second.session_id)) == 2
    assert sessions(store) == {"Monday": ["a.wav", "b.wav"]}
    assert row_counts(store)["recording_sessions"] == 1


def test_a_clip_that_is_gone_stops_the_whole_change(store: Store) -> None:
    saved = add(store, "a")
    for action in (
        lambda session: edits.move_clips(session, [saved.clip_id, 999], "Monday"),
        lambda session: edits.set_role(session, [999], "agent"),
        lambda session: edits.set_agent(session, [], "Ann"),
        lambda session: edits.set_happened_at(session, 999, NOON),
        lambda session: edits.set_description(session, [999], {"domain": "room"}),
        lambda session: edits.rename_session(session, 999, "Monday"),
        lambda session: deletes.delete_session(session, 999),
        lambda session: deletes.delete_agent(session, "Zoe", with_clips=True),
    ):
        with pytest.raises(MetadataError, match="There is no"):
            change(store, action)
    assert sessions(store) == {"a": ["a.wav"]}
    assert "agents" not in row_counts(store)


def test_roles_and_agents_of_clips_can_be_corrected(store: Store) -> None:
    ids = [add(store, name).clip_id for name in "ab"]
    change(store, lambda session: edits.set_role(session, ids, "customer"))
    change(store, lambda session: edits.set_agent(session, ids[:1], "Ann"))
    rows = {row.clip_id: row for row in history.search(store).rows}
    assert [(rows[key].role, rows[key].agent) for key in ids] == [("customer", "Ann"), ("customer", None)]
    change(store, lambda session: edits.set_agent(session, ids, None))
    assert agents(store) == {}


def test_the_time_of_a_recording_is_that_of_its_clips_and_is_given_from_then_on(store: Store) -> None:
    source = recording("a", happened_at_source="upload")
    saved = [clips.save(store, analysis("a", channel, recording=source)) for channel in (0, 1)]
    view = reports.clip_view(store, saved[0].clip_id)
    assert view is not None
    later = NOON + timedelta(days=3)
    change(store, lambda session: edits.set_happened_at(session, view.recording_id, later))
    page = history.search(store, HistoryFilter(from_date=later.date()))
    assert [(row.happened_at, row.happened_at_source) for row in page.rows] == [(later, "given")] * 2
    with pytest.raises(MetadataError, match="has no time zone"):
        change(store, lambda session: edits.set_happened_at(session, view.recording_id, datetime(2026, 1, 1)))


def test_only_what_is_named_of_a_description_changes(store: Store) -> None:
    source = recording("a", scenario="teaching", domain="room", language="zh")
    saved = clips.save(store, analysis("a", recording=source))
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    changes = {"domain": None, "language": "EN_gb"}
    change(store, lambda session: edits.set_description(session, [view.recording_id], changes))
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    assert (view.scenario, view.domain, view.language) == ("teaching", None, "en-GB")


def test_a_recording_goes_with_its_last_clip_and_names_its_audio(store: Store) -> None:
    source = recording("a", media_path="audio/ab/cd")
    ids = [clips.save(store, analysis("a", channel, recording=source)).clip_id for channel in (0, 1)]
    kept = add(store, "b", session_name="Monday")
    gone = change(store, lambda session: deletes.delete_clips(session, ids[:1]))
    assert gone == deletes.Deleted(clips=1)
    gone = change(store, lambda session: deletes.delete_clips(session, [*ids, 999]))
    assert gone == deletes.Deleted(1, 1, None, ("a.wav",), ("audio/ab/cd",))
    assert sessions(store) == {"Monday": ["b.wav"]}
    counts = row_counts(store)
    assert {counts[name] for name in ("recordings", "clips", "analyses", "scores", "embeddings")} == {1}
    assert change(store, lambda session: deletes.delete_session(session, kept.session_id)) == deletes.Deleted(
        1, 1, "Monday", ("b.wav",)
    )
    assert row_counts(store).keys() == {"model_revisions", "calibrations", "active_calibrations"}


@pytest.mark.parametrize("with_clips", [True, False])
def test_an_agent_is_deleted_with_the_clips_or_without_them(store: Store, with_clips: bool) -> None:
    for name, agent in (("a", "Ann"), ("b", "Ann"), ("c", None)):
        add(store, name, agent=agent, team="North" if agent else None)
    gone = change(store, lambda session: deletes.delete_agent(session, "Ann", with_clips=with_clips))
    assert isinstance(gone, deletes.Deleted)
    assert (gone.clips, gone.name) == (2 if with_clips else 0, "Ann")
    assert reports.count_clips(store) == (1 if with_clips else 3)
    assert (agents(store), history.options(store).teams) == ({}, ())


def test_files_are_unclaimed_only_while_no_recording_names_them(store: Store) -> None:
    clips.save(store, analysis("a", recording=recording("a", media_path="audio/ab/cd")))
    with deletes.unclaimed(store, ["audio/ab/cd", "audio/ab/ef"]) as free:
        assert free == ["audio/ab/ef"]
    with deletes.unclaimed(store, []) as free:
        assert free == []


def test_clips_that_are_saved_while_their_agent_or_session_changes_are_never_lost(store: Store) -> None:
    for name in ("Ann", "Bob"):
        add(store, f"first of {name}", agent=name, session_name=name)
    barrier = threading.Barrier(3)

    def save(turn: int) -> None:
        barrier.wait()
        for number in range(10):
            add(store, f"{turn} {number}", agent="Ann", session_name="Ann")

    def shuffle() -> None:
        barrier.wait()
        for _ in range(10):
            for action in (
                lambda session: edits.merge_agents(session, "Ann", "Bob"),
                lambda session: edits.rename_agent(session, "Bob", "Ann"),
                lambda session: edits.rename_agent(session, "Ann", "Bob"),
            ):
                try:
                    change(store, action)
                except EmostoreError:  # somebody is not there, or there already, at the moment
                    continue

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(save, 0), pool.submit(save, 1), pool.submit(shuffle)]:
            done.result()
    rows = history.search(store, limit=100).rows
    assert len(rows) == 22
    assert {row.agent for row in rows} <= {"Ann", "Bob"}


def test_clips_that_are_saved_while_others_are_deleted_are_whole(store: Store) -> None:
    barrier = threading.Barrier(2)
    stop = threading.Event()

    def delete() -> None:
        barrier.wait()
        while not stop.is_set():
            found = [row.clip_id for row in history.search(store, limit=5).rows]
            with edits.changing(store) as session:
                deletes.delete_clips(session, found)

    with ThreadPoolExecutor(1) as pool:
        deleting = pool.submit(delete)
        barrier.wait()
        for _ in range(15):
            for channel in (0, 1):
                add(store, "a", channel=channel, session_name="Monday")
                add(store, "b", channel=channel)
        stop.set()
        deleting.result()
    assert reports.count_clips(store) == sum(len(files) for files in sessions(store).values())
