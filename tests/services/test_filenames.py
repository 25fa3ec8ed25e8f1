"""What the names of files tell, and what is refused because nobody could know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.errors import MetadataError
from emostore.i18n import explain
from emostore.services.metadata.descriptions import Description
from emostore.services.metadata.filenames import Matched, NoMatch, parse_pattern, preview

SHANGHAI = ZoneInfo("Asia/Shanghai")


def told(pattern: str, name: str) -> Description:
    found = parse_pattern(pattern, "Asia/Shanghai").match(name)
    assert isinstance(found, Matched), found
    return found.description


def refused(pattern: str, name: str) -> str:
    found = parse_pattern(pattern).match(name)
    assert isinstance(found, NoMatch), found
    return explain(found.reason, "en")


def at(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=SHANGHAI)  # type: ignore[misc,arg-type]


def test_a_name_tells_agent_day_and_session_in_the_reporting_time_zone() -> None:
    found = told("{agent}_{date}_{session}", "calls/Ann_20260331_Case 7.wav")
    assert found == Description(agent="Ann", session="Case 7", happened_at=at(2026, 3, 31), happened_at_source="name")
    assert found.happened_at is not None
    assert found.happened_at.astimezone(UTC) == datetime(2026, 3, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "name", "moment"),
    [
        ("{date}", "2026-03-31.mp3", at(2026, 3, 31)),
        ("{date}", "20260331", at(2026, 3, 31)),
        ("{date}", "31.03.2026.ogg", at(2026, 3, 31)),
        ("{date}_{time}", "2026-03-31_1405.wav", at(2026, 3, 31, 14, 5)),
        ("{date}_{time}", "2026-03-31_14-05-33.wav", at(2026, 3, 31, 14, 5, 33)),
        ("{date} {time}", "2026-03-31 14.05.wav", at(2026, 3, 31, 14, 5)),
        ("{date}{time}", "20260331140533.wav", at(2026, 3, 31, 14, 5, 33)),
        ("{datetime}", "20260331T140533.wav", at(2026, 3, 31, 14, 5, 33)),
        ("*{datetime}*", "rec-20260331_1405-x.wav", at(2026, 3, 31, 14, 5)),
        ("{date:%m-%d-%Y}", "03-31-2026.wav", at(2026, 3, 31)),
        ("{datetime:%d%m%y%H%M}", "3103261405.wav", at(2026, 3, 31, 14, 5)),
        ("{date:%Y%j}x{time:%M%H}", "2026090x0514.wav", at(2026, 3, 31, 14, 5)),
        ("{agent}{date}", "Ann20260331.wav", at(2026, 3, 31)),
    ],
)
def test_dates_and_times_are_read_as_they_are_usually_written(pattern: str, name: str, moment: datetime) -> None:
    assert told(pattern, name).happened_at == moment


@pytest.mark.parametrize(
    ("pattern", "name", "part"),
    [
        ("{agent}_{date}", "Ann_03-31-2026.wav", "03-31-2026 in Ann_03-31-2026.wav can be read as two dates"),
        ("{agent}_{date}", "Ann_05-06-2026.wav", "as in {date:%m-%d-%Y}"),
        ("{agent}_{date}", "Ann_20261331.wav", "20261331 in Ann_20261331.wav does not fit {date}"),
        ("{agent}_{date}", "Ann_20260229.wav", "does not fit {date}"),
        ("{date}_{time}", "20260331_2460.wav", "2460 in 20260331_2460.wav does not fit {time}"),
        ("{agent}_{role}", "Ann_boss.wav", "boss in Ann_boss.wav does not fit {role}"),
        ("{agent}_{date}", "Ann.wav", "Ann.wav does not fit the pattern {agent}_{date}."),
        ("{agent}_{session}", "_x.wav", "does not fit the pattern"),
        ("{team}/{agent}", "Ann.wav", "does not fit the pattern"),
        ("{date}", "２０２６０３３１.wav", "does not fit {date}"),
    ],
)
def test_a_name_that_does_not_fit_is_told_why(pattern: str, name: str, part: str) -> None:
    assert part in refused(pattern, name)


def test_a_field_takes_as_little_as_lets_the_rest_fit() -> None:
    found = told("{agent}_{date}_{session}", "Ann_Lee_20260331_a_b.wav")
    assert (found.agent, found.session) == ("Ann_Lee", "a_b")
    found = told("{agent}_{session}", "Ann_Lee_7.wav")
    assert (found.agent, found.session) == ("Ann", "Lee_7")


def test_folders_count_as_far_as_the_pattern_names_them() -> None:
    found = told("{team}/{agent}_{session}", "2026\\North\\Ann_7.wav")
    assert (found.team, found.agent, found.session) == ("North", "Ann", "7")
    assert told("{agent}", "a/b/王芳.wav").agent == "王芳"


def test_the_ending_counts_neither_in_the_pattern_nor_in_the_name() -> None:
    for pattern in ("{agent}", "{agent}.wav", "{agent}.*"):
        assert told(pattern, "Ann.mp3").agent == "Ann"


def test_roles_and_languages_are_read_by_their_words() -> None:
    found = told("{agent}-{role}-{language}", "Ann-客户-zh-Hans-CN.wav")
    assert (found.roles, found.language) == (("customer",), "zh-Hans-CN")
    assert told("{role}_*", "agent,customer_x.wav").roles == ("agent", "customer")


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("", "1 to 200 characters"),
        ("x" * 201, "this one has 201"),
        ("call_*", "has no field"),
        ("{agent}_{agent}", "same thing twice"),
        ("{date}_{datetime}", "same thing twice"),
        ("{time}", "a time without a date"),
        ("{agent}{team}", "two fields touch"),
        ("{agent}*", "two fields touch"),
        ("{boss}", "{boss} is not a field"),
        ("{agent:%Y}", "is not a field"),
        ("{agent", "braces"),
        ("agent}", "braces"),
        ("{date:%H}", "%H is not a way to write {date}"),
        ("{date:%Y%Y%m}", "at most once"),
        ("{date:%Y-%m}", "does not tell year, month and day"),
        ("{role:%Y}", "is not a way to write {role}"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, part: str) -> None:
    with pytest.raises(MetadataError) as caught:
        parse_pattern(pattern)
    assert part in str(caught.value)


def test_a_preview_shows_every_name_with_what_it_tells_or_why_not() -> None:
    rows = preview(parse_pattern("{agent}_{date}"), ["Ann_20260331.wav", "notes.wav"])
    assert [(row.name, type(row.result)) for row in rows] == [("Ann_20260331.wav", Matched), ("notes.wav", NoMatch)]
    assert isinstance(rows[0].result, Matched)
    assert rows[0].result.values == {"agent": "Ann", "date": "20260331"}


def test_names_made_to_be_hard_are_answered_with_no_more_steps_than_their_length_asks_for() -> None:
    steps = 0

    class Counting(str):
        def startswith(self, *arguments: object) -> bool:  # type: ignore[override]
            nonlocal steps
            steps += 1
            return str.startswith(self, *arguments)  # type: ignore[arg-type]

    from emostore.services.metadata import filenames

    pattern = parse_pattern("{agent}a*a{team}a*a{session}a*b")
    assert filenames._match(pattern.parts, Counting("a" * 1000)) is None
    assert steps <= len(pattern.parts) * 1001


@given(
    agent=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    day=st.dates(datetime(1971, 1, 1).date(), datetime(2099, 12, 31).date()),
    number=st.integers(0, 10**6),
)
def test_what_was_written_by_a_pattern_is_read_back(agent: str, day: object, number: int) -> None:
    found = told("{agent}_{date}_{session}", f"{agent}_{day:%Y-%m-%d}_{number}.wav")  # type: ignore[str-format]
    assert found.happened_at is not None
    assert (found.happened_at.date(), found.session) == (day, str(number))
    assert found.happened_at.utcoffset() in (timedelta(hours=8), timedelta(hours=9))


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_pattern_and_no_name_is_an_error_of_ours(pattern: str, name: str) -> None:
    try:
        understood = parse_pattern(pattern)
    except MetadataError:
        return
    assert isinstance(understood.match(name), Matched | NoMatch)
