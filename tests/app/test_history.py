"""The History page: filters that live in the URL, pages of clips, and what is said when nothing fits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emostore.store.session import Store
from emostore.ui import history
from tests.app.conftest import text
from tests.app.stored import NOW, saved


def opened(app: AppTest, **filters: str) -> AppTest:
    for name, value in filters.items():
        app.query_params[name] = value
    return app.run().switch_page("pages/history.py").run()


def files(at: AppTest) -> list[str]:
    return list(at.dataframe[0].value["File"]) if len(at.dataframe) else []


def test_clips_are_listed_the_latest_first(app: AppTest, store: Store) -> None:
    saved(store, name="old.wav", happened_at=NOW - timedelta(days=1), agent="Ana")
    saved(store, name="new.wav", agent="Bob")
    at = opened(app)
    assert not at.exception
    assert files(at) == ["new.wav", "old.wav"]
    row = at.dataframe[0].value.iloc[0]
    assert (row["Agent"], row["Emotion"], row["Voice"], row["Model"]) == ("Bob", "Angry", "Customer", "six")
    assert row["Confidence"] == pytest.approx(0.605, abs=0.001)
    assert "2 clips" in text(at)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("agent", "Ana", ["old.wav"]),
        ("emotion", "angry", ["new.wav", "old.wav"]),
        ("emotion", "happy", []),
        ("role", "agent", []),
        ("from", "2026-03-31", ["new.wav"]),
        ("to", "2026-03-30", ["old.wav"]),
        ("model", "six@abcdef123456", ["new.wav", "old.wav"]),
    ],
)
def test_a_link_brings_its_filter_with_it(
    app: AppTest, store: Store, name: str, value: str, expected: list[str]
) -> None:
    saved(store, name="old.wav", happened_at=NOW - timedelta(days=1), agent="Ana")
    saved(store, name="new.wav", agent="Bob")
    at = opened(app, **{name: value})
    assert not at.exception
    assert files(at) == expected
    if not expected:
        assert "No clip fits these filters" in text(at)


def test_pages_follow_each_other_without_a_gap(app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    for number in range(5):
        saved(store, name=f"{number}.wav", happened_at=NOW + timedelta(minutes=number))
    at = opened(app)
    assert files(at) == ["4.wav", "3.wav"]
    assert at.button(key="later").disabled
    at.button(key="earlier").click().run()
    assert files(at) == ["2.wav", "1.wav"]
    at.button(key="earlier").click().run()
    assert files(at) == ["0.wav"]
    assert at.button(key="earlier").disabled
    at.button(key="later").click().run()
    assert files(at) == ["2.wav", "1.wav"]


@pytest.mark.parametrize(
    "filters",
    [
        {"agent": "nobody"},
        {"session": "999"},
        {"session": "x"},
        {"emotion": "tired"},
        {"from": "yesterday"},
        {"before": "rubbish"},
        {"before": "20260331T060500000000Z-" + "9" * 40},
        {"model": "a@b@c"},
        {"role": "'; DROP TABLE clips; --"},
    ],
)
def test_an_edited_url_breaks_nothing(app: AppTest, store: Store, filters: dict[str, str]) -> None:
    saved(store)
    at = opened(app, **filters)
    assert not at.exception
    assert not at.error


def test_inverted_dates_are_explained(app: AppTest, store: Store) -> None:
    saved(store)
    at = opened(app, **{"from": "2026-04-02", "to": "2026-04-01"})
    assert not at.exception
    assert "The first day is after the last one" in text(at)


def test_an_empty_store_says_where_to_begin(app: AppTest, data_dir: Path) -> None:
    at = opened(app)
    assert not at.exception
    assert "Nothing has been analysed yet" in text(at)
