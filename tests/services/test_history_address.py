"""Addresses of the History page: what they mean, that they come back as written, and that nothing breaks them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emostore.analytics import groups
from emostore.analytics.groups import LabelGroup
from emostore.emotions import EMOTIONS
from emostore.services.metadata.descriptions import ROLES
from emostore.services.views import history_address
from emostore.services.views.history_address import ALERTS, FIRST_DAY, LAST_DAY, NAMES, read, write
from emostore.store.reports.history import EmotionGroup, HistoryFilter

TODAY = date(2026, 3, 31)

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
days = st.none() | st.dates(FIRST_DAY, LAST_DAY)
scores = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
ranges = st.tuples(scores, scores).map(lambda pair: (min(pair), max(pair)))
KNOWN = {group.name: group for group in (*groups.BUILT_IN, LabelGroup("a: b & <c>", ("angry", "disgusted")))}
group_names = st.sampled_from([EmotionGroup(group.name, group.emotions) for group in KNOWN.values()])
filters = st.builds(
    HistoryFilter,
    agent=st.none() | names,
    team=st.none() | names,
    session_id=st.none() | st.integers(0, 10**17),
    from_date=days,
    to_date=days,
    emotion=st.none() | st.sampled_from(EMOTIONS),
    role=st.none() | st.sampled_from(ROLES),
    alert=st.none() | st.sampled_from(ALERTS),
    certain=st.none() | st.booleans(),
    group=st.none() | group_names,
    group_sum=st.none() | st.tuples(group_names, ranges).map(lambda asked: (asked[0], *asked[1])),
    model=st.none() | st.tuples(names, names.filter(lambda name: "@" not in name)),
    scores=st.dictionaries(st.sampled_from(EMOTIONS), ranges).map(
        lambda found: tuple((name, *found[name]) for name in EMOTIONS if name in found)
    ),
)


@given(filters)
def test_an_address_means_the_filter_that_it_was_written_for(wanted: HistoryFilter) -> None:
    found = read(write(wanted), TODAY, "UTC", KNOWN.get)
    assert found.left_out == ()
    assert found.wanted == wanted


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), st.text(max_size=60)))
def test_whatever_an_address_says_it_is_read_or_left_out(address: dict[str, str]) -> None:
    found = read(address, TODAY, "UTC")
    assert set(found.left_out) <= set(address.items())
    assert read(write(found.wanted), TODAY, "UTC").wanted == found.wanted


def test_without_days_the_last_90_are_meant_and_today_is_one_of_them() -> None:
    assert read({}, TODAY, "UTC").wanted == HistoryFilter(from_date=TODAY - timedelta(89))
    assert read({"days": "7", "first": "2020-01-01"}, TODAY, "UTC").wanted.from_date == TODAY - timedelta(6)
    assert read({"days": "all"}, TODAY, "UTC").wanted == HistoryFilter()
    dates = read({"last": "2026-01-31"}, TODAY, "UTC")
    assert (dates.period, dates.wanted) == ("dates", HistoryFilter(to_date=date(2026, 1, 31)))


def test_what_a_page_adds_to_its_address_is_no_filter() -> None:
    assert read({"lang": "zh", "before": "x", "by": "week"}, TODAY, "UTC").left_out == ()


@pytest.mark.parametrize("text", ["0.5", "0.9-0.1", "-1-1", "0-2", "nan-1", "1e-9-1", "0.1234-1", "٠-1", "0.5-", ""])
def test_a_range_that_is_none_is_left_out(text: str) -> None:
    assert read({"angry": text}, TODAY, "UTC").left_out == (("angry", text),)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[("group", each) for each in ("", "nobody's", "Negative", "x" * 300, "negative:0.6-1", "neg\native")],
        *[("sum", each) for each in ("", "negative", "negative:", ":0.6-1", "negative:0.6", "nobody's:0.6-1")],
        *[("sum", each) for each in ("negative:1-0.6", "negative:0-2", "negative:nan-1", "0.6-1")],
    ],
)
def test_a_label_group_that_is_none_is_left_out(name: str, text: str) -> None:
    found = read({name: text, "days": "all"}, TODAY, "UTC", KNOWN.get)
    assert (found.left_out, found.wanted) == (((name, text),), HistoryFilter())


def test_label_groups_are_looked_up_only_where_one_is_named() -> None:
    asked: list[str] = []
    read({"days": "all", "emotion": "angry"}, TODAY, "UTC", asked.append)
    read({"group": "mine", "sum": "mine:0.5-1"}, TODAY, "UTC", asked.append)
    assert asked == ["mine", "mine"]


def test_inverted_dates_are_known_for_what_they_are() -> None:
    assert read({"first": "2026-02-01", "last": "2026-01-01"}, TODAY, "UTC").inverted
    assert not read({"first": "2026-02-01", "last": "2026-02-01"}, TODAY, "UTC").inverted


def test_a_name_that_nobody_knows_joins_what_was_left_out() -> None:
    found = read({"session": "7", "agent": "x", "sad": "2"}, TODAY, "UTC").without("session_id", 7)
    assert found.wanted.session_id is None
    assert found.wanted.agent == "x"
    assert found.left_out == (("sad", "2"), ("session", "7"))
    assert history_address.write(found.wanted)["agent"] == "x"
