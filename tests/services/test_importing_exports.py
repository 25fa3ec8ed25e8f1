"""What this app exports and an import reads again: the same recordings, channels, sessions and pairs, or a sentence."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from emostore.commands import data as commands
from emostore.config import Settings
from emostore.services import importing
from emostore.services.calibration import labelling
from emostore.services.exports import exporting
from emostore.services.importing import Given, Options
from emostore.store.calibration.labels import NewLabel
from emostore.store.reports.history import HistoryFilter
from emostore.store.session import Store
from emostore.store.writing import clips
from tests.store.samples import analysis


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def exported(store: Store, what: Any, kind: Any) -> Given:
    return Given(f"{what}.{kind}", io.BytesIO(b"".join(exporting.export(store, HistoryFilter(), what, kind))))


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("windows", "csv", "Its rows are windows, which are parts of clips."),
        ("windows", "jsonl", "Its rows are windows, which are parts of clips."),
        ("embeddings", "csv", "Its rows are embeddings, without scores."),
        ("embeddings", "jsonl", "Its rows are embeddings, without scores."),
        ("labels", "csv", "Labels are imported on the Label page, as CSV"),
        ("labels", "jsonl", "Labels are imported on the Label page, as CSV"),
        ("clips", "xlsx", "Tables are read as CSV"),
        ("clips", "parquet", "Tables are read as CSV"),
    ],
)
def test_what_is_exported_of_parts_of_clips_is_refused_once_and_told_where_it_belongs(
    sqlite_store: Store, config: Settings, what: Any, kind: Any, said: str
) -> None:
    stored = clips.save_many(sqlite_store, [analysis(name) for name in ("a", "b")])
    labelling.save_many(sqlite_store, {(each.clip_id, "Cy"): NewLabel("angry") for each in stored})
    plan = importing.plan(sqlite_store, config, [exported(sqlite_store, what, kind)], Options())
    assert (plan.clips, plan.passed, plan.refused_count) == ([], (), 1)
    assert plan.refused[0].line is None
    assert said in str(plan.refused[0].reason)


def test_an_exported_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert commands._write(tmp_path / "x.csv", [b"ab", b"c"]) == 3
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
    assert (tmp_path / "x.csv").stat().st_mode & 0o777 == 0o640
