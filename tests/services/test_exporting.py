"""Tables to take away: the same rows in every format, nothing run as a formula, memory that does not grow."""

from __future__ import annotations

import csv
import io
import tempfile
import tracemalloc
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from pyarrow import parquet

from emostore.analytics.quality import PUBLISHED
from emostore.emotions import EMOTIONS, EmotionScores
from emostore.services.exports import export_raw, export_tables, exporting, xlsx
from emostore.store.reports.views import HistoryRow

NOW = datetime(2026, 3, 31, 6, 5, tzinfo=UTC)
SCORES = EmotionScores((0.1, 0.05, 0.05, 0.2, 0.3, 0.1, 0.1, 0.05, 0.05))
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
    "http://example.org",
    "007",
    "<r><t>co</t></r>",
    '<r></r></is></c><c r="B9"><f>1+1</f></c><c><is><r></r>',
    "<r>" + "a" * 40_000 + "</r>",
]


def row(number: int = 1, **about: Any) -> HistoryRow:
    known: dict[str, Any] = {
        "clip_id": number,
        "sha256": f"{number:064x}",
        "file_name": f"{number}.wav",
        "channel": 0,
        "channel_count": 1,
        "role": "customer",
        "agent": "Ana",
        "session_id": 7,
        "session_key": "name:case 7",
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
    """The sheets of the workbook, each a list of rows by heading, none of whose cells holds a formula or a link."""
    sheets = []
    for sheet in load_workbook(io.BytesIO(b"".join(exporting.stream(rows, "xlsx", **options)))):
        heading, *lines = sheet.iter_rows()
        assert sheet.freeze_panes == "A2"
        assert all(cell.font.bold for cell in heading)
        for cell in (cell for line in lines for cell in line):
            assert cell.data_type != "f", "a cell holds a formula"
            assert cell.hyperlink is None
        sheets.append(
            [{str(name.value): cell.value for name, cell in zip(heading, line, strict=True)} for line in lines]
        )
    return sheets


def test_a_clip_is_the_same_in_every_format() -> None:
    (text,) = as_csv([row()])
    (sheet,) = as_sheets([row()])
    table = parquet.read_table(io.BytesIO(b"".join(exporting.stream([row()], "parquet"))))
    (typed,) = table.to_pylist()
    assert list(text) == list(typed) == [name.removesuffix(" (UTC)") for name in sheet[0]]
    assert text["happened_at"] == "2026-03-31T06:05:00+00:00"
    assert typed["happened_at"] == NOW
    assert sheet[0]["happened_at (UTC)"] == NOW.replace(tzinfo=None)
    for name in ("clip_id", "duration_s", "confidence", "entropy", "quality", *EMOTIONS):
        assert float(text[name]) == typed[name], name
        assert sheet[0][name] == pytest.approx(typed[name], rel=1e-15), name  # 16 digits
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


def test_a_result_below_the_chosen_confidence_is_uncertain() -> None:
    assert [as_csv([row()], uncertain_below=below)[0]["uncertain"] for below in (0.3, 0.31)] == ["false", "true"]
    assert as_sheets([row()], uncertain_below=0.31)[0][0]["uncertain"] is True
    assert as_csv([row(scores=None)])[0]["uncertain"] == ""


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
    said = (sheet[0]["agent"] or "").replace("_x005F_", "_")
    assert said == name.replace("\x0b", "").replace("\ud800", "")[: xlsx.CELL_CHARACTERS]


@given(st.text())
def test_whatever_a_name_is_a_spreadsheet_reads_text(name: str) -> None:
    assert not exporting.defused(name).lstrip().startswith(tuple("=+-@＝＋－＠"))
    assert exporting.defused(name).removeprefix("'") == name.removeprefix("'")
    if not name.startswith("'"):
        assert export_tables.undefused(exporting.defused(name)) == name


def test_every_number_of_sixteen_bits_comes_back_from_its_shortest_form() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)]
    back = np.array(export_raw.shortest(every)).astype(np.float16)
    assert (back == every).all()
    assert len(str(export_raw.shortest(np.float16(0.1).reshape(1))[0])) == 3


def test_a_full_sheet_is_continued_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 4)
    sheets = as_sheets([row(number) for number in range(7)])
    assert [[line["clip_id"] for line in sheet] for sheet in sheets] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_time_before_spreadsheets_begin_stays_readable() -> None:
    (sheet,) = as_sheets([row(happened_at=datetime(1890, 1, 1, tzinfo=ZoneInfo("UTC")))])
    assert sheet[0]["happened_at (UTC)"] == "1890-01-01 00:00:00"


def test_a_cell_is_cut_where_spreadsheets_end_it_but_not_within_a_character() -> None:
    (sheet,) = as_sheets([row(agent="a" + "🎧" * 20_000)])
    assert sheet[0]["agent"] == "a" + "🎧" * 16_383  # 32,767 units of UTF-16


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_leaves_its_cell_empty(number: float) -> None:
    assert as_sheets([row(duration_s=number)])[0][0]["duration_s"] is None


def test_nothing_stays_on_disk_whether_the_file_is_taken_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pieces = cast(Generator[bytes, None, None], exporting.stream([row()], "xlsx"))
    next(pieces)
    assert list(tmp_path.iterdir())
    pieces.close()
    assert not list(tmp_path.iterdir())
    assert as_sheets([row()])
    assert not list(tmp_path.iterdir())


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
    for number, _piece in enumerate(exporting.stream(rows(300), kind), 1):
        assert walked <= 100 * number  # a piece is handed out before the next rows are read
