"""Charts of the report pages as specifications: intervals, distances, and axes that a model cannot measure."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from emostore import charts
from emostore.charts import Interval
from emostore.charts.matrix import SHADES
from emostore.charts.style import INK
from emostore.emotions import EMOTIONS

ODD = "<b>**x**</b> =SUM(A1) 喆 مريم"
ROWS = [
    Interval("1. Ana", 80.0, 78.0, 82.0, "80.0", band=1, notes=(("Quality", "80.0"),)),
    Interval(ODD, 70.0, 60.0, 83.0, "70.0", band=1, notes=(("Quality", "70.0"),)),
    Interval("Cem", 50.0, None, None, "50.0", tone="muted", notes=(("Quality", "50.0"),)),
]


def values(spec: dict[str, Any], having: str) -> list[dict[str, Any]]:
    return next(rows for rows in spec["datasets"].values() if having in rows[0])


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class TestIntervalChart:
    def test_rows_stand_in_the_order_given_with_their_ranges(self) -> None:
        spec = charts.interval_chart(ROWS, description="Three agents").to_dict()
        assert spec["layer"][0]["encoding"]["y"]["sort"] == ["1. Ana", ODD, "Cem"]
        assert [(row["low"], row["high"]) for row in values(spec, "low")] == [(78, 82), (60, 83), (50, 50)]
        assert spec["description"] == "Three agents"
        assert [row["shaded"] for row in values(spec, "low")] == [True, True, False]

    def test_the_axis_holds_every_range_and_the_reference(self) -> None:
        spec = charts.interval_chart(ROWS, description="x", reference=95.0).to_dict()
        points = [layer for layer in spec["layer"] if layer["mark"]["type"] == "circle"]
        low, high = points[0]["encoding"]["x"]["scale"]["domain"]
        assert low < 50
        assert high > 95

    def test_one_value_alone_has_an_axis(self) -> None:
        low, high = charts.axis_around([60.0])
        assert low < 60.0 < high

    def test_rows_of_one_name_and_no_rows_are_refused(self) -> None:
        for rows in ([], [ROWS[0], ROWS[0]]):
            with pytest.raises(ValueError, match="a name of its own"):
                charts.interval_chart(rows, description="x")

    @pytest.mark.parametrize("mode", ["light", "dark"])
    def test_it_is_saved_with_names_as_they_are(self, mode: charts.Theme) -> None:
        svg = charts.save(charts.interval_chart(ROWS, description=ODD, theme=mode), "svg").decode()
        ElementTree.fromstring(svg)
        assert "<b>" not in svg
        assert "&lt;b&gt;" in svg


class TestMatrixChart:
    def test_every_pair_has_a_cell_with_its_value(self) -> None:
        spec = charts.matrix_chart(
            ["a", "b"], ["a", "b", ODD], [[0, 0.25, 1], [0.25, None, 0.5]], description="d"
        ).to_dict()
        cells = {(cell["row"], cell["column"]): cell["label"] for cell in values(spec, "row")}
        assert cells == {
            ("a", "a"): "0.00",
            ("a", "b"): "0.25",
            ("a", ODD): "1.00",
            ("b", "a"): "0.25",
            ("b", ODD): "0.50",
        }

    def test_values_that_do_not_fit_the_names_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 rows and 1 columns"):
            charts.matrix_chart(["a", "b"], ["a"], [[0.0], [0.0, 1.0]], description="d")

    @pytest.mark.parametrize("mode", ["light", "dark"])
    def test_numbers_can_be_read_on_every_shade(self, mode: charts.Theme) -> None:
        for shade in SHADES[mode]:
            assert contrast(INK[mode].text, shade) >= 4.5


class TestRadarOfAModelThatCannotMeasureAll:
    SIX = dict.fromkeys(EMOTIONS[:5], 0.2)
    NINE = dict.fromkeys(EMOTIONS, 1 / 9)

    def spec(self) -> dict[str, Any]:
        chart = charts.radar_chart({"six": self.SIX, "nine": self.NINE}, missing={"six": ("surprised", "unknown")})
        return chart.to_dict()

    def test_what_was_not_measured_has_no_point(self) -> None:
        (points,) = [layer for layer in self.spec()["layer"] if layer["mark"]["type"] == "circle"]
        assert {"filter": "(!datum.missing)"} in points["transform"]
        rows = values(self.spec(), "sample")
        assert {(row["sample"], row["emotion"]) for row in rows if row["missing"]} == {
            ("six", "surprised"),
            ("six", "unknown"),
        }

    def test_its_axis_is_set_back_and_polygons_stay_closed(self) -> None:
        spec = self.spec()
        names = {row["emotion"]: row["missing"] for row in values(spec, "align")}
        assert [name for name, missing in names.items() if missing] == ["surprised", "unknown"]
        rows = [row for row in values(spec, "sample") if row["sample"] == "six"]
        assert len(rows) == 10
        assert (rows[0]["x"], rows[0]["y"]) == (rows[-1]["x"], rows[-1]["y"])
