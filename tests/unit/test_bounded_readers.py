"""Whatever bytes a reader is given, it answers with a value or with a sentence, and never holds more than it may."""

from __future__ import annotations

import io
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emostore.emotions import EMOTIONS
from emostore.errors import EmostoreError, MetadataError
from emostore.services.importing import bounded, frame_scores, kinds, score_table
from emostore.services.importing.found import Found
from emostore.services.importing.values import distribution

EVEN = dict.fromkeys(EMOTIONS, 1 / 9)
NAMES = st.sampled_from([*EMOTIONS, "scores", "frames", "labels", "format", "emostore", "hop_s", "timestamp", "状态"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.just(1 / 9) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(NAMES | st.text(), inner, max_size=10),
    max_leaves=30,
)


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def embedding(data: bytes) -> tuple[Any, int | None]:
    return bounded.npy_mean(io.BytesIO(data), len(data))


def told(error: EmostoreError) -> None:
    """The sentence has all of its fields, and is not as long as what was found."""
    assert 10 < len(str(error)) < 500


def found(text: str) -> list[Found]:
    return [clip for value in bounded.json_values(text.encode()) for clip in kinds.clips(value, "x")]


@given(st.binary() | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bytes_are_json_or_a_sentence(data: bytes) -> None:
    try:
        for value in bounded.json_values(data):
            for clip in kinds.clips(value, "x"):
                assert isinstance(clip, Found)
                assert len(clip.identity) == 64
    except EmostoreError as error:
        told(error)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 140), st.binary(max_size=20))
def test_bytes_are_an_embedding_or_a_sentence(data: bytes, place: int, patch: bytes) -> None:
    whole = npy(np.zeros(1024, np.float32))
    damaged = whole[:place] + patch + whole[place + len(patch) :]
    for each in (data, b"\x93NUMPY\x01\x00" + data, damaged):
        try:
            vector, _frames = embedding(each)
        except EmostoreError as error:
            told(error)
        else:
            assert vector.shape == (1024,)
            assert np.isfinite(vector).all()


@given(st.binary() | st.text().map(str.encode))
def test_bytes_are_a_table_or_a_sentence(data: bytes) -> None:
    try:
        for number, row in bounded.table(io.BytesIO(b"file,angry,happy\n" + data)):
            score_table.read(row, number)
    except EmostoreError as error:
        told(error)


@given(st.lists(st.floats(0, 1), min_size=9, max_size=9).filter(lambda values: sum(values) > 0.01))
def test_scores_are_taken_if_and_only_if_they_sum_to_one(values: list[float]) -> None:
    whole = [value / math.fsum(values) for value in values]
    assert list(distribution(dict(zip(EMOTIONS, whole, strict=True))).values()) == whole
    off = dict(zip(EMOTIONS, [value * 1.006 for value in whole], strict=True))
    with pytest.raises(EmostoreError):
        distribution(off)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"scores": {"angry": NaN}}', "NaN is not a number"),
        ('{"scores": {"angry": -Infinity}}', "-Infinity is not a number"),
        (json.dumps({"scores": {**EVEN, "angry": 1}}).replace("1,", "1e999,", 1), "inf, which is not a number"),
        ('{"scores": 1, "scores": 2}', "The name scores stands twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("1" * 5_000, "too long to be a score"),
        ("", "nothing in it"),
        (json.dumps(EVEN) + " x", "cannot be read as JSON: Expecting value in line 1"),
        ("\ufeff{'a': 1}", "cannot be read as JSON"),
        (json.dumps({"scores": {**EVEN, "tired": 0}}), "tired is not one of the nine"),
        (json.dumps({"scores": {**EVEN, "生气/angry": 0}}), "two scores for angry"),
        (json.dumps({"scores": dict.fromkeys(EMOTIONS[:8], 1 / 8)}), "no scores for unknown"),
        (json.dumps({"scores": {**EVEN, "angry": "0.1"}}), "angry is 0.1, which is not a number"),
        (json.dumps({"scores": {**EVEN, "angry": True}}), "angry is True, which is not a number"),
        (json.dumps({"scores": {**EVEN, "angry": 10**400}}), "which is not a number"),
        (json.dumps({"scores": dict.fromkeys(EMOTIONS, 0.2)}), "sum to 1.8"),
        (json.dumps({"scores": {**EVEN, "angry": -0.1, "happy": 1 / 9 + 0.1 + 1 / 9}}), "must lie between 0 and 1"),
        (json.dumps({"scores": "high"}), "should be an object of nine emotions"),
        (json.dumps({"hello": "world"}), "There are no scores in it"),
        (json.dumps([[0.5] * 9]), "Frame 0 is no distribution"),
        (json.dumps([[1 / 9] * 8]), "Frame 0 holds"),
        (json.dumps([[1 / 9] * 8 + ["0.1"]]), "A score is 0.1, which is not a number"),
        (json.dumps([[1 / 9] * 8 + [None]]), "which is not a number"),
        (json.dumps({**EVEN, "angry": [0.1, 0.2]}), "has a list for each of the nine emotions"),
        (json.dumps({"scores": EVEN, "timestamp": "yesterday"}), "timestamp is yesterday, which is not a time"),
        (json.dumps({"labels": ["angry"], "scores": [0.5]}), "sum to 0.5"),
        (json.dumps({"labels": ["angry", "angry"], "scores": [0.5, 0.5]}), "two scores for angry"),
        (json.dumps({"labels": ["angry"], "scores": [1.0], "feats": [1, 2]}), "should be 1,024 numbers"),
        (json.dumps({"format": "emostore clip", "version": 2}), "version 2; this program reads version 1"),
        (json.dumps({"format": "emostore clip", "version": 1}), "sha256 is"),
    ],
)
def test_what_is_no_score_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(EmostoreError) as caught:
        found(text)
    assert said in str(caught.value)


