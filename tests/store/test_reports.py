"""Lists of clips, and how many statements the store sends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from emostore.store.reports import reports
from emostore.store.session import Store
from emostore.store.writing import clips
from tests.store.samples import NOON, OTHER_MODEL, analysis, recording, statements


def test_an_empty_store_has_no_clips(store: Store) -> None:
    assert reports.count_clips(store) == 0
    assert reports.latest_clips(store) == reports.ClipPage((), None)
    assert reports.clip_view(store, 1) is None
    assert reports.window_logits(store, 1) is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_of_any_size_show_every_clip_once_the_latest_first(store: Store, limit: int) -> None:
    times = [
        NOON,
        NOON - timedelta(days=2),
        NOON,
        NOON + timedelta(microseconds=1),
        NOON,
        NOON - timedelta(days=1),
        NOON,
    ]
    saved = clips.save_many(
        store, [analysis(i, recording=recording(i, happened_at=time)) for i, time in enumerate(times)]
    )
    expected = sorted(((time, answer.clip_id) for time, answer in zip(times, saved, strict=True)), reverse=True)
    shown: list[tuple[object, int]] = []
    page = reports.latest_clips(store, limit)
    shown += [(row.happened_at, row.clip_id) for row in page.rows]
    while page.next is not None:
        assert len(page.rows) == limit
        page = reports.latest_clips(store, limit, page.next)
        shown += [(row.happened_at, row.clip_id) for row in page.rows]
    assert shown == expected


def test_a_clip_that_arrives_meanwhile_shifts_no_page(store: Store) -> None:
    clips.save_many(
        store, [analysis(i, recording=recording(i, happened_at=NOON + timedelta(hours=i))) for i in range(4)]
    )
    first = reports.latest_clips(store, 2)
    clips.save(store, analysis("late", recording=recording("late", happened_at=NOON + timedelta(days=1))))
    second = reports.latest_clips(store, 2, first.next)
    assert [row.file_name for row in (*first.rows, *second.rows)] == ["3.wav", "2.wav", "1.wav", "0.wav"]


def test_a_row_shows_the_newest_analysis_of_its_clip(store: Store) -> None:
    clips.save(store, analysis(agent="Ann"))
    newer = clips.save(store, analysis(model=OTHER_MODEL, analysed_at=NOON + timedelta(days=1)))
    older = clips.save(store, analysis("quiet", outcome=clips.NoSpeech("too_short")))
    rows = {row.clip_id: row for row in reports.latest_clips(store).rows}
    assert len(rows) == 2
    row = rows[newer.clip_id]
    assert (row.analysis_id, row.model, row.agent, row.status) == (
        newer.analysis_id,
        OTHER_MODEL.name,
        "Ann",
        "analysed",
    )
    assert row.scores is not None
    quiet = rows[older.clip_id]
    assert (quiet.status, quiet.no_speech_reason, quiet.scores) == ("no_speech", "too_short", None)


def test_the_number_of_statements_does_not_grow_with_the_number_of_clips(store: Store) -> None:
    clips.save(store, analysis("first"))  # makes the model's calibration and the pointer to it
    counts = []
    for group, size in (("few", 2), ("many", 120)):
        items = [analysis(f"{group} {i}", agent=f"{group} {i}", team=f"{group} {i % 3}") for i in range(size)]
        with statements(store) as saving:
            saved = clips.save_many(store, items)
        with statements(store) as saving_again:
            clips.save_many(store, items)
        with statements(store) as listing:
            reports.latest_clips(store, size)
        with statements(store) as showing:
            reports.clip_view(store, saved[0].clip_id)
        counts.append(tuple(map(len, (saving, saving_again, listing, showing))))
    assert counts[0] == counts[1]


def test_no_report_reads_embeddings_or_windows_it_does_not_show(store: Store) -> None:
    saved = clips.save(store, analysis())
    with statements(store) as sent:
        reports.clip_view(store, saved.clip_id)
        reports.latest_clips(store)
        reports.count_clips(store)
    assert sent
    assert not [statement for statement in sent if "embeddings" in statement or "window_logits" in statement]
