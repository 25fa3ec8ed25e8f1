"""Embeddings for finding clips that sound alike: within one model revision, never across.

On PostgreSQL the database itself looks for the nearest. Up to `INDEX_FROM` embeddings it compares all of them; beyond,
`build_index` makes an HNSW index of the vectors of one width, which finds nearly all of the nearest, soon. A table of
embeddings does not say whose they are, so the index is of a width and the query goes on until it has enough of the
model. On SQLite `keys` says what there is and `vectors` reads it; `services.neighbours.nearest` does the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import ColumnElement, Float, LargeBinary, Select, cast, func, literal_column, select, text, type_coerce
from sqlalchemy.orm import Session, aliased

from emostore.store.failures import named
from emostore.store.session import Store
from emostore.store.tables.models import (
    ActiveCalibration,
    Agent,
    Analysis,
    Clip,
    Embedding,
    ModelRevision,
    Recording,
    Score,
)
from emostore.store.writing import bulk

INDEX_FROM = 20_000  # embeddings of a PostgreSQL database; comparing as many takes a tenth of a second or so
MOST_INDEXED_DIM = 4000  # numbers of a `halfvec` that pgvector indexes
SHIFT = 32  # a key is an analysis's id, shifted by so many bits, and its clip's: SQLite gives an analysis's id twice
_LOCK = 0x656D6F73  # of whoever builds an index
_EF_SEARCH = 200  # candidates that the index keeps while it looks; 40 by default
_ITERATIVE_FROM = (0, 8)  # the version of pgvector that goes on until it has enough rows of the model


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An embedding to find the like of: float16 of shape (dim,)."""

    analysis_id: int
    model_id: int
    model: str
    revision: str
    vector: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Described:
    """What is shown of a clip that was found; the emotion is the same model's, None if it has no scores."""

    clip_id: int
    file_name: str
    channel: int
    channel_count: int
    agent: str | None
    happened_at: datetime
    dominant: str | None
    confidence: float | None


def source(store: Store, analysis_id: int) -> Source | None:
    """The embedding of an analysis; None if it has none, or one without a direction."""
    statement = (
        select(Analysis.id, ModelRevision.id, ModelRevision.name, ModelRevision.revision, Embedding.vector)
        .join(Embedding, Embedding.analysis_id == Analysis.id)
        .join(ModelRevision, ModelRevision.id == Analysis.model_revision_id)
        .where(Analysis.id == analysis_id)
    )
    with store.reading() as session:
        found = session.execute(statement).one_or_none()
    if found is None:
        return None
    vector = found.vector
    return Source(*found) if np.isfinite(vector).all() and vector.any() else None


def described(store: Store, analysis_ids: Collection[int]) -> dict[int, Described]:
    """The clips of these analyses, by the analysis's id; those that are gone are left out."""
    statement: Select[*tuple[Any, ...]] = (
        select(
            *(Analysis.id, Clip.id, Recording.file_name, Clip.channel, Recording.channel_count, Agent.name),
            *(Clip.happened_at, Score.dominant, Score.confidence),
        )
        .join(Clip, Clip.id == Analysis.clip_id)
        .join(Recording, Recording.id == Clip.recording_id)
        .join(ActiveCalibration, ActiveCalibration.model_revision_id == Analysis.model_revision_id)
        .outerjoin(Agent, Agent.id == Clip.agent_id)
        .outerjoin(
            Score, (Score.analysis_id == Analysis.id) & (Score.calibration_id == ActiveCalibration.calibration_id)
        )
        .where(Analysis.id.in_(analysis_ids))
    )
    with store.reading() as session:
        return {identifier: Described(*values) for identifier, *values in session.execute(statement)}


def keys(session: Session, model_id: int) -> NDArray[np.int64]:
    """The keys of all analyses of a model, in order: int64 of shape (n,). For SQLite.

    As two texts, because a row each would take five times as long.
    """
    # The sum keeps the index of models out, which does not have the clips; another one has both.
    ours = Analysis.model_revision_id + 0 == model_id
    statement = select(func.group_concat(Analysis.id), func.group_concat(Analysis.clip_id)).where(ours)
    analyses, clips = session.execute(statement).one()
    if analyses is None:
        return np.zeros(0, np.int64)
    first, second = (np.fromstring(column, np.int64, sep=",") for column in (analyses, clips))
    return np.sort(first << SHIFT | second)


