"""The history: filters, pages in both directions, and what it costs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from emostore.emotions import EMOTIONS
from emostore.store.reports import history, history_query, reports
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.views import ClipCursor
from emostore.store.session import Store
from emostore.store.tables.models import Base
from emostore.store.writing import clips
from tests.store.samples import MODEL, NOON, OTHER_MODEL, analysed, analysis, recording, statements


def logits(emotion: str) -> np.ndarray:
    return np.array([5.0 if name == emotion else 0.0 for name in EMOTIONS], np.float32)


@pytest.fixture
def filled(store: Store) -> Store:
    def add(name: str, emotion: str, hours: int, **about: object) -> clips.NewAnalysis:
        of_recording = {key: about.pop(key) for key in ("scenario", "domain", "language") if key in about}
        source = recording(name, happened_at=NOON + timedelta(hours=hours), **of_recording)
        return analysis(name, recording=source, outcome=analysed(logits(emotion)), **about)

    clips.save_many(
        store,
        [
            add("a", "angry", 0, agent="Ann", team="North", role="agent", scenario="teaching", language="zh"),
            add("b", "happy", 1, agent="Ann", team="North", role="customer", domain="phone"),
            add("c", "happy", 2, agent="Bob", team="South", session_name="Case 7", scenario="general"),
            add("d", "sad", 24, session_name="case 7"),
        ],
    )
    clips.save(store, analysis("e", recording=recording("e", happened_at=NOON), outcome=clips.NoSpeech("silence")))
    return store


def names(page: history.HistoryPage) -> list[str]:
    return [row.file_name.removesuffix(".wav") for row in page.rows]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "dcbea"),
        ({"agent": "Ann"}, "ba"),
        ({"agent": "Nobody"}, ""),
        ({"team": "South"}, "c"),
        ({"emotion": "happy"}, "cb"),
        ({"emotion": "happy", "agent": "Ann"}, "b"),
        ({"role": "customer"}, "b"),
        ({"status": "no_speech"}, "e"),
        ({"scenario": "teaching"}, "a"),
        ({"domain": "phone"}, "b"),
        ({"language": "zh"}, "a"),
        ({"from_date": date(2026, 3, 2)}, "d"),
        ({"to_date": date(2026, 3, 1)}, "cbea"),
        ({"from_date": date(2026, 3, 1), "to_date": date(2026, 3, 1), "team": "North"}, "ba"),
        ({"model": (MODEL.name, MODEL.revision)}, "dcbea"),
        ({"model": (OTHER_MODEL.name, OTHER_MODEL.revision)}, ""),
        ({"to_date": date.max, "from_date": date.min, "time_zone": "Asia/Shanghai"}, "dcbea"),
    ],
)
def test_a_filter_shows_the_clips_that_fit_and_counts_them(
    filled: Store, wanted: dict[str, object], expected: str
) -> None:
    page = history.search(filled, HistoryFilter(**wanted))  # type: ignore[arg-type]
    assert names(page) == list(expected)
    assert (page.count, page.more, page.next, page.previous) == (len(expected), False, None, None)


def test_a_session_is_found_by_its_id_and_offered_by_its_name(filled: Store) -> None:
    found = history.options(filled)
    ((identifier, name),) = found.sessions
    assert name == "Case 7"
    assert names(history.search(filled, HistoryFilter(session_id=identifier))) == ["d", "c"]
    assert (found.agents, found.teams) == (("Ann", "Bob"), ("North", "South"))
    assert found.models == ((MODEL.name, MODEL.revision),)


def test_a_row_says_what_the_call_was(filled: Store) -> None:
    row = history.search(filled, HistoryFilter(scenario="teaching")).rows[0]
    assert (row.team, row.scenario, row.domain, row.language, row.media_kind) == ("North", "teaching", None, "zh", None)
    assert row.scores is not None
    assert row.scores.dominant == "angry"


def test_a_day_begins_at_midnight_of_the_reporting_time_zone(store: Store) -> None:
    times = {"evening": datetime(2026, 3, 1, 15, 59, tzinfo=UTC), "night": datetime(2026, 3, 1, 16, 0, tzinfo=UTC)}
    clips.save_many(
        store, [analysis(name, recording=recording(name, happened_at=time)) for name, time in times.items()]
    )
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    in_shanghai = HistoryFilter(from_date=first, to_date=first, time_zone="Asia/Shanghai")
    assert names(history.search(store, in_shanghai)) == ["evening"]
    assert names(history.search(store, HistoryFilter(from_date=second, time_zone="Asia/Shanghai"))) == ["night"]
    assert names(history.search(store, HistoryFilter(to_date=first))) == ["night", "evening"]


def test_with_a_model_its_own_results_are_shown_and_asked_about(store: Store) -> None:
    clips.save(store, analysis("a", outcome=analysed(logits("angry"))))
    newer = analysed(logits("happy"), model=OTHER_MODEL)
    clips.save(store, analysis("a", model=OTHER_MODEL, outcome=newer, analysed_at=NOON + timedelta(days=1)))
    shown = [
        [row.scores.dominant for row in history.search(store, wanted).rows if row.scores]
        for wanted in (
            HistoryFilter(),
            HistoryFilter(model=(MODEL.name, MODEL.revision)),
            HistoryFilter(emotion="angry"),
            HistoryFilter(emotion="angry", model=(MODEL.name, MODEL.revision)),
        )
    ]
    assert shown == [["happy"], ["angry"], [], ["angry"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_lead_through_every_clip_once_and_back_again(store: Store, limit: int) -> None:
    hours = [0, 0, 0, 1, 1, 2, 0]
    clips.save_many(
        store,
        [analysis(i, recording=recording(i, happened_at=NOON + timedelta(hours=hour))) for i, hour in enumerate(hours)],
    )
    everything = names(history.search(store))
    page = history.search(store, limit=limit)
    assert page.previous is None
    seen = [page]
    while page.next:
        page = history.search(store, limit=limit, before=history.read_cursor(history.write_cursor(page.next)))
        seen.append(page)
    assert [name for each in seen for name in names(each)] == everything
    for earlier in reversed(seen[:-1]):
        assert page.previous is not None
        page = history.search(store, limit=limit, after=page.previous)
        assert (page.rows, page.next, page.previous) == (earlier.rows, earlier.next, earlier.previous)


def test_a_cursor_behind_which_nothing_is_left_shows_the_first_page(filled: Store) -> None:
    nowhere = ClipCursor(datetime(1999, 1, 1, tzinfo=UTC), 1)
    assert names(history.search(filled, before=nowhere)) == names(history.search(filled))


@pytest.mark.parametrize("text", [None, "", "x", "20260301T120000000000Z", "20260301T120000000000Z-²", "-1", "1-1"])
def test_a_cursor_that_nobody_wrote_is_none(text: str | None) -> None:
    assert history.read_cursor(text) is None


def test_the_counts_tell_how_much_is_stored(filled: Store) -> None:
    clips.save(filled, analysis("f", speech_s=2.5))
    assert reports.counts(filled) == reports.Counts(recordings=6, clips=6, agents=2, sessions=5, speech_s=2.5)


def fill_fast(store: Store, count: int) -> None:
    """Many clips with scores, copied from the first by the database itself."""
    clips.save(store, analysis("first", agent="Ann", session_name="All"))
    if store.engine.name == "sqlite":
        sha256 = "printf('%064d', i)"
        moment = "strftime('%Y-%m-%d %H:%M:%f000', '2026-01-01', '+' || i || ' minutes')"
    else:
        sha256 = "lpad(i::text, 64, '0')"
        moment = "timestamptz '2026-01-01 00:00Z' + i * interval '1 minute'"
    changes = {
        "recordings": {"id": "i", "sha256": sha256, "happened_at": moment},
        "clips": {"id": "i", "recording_id": "i", "happened_at": moment},
        "analyses": {"id": "i", "clip_id": "i"},
        "scores": {"analysis_id": "i", "clip_id": "i", "happened_at": moment},
    }
    with store.transaction() as session:
        for table, changed in changes.items():
            names = Base.metadata.tables[table].columns.keys()
            values = ", ".join(changed.get(name, f"old.{name}") for name in names)
            numbers = f"WITH RECURSIVE number(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM number WHERE i < {count})"
            source = f"{numbers} SELECT {values} FROM number, {table} old WHERE old.{next(iter(changed))} = 1"
            session.execute(text(f"INSERT INTO {table} ({', '.join(names)}) {source}"))
    with store.transaction() as session:
        session.execute(text("ANALYZE"))


def test_the_first_page_of_many_clips_reads_no_scores_but_those_it_shows(store: Store) -> None:
    fill_fast(store, 20_000)
    with statements(store) as sent:
        page = history.search(store)
    assert (len(page.rows), page.count, page.more) == (50, history.COUNTED, True)
    assert len([statement for statement in sent if statement != "BEGIN"]) == 2
    with store.reading() as session:
        chosen = history._page(history_query.prepare(session, HistoryFilter()), 50)
    statement = str(chosen.compile(store.engine, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN " if store.engine.name == "sqlite" else "EXPLAIN "
    with store.reading() as session:
        plan = "\n".join(" ".join(map(str, row)) for row in session.execute(text(explain + statement)))
    for table in ("scores", "analyses", "clips", "recordings"):
        assert not re.search(rf"SCAN {table}(?! USING)|Seq Scan on {table}", plan), plan
    assert "happened_at" in plan


def test_the_number_of_statements_does_not_grow_with_the_number_of_clips(store: Store) -> None:
    counts = []
    for size in (60, 150):
        clips.save_many(store, [analysis(f"{size} {i}") for i in range(size)])
        with statements(store) as sent:
            history.search(store, HistoryFilter(emotion="happy", agent=None))
            history.options(store)
        counts.append(len(sent))
    assert counts[0] == counts[1]
