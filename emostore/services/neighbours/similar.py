"""Clips that sound like another one, as one model hears them.

Similarity is the cosine of the angle between two embeddings. Their length says how strongly the network answered, which
goes with loudness and with how much of a clip is speech, rather than with how it sounds; the direction is what its
linear head reads the emotion from. Two models place clips differently, so nothing is compared across models.

On SQLite all embeddings of a model are compared, from memory: 4 bytes a number, so 100,000 embeddings of 1,024 numbers
take 400 MB, and no more than `MOST_BYTES` are taken. Every search asks the database first which analyses there are.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Engine

from emostore.errors import EmostoreError
from emostore.services.neighbours.nearest import UnitVectors
from emostore.store.calibration import neighbours
from emostore.store.calibration.neighbours import Described, Source
from emostore.store.session import Store

SHOWN = 6
MOST_BYTES = 512 * 2**20  # of embeddings in memory, of all models of a database: 131,072 of 1,024 numbers

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A clip that was found; `similarity` is a cosine: 1 for the same direction, 0 for nothing in common."""

    clip: Described
    similarity: float


@dataclass(frozen=True, slots=True)
class Similar:
    """The clips that are most alike, the most alike first; none if nothing else was analysed with the model.

    `exact` says that none more alike exists among those that were searched. `left_out` counts older clips that memory
    has no room for.
    """

    model: str
    revision: str
    found: tuple[Neighbour, ...]
    exact: bool
    left_out: int = 0


def similar(store: Store, analysis_id: int, count: int = SHOWN) -> Similar | None:
    """The clips most like that of an analysis; None if no embedding is stored with it, or one without a direction."""
    wanted = neighbours.source(store, analysis_id)
    if wanted is None:
        return None
    left_out, exact = 0, True
    if store.engine.name == "postgresql":
        found, exact = neighbours.nearest(store, wanted, count)
        if exact:
            _index_later(store, len(wanted.vector))
    else:
        found, left_out = _of(store).nearest(store, wanted, count)
    clips = neighbours.described(store, [identifier for identifier, _ in found])
    shown = tuple(Neighbour(clips[identifier], value) for identifier, value in found if identifier in clips)
    return Similar(wanted.model, wanted.revision, shown, exact, left_out)


class _InMemory:
    """The embeddings of an SQLite database, by model; the model that was not asked for longest goes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: OrderedDict[int, tuple[UnitVectors, np.ndarray[tuple[int], np.dtype[np.int64]]]] = OrderedDict()

    def nearest(self, store: Store, wanted: Source, count: int) -> tuple[list[tuple[int, float]], int]:
        """Ids and similarities of the nearest other analyses, and how many analyses there is no room for."""
        with self._lock:
            held, left_out = self._current(store, wanted)
            keys, values = held.nearest(wanted.vector, count + 1)
        ids = (keys >> neighbours.SHIFT).tolist()
        found = [(key, float(value)) for key, value in zip(ids, values, strict=True) if key != wanted.analysis_id]
        return found[:count], left_out

    def _current(self, store: Store, wanted: Source) -> tuple[UnitVectors, int]:
        """What is stored of the model now: what is new is read, what is gone is forgotten."""
        dim = len(wanted.vector)
        held, known = self._models.pop(wanted.model_id, (UnitVectors(dim), np.zeros(0, np.int64)))
        with store.reading() as session:
            stored = neighbours.keys(session, wanted.model_id)
            room = max(MOST_BYTES // (4 * dim), 1)
            now = stored[-room:]  # the ids of analyses grow, so these are the newest
            if not np.array_equal(now, known):
                held.remove(np.setdiff1d(known, now, assume_unique=True))
                fresh = np.setdiff1d(now, known, assume_unique=True)
                ids = fresh >> neighbours.SHIFT
                self._make_room(held.byte_count + 4 * dim * len(fresh))
                for found, vectors in neighbours.vectors(session, ids.tolist()):
                    held.add(fresh[np.searchsorted(ids, found)], vectors)
        self._models[wanted.model_id] = held, now
        return held, len(stored) - len(now)

    def _make_room(self, byte_count: int) -> None:
        while self._models and byte_count + sum(held.byte_count for held, _ in self._models.values()) > MOST_BYTES:
            self._models.popitem(last=False)


_stores: WeakKeyDictionary[Engine, _InMemory] = WeakKeyDictionary()
_opening = threading.Lock()


def _of(store: Store) -> _InMemory:
    with _opening:
        return _stores.setdefault(store.engine, _InMemory())


_indexing: set[tuple[str, int]] = set()


def _index_later(store: Store, dim: int) -> None:
    """Begin to index in the background, once in the life of this process, where it is worth it."""
    with _opening:
        key = (str(store.engine.url), dim)
        if key in _indexing or not neighbours.wants_index(store, dim):
            return
        _indexing.add(key)
    threading.Thread(target=_index, args=(store, dim), name="nearest-index", daemon=True).start()


def _index(store: Store, dim: int) -> None:
    try:
        neighbours.build_index(store, dim)
    except EmostoreError as error:  # everything is compared as before; the next process tries again
        _log.warning("The index of embeddings was not built: %s", error)
