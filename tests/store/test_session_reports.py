"""What a session holds, in the order of time."""

from __future__ import annotations

from datetime import timedelta

from emostore.store.reports import reports, session_reports
from emostore.store.session import Store
from emostore.store.writing import clips
from tests.store.samples import NOON, analysis, recording


def test_a_session_lists_its_recordings_by_time_each_with_its_clips_by_channel(store: Store) -> None:
    late = recording("late", happened_at=NOON + timedelta(days=1))
    early = recording("early", happened_at=NOON - timedelta(days=1))
    saved = clips.save_many(
        store,
        [
            analysis("late", 1, recording=late, session_name="Case 7", role="customer"),
            analysis("late", 0, recording=late, session_name="case 7", role="agent"),
            analysis("early", 0, recording=early, session_name="Case 7"),
            analysis("another", session_name="Case 8"),
        ],
    )
    session_id = _session_of(store, saved[0].clip_id)
    found = session_reports.session_view(store, session_id)
    assert found is not None
    assert (found.name, found.count) == ("Case 7", 2)
    assert [[row.clip_id for row in each.clips] for each in found.recordings] == [
        [saved[2].clip_id],
        [saved[1].clip_id, saved[0].clip_id],
    ]
    assert [each.happened_at for each in found.recordings] == [early.happened_at, late.happened_at]

    short = session_reports.session_view(store, session_id, limit=1)
    assert short is not None
    assert (short.count, len(short.recordings)) == (2, 1)

    wanted = found.recordings[1].recording_id
    assert session_reports.clips_of(store, session_id, wanted) == (saved[1].clip_id, saved[0].clip_id)
    assert session_reports.clips_of(store, _session_of(store, saved[3].clip_id), wanted) == ()
    assert session_reports.session_view(store, session_id + 1000) is None


def _session_of(store: Store, clip_id: int) -> int:
    return reports.clip_rows(store, [clip_id])[clip_id].session_id