def test_json_is_bounded_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_JSON_BYTES", 100)
    with pytest.raises(MetadataError, match="is not read"):
        bounded.json_value(b" " * 101)
    monkeypatch.setattr(bounded, "MAX_JSON_PARTS", 3)
    with pytest.raises(MetadataError, match="more than 3 objects"):
        bounded.json_value(b"[[],[],[]]")
    monkeypatch.setattr(bounded, "MAX_JSON_VALUES", 3)
    with pytest.raises(MetadataError, match="or 3 values"):
        bounded.json_value(b"[1,2,3,4,5]")


def test_endless_lines_are_not_read_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_LINE_BYTES", 100)
    stream = io.BytesIO(b"{}\n\n" + b"a" * 10_000)
    lines = bounded.lines(stream)
    assert next(lines) == (1, b"{}\n")
    with pytest.raises(MetadataError, match="Line 3 is longer"):
        next(lines)
    assert stream.tell() < 200
    with pytest.raises(MetadataError, match="larger than"):
        bounded.whole(io.BytesIO(b"12345"), 4)


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4"])
def test_an_embedding_is_the_mean_of_its_frames(kind: str) -> None:
    frames = np.random.default_rng(0).normal(size=(5000, 1024)).astype(kind)
    vector, count = embedding(npy(frames))
    assert count == 5000
    np.testing.assert_allclose(vector, frames.astype(np.float64).mean(axis=0), atol=1e-6)
    single, none = embedding(npy(frames[0]))
    assert none is None
    np.testing.assert_array_equal(single, frames[0].astype(np.float32))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (npy(np.array([{"a": 1}], object), allow_pickle=True), "Objects (pickles) are never read"),
        (pickle.dumps([1, 2]), "no array of NumPy"),
        (npy(np.zeros(1024, np.int64)), "holds values of type '<i8'"),
        (npy(np.zeros(768, np.float32)), "has shape (768,)"),
        (npy(np.zeros((0, 1024), np.float32)), "has shape (0, 1024)"),
        (npy(np.zeros((1, 2, 1024), np.float32)), "has shape (1, 2, 1024)"),
        (npy(np.full(1024, np.nan, np.float32)), "not numbers, or too large"),
        (npy(np.full(1024, 1e9)), "not numbers, or too large"),
        (npy(np.asfortranarray(np.zeros((2, 1024), np.float32))), "column by column"),
        (npy(np.zeros(1024, np.float32))[:-1], "the file is damaged"),
        (npy(np.zeros(1024, np.float32)) + b"x", "the file is damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 60_000, "too long"),
        (b"\x93NUMPY\x01\x00\x00\x04" + b"(" * 1024, "cannot be read"),
        (npy(np.zeros(1024, [("a", "<f4")])), "Objects (pickles) are never read"),
    ],
)
def test_an_array_that_is_no_embedding_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(MetadataError) as caught:
        embedding(data)
    assert said in str(caught.value)


def test_a_shape_larger_than_the_file_costs_nothing() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (719999, 1024), }\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(MetadataError, match="should take 5,898,231,808 bytes"):
        embedding(data)


ONE = [0.0, 0.0, 0.0, 0.25, 0.75, 0.0, 0.0, 0.0, 0.0]
NAMED = dict(zip(EMOTIONS, ONE, strict=True))


@pytest.mark.parametrize(
    ("value", "hop"),
    [
        ([ONE, ONE], None),
        ([NAMED, NAMED], None),
        ([{"scores": NAMED}, {"scores": ONE}], None),
        ([{"time": 0.5, **NAMED}, {"time": 0.54, **NAMED}], 0.04),
        ([{"start_ms": 0, "end_ms": 30, "scores": NAMED}, {"start_ms": 20, "end_ms": 50, "scores": NAMED}], 0.02),
        ({name: [score, score] for name, score in NAMED.items()}, None),
        ({"hop_ms": 20, "scores": [ONE, ONE]}, 0.02),
        ({"frame_shift": 0.04, "frames": [NAMED, NAMED]}, 0.04),
        ({"granularity": "frame", "scores": {name: [score] * 2 for name, score in NAMED.items()}}, None),
        ({"time": [0, 1], "scores": [ONE, ONE]}, 1.0),
    ],
)
def test_frames_are_read_in_every_shape_that_is_around(value: Any, hop: float | None) -> None:
    (found,) = kinds.clips(value, "x")
    assert found.frames is not None
    np.testing.assert_allclose(found.frames.scores, [ONE, ONE])
    assert found.frames.hop_s == (pytest.approx(hop) if hop else None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([{"time": 0, **NAMED}, {"time": 1, **NAMED}, {"time": 9, **NAMED}], "at even distances"),
        ([{"time": 1, **NAMED}, {"time": 0, **NAMED}], "at even distances"),
        ({"hop_s": 100, "scores": [ONE]}, "would begin every 100"),
        ({"hop_s": -1, "scores": [ONE]}, "should be above 0"),
        ({"hop_s": "fast", "scores": [ONE]}, "hop_s is fast"),
        ({"time": [0.0], "scores": [ONE, ONE]}, "1 times for 2 frames"),
        ([ONE, {"scores": ONE}, 3], "Frame 2 holds 3"),
        ([{"scores": {**NAMED, "bored": 0}}], "nothing else"),
        ({"scores": []}, "The list holds 0 scores"),
    ],
)
def test_frames_that_are_no_windows_over_time_are_refused(value: Any, said: str) -> None:
    with pytest.raises(EmostoreError) as caught:
        frame_scores.read(value) if isinstance(value, list) else list(kinds.clips(value, "x"))
    assert said in str(caught.value)
