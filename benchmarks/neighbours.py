"""How long it takes to find the clips that sound most alike, on SQLite and PostgreSQL.

python -m benchmarks.neighbours [--clips 100000] [--dim 1024] [--databases sqlite postgresql] [--repeats 100]
    [--folder PATH] [--json PATH] [--no-index]

The embeddings are invented: points around 400 centres. With --folder the databases stay there and are used again by
the next run, with the index if it has been built. Memory is that of the process, before and after.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, text

from benchmarks.store import filled, postgresql
from emostore.services.neighbours import similar
from emostore.store.calibration import neighbours
from emostore.store.session import Store
from emostore.store.tables.models import Analysis, Embedding
from emostore.store.writing import bulk

CENTRES = 400
AGENTS = 1000
DAYS = 365
GOAL_MS = 150
_AT_ONCE = 5000


def invented(count: int, dim: int) -> Iterator[NDArray[np.float16]]:
    """Embeddings, some thousand at a time: shape (n, dim)."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(CENTRES, dim)).astype(np.float32)
    for begin in range(0, count, _AT_ONCE):
        n = min(_AT_ONCE, count - begin)
        noise = random.normal(size=(n, dim)).astype(np.float32)
        yield (centres[random.integers(CENTRES, size=n)] + noise).astype(np.float16)


def embed(store: Store, dim: int) -> None:
    """Give every analysis an embedding, unless they have some."""
    with store.reading() as session:
        if session.scalar(select(Embedding.analysis_id).limit(1)) is not None:
            return
        ids = session.scalars(select(Analysis.id).where(Analysis.status == "analysed").order_by(Analysis.id)).all()
    left = iter(ids)
    for vectors in invented(len(ids), dim):
        rows = [{"analysis_id": next(left), "vector": vector} for vector in vectors]
        with store.transaction() as session:
            bulk.add(session, Embedding, rows)
    if store.engine.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def timed(action: Callable[[int], object], ids: list[int]) -> dict[str, float]:
    """Median and 95th percentile in ms."""
    times = []
    for identifier in ids:
        began = time.perf_counter()
        action(identifier)
        times.append((time.perf_counter() - began) * 1e3)
    return {"median_ms": round(float(np.median(times)), 1), "p95_ms": round(float(np.percentile(times, 95)), 1)}


def resident_mib() -> float:
    """Memory of this process, in MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 0)


def measure(store: Store, dim: int, repeats: int, *, build: bool) -> dict[str, Any]:
    """Times of searches for as many different clips, the first one apart."""
    with store.reading() as session:
        stored = session.scalars(select(Embedding.analysis_id).order_by(Embedding.analysis_id)).all()
    ids = np.random.default_rng(4).choice(stored, repeats + 1, replace=False).tolist()
    found: dict[str, Any] = {"embeddings": len(stored), "before_mib": resident_mib()}
    began = time.perf_counter()
    similar.similar(store, ids[0])
    found["first_ms"] = round((time.perf_counter() - began) * 1e3)
    found["search"] = timed(lambda each: similar.similar(store, each), ids[1:])
    found["after_mib"] = resident_mib()
    if store.engine.name == "postgresql":
        found |= indexed(store, dim, ids[1:], build=build)
    return found


def indexed(store: Store, dim: int, ids: list[int], *, build: bool) -> dict[str, Any]:
    """What the index takes to build, how long a search takes with it, and which part of the nearest ten it finds."""
    exact = {each: nearest(store, each) for each in ids[:30]}
    if build:
        began = time.perf_counter()
        neighbours.build_index(store, dim)
        built_s = round(time.perf_counter() - began)
    else:
        return {}
    times = timed(lambda each: similar.similar(store, each), ids)
    hits = sum(len(exact[each] & nearest(store, each)) for each in exact)
    return {"index_built_s": built_s, "search_by_index": times, "recall_of_10": round(hits / (10 * len(exact)), 3)}


def nearest(store: Store, analysis_id: int) -> set[int]:
    """Ids of the nearest ten."""
    wanted = neighbours.source(store, analysis_id)
    assert wanted is not None
    return {key for key, _ in neighbours.nearest(store, wanted, 10)[0]}


def main() -> None:
    """Print one line of JSON for each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-index", action="store_true")
    options = parser.parse_args()
    # The search itself begins to index in the background, which would be measured with it.
    neighbours.INDEX_FROM = 10**12
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for database in options.databases:
            name = f"vectors_{options.clips}"
            url = f"sqlite:///{folder / name}.db" if database == "sqlite" else postgresql(folder / "pg", name)
            store, _ = filled(url, options.clips, AGENTS, DAYS)
            embed(store, options.dim)
            found = measure(store, options.dim, options.repeats, build=not options.no_index)
            rows.append({"database": database, "goal_ms": GOAL_MS, **found})
            store.close()
            print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
