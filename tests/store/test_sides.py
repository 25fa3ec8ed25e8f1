"""The sides of a call: where somebody speaks in a clip."""

from __future__ import annotations

import numpy as np
import pytest

from emostore.store import clips, reports
from emostore.store.models import MAX_SEGMENTS
from emostore.store.session import Store
from tests.store.samples import OTHER_MODEL, analysis, row_counts

SEGMENTS = np.array([[0.1, 1 / 3], [0.5, 2.0]])


def test_where_somebody_speaks_comes_back_bit_for_bit_and_only_where_it_is_known(store: Store) -> None:
    known, silent, unknown = clips.save_many(
        store,
        [analysis("a", segments=SEGMENTS), analysis("b", segments=np.empty((0, 2))), analysis("c")],
    )
    found = reports.speech_segments(store, [known.clip_id, silent.clip_id, unknown.clip_id, 999])
    assert found.keys() == {known.clip_id, silent.clip_id}
    assert found[known.clip_id].dtype == np.float64
    assert found[known.clip_id].tolist() == SEGMENTS.tolist()
    assert found[silent.clip_id].shape == (0, 2)


def test_a_later_analysis_tells_where_somebody_speaks_unless_that_is_known(store: Store) -> None:
    clip_id = clips.save(store, analysis("a")).clip_id
    clips.save(store, analysis("a", model=OTHER_MODEL, segments=SEGMENTS))
    clips.save(store, analysis("a", segments=SEGMENTS + 1))
    assert reports.speech_segments(store, [clip_id])[clip_id].tolist() == SEGMENTS.tolist()
    assert row_counts(store)["clip_speech"] == 1


@pytest.mark.parametrize(
    "segments",
    [
        np.zeros((3,)),
        np.zeros((MAX_SEGMENTS + 1, 2)),
        np.array([[1.0, 0.5]]),
        np.array([[0.0, 2.0], [1.0, 3.0]]),
        np.array([[-0.1, 1.0]]),
        np.array([[0.0, np.nan]]),
    ],
)
def test_segments_that_are_none_are_refused(segments: np.ndarray) -> None:
    with pytest.raises(ValueError, match="segments must"):
        analysis("a", segments=segments)
