"""How fast a calibration is brought into use, and how long others wait for it, on SQLite and PostgreSQL.

python -m benchmarks.rescoring [--clips 50000] [--agents 200] [--days 365] [--databases sqlite postgresql]
    [--folder PATH] [--json PATH]

The clips are the invented call centre of `python -m emostore demo`. While its scores are written somebody else saves a
small change again and again; how long the slowest of these took is the second figure.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from benchmarks.store import filled, postgresql
from emostore.analytics.calibration import Calibration, Scaling
from emostore.services.calibration import calibrating
from emostore.store.calibration import calibrations, rescoring
from emostore.store.session import Store
from emostore.store.tables.models import Agent

GOALS = {"sqlite": 20_000, "postgresql": 8_000}  # analyses a second
EVERY_S = 0.02  # between two changes of the other writer


def measure(store: Store, clips: int) -> dict[str, Any]:
    """Score everything under a new calibration and flip; alerts, which follow, are not counted."""
    model = calibrations.listed(store)[0].model
    new = calibrating.create(store, model, "cool", Calibration(scaling=Scaling.of_temperature(3)))
    with store.transaction() as session:
        calibrations.begin(session, new)
    with other_writer(store) as waits:
        began = time.perf_counter()
        calibrating.finish(store, lambda: calibrations.get(store, new).state != "scoring")
        took = time.perf_counter() - began
    _, total = rescoring.progress(store, new)
    return {
        "database": store.engine.name,
        "clips": clips,
        "analyses": total,
        "analyses/s": round(total / took),
        "goal": GOALS[store.engine.name],
        "longest wait, s": round(max(waits), 2),  # of which the goal is at most 1
    }


@contextmanager
def other_writer(store: Store) -> Iterator[list[float]]:
    """Somebody who writes all the time; the seconds that each change took."""
    stop, waits = threading.Event(), [0.0]

    def write() -> None:
        while not stop.wait(EVERY_S):
            began = time.perf_counter()
            with store.transaction() as session:
                first = session.scalars(select(Agent.id).order_by(Agent.id).limit(1)).one()
                session.execute(update(Agent).where(Agent.id == first).values(name=Agent.name))
            waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield waits
    finally:
        stop.set()
        thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--databases", nargs="+", choices=list(GOALS), default=list(GOALS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    gc.collect()
    gc.freeze()  # as the server does
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        for kind in given.databases:
            name = f"rescoring_{given.clips}"
            url = f"sqlite:///{folder / name}.db" if kind == "sqlite" else postgresql(folder / "postgresql", name)
            store, _ = filled(url, given.clips, given.agents, given.days)
            rows.append(measure(store, given.clips))
            store.close()
            print(", ".join(f"{what}: {value}" for what, value in rows[-1].items()), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
