"""Who did what: events come and go with the transaction they tell about."""

from __future__ import annotations

import pytest

from emostore.store import audit
from emostore.store.session import Store
from emostore.store.writing import clips
from tests.store.samples import analysis, row_counts


def test_an_event_tells_who_did_what_to_which_object_and_when(store: Store) -> None:
    with store.transaction() as session:
        audit.record(session, " Ana\x00 ", "renamed", "agent", 7, {"from": "A", "to": "B"})
    (row,) = audit.page(store).rows
    assert (row.user, row.action, row.object_type, row.object_id) == ("Ana", "renamed", "agent", "7")
    assert row.details == {"from": "A", "to": "B"}
    assert row.happened_at.utcoffset() is not None


def test_an_event_of_something_that_failed_is_not_there(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as session:
            audit.record(session, "Ana", "deleted", "clip", 1)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert audit.page(store).rows == ()


def test_events_are_shown_page_by_page_the_latest_first(store: Store) -> None:
    with store.transaction() as session:
        for number in range(5):
            audit.record(session, "Ana", "deleted", "clip", number)
    first = audit.page(store, 2)
    second = audit.page(store, 2, first.next)
    third = audit.page(store, 2, second.next)
    assert [row.object_id for page in (first, second, third) for row in page.rows] == ["4", "3", "2", "1", "0"]
    assert third.next is None


def test_each_new_recording_is_one_event_with_its_file_and_the_user(store: Store) -> None:
    clips.save(store, analysis("a", 0), "Ana")
    clips.save(store, analysis("a", 1), "Bob")
    clips.save(store, analysis("a", 0), "Bob")
    clips.save_many(store, [analysis("b"), analysis("c")], "Cho")
    events = sorted(audit.page(store).rows, key=lambda row: str(row.details["file"]))
    assert [(row.user, row.action, row.details["file"]) for row in events] == [
        ("Ana", "analysed", "a.wav"),
        ("Cho", "analysed", "b.wav"),
        ("Cho", "analysed", "c.wav"),
    ]


def test_without_a_user_nothing_is_written_down(store: Store) -> None:
    clips.save(store, analysis())
    assert "audit_events" not in row_counts(store)
