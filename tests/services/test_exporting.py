"""Tables to take away: the same rows in every format, nothing run as a formula, memory that does not grow."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from emostore.analytics.quality import PUBLISHED
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services import exporting, xlsx
from emostore.store.views import HistoryRow

NOW = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
SCORES = EmotionScores((0.1, 0.05, 0.05, 0.2, 0.3, 0.1, 0.1, 0.05, 0.05))
SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
NASTY = [
    "=HYPERLINK(1)",
    "  +1",
    "-2",
    "@SUM(A1)",
    "＝1+1",
    "<b>bold</b> & 'co' \"q\"",
    "مكالمة 喆 🎧",
    "_x0041_ a\nb\x0b",
    "a" * 40_000,
    "\ud800",
    "",
]


def row(number: int = 1, **about: Any) -> HistoryRow:
    known: dict[str, Any] = {
        "clip_id": number,
        "file_name": f"{number}.wav",
        "channel": 0,
        "channel_count": 1,
        "role": "customer",
        "agent": "Ana",
        "session_id": 7,
        "session_name": "Case 7",
        "happened_at": NOW,
        "happened_at_source": "given",
        "duration_s": 75.25,
        "analysis_id": number,
        "model": "six",
        "revision": "abcdef",
        "status": "analysed",
        "no_speech_reason": None,
        "scores": SCORES,
        "recording_id": number,
        "team": "Blue",
        "scenario": None,
        "domain": "phone",
        "language": "en",
        "media_kind": None,
        "demo": False,
    }
    return HistoryRow(**(known | about))


def as_csv(rows: list[HistoryRow], **options: Any) -> list[dict[str, str]]:
    data = b"".join(exporting.stream(rows, "csv", **options))
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def as_sheets(rows: list[HistoryRow], **options: Any) -> list[list[dict[str, Any]]]:
    """The sheets of the workbook, each a list of rows by heading, read from its XML."""
    archive = zipfile.ZipFile(io.BytesIO(b"".join(exporting.stream(rows, "xlsx", **options))))
    assert archive.testzip() is None
    for name in archive.namelist():
        ElementTree.fromstring(archive.read(name))  # every part is well-formed
    sheets = []
    for name in sorted(each for each in archive.namelist() if "worksheets/" in each):
        lines = [[_value(cell) for cell in line] for line in ElementTree.fromstring(archive.read(name))[1]]
        sheets.append([dict(zip(lines[0], line, strict=True)) for line in lines[1:]])
    return sheets


def _value(cell: ElementTree.Element) -> Any:
    assert cell.find(f"{SPREADSHEET}f") is None, "a cell holds a formula"
    if cell.get("t") == "inlineStr":
        return "".join(cell.itertext())
    number = cell.findtext(f"{SPREADSHEET}v")
    return None if number is None else number == "1" if cell.get("t") == "b" else float(number)


def test_a_clip_is_the_same_in_every_format() -> None:
    (text,) = as_csv([row()])
    (sheet,) = as_sheets([row()])
    table = parquet.read_table(io.BytesIO(b"".join(exporting.stream([row()], "parquet"))))
    (typed,) = table.to_pylist()
    assert list(text) == list(typed) == [name.removesuffix(" (UTC)") for name in sheet[0]]
    assert text["happened_at"] == "2026-03-31T06:05:00+00:00"
    assert typed["happened_at"] == NOW
    days = sheet[0]["happened_at (UTC)"]
    assert datetime(1899, 12, 30) + timedelta(days=days) == NOW.replace(tzinfo=None)
    for name in ("clip_id", "duration_s", "confidence", "entropy", "quality", *EMOTIONS):
        assert float(text[name]) == typed[name] == sheet[0][name], name
    assert [typed[name] for name in EMOTIONS] == list(SCORES.vector)
    assert (text["dominant"], typed["dominant"], sheet[0]["dominant"]) == ("neutral",) * 3
    assert (text["scenario"], typed["scenario"], sheet[0]["scenario"]) == ("", None, None)
    assert (text["demo"], typed["demo"], sheet[0]["demo"]) == ("false", False, False)


def test_times_are_in_the_reporting_zone_and_say_so() -> None:
    (text,) = as_csv([row()], time_zone="Asia/Shanghai")
    assert text["happened_at"] == "2026-03-31T14:05:00+08:00"
    assert "happened_at (Asia/Shanghai)" in as_sheets([row()], time_zone="Asia/Shanghai")[0][0]
    data = io.BytesIO(b"".join(exporting.stream([row()], "parquet", time_zone="Asia/Shanghai")))
    (typed,) = parquet.read_table(data).to_pylist()
    assert (typed["happened_at"], typed["happened_at"].utcoffset()) == (NOW, timedelta(hours=8))


def test_a_clip_without_speech_has_no_scores_and_says_why() -> None:
    silent = row(scores=None, status="no_speech", no_speech_reason="silence")
    (text,) = as_csv([silent])
    (sheet,) = as_sheets([silent])
    assert {text[name] for name in (*EMOTIONS, "dominant", "confidence", "quality")} == {""}
    assert {sheet[0][name] for name in (*EMOTIONS, "dominant", "confidence", "quality")} == {None}
    assert text["no_speech_reason"] == sheet[0]["no_speech_reason"] == "silence"


@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_nothing_filtered_is_a_table_with_its_heading(kind: exporting.Format) -> None:
    data = b"".join(exporting.stream([], kind))
    if kind == "parquet":
        assert parquet.read_table(io.BytesIO(data)).num_rows == 0
    else:
        assert (as_csv([]), as_sheets([])) == ([], [[]])
        assert data


def test_quality_follows_the_profile_that_is_asked_for() -> None:
    balanced, published = as_csv([row()])[0], as_csv([row()], profile=PUBLISHED)[0]
    assert float(published["quality"]) == pytest.approx(float(balanced["quality"]) + 70)


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_text_in_every_format_and_never_a_formula(name: str) -> None:
    (text,) = as_csv([row(agent=name)])
    assert not text["agent"].lstrip().startswith(tuple("=+-@＝＋－＠"))
    assert text["agent"] in (name.replace("\ud800", "?"), f"'{name}")
    assert text["clip_id"] == "1"  # a line break in a name does not begin a row
    (sheet,) = as_sheets([row(agent=name)])
    said = str(sheet[0]["agent"]).replace("_x005F_", "_")
    assert said == name.replace("\x0b", "").replace("\ud800", "")[: xlsx.CELL_CHARACTERS]


@given(st.text())
def test_whatever_a_name_is_a_spreadsheet_reads_text(name: str) -> None:
    assert not exporting.defused(name).lstrip().startswith(tuple("=+-@＝＋－＠"))
    assert exporting.defused(name).removeprefix("'") == name.removeprefix("'")


def test_a_full_sheet_is_continued_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 4)
    sheets = as_sheets([row(number) for number in range(7)])
    assert [[line["clip_id"] for line in sheet] for sheet in sheets] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_time_before_spreadsheets_begin_stays_readable() -> None:
    (sheet,) = as_sheets([row(happened_at=datetime(1890, 1, 1, tzinfo=ZoneInfo("UTC")))])
    assert sheet[0]["happened_at (UTC)"] == "1890-01-01 00:00:00"


@pytest.mark.parametrize("kind", exporting.FORMATS)
def test_memory_does_not_grow_with_the_rows(kind: exporting.Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 100)
    walked = 0

    def rows(count: int) -> Iterator[HistoryRow]:
        nonlocal walked
        for number in range(count):
            walked += 1
            yield row(number)

    def most(count: int) -> int:
        tracemalloc.start()
        for _piece in exporting.stream(rows(count), kind):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most(100)  # imports
    few, many = most(300), most(3_000)
    assert many < few * 2 + 200_000
    walked = 0
    next(exporting.stream(rows(1_000), kind))
    assert walked == 100  # a piece is sent before the next rows are read
