"""Analyses to store, and a count of statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import event, func, select

from emostore.emotions import EMOTIONS, EmotionScores
from emostore.store.session import Store
from emostore.store.tables import models
from emostore.store.writing import clips

MODEL = clips.ModelRevisionKey("baseline", "0123abcd", 16, EMOTIONS[:5], "Apache-2.0")
OTHER_MODEL = clips.ModelRevisionKey("emotion2vec_plus_large", "89ef", 4, EMOTIONS, "MIT")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGITS = np.array([1.5, -2.25, 0.1, 3.75, 0.0, -np.inf, -np.inf, -np.inf, -np.inf], np.float32)


def sha(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def recording(name: object = "call", **changes: Any) -> clips.NewRecording:
    given: dict[str, Any] = {
        "sha256": sha(name),
        "file_name": f"{name}.wav",
        "byte_count": 64_044,
        "duration_s": 4.0,
        "sample_rate": 8000,
        "channel_count": 2,
        "container": "wav",
        "codec": "pcm_s16le",
        "uploaded_at": NOON,
        "happened_at": NOON - timedelta(hours=1),
        "happened_at_source": "given",
    }
    return clips.NewRecording(**{**given, **changes})


def clip(name: object = "call", channel: int = 0, **changes: Any) -> clips.NewClip:
    source = changes.pop("recording", None) or recording(name)
    return clips.NewClip(**{"recording": source, "channel": channel, "duration_s": 4.0, **changes})


def analysed(logits: Any = LOGITS, model: clips.ModelRevisionKey = MODEL) -> clips.Analysed:
    generator = np.random.default_rng(7)
    return clips.Analysed(
        logits,
        EmotionScores.from_logits(logits),
        clips.NewWindows(generator.normal(size=(2, 9)).astype(np.float32), 1.0, 3.0),
        generator.normal(size=model.dim).astype(np.float32),
    )


def analysis(name: object = "call", channel: int = 0, **changes: Any) -> clips.NewAnalysis:
    of_analysis = {key: changes.pop(key) for key in ("model", "outcome", "analysed_at", "compute_s") if key in changes}
    model = of_analysis.get("model", MODEL)
    given = {"model": model, "outcome": analysed(model=model), "analysed_at": NOON, **of_analysis}
    return clips.NewAnalysis(clip(name, channel, **changes), **given)


def row_counts(store: Store) -> dict[str, int]:
    """How many rows each table has, without the empty ones and without what is derived."""
    with store.reading() as session:
        tables = [table for table in models.Base.metadata.sorted_tables if not table.name.startswith("rollup")]
        counts = {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    return {name: count for name, count in counts.items() if count}


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that are sent while the block runs."""
    sent: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(store.engine, "before_cursor_execute", record)
    try:
        yield sent
    finally:
        event.remove(store.engine, "before_cursor_execute", record)
