"""A list beside the files, as spreadsheets and people write it, and which source counts most."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from emostore.errors import MetadataError
from emostore.i18n import explain
from emostore.services.metadata import sidecar
from emostore.services.metadata.describing import describe
from emostore.services.metadata.descriptions import Description, merge
from emostore.services.metadata.filenames import parse_pattern
from emostore.services.metadata.sidecar import Sidecar

ZONE = "Asia/Shanghai"
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


def read(text: str, encoding: str = "utf-8") -> Sidecar:
    return sidecar.read(text.encode(encoding), ZONE)


def problems(found: Sidecar) -> list[str]:
    return [explain(problem, "en") for problem in found.problems]


def test_a_list_says_everything_of_a_file_in_any_order_of_columns() -> None:
    found = read(
        "Language,FILE,agent,team,session,happened_at,role,scenario,domain\n"
        'zh,a.wav,"Lee, Ann",North,Case 7,2026-03-31 14:05,"agent,customer",customer_service,phone\n'
    )
    assert (found.problems, found.unknown_columns) == ((), ())
    assert found.find("calls/a.wav") == Description(
        agent="Lee, Ann",
        team="North",
        session="Case 7",
        happened_at=datetime(2026, 3, 31, 14, 5, tzinfo=ZoneInfo(ZONE)),
        roles=("agent", "customer"),
        scenario="customer_service",
        domain="phone",
        language="zh",
    )
    assert found.find("b.wav") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_chinese_lists_are_read_as_spreadsheets_save_them(encoding: str, delimiter: str, line: str) -> None:
    rows = [
        ["文件", "坐席", "团队", "会话", "时间", "角色", "场景", "设备", "语言"],
        ["甲.wav", "王芳", "北区", "投诉", "2026/3/31 9:05", "坐席", "客服", "电话", "zh-CN"],
    ]
    found = read(line.join(delimiter.join(row) for row in rows) + line, encoding)
    assert found.problems == ()
    assert found.find("甲.wav") == Description(
        agent="王芳",
        team="北区",
        session="投诉",
        happened_at=datetime(2026, 3, 31, 9, 5, tzinfo=ZoneInfo(ZONE)),
        roles=("agent",),
        scenario="customer_service",
        domain="phone",
        language="zh-CN",
    )


def test_what_is_wrong_is_told_with_its_row_and_the_rest_of_the_row_counts() -> None:
    found = read(
        "file,agent,role,happened_at,language,note\n"
        "a.wav,Ann,boss,yesterday,no language,x\n"
        "\n"
        ",Bob,,,,\n"
        "a.wav,Cho,,,,\n"
        "b.wav,Dee,,2026-02-30,,y,z\n"
    )
    assert problems(found) == [
        "Row 2: 'boss' is not a role; a channel is one of agent, customer, mixed, unknown.",
        "Row 2: 'yesterday' is not a time. Write it like 2026-03-31 14:05 or 2026-03-31T14:05+08:00.",
        "Row 2: 'no language' is not a language tag. Write one like zh, en or en-GB.",
        "Row 4: no file is named, so the row was left out",
        "Row 5: a.wav stands in row 2 already, which counts",
        "Row 6: there are more cells than columns; a name with a comma needs quotes",
        "Row 6: '2026-02-30' is not a time: there is no such day or hour.",
    ]
    assert found.unknown_columns == ("note",)
    assert found.rows == {"a.wav": Description(agent="Ann"), "b.wav": Description(agent="Dee")}


def test_a_file_in_a_folder_is_found_by_its_whole_name_first() -> None:
    found = read("file,agent\nx\\a.wav,Ann\na.wav,Bob\n")
    assert [each.agent for name in ("x/a.wav", "y/a.wav", "a.wav") if (each := found.find(name))] == [
        "Ann",
        "Bob",
        "Bob",
    ]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "no column file"),
        (b"name,agent\na.wav,Ann\n", "no column file"),
        (b"file,agent,Agent\n", "two columns Agent"),
        (b"\xff\xff\xff\xff", "not text in UTF-8 or GB18030"),
        (b"file\n\0", "not text in UTF-8 or GB18030"),
        (b"file\n" + b"x" * (sidecar.MAX_BYTES + 1), "larger than 5 MB"),
        (b"file\n" + b"".join(b"%d\n" % n for n in range(sidecar.MAX_ROWS + 1)), "more than 100000 rows"),
        (b'file\n"' + b"x" * 200_000 + b'"', "not a CSV file"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_a_sentence(data: bytes, part: str) -> None:
    with pytest.raises(MetadataError) as caught:
        sidecar.read(data, ZONE)
    assert part in str(caught.value)


def test_many_problems_are_counted_after_the_first_hundred() -> None:
    found = read("file,role\n" + "".join(f"{number}.wav,boss\n" for number in range(150)))
    assert len(found.problems) == sidecar.MAX_PROBLEMS + 1
    assert problems(found)[-1] == "50 more rows have problems."


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"list\.csv could not be read"):
        sidecar.read_file(tmp_path / "list.csv", ZONE)
    (tmp_path / "list.csv").write_text("file,agent\na.wav,Ann\n")
    assert sidecar.read_file(tmp_path / "list.csv", ZONE).rows == {"a.wav": Description(agent="Ann")}


def test_a_row_of_the_list_counts_more_than_the_form_and_the_form_more_than_the_name() -> None:
    form = Description(agent="Form", session="Form", roles=("customer",), domain="room")
    pattern = parse_pattern("{agent}_{date}_{language}", ZONE)
    row, neither = describe(
        ["Name_20260331_zh.wav", "other.wav"],
        form,
        pattern=pattern,
        sidecar=read("file,agent\nName_20260331_zh.wav,Row\n"),
    )
    assert (row.agent, row.session, row.roles, row.domain, row.language) == ("Row", "Form", ("customer",), "room", "zh")
    assert (row.happened_at, row.happened_at_source) == (datetime(2026, 3, 31, tzinfo=ZoneInfo(ZONE)), "name")
    assert neither == form


def test_a_time_that_was_given_stays_given() -> None:
    from_name = Description(happened_at=NOON, happened_at_source="name")
    assert merge(Description(happened_at=NOON), from_name).happened_at_source == "given"
    assert merge(Description(), from_name).happened_at_source == "name"
    assert merge() == merge(None) == Description()


def test_nobody_gets_the_team_of_somebody_else() -> None:
    form = Description(agent="Ann", team="North")
    assert merge(Description(agent="Bob"), form).team is None
    assert merge(Description(agent="Ann"), form).team == "North"
    assert merge(Description(agent="Bob"), Description(team="North")).team == "North"
    with pytest.raises(MetadataError, match="without an agent"):
        merge(Description(team="North")).check()
