"""The chart of a course: what its areas fill, where it has gaps, its marks, and charts inside a page."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from emostore import charts
from emostore.charts import Mark, Stretch
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import ScoresError
from tests.unit.test_charts import CASES, NAMES_THAT_LOOK_LIKE_MARKUP, layers

FIRST, LAST = CASES["business"], CASES["complaint"]
COURSE = [Stretch(0, 2, FIRST), Stretch(2, 3, LAST), Stretch(7, 8, LAST)]


def rows(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spec["datasets"][layer.get("data", spec.get("data"))["name"]]
    return found


def test_each_stretch_is_filled_in_the_order_of_the_emotions_and_a_pause_is_a_gap() -> None:
    spec = charts.course_chart(COURSE, length_s=10).to_dict()
    (area,) = layers(spec, "area")
    begun = [row for row in rows(spec, area) if row["at"] == 0]
    assert [row["emotion"] for row in begun] == list(EMOTIONS)
    assert [row["from"] for row in begun] == pytest.approx([0, *(row["to"] for row in begun[:-1])])
    assert begun[-1]["to"] == pytest.approx(1)
    angry = [(row["run"], row["at"]) for row in rows(spec, area) if row["emotion"] == "angry"]
    assert angry == [(0, 0), (0, 2), (0, 3), (1, 7), (1, 8)]
    assert area["encoding"]["x"]["scale"]["domain"] == [0, 10]


def test_what_a_model_cannot_give_has_no_place_in_the_legend() -> None:
    spec = charts.course_chart(COURSE, length_s=8, missing=["unknown"], lang="zh").to_dict()
    (area,) = layers(spec, "area")
    color = area["encoding"]["color"]["scale"]
    assert color["domain"] == [BY_NAME[name].zh for name in EMOTIONS if name != "unknown"]
    assert color["range"] == [BY_NAME[name].color for name in EMOTIONS if name != "unknown"]


def test_marks_stand_at_their_second() -> None:
    spec = charts.course_chart(COURSE, length_s=8, marks=[Mark(2.5, "1"), Mark(7, "2")]).to_dict()
    (text,) = layers(spec, "text")
    assert [(row["at"], row["label"]) for row in rows(spec, text)] == [(2.5, "1"), (7, "2")]


def test_marks_that_are_too_near_share_their_letters_but_not_their_line() -> None:
    marks = [Mark(50, "1"), Mark(50.5, "2"), Mark(60, "3")]
    spec = charts.course_chart(COURSE, length_s=100, marks=marks).to_dict()
    (text,) = layers(spec, "text")
    assert [row["label"] for row in rows(spec, text)] == ["1, 2", "3"]
    assert [row["at"] for row in rows(spec, layers(spec, "rule")[0])] == [50, 50.5, 60]


def test_those_who_hear_it_are_told_what_is_strongest_by_its_time() -> None:
    spec = charts.course_chart([Stretch(0, 3600, FIRST), Stretch(3600, 3601, LAST)], length_s=3601).to_dict()
    assert spec["description"] == (
        "The nine emotions from 0:00 to 1:00:01. Strongest: Neutral 0.674, Happy 0.153, Unknown 0.099."
    )


@pytest.mark.parametrize(("length_s", "last"), [(8, 8), (75, 70), (600, 600), (7200, 7200)])
def test_the_time_has_at_most_a_few_labels(length_s: float, last: float) -> None:
    spec = charts.course_chart(COURSE, length_s=length_s).to_dict()
    (area,) = layers(spec, "area")
    values = area["encoding"]["x"]["axis"]["values"]
    assert (values[0], values[-1]) == (0, last)
    assert len(values) <= 10


def test_nothing_and_bad_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        charts.course_chart([], length_s=1)
    with pytest.raises(ScoresError):
        charts.course_chart([Stretch(0, 1, {"angry": 1.5})], length_s=1)


@pytest.mark.parametrize("name", NAMES_THAT_LOOK_LIKE_MARKUP)
def test_a_chart_inside_a_page_brings_no_style_and_is_named(name: str) -> None:
    svg = charts.inline_svg(charts.radar_chart({name: FIRST}), "c7", width=400)
    tree = ElementTree.fromstring(svg)
    assert name in (tree.get("aria-label") or "")
    assert (tree.get("role"), tree[0].tag.rpartition("}")[2]) == ("img", "title")
    assert "<style" not in svg
    assert "<script" not in svg
    assert not re.search(r'(?:href|src)="', svg)


def test_charts_on_one_page_share_no_names() -> None:
    svgs = [charts.inline_svg(charts.bar_chart(FIRST), key) for key in ("c0", "c1")]
    first, second = (set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs)
    assert first
    assert not first & second
    assert all(set(re.findall(r"url\(#([^)]+)\)", svg)) <= ids for svg, ids in zip(svgs, (first, second), strict=True))
