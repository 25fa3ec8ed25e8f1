"""Names from people and files, and values of every kind, through a real database."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from sqlalchemy import select

from emostore.emotions import EmotionScores
from emostore.errors import MetadataError, StoreError
from emostore.store.reports import reports
from emostore.store.session import Store, create_store
from emostore.store.tables import models
from emostore.store.writing import clips, names
from tests.store.samples import analysed, analysis, clip, recording

NASTY = [
    "=HYPERLINK(\"http://x\")",
    "<script>alert(1)</script>",
    "'; DROP TABLE clips; --",
    "%s {name} %(x)s",
    "👩‍👩‍👧 李娜 🇨🇳",
    "שלום עולם",
    "Ａｎｎ",
    "ﬀ ǅ ß İ",
]  # fmt: skip
numbers = itertools.count()


@pytest.mark.parametrize("name", NASTY)
def test_a_name_of_any_script_comes_back_as_it_was(store: Store, name: str) -> None:
    saved = clips.save(store, analysis(recording=recording(file_name=name), agent=name, team=name, session_name=name))
    view = reports.clip_view(store, saved.clip_id)
    assert view is not None
    assert {view.agent, view.team, view.session_name, view.file_name} == {unicodedata.normalize("NFC", name)}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  Ann \t\n Lee ", "Ann Lee"),
        ("A\x00nn\x07", "Ann"),
        ("Ann\ud800", "Ann"),
        ("Ann\u202etxt.exe\u2066", "Anntxt.exe"),
        ("Zoe\u0308", "Zoë"),
        ("", None),
        (" \x00\u2028 ", None),
        (None, None),
    ],
)
def test_a_name_is_stored_without_what_cannot_be_seen(typed: str | None, stored: str | None) -> None:
    assert clip(agent=typed, session_name=typed).agent == stored
    assert clip(agent="Ann", team=typed).team == stored


def test_a_name_that_is_too_long_is_refused_with_its_length() -> None:
    assert clip(agent="x" * 200).agent == "x" * 200
    with pytest.raises(MetadataError, match="name of the session has 201 characters; 200 are allowed"):
        clip(session_name="x" * 201)


@pytest.mark.parametrize("name", ["", "\x00", "x" * 1001])
def test_a_file_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(MetadataError, match="A file name needs 1 to 1000 characters"):
        recording(file_name=name)


def test_a_team_without_an_agent_is_refused() -> None:
    with pytest.raises(MetadataError, match="The team North is given without an agent"):
        clip(team="North")


@pytest.mark.parametrize(
    ("file_name", "session"),
    [
        ("calls/monday/7.final.wav", "7.final"),
        ("C:\\calls\\7.wav", "7"),
        (".wav", ".wav"),
        ("calls/", "calls"),
        ("/", "/"),
    ],
)
def test_a_session_for_one_file_is_called_like_it(file_name: str, session: str) -> None:
    assert names.stem(file_name) == session


def test_a_session_for_a_file_with_a_long_name_has_the_beginning_of_it(store: Store) -> None:
    long = clips.save(store, analysis(recording=recording(file_name="长" * 996 + ".wav")))
    assert long.session_name == "长" * 200


@pytest.mark.parametrize("embedding", [np.nan, np.inf, 70_000.0])
def test_results_that_no_column_can_hold_are_refused(embedding: float) -> None:
    with pytest.raises(StoreError, match="embedding of the model hold values that are not numbers or too large"):
        clips.Analysed(np.zeros(9), EmotionScores((1 / 9,) * 9), embedding=np.array([embedding], np.float32))
    with pytest.raises(StoreError, match="logits of the model hold values that are not numbers"):
        clips.Analysed(np.full(9, np.nan), EmotionScores((1 / 9,) * 9))


def test_results_of_the_wrong_shape_are_refused() -> None:
    scores = EmotionScores((1 / 9,) * 9)
    with pytest.raises(ValueError, match=r"logits must have shape \(9,\)"):
        clips.Analysed(np.zeros(8), scores)
    with pytest.raises(ValueError, match="window logits must have shape"):
        clips.NewWindows(np.zeros((0, 9)), 1.0, 3.0)
    with pytest.raises(ValueError, match=r"has shape \(16,\), got \(3,\)"):
        analysis(outcome=clips.Analysed(np.zeros(9), scores, embedding=np.zeros(3)))


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "g" * 64])
def test_what_is_no_sha256_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hexadecimal digits"):
        recording(sha256=digest)


@pytest.fixture(scope="module")
def shared_store(sqlite_template: Path) -> Iterator[Store]:
    path = sqlite_template.with_name("shared.db")
    path.write_bytes(sqlite_template.read_bytes())
    store = create_store(f"sqlite:///{path}")
    yield store
    store.close()


logits = st_numpy.arrays(
    np.float32, 9, elements=st.one_of(st.floats(-60_000, 60_000, width=32), st.just(-np.inf))
).filter(lambda values: bool(np.isfinite(values).any()))
some_text = st.text(max_size=40) | st.sampled_from(NASTY)


@given(values=logits, name=some_text, session=some_text)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_result_under_any_name_comes_back_as_it_was(
    shared_store: Store, values: np.ndarray, name: str, session: str
) -> None:
    number = next(numbers)
    outcome = analysed(values)
    saved = clips.save(shared_store, analysis(number, agent=name, session_name=session, outcome=outcome))
    view = reports.clip_view(shared_store, saved.clip_id)
    assert view is not None
    assert view.newest is not None
    assert view.newest.scores == outcome.scores
    assert view.agent == (names.clean(name) or None)
    assert names.session_key(view.session_name, "") == names.session_key(names.clean(session) or str(number), "")
    with shared_store.reading() as read:
        stored = read.scalar(select(models.Analysis.logits).where(models.Analysis.id == saved.analysis_id))
    assert np.array_equal(stored, values)
    assert clips.save(shared_store, analysis(number, outcome=outcome)).created is False


@given(some_text)
def test_cleaning_a_name_twice_changes_nothing_more(text: str) -> None:
    assert names.clean(names.clean(text)) == names.clean(text)