def vectors(session: Session, analysis_ids: Collection[int]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """The embeddings of these analyses, some thousand at a time: ids (n,) and vectors (n, dim)."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    # PostgreSQL's driver gets text otherwise, and to read that takes ten times as long.
    column: ColumnElement[Any] = (
        func.halfvec_send(Embedding.vector, type_=LargeBinary)
        if postgresql
        else type_coerce(Embedding.vector, LargeBinary)
    )
    statement = select(Embedding.analysis_id, column)
    # `halfvec_send` begins with four bytes and has the larger byte of each number first.
    begin, kind = (4, ">f2") if postgresql else (0, "<f2")
    given = [(key,) for key in sorted(analysis_ids)]
    for condition, parameters in bulk.matching(session, [bulk.table(Embedding).c.analysis_id], given):
        rows = session.execute(statement.where(condition), parameters).all()
        if rows:
            stacked = np.stack([np.frombuffer(row[1], kind, offset=begin) for row in rows])
            yield np.array([row[0] for row in rows], np.int64), stacked.astype(np.float16, copy=False)


def nearest(store: Store, wanted: Source, count: int) -> tuple[list[tuple[int, float]], bool]:
    """Ids and cosine similarities of the nearest other analyses, and whether surely all. For PostgreSQL."""
    with store.reading() as session:
        if _indexed(session, len(wanted.vector)):
            session.execute(text(f"SET LOCAL hnsw.ef_search = {_EF_SEARCH}"))
            session.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
            found = _rows(session, _nearest(wanted, count, indexed=True))
            if len(found) == count:
                return found, False
        return _rows(session, _nearest(wanted, count, indexed=False)), True


def wants_index(store: Store, dim: int) -> bool:
    """Whether there are many embeddings, and no index of this width that can be used. For PostgreSQL."""
    with store.reading() as session:
        many = session.scalar(text("SELECT reltuples FROM pg_class WHERE oid = 'embeddings'::regclass")) or 0
        return many >= INDEX_FROM and dim <= MOST_INDEXED_DIM and _iterates(session) and not _indexed(session, dim)


def build_index(store: Store, dim: int) -> bool:
    """Index the vectors of this width while others read and write; False if somebody else does so already.

    Takes minutes for 100,000 vectors. Raises `StoreError` when the database refuses.
    """
    name = _index_name(dim)
    with named(store.engine.url), store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK}, {dim})")):
            return False
        try:
            # What an interrupted one left cannot be used. One worker leaves the other cores to those who read.
            if connection.scalar(_VALID, {"name": name}) is False:
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            connection.execute(text("SET max_parallel_maintenance_workers = 0"))
            connection.execute(text("SET maintenance_work_mem = '512MB'"))
            connection.execute(text("SET lock_timeout = 0"))
            connection.execute(
                text(
                    f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON embeddings"
                    f" USING hnsw ((vector::halfvec({dim})) halfvec_cosine_ops) WHERE vector_dims(vector) = {dim}"
                )
            )
        finally:
            connection.invalidate()  # with it go the lock and the settings
    return True


_VALID = text(
    "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE relname = :name AND indrelid = 'embeddings'::regclass"
)


def _index_name(dim: int) -> str:
    return f"ix_embeddings_nearest_{dim:d}"


def _indexed(session: Session, dim: int) -> bool:
    return session.scalar(_VALID, {"name": _index_name(dim)}) is True


def _iterates(session: Session) -> bool:
    version = session.scalar(text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")) or "0.0"
    return tuple(int(part) for part in version.split(".")[:2]) >= _ITERATIVE_FROM


def _nearest(wanted: Source, count: int, *, indexed: bool) -> Select[int, float]:
    asked = aliased(Embedding)
    this = select(asked.vector).where(asked.analysis_id == wanted.analysis_id).scalar_subquery()
    column: ColumnElement[Any] = bulk.table(Embedding).c.vector
    dim = len(wanted.vector)
    # An index is used only by a statement that says the same as it does.
    kind = HALFVEC(dim)
    compared = (cast(column, kind) if indexed else column).op("<=>", return_type=Float())(cast(this, kind))
    distance = compared.label("distance")  # ordered by its name, or else each vector is fetched twice
    return (
        select(Embedding.analysis_id, distance)
        .join(Analysis, Analysis.id == Embedding.analysis_id)
        .where(
            Analysis.model_revision_id == wanted.model_id,
            Embedding.analysis_id != wanted.analysis_id,
            *([func.vector_dims(column) == literal_column(f"{dim:d}")] if indexed else []),
        )
        .order_by(distance)
        .limit(count)
    )


def _rows(session: Session, statement: Select[int, float]) -> list[tuple[int, float]]:
    found = [(row[0], 1 - float(row[1])) for row in session.execute(statement)]
    # A vector without a direction is at no distance (NaN), and comes last.
    return sorted((each for each in found if np.isfinite(each[1])), key=lambda each: (-each[1], each[0]))
