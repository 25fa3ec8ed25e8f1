"""Scoring what is stored under another calibration, some thousand analyses at a time.

Reading and computing hold no lock. Each batch is then written in one short transaction, with the roll-ups it belongs to
and how far it has come, so that work that is interrupted goes on behind the last batch; several processes that do it at
once share it. Clips that were deleted meanwhile are left out, and what changed about them since is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from emostore.emotions import EMOTIONS
from emostore.store.rollups import rollup_facts, rollups
from emostore.store.session import Store
from emostore.store.tables.models import Analysis, Calibration, Clip, Embedding, Recording, Score
from emostore.store.tables.report_models import Alert
from emostore.store.writing import bulk

Floats = NDArray[np.float64]

_N = len(EMOTIONS)
_WRITTEN = (*EMOTIONS, "dominant", "confidence", "entropy")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Analyses without scores under a calibration: ids behind `first` up to `last`, in order.

    `logits` (n, 9) are float32; `embeddings` (n, dim), float16 and NaN where there is none, and `domains` only if asked
    for.
    """

    first: int
    last: int
    ids: NDArray[np.int64]
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float16] | None
    domains: tuple[str | None, ...]


def next_batch(store: Store, calibration_id: int, limit: int, *, with_embeddings: bool = False) -> Batch | None:
    """The next analyses to score; None if the calibration is not being scored (any more)."""
    with store.reading() as session:
        state = _state(session, calibration_id)
        if state is None or state.state != "scoring":
            return None
        columns: list[Any] = [Analysis.id, Analysis.logits]
        if with_embeddings:
            columns += [Embedding.vector, Recording.domain]
        statement = select(*columns).where(
            Analysis.model_revision_id == state.model_revision_id,
            Analysis.status == "analysed",
            Analysis.id > state.scored_to,
            ~_scored(calibration_id),
        )
        if with_embeddings:
            statement = (
                statement.join(Clip, Clip.id == Analysis.clip_id)
                .join(Recording, Recording.id == Clip.recording_id)
                .outerjoin(Embedding, Embedding.analysis_id == Analysis.id)
            )
        rows = session.execute(statement.order_by(Analysis.id).limit(limit)).all()
    ids = np.array([row[0] for row in rows], np.int64)
    logits = np.stack([row[1] for row in rows]) if rows else np.zeros((0, len(EMOTIONS)), np.float32)
    last = int(ids[-1]) if len(ids) else state.scored_to
    vectors = _stacked([row[2] for row in rows]) if with_embeddings else None
    domains = tuple(row[3] for row in rows) if with_embeddings else ()
    return Batch(state.scored_to, last, ids, logits, vectors, domains)


def save(store: Store, calibration_id: int, batch: Batch, scores: Floats) -> bool:
    """Write the scores (n, 9) of a batch; False if somebody else has come past it, or stopped it, meanwhile."""
    with store.transaction() as session:
        state = _state(session, calibration_id, lock=True)
        if state is None or state.state != "scoring" or state.scored_to != batch.first:
            return False
        _write(session, calibration_id, batch, scores)
        session.execute(update(Calibration).where(Calibration.id == calibration_id).values(scored_to=batch.last))
    return True


def of_recordings(session: Session, calibration_id: int, recording_ids: Sequence[int]) -> Batch:
    """The analyses of recordings that have scores under a calibration, with embeddings and domains."""
    keys = [(key,) for key in sorted(set(recording_ids))]
    rows: list[Any] = []
    for condition, parameters in bulk.matching(session, [bulk.table(Recording).c.id], keys):
        statement = (
            select(Analysis.id, Analysis.logits, Embedding.vector, Recording.domain)
            .join(Clip, Clip.id == Analysis.clip_id)
            .join(Recording, Recording.id == Clip.recording_id)
            .outerjoin(Embedding, Embedding.analysis_id == Analysis.id)
            .where(condition, Analysis.status == "analysed", _scored(calibration_id))
        )
        rows += session.execute(statement, parameters).all()
    logits = np.stack([row[1] for row in rows]) if rows else np.zeros((0, len(EMOTIONS)), np.float32)
    ids = np.array([row[0] for row in rows], np.int64)
    return Batch(0, 0, ids, logits, _stacked([row[2] for row in rows]), tuple(row[3] for row in rows))


