"""Similar clips on both databases: what comparing all by hand finds, and only of one model."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select, text

from emostore.emotions import EMOTIONS
from emostore.services.neighbours import similar
from emostore.store.calibration import neighbours
from emostore.store.session import Store
from emostore.store.tables.models import Analysis, Embedding
from emostore.store.writing import bulk, clips, deletes, edits, records
from tests.store.samples import LOGITS, MODEL, OTHER_MODEL, analysed, analysis

DIM = 16
TWIN = records.ModelRevisionKey("baseline", "another", DIM, EMOTIONS, "MIT")  # as wide as MODEL
RANDOM = np.random.default_rng(5)


def embedded(
    name: object, vector: NDArray[np.floating] | None, model: records.ModelRevisionKey = MODEL
) -> records.NewAnalysis:
    said = analysed(LOGITS, model)
    outcome = records.Analysed(said.logits, said.scores, said.windows, vector)
    return analysis(name, model=model, outcome=outcome)


def saved(
    store: Store, vectors: NDArray[np.floating], model: records.ModelRevisionKey = MODEL, first: int = 0
) -> list[int]:
    """Ids of analyses with these embeddings."""
    given = [embedded(first + number, vector, model) for number, vector in enumerate(vectors)]
    return [clips.save(store, each).analysis_id for each in given]


def found(store: Store, analysis_id: int, count: int = 6) -> list[tuple[int, float]]:
    answer = similar.similar(store, analysis_id, count)
    assert answer is not None
    model = select(Analysis.model_revision_id).where(Analysis.id == analysis_id).scalar_subquery()
    with store.reading() as session:
        rows = session.execute(select(Analysis.clip_id, Analysis.id).where(Analysis.model_revision_id == model)).all()
        ids = {row.clip_id: row.id for row in rows}
    return [(ids[each.clip.clip_id], each.similarity) for each in answer.found]


def by_hand(ids: list[int], vectors: NDArray[np.floating], wanted: int, count: int = 6) -> list[tuple[int, float]]:
    """The same from all vectors, as they are stored, in double precision."""
    exact = vectors.astype(np.float16).astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    values = exact @ exact[ids.index(wanted)]
    order = sorted(
        ((key, float(value)) for key, value in zip(ids, values, strict=True) if key != wanted),
        key=lambda each: -each[1],
    )
    return order[:count]


def assert_same(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> None:
    assert [key for key, _ in one] == [key for key, _ in other]
    np.testing.assert_allclose([value for _, value in one], [value for _, value in other], atol=1e-5)


def test_the_nearest_are_those_that_comparing_all_finds_and_change_with_what_is_stored(store: Store) -> None:
    vectors = RANDOM.normal(size=(60, DIM))
    ids = saved(store, vectors)
    for wanted in ids[:5]:
        assert_same(found(store, wanted), by_hand(ids, vectors, wanted))

    # A new one is found at once, and one that was deleted is not.
    vectors = np.vstack([vectors, vectors[0] * 3 + 0.01])
    ids += saved(store, vectors[60:], first=60)
    assert found(store, ids[0])[0][0] == ids[60]
    assert found(store, ids[0])[0][1] > 0.999
    with edits.changing(store) as session:
        gone = session.scalar(select(Analysis.clip_id).where(Analysis.id == ids[60]))
        assert gone is not None
        deletes.delete_clips(session, [gone])
    assert_same(found(store, ids[0]), by_hand(ids[:60], vectors[:60], ids[0]))

    # SQLite gives the id of the deleted analysis to the next one.
    vectors[60] = -vectors[0]
    again = saved(store, vectors[60:], first=61)
    everything = found(store, ids[0], 60)
    assert everything[-1][0] == again[0]
    assert everything[-1][1] < -0.999


def test_two_models_never_mix_even_if_their_embeddings_are_equally_wide(store: Store) -> None:
    vectors = RANDOM.normal(size=(20, DIM))
    ours = saved(store, vectors)
    theirs = saved(store, vectors, TWIN)  # the same clips, heard alike
    narrow = saved(store, RANDOM.normal(size=(2, OTHER_MODEL.dim)), OTHER_MODEL)
    assert_same(found(store, ours[3], 30), by_hand(ours, vectors, ours[3], 30))
    assert_same(found(store, theirs[3], 30), by_hand(theirs, vectors, theirs[3], 30))
    assert [key for key, _ in found(store, narrow[0])] == narrow[1:]
    answer = similar.similar(store, theirs[0])
    assert answer is not None
    assert (answer.model, answer.revision, answer.left_out) == ("baseline", "another", 0)


def test_without_an_embedding_or_others_nothing_is_found(store: Store) -> None:
    bare = clips.save(store, embedded("bare", None)).analysis_id
    still = clips.save(store, embedded("still", np.zeros(DIM))).analysis_id
    only = clips.save(store, embedded("only", np.ones(DIM))).analysis_id
    assert similar.similar(store, bare) is None
    assert similar.similar(store, still) is None
    assert similar.similar(store, 99_999) is None
    assert found(store, only) == []


def test_memory_is_bounded_the_newest_are_searched_and_that_is_said(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = RANDOM.normal(size=(12, DIM))
    ids = saved(sqlite_store, vectors)
    monkeypatch.setattr(similar, "MOST_BYTES", 8 * DIM * 4)
    answer = similar.similar(sqlite_store, ids[11], 20)
    assert answer is not None
    assert answer.left_out == 4
    assert_same(found(sqlite_store, ids[11], 20), by_hand(ids[4:], vectors[4:], ids[11], 20))


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_an_index_finds_nearly_all_of_the_nearest_and_only_of_the_model(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "INDEX_FROM", 100)
    vectors = RANDOM.normal(size=(400, DIM))
    ids, theirs = saved(store, vectors[:1]), saved(store, vectors[:1], TWIN)
    with store.transaction() as session:  # thousands of clips would take longer than the search
        for model, first in ((ids, 1_000_000), (theirs, 2_000_000)):
            columns = "model_revision_id, granularity, status, logits, analysed_at"
            clone = (
                "INSERT INTO clips (id, recording_id, channel, role, session_id, happened_at, duration_s)"
                " SELECT :first + i, recording_id, :first + i, role, session_id, happened_at, 1"
                " FROM clips, generate_series(1, 399) i WHERE clips.id = (SELECT min(id) FROM clips)"
            )
            session.execute(text(clone), {"first": first})
            session.execute(
                text(
                    f"INSERT INTO analyses (id, clip_id, {columns}) SELECT :first + i, :first + i, {columns}"
                    " FROM analyses, generate_series(1, 399) i WHERE analyses.id = :like"
                ),
                {"first": first, "like": model[0]},
            )
            rows = [{"analysis_id": first + i, "vector": vectors[i]} for i in range(1, 400)]
            bulk.add(session, Embedding, rows)
            model += [first + i for i in range(1, 400)]
        session.execute(text("ANALYZE"))
    assert neighbours.wants_index(store, DIM)
    assert neighbours.build_index(store, DIM)
    assert not neighbours.wants_index(store, DIM)
    assert neighbours.build_index(store, DIM)  # as little as another one would do at the same time

    hits = 0
    for wanted in ids[:20]:
        answer = similar.similar(store, wanted, 10)
        assert answer is not None
        hits += len(dict(found(store, wanted, 10)).keys() & dict(by_hand(ids, vectors, wanted, 10)).keys())
        assert {key for key, _ in found(store, wanted, 10)} <= {*ids}
    assert hits >= 190  # of 200
    # More than there are: then all of the model's are compared.
    everything = similar.similar(store, ids[0], 500)
    assert everything is not None
    assert everything.exact
    assert_same(found(store, ids[0], 500), by_hand(ids, vectors, ids[0], 500))


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_the_first_search_among_many_begins_to_index_in_the_background_and_later_ones_use_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "INDEX_FROM", 20)
    vectors = RANDOM.normal(size=(30, DIM))
    ids = saved(store, vectors)
    assert indexing() == []  # nobody has counted them yet
    with store.transaction() as session:
        session.execute(text("ANALYZE embeddings"))
    first = similar.similar(store, ids[0])
    assert first is not None
    assert first.exact
    for thread in indexing():
        thread.join(60)
    assert indexing() == []
    with store.reading() as session:
        name = f"ix_embeddings_nearest_{DIM}"
        valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
        assert session.scalar(valid, {"name": name}) is True
        wanted = neighbours.source(store, ids[0])
        assert wanted is not None
        asked = neighbours._nearest(wanted, 6, indexed=True).compile(store.engine)
        session.execute(text("SET LOCAL enable_seqscan = off"))  # which thirty rows are quicker with
        plan = session.connection().exec_driver_sql(f"EXPLAIN {asked}", asked.params).scalars().all()
        assert any(f"using {name}" in line for line in plan), plan
    second = similar.similar(store, ids[0])
    assert second is not None
    assert not second.exact
    assert [each.clip.clip_id for each in second.found] == [each.clip.clip_id for each in first.found]
    assert indexing() == []  # once in the life of a process


def indexing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nearest-index"]
