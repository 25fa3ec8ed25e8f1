"""The route that sends clips as a file: what the address filters, nothing else, and only to those who may."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from emostore import access, api
from emostore.config import Settings
from emostore.services import groups
from emostore.services.exports import exporting
from emostore.store.reports import export_reports, history
from emostore.store.session import Store
from tests.app.stored import saved

NOW = datetime.now(UTC)


@pytest.fixture
def client(store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    saved(store, name="new.wav", agent="Ana & Co", happened_at=NOW)
    saved(store, name="older.wav", agent="=1+1", happened_at=NOW - timedelta(days=10))
    saved(store, name="old.wav", agent="Ana & Co", happened_at=NOW - timedelta(days=100))
    monkeypatch.setattr(api, "_store", lambda: store)
    monkeypatch.setattr(api, "settings", lambda: config)
    with TestClient(Starlette(routes=api.ROUTES)) as client:
        yield client


def names(client: TestClient, **address: str) -> list[str]:
    answer = client.get("/export/clips.csv", params=address)
    assert answer.status_code == 200
    rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    return [row["file_name"] for row in rows]


def test_exactly_what_the_address_filters_is_sent(client: TestClient) -> None:
    assert names(client) == ["new.wav", "older.wav"]  # the last 90 days, as on the page
    assert names(client, days="all") == ["new.wav", "older.wav", "old.wav"]
    assert names(client, days="all", agent="Ana & Co") == ["new.wav", "old.wav"]
    assert names(client, agent="nobody") == []
    assert names(client, lang="zh", days="7") == ["new.wav"]


def test_a_file_follows_the_label_groups_of_its_address(client: TestClient, store: Store) -> None:
    groups.make(store, "tense: all", ["angry", "disgusted"])
    both = ["new.wav", "older.wav"]  # angry .605, disgusted .223
    assert names(client, group="negative") == names(client, group="tense: all") == both
    assert names(client, group="positive") == []
    assert names(client, sum="tense: all:0.82-1") == both
    assert names(client, sum="tense: all:0.83-1") == []
    groups.forget(store, "tense: all")
    answer = client.get("/export/clips.csv", params={"group": "tense: all"})
    assert (answer.status_code, answer.text) == (422, "This part of the address stands for nothing: group=tense: all")


OFFERED = [(what, kind) for what in exporting.WHATS for kind in exporting.OFFERED[what]]


@pytest.mark.parametrize(("what", "kind"), OFFERED)
def test_a_file_is_saved_and_not_shown(client: TestClient, what: exporting.What, kind: exporting.Format) -> None:
    answer = client.get(f"/export/{what}.{kind}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == exporting.MIME_TYPES[kind]
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{what}-20')
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_cannot_be_meant_is_refused_rather_than_left_out(client: TestClient) -> None:
    answer = client.get("/export/clips.csv", params={"emotion": "tired", "first": "2026-13-01"})
    assert (answer.status_code, answer.text) == (
        422,
        "This part of the address stands for nothing: first=2026-13-01, emotion=tired",
    )
    inverted = client.get("/export/clips.csv", params={"first": "2026-02-02", "last": "2026-01-01"})
    assert inverted.status_code == 422
    assert client.get("/export/clips.exe").status_code == 404
    assert client.get("/export/users.csv").status_code == 404
    assert client.get("/export/embeddings.xlsx").text == "The embeddings are exported as csv, parquet, jsonl."


def test_more_folders_than_a_zip_may_hold_are_refused_before_it_begins(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "COUNTED", 2)
    answer = client.get("/export/results.zip", params={"days": "all"})
    assert answer.status_code == 422
    assert "Narrow the filters, or take JSON lines" in answer.text
    assert client.get("/export/results.zip", params={"agent": "Ana & Co"}).status_code == 200


def test_raw_results_are_read_a_few_at_a_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = export_reports.raw_results

    def counted(store: Store, ids: list[int], **options: bool) -> dict[int, export_reports.RawResult]:
        asked.append(len(ids))
        return read(store, ids, **options)

    monkeypatch.setattr(exporting, "RAW_BATCH", 2)
    monkeypatch.setattr(export_reports, "raw_results", counted)
    for what, kind in OFFERED:
        assert client.get(f"/export/{what}.{kind}", params={"days": "all"}).status_code == 200
    assert set(asked) == {2, 1}


def test_only_those_who_may_read_are_sent_anything(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "can", lambda action, subject=None: False)
    for what, kind in OFFERED:
        answer = client.get(f"/export/{what}.{kind}")
        assert answer.status_code == 403
        assert "wav" not in answer.text
