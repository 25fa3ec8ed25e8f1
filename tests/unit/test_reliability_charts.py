"""Reliability and coverage as specifications: what is drawn, where, and what is said to those who do not see it."""

from __future__ import annotations

from typing import Any

import pytest

from emostore import charts
from emostore.charts import CoveragePoint, ReliabilityPoint
from emostore.charts import reliability as drawing
from tests.unit.test_charts import NAMES_THAT_LOOK_LIKE_MARKUP, layers, png_size

BEFORE = [ReliabilityPoint(0.55, 0.5, 0.3, 0.7, 20), ReliabilityPoint(0.97, 0.6, 0.5, 0.7, 80)]
AFTER = [ReliabilityPoint(0.45, 0.44, 0.3, 0.6, 40), ReliabilityPoint(0.75, 0.8, 0.65, 0.9, 60)]
LINE = [
    CoveragePoint(0.3, 1.0, 0.6, 0.5, 0.7),
    CoveragePoint(0.5, 0.7, 0.75, 0.6, 0.85),
    CoveragePoint(0.9, 0.1, 1.0, 0.7, 1.0),
]


def rows(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    data = layer.get("data") or spec["data"]
    found: list[dict[str, Any]] = spec["datasets"][data["name"]]
    return found


class TestReliability:
    def test_every_bin_stands_at_its_confidence_with_its_interval_and_both_axes_are_whole(self) -> None:
        spec = charts.reliability_chart({"before": BEFORE, "after": AFTER}).to_dict()
        (rule,), (circle,) = layers(spec, "rule"), layers(spec, "circle")
        assert [(row["line"], row["x"], row["y"]) for row in rows(spec, circle)] == [
            ("before", 0.55, 0.5),
            ("before", 0.97, 0.6),
            ("after", 0.45, 0.44),
            ("after", 0.75, 0.8),
        ]
        assert rule["encoding"]["y"]["field"] == "low"
        assert rule["encoding"]["y2"]["field"] == "high"
        for layer in spec["layer"]:
            for channel in "xy":
                assert layer["encoding"][channel]["scale"]["domain"] == [0, 1]

    def test_the_diagonal_is_where_confidence_means_what_it_says(self) -> None:
        spec = charts.reliability_chart({"after": AFTER}).to_dict()
        diagonal = next(layer for layer in layers(spec, "line") if "strokeDash" in layer["mark"])
        assert [(row["x"], row["y"]) for row in rows(spec, diagonal)] == [(0, 0), (1, 1)]

    def test_the_mark_of_more_clips_is_larger(self) -> None:
        spec = charts.reliability_chart({"before": BEFORE, "after": AFTER}).to_dict()
        (circle,) = layers(spec, "circle")
        assert circle["encoding"]["size"]["field"] == "count"
        assert circle["encoding"]["size"]["scale"]["domain"] == [0, 80]

    def test_the_description_says_what_is_right_where_the_model_is_least_and_most_sure(self) -> None:
        said = charts.reliability_chart({"before": BEFORE, "after": AFTER}).to_dict()["description"]
        assert "before: where it is 55% sure, 50% are right; where 97%, 60%" in said
        assert "after" in said
        chinese = charts.reliability_chart({"校准前": BEFORE}, lang="zh").to_dict()["description"]
        assert "校准前：置信度约 55% 时正确 50%" in chinese


class TestCoverage:
    def test_a_line_begins_with_all_clips_and_the_chosen_point_is_marked(self) -> None:
        spec = charts.coverage_chart({"after": LINE}, chosen={"after": LINE[1]}).to_dict()
        (line,) = layers(spec, "line")
        assert rows(spec, line)[0]["x"] == 1
        marked = layers(spec, "circle")[-1]
        assert [(row["x"], row["y"], row["threshold"]) for row in rows(spec, marked)] == [(0.7, 0.75, "50%")]
        said = spec["description"]
        assert "of all clips 60% are right" in said
        assert "uncertain below 50%: 70% kept, 75% of these right" in said

    def test_a_long_line_is_thinned_and_keeps_both_ends(self) -> None:
        many = [CoveragePoint(i / 5000, 1 - i / 5000, 0.5, 0.4, 0.6) for i in range(5000)]
        spec = charts.coverage_chart({"after": many}).to_dict()
        (line,) = layers(spec, "line")
        found = rows(spec, line)
        assert len(found) == drawing.MOST_POINTS
        assert (found[0]["x"], found[-1]["x"]) == (many[0].coverage, many[-1].coverage)


@pytest.mark.parametrize("name", NAMES_THAT_LOOK_LIKE_MARKUP)
def test_names_are_text_in_both(name: str) -> None:
    for spec in (
        charts.reliability_chart({name: AFTER}).to_dict(),
        charts.coverage_chart({name: LINE}).to_dict(),
    ):
        assert name in spec["description"]
        assert charts.save(charts.reliability_chart({name: AFTER}), "svg")


def test_more_lines_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 2 lines"):
        charts.reliability_chart({"one": BEFORE, "two": BEFORE, "three": BEFORE})
    with pytest.raises(ValueError, match="1 to 2 lines"):
        charts.coverage_chart({})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_are_saved_as_images(theme: charts.Theme) -> None:
    both = charts.reliability_chart({"before": BEFORE, "after": AFTER}, theme=theme, title="Reliability")
    width, height = png_size(charts.save(both, "png"))
    assert width > 400
    assert height > 300