def rewrite(session: Session, calibration_id: int, batch: Batch, scores: Floats) -> list[int]:
    """Put other scores (n, 9) in the place of those under a calibration, and into the roll-ups; the clips' ids."""
    changed: list[int] = []
    rows = dict(zip(batch.ids.tolist(), _columns(scores), strict=True))
    table = bulk.table(Score)
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _WRITTEN}
    statement = update(table).where(
        table.c.analysis_id == bindparam("analysis"), table.c.calibration_id == calibration_id
    )
    for condition, parameters in bulk.matching(session, [bulk.table(Analysis).c.id], [(key,) for key in sorted(rows)]):
        clips = select(Analysis.clip_id).where(condition)
        with rollups.changing(session, Clip.id.in_(clips), parameters) as clip_ids:
            some = session.scalars(select(Analysis.id).where(condition), parameters)
            session.execute(
                statement.values(values),
                [
                    {"analysis": key, **{f"new_{name}": value for name, value in zip(_WRITTEN, rows[key], strict=True)}}
                    for key in some
                ],
            )
            changed += clip_ids
    return changed


def progress(store: Store, calibration_id: int) -> tuple[int, int]:
    """How many analyses of how many have been looked at."""
    with store.reading() as session:
        state = _state(session, calibration_id)
        if state is None:
            return 0, 0
        ours = (Analysis.model_revision_id == state.model_revision_id, Analysis.status == "analysed")
        total = session.scalar(select(func.count()).select_from(Analysis).where(*ours)) or 0
        if state.state != "scoring":
            return total, total
        done = select(func.count()).select_from(Analysis).where(*ours, Analysis.id <= state.scored_to)
        return session.scalar(done) or 0, total


def _write(session: Session, calibration_id: int, batch: Batch, scores: Floats) -> None:
    raised = (
        select(func.count())
        .where(Alert.analysis_id == Analysis.id, Alert.state != "false_alarm")
        .correlate(Analysis)
        .scalar_subquery()
    )
    held = (
        select(
            *(Analysis.id, Clip.id, Clip.session_id, Clip.agent_id, Clip.role, Clip.happened_at),
            *(Clip.speech_s, Clip.duration_s, raised),
        )
        .join(Clip, Clip.id == Analysis.clip_id)
        .where(Analysis.id > batch.first, Analysis.id <= batch.last, ~_scored(calibration_id))
        .order_by(Clip.id)  # as everybody locks them
        .with_for_update(of=Clip, key_share=True)
    )
    where = {key: row for row, key in enumerate(batch.ids.tolist())}
    there = [(where[row[0]], row) for row in session.execute(held) if row[0] in where]
    if not there:
        return
    rows, facts = [], []
    for (_, found), values in zip(there, _columns(scores[[row for row, _ in there]]), strict=True):
        analysis_id, clip_id, session_id, agent_id, role, happened_at, speech_s, duration_s, alerts = found
        about = {"analysis_id": analysis_id, "clip_id": clip_id, "happened_at": happened_at}
        rows.append({**about, "calibration_id": calibration_id, **dict(zip(_WRITTEN, values, strict=True))})
        place = (clip_id, calibration_id, session_id, agent_id, role, happened_at)
        facts.append((*place, speech_s, duration_s, alerts, values[_N], *values[:_N]))
    bulk.add(session, Score, rows)
    rollups.add(session, rollup_facts.from_rows(facts))


def _state(session: Session, calibration_id: int, *, lock: bool = False) -> Any:
    statement = select(Calibration.model_revision_id, Calibration.state, Calibration.scored_to).where(
        Calibration.id == calibration_id
    )
    # Not against those who save scores that refer to it.
    return session.execute(statement.with_for_update(key_share=True) if lock else statement).one_or_none()


def _scored(calibration_id: int) -> Any:
    return exists().where(Score.analysis_id == Analysis.id, Score.calibration_id == calibration_id)


def _columns(scores: Floats) -> list[tuple[Any, ...]]:
    """What a row of `Score` has of its scores, in the order of `_WRITTEN`; see `saving.score_row`."""
    values = np.minimum(scores, 1.0)
    dominant = [EMOTIONS[i] for i in values.argmax(axis=1).tolist()]
    more = zip(values.tolist(), dominant, values.max(axis=1).tolist(), _entropy(values).tolist(), strict=True)
    return [(*nine, name, confidence, entropy) for nine, name, confidence, entropy in more]


def _entropy(scores: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(scores > 0, scores * np.log(scores), 0.0)
    return np.asarray(np.clip(-terms.sum(axis=1) / np.log(len(EMOTIONS)), 0.0, 1.0))


def _stacked(vectors: Sequence[NDArray[np.float16] | None]) -> NDArray[np.float16] | None:
    dim = next((len(vector) for vector in vectors if vector is not None), None)
    if dim is None:
        return None
    missing = np.full(dim, np.nan, np.float16)
    return np.stack([missing if vector is None else vector for vector in vectors])
