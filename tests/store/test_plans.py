"""What the databases mean to do for each page on a hundred thousand clips: never read all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from emostore.analytics.alerts import DEFAULT_RULES
from emostore.services import alerting
from emostore.store.reports import agent_reports, alert_reports, comparing, history, overview, reports
from emostore.store.reports.alert_reports import AlertFilter
from emostore.store.reports.history import EmotionGroup, HistoryFilter
from emostore.store.reports.views import ClipCursor
from emostore.store.session import Store
from tests.store import many

LAST = (many.FIRST + timedelta(minutes=5 * many.CLIPS)).date()
RECENT = {"from_date": LAST - timedelta(days=89), "to_date": LAST}
BIG = ("scores", "clips", "analyses", "recordings", "recording_sessions", "alerts", "rollups", "rollup_clusters")
ALLOWED = r"happened_at|_no_speech|_named|COVERING INDEX ix_alerts_(rule_id_state|clip_id)"
MOST_READ = 30_000  # rows of 100,000: what is counted of a page, twice over, and the clips of some months
MIDDLE = ClipCursor(datetime(2026, 6, 1, tzinfo=UTC), 50_000)

TENSE = EmotionGroup("tense", ("angry", "sad"))
FILTERS: list[dict[str, Any]] = [
    {},
    RECENT,
    {"agent": "Agent 7"},
    {"agent": "Agent 7", "emotion": "neutral", "role": "customer", **RECENT},
    {"team": "Team 3", **RECENT},
    {"team": "Team 3", "emotion": "disgusted"},
    {"session_id": 77},
    {"emotion": "neutral"},
    {"emotion": "disgusted"},
    {"emotion": "disgusted", "role": "agent", "model": ("m", "1"), **RECENT},
    {"role": "unknown"},
    {"role": "unknown", "emotion": "happy", **RECENT},
    {"scores": (("angry", 0.39, 1.0),)},
    {"scores": (("angry", 0.3, 1.0), ("sad", 0.3, 1.0)), **RECENT},
    {"scores": (("angry", 0.39, 1.0),), "agent": "Agent 7"},
    {"group": TENSE},
    {"group": EmotionGroup("rare", ("disgusted", "surprised")), **RECENT},
    {"group_sum": (TENSE, 0.7, 1.0)},
    {"group_sum": (TENSE, 0.7, 1.0), "group": TENSE, "agent": "Agent 7"},
    {"alert": "open"},
    {"alert": "open", "team": "Team 3", "emotion": "neutral", **RECENT},
    {"alert": "any", "agent": "Agent 7"},
    {"status": "no_speech"},
    {"model": ("m", "1"), "emotion": "disgusted"},
]


@pytest.fixture
def crowded(store: Store) -> Store:
    many.fill(store)
    return store


@contextmanager
def sent(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements with their parameters that are sent while the block runs."""
    found: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            found.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", keep)
    try:
        yield found
    finally:
        event.remove(store.engine, "before_cursor_execute", keep)


def too_much(store: Store, statement: str, parameters: Any) -> list[str]:
    """Where a statement reads a big table from end to end.

    SQLite tells what it means to do; walking an index of times is how a page of the latest begins, and ends
    after as many as are shown. PostgreSQL tells how many rows each step really read.
    """
    lite = store.engine.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if lite else "EXPLAIN (ANALYZE, FORMAT JSON) "
    with store.reading() as session:
        rows = session.connection().exec_driver_sql(explain + statement, parameters).all()
    if lite:
        scans = [re.match(r"SCAN (\w+)(.*)", row[-1]) for row in rows]
        return [scan[0] for scan in scans if scan and scan[1] in BIG and not re.search(ALLOWED, scan[2])]
    plan = rows[0][0]
    return list(steps((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def steps(node: dict[str, Any]) -> Iterator[str]:
    """The steps of a plan that read more of a big table than a page needs."""
    read = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    if node.get("Relation Name") in BIG and read > MOST_READ:
        yield f"{node['Node Type']} of {node['Relation Name']}: {read} rows"
    for below in node.get("Plans", ()):
        yield from steps(below)


def test_no_page_reads_all_clips_or_scores(crowded: Store) -> None:
    store = crowded
    whens = (date(2026, 2, 3), LAST)
    pages: list[tuple[object, Callable[[], object]]] = [
        *((wanted, lambda wanted=wanted: history.search(store, HistoryFilter(**wanted))) for wanted in FILTERS),
        *(
            (wanted, lambda wanted=wanted: history.search(store, HistoryFilter(**wanted), before=MIDDLE))
            for wanted in FILTERS
        ),
        ("options", lambda: history.options(store)),
        ("newest", lambda: reports.latest_clips(store, 8)),
        ("header", lambda: agent_reports.agent_header(store, "Agent 7", from_date=whens[0], to_date=whens[1])),
        ("header by week", lambda: agent_reports.agent_header(store, "Agent 7", by_week=True)),
        ("leaderboard", lambda: agent_reports.leaderboard(store, from_date=whens[0], to_date=whens[1])),
        ("leaderboard of a team", lambda: agent_reports.leaderboard(store, team="Team 3")),
        ("overview", lambda: overview.overview(store, LAST)),
        ("agent", lambda: comparing.compare_item(store, "agent", "Agent 7", from_date=whens[0], roles=("customer",))),
        ("session", lambda: comparing.compare_item(store, "session", 77)),
        ("clip", lambda: comparing.compare_item(store, "clip", 77)),
        ("queue", lambda: alert_reports.queue(store)),
        ("open queue", lambda: alert_reports.queue(store, AlertFilter(state="open", severity="high", agent="Agent 7"))),
        ("feedback", lambda: alert_reports.feedback(store)),
        ("preview", lambda: alerting.preview(store, DEFAULT_RULES[0], from_date=LAST - timedelta(days=29))),
    ]
    found = {}
    for name, page in pages:
        with sent(store) as statements:
            page()
        assert statements, name
        for statement, parameters in statements:
            if bad := too_much(store, statement, parameters):
                found[str(name), statement] = bad
    assert not found, "\n\n".join(f"{name}: {bad}\n{sql}" for (name, sql), bad in found.items())
