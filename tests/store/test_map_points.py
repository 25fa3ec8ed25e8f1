"""Embeddings for a map, on both databases."""

from __future__ import annotations

import numpy as np

from emostore.store.reports import map_points
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from tests.store.samples import MODEL
from tests.store.test_neighbours import DIM, TWIN, saved


def test_only_clips_of_one_model_that_fit_come_with_their_own_vectors(store: Store) -> None:
    vectors = np.random.default_rng(1).normal(size=(6, DIM))
    vectors[2] = 0
    assert map_points.sampled(store, HistoryFilter(), 10, 10) is None
    saved(store, vectors)
    saved(store, vectors[:2] + 1, TWIN)
    found = map_points.sampled(store, HistoryFilter(model=(MODEL.name, MODEL.revision)), 10, 10)
    assert found is not None
    assert (found.fitting, found.more, found.model.revision) == (6, False, MODEL.revision)
    named = dict(zip((clip.file_name for clip in found.clips), found.vectors, strict=True))
    assert sorted(named) == ["0.wav", "1.wav", "3.wav", "4.wav", "5.wav"]
    for name, vector in named.items():
        np.testing.assert_array_equal(vector, vectors[int(name[0])].astype(np.float16))
    newest = map_points.sampled(store, HistoryFilter(), 10, 10)
    assert newest is not None
    assert (newest.model.revision, len(newest.clips)) == (TWIN.revision, 2)
    nobody = map_points.sampled(store, HistoryFilter(agent="Nobody"), 10, 10)
    assert nobody is not None
    assert (nobody.clips, nobody.vectors.shape[0]) == ((), 0)
