"""Scoring what is stored under another calibration, some thousand analyses at a time.

Reading and computing hold no lock. Each batch is then written in one short transaction, with the roll-ups it belongs to
and how far it has come, so that work that is interrupted goes on behind the last batch; several processes that do it at
once share it. Clips that were deleted meanwhile are left out, and what changed about them since is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

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
_WRITTEN = (*EMOTIONS, "confidence", "entropy", "dominant")
_WORDS = np.array(EMOTIONS, object)

# By hand and sent as they are, a clip's time straight from the clip: see `rollup_sql`.
_NAMES = ("analysis_id", "calibration_id", *_WRITTEN, "clip_id")
_INSERT = (
    f"INSERT INTO scores ({', '.join(_NAMES)}, happened_at) VALUES ({', '.join('?' * len(_NAMES))},"
    f" (SELECT happened_at FROM clips WHERE id = ?{len(_NAMES)}))"
)
_ARRAYS = ["bigint"] * 2 + ["double precision"] * (_N + 2) + ["text", "bigint"]
_INSERT_ARRAYS = (
    f"INSERT INTO scores ({', '.join(_NAMES)}, happened_at) SELECT given.*, clips.happened_at"
    f" FROM unnest({', '.join(f'%s::{kind}[]' for kind in _ARRAYS)}) AS given({', '.join(_NAMES)})"
    " JOIN clips ON clips.id = given.clip_id"
)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """What rows of `Score` have of their scores (n, 9); see `saving.score_row`. `dominant` counts in `EMOTIONS`."""

    scores: Floats
    confidence: Floats
    entropy: Floats
    dominant: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats) -> Self:
        values = np.minimum(scores, 1.0)
        return cls(values, values.max(axis=1), _entropy(values), values.argmax(axis=1))

    def only(self, rows: NDArray[np.int64]) -> Self:
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def rows(self) -> list[tuple[Any, ...]]:
        """In the order of `_WRITTEN`."""
        columns = (*self.scores.T, self.confidence, self.entropy, _WORDS[self.dominant])
        return list(zip(*(column.tolist() for column in columns), strict=True))


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
        rows = session.connection().execute(statement.order_by(Analysis.id).limit(limit)).all()
    ids = np.array([row[0] for row in rows], np.int64)
    logits = _logits([row[1] for row in rows])
    last = int(ids[-1]) if len(ids) else state.scored_to
    vectors = _stacked([row[2] for row in rows]) if with_embeddings else None
    domains = tuple(row[3] for row in rows) if with_embeddings else ()
    return Batch(state.scored_to, last, ids, logits, vectors, domains)


def save(store: Store, calibration_id: int, batch: Batch, scores: Floats) -> bool:
    """Write the scores (n, 9) of a batch; False if somebody else has come past it, or stopped it, meanwhile."""
    written = _Written.of(scores)
    with store.transaction() as session:
        state = _state(session, calibration_id, lock=True)
        if state is None or state.state != "scoring" or state.scored_to != batch.first:
            return False
        _write(session, calibration_id, batch, written)
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
    logits = _logits([row[1] for row in rows])
    ids = np.array([row[0] for row in rows], np.int64)
    return Batch(0, 0, ids, logits, _stacked([row[2] for row in rows]), tuple(row[3] for row in rows))


def rewrite(session: Session, calibration_id: int, batch: Batch, scores: Floats) -> list[int]:
    """Put other scores (n, 9) in the place of those under a calibration, and into the roll-ups; the clips' ids."""
    changed: list[int] = []
    rows = dict(zip(batch.ids.tolist(), _Written.of(scores).rows(), strict=True))
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


def _write(session: Session, calibration_id: int, batch: Batch, written: _Written) -> None:
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
    ours = set(batch.ids.tolist())
    connection = session.connection()
    rows = [row for row in connection.execute(held).all() if row[0] in ours]
    if not rows:
        return
    analyses, clips, sessions, agents, roles, times, speech, lengths, alerts = zip(*rows, strict=True)
    written = written.only(np.searchsorted(batch.ids, analyses))
    numbers = [np.array(analyses, np.int64), np.full(len(rows), calibration_id, np.int64), *written.scores.T]
    columns = [*numbers, written.confidence, written.entropy, _WORDS[written.dominant], np.array(clips, np.int64)]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_INSERT_ARRAYS, tuple(c.tolist() if c.dtype == object else c for c in columns))
    else:
        connection.exec_driver_sql(_INSERT, list(zip(*(column.tolist() for column in columns), strict=True)))
    calibrations = [calibration_id] * len(rows)
    places = (clips, calibrations, sessions, agents, roles, times)
    facts = rollup_facts.from_columns(*places, speech, lengths, alerts, written.dominant, written.scores)
    rollups.add(session, facts)


def _state(session: Session, calibration_id: int, *, lock: bool = False) -> Any:
    statement = select(Calibration.model_revision_id, Calibration.state, Calibration.scored_to).where(
        Calibration.id == calibration_id
    )
    # Not against those who save scores that refer to it.
    return session.execute(statement.with_for_update(key_share=True) if lock else statement).one_or_none()


def _scored(calibration_id: int) -> Any:
    return exists().where(Score.analysis_id == Analysis.id, Score.calibration_id == calibration_id)


def _entropy(scores: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(scores > 0, scores * np.log(scores), 0.0)
    return np.asarray(np.clip(-terms.sum(axis=1) / np.log(len(EMOTIONS)), 0.0, 1.0))


def _logits(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *rows]).reshape(-1, _N)


def _stacked(vectors: Sequence[NDArray[np.float16] | None]) -> NDArray[np.float16] | None:
    dim = next((len(vector) for vector in vectors if vector is not None), None)
    if dim is None:
        return None
    missing = np.full(dim, np.nan, np.float16)
    return np.stack([missing if vector is None else vector for vector in vectors])
