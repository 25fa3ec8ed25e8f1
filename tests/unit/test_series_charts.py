"""Charts over time: what they draw, where they leave gaps, and what they say to those who do not see them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest

from emostore import charts
from emostore.charts import series
from emostore.charts.series import LinePoint, MixPoint
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import ScoresError
from tests.unit.test_charts import NAMES_THAT_LOOK_LIKE_MARKUP, layers, png_size

MONDAY = date(2026, 3, 30)
MIX = dict(zip(EMOTIONS, (0.3, 0.1, 0.05, 0.1, 0.25, 0.05, 0.05, 0.05, 0.05), strict=True))


def mixes(*weeks: int) -> list[MixPoint]:
    return [MixPoint(MONDAY + timedelta(7 * week), 7, 10 + week, MIX) for week in weeks]


def line(*weeks: int, known: bool = True) -> list[LinePoint]:
    return [
        LinePoint(MONDAY + timedelta(7 * week), 7, 10, 60.0 + week, *((58.0, 64.0) if known else ())) for week in weeks
    ]


def data(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = spec["datasets"][layer.get("data", spec.get("data"))["name"]]
    return rows


@pytest.mark.parametrize("count", [1, 2, 5, 7, 40])
def test_no_day_stands_twice_under_a_chart(count: int) -> None:
    points = [MixPoint(MONDAY + timedelta(day), 1, 3, MIX) for day in range(count)]
    svg = charts.save(charts.mix_chart(points), "svg").decode()
    days = re.findall(r">(\d\d-\d\d)<", svg)
    assert len(days) == len(set(days)) >= min(count, 2)


class TestMix:
    def test_the_areas_of_a_time_fill_it_from_0_to_1_in_the_order_of_the_emotions(self) -> None:
        spec = charts.mix_chart(mixes(0)).to_dict()
        (area,) = layers(spec, "area")
        begun = [row for row in data(spec, area) if row["at"] == "2026-03-30T00:00:00"]
        assert [row["emotion"] for row in begun] == list(EMOTIONS)
        assert [row["from"] for row in begun] == pytest.approx([0, *(row["to"] for row in begun[:-1])])
        assert begun[-1]["to"] == pytest.approx(1)
        assert begun[0]["to"] == pytest.approx(0.3)

    def test_a_time_without_clips_is_a_gap(self) -> None:
        spec = charts.mix_chart(mixes(0, 1, 3)).to_dict()
        (area,) = layers(spec, "area")
        edges = [(row["run"], row["at"][:10]) for row in data(spec, area) if row["emotion"] == "angry"]
        assert edges == [
            (0, "2026-03-30"),
            (0, "2026-04-06"),
            (0, "2026-04-13"),  # the end of the second week, with its values
            (1, "2026-04-20"),
            (1, "2026-04-27"),
        ]

    def test_colours_are_those_of_the_emotions_and_what_a_model_cannot_give_is_not_in_the_legend(self) -> None:
        spec = charts.mix_chart(mixes(0), missing=["other", "unknown"], lang="zh").to_dict()
        (area,) = layers(spec, "area")
        scale = area["encoding"]["color"]["scale"]
        shown = [name for name in EMOTIONS if name not in ("other", "unknown")]
        assert scale["domain"] == [BY_NAME[name].zh for name in shown]
        assert scale["range"] == [BY_NAME[name].color for name in shown]
        assert max(row["to"] for row in data(spec, area)) == pytest.approx(1)

    def test_the_pointer_learns_all_scores_of_a_time(self) -> None:
        spec = charts.mix_chart(mixes(0)).to_dict()
        (times,) = layers(spec, "rect")
        (row,) = data(spec, times)
        assert row["days"] == "2026-03-30 – 2026-04-05"
        tips = {tip["title"]: row[tip["field"]] for tip in times["encoding"]["tooltip"]}
        assert tips == {
            "Days": row["days"],
            "Clips": "10",
            **{BY_NAME[name].en: f"{value:.1%}" for name, value in MIX.items()},
        }

    def test_a_screen_reader_hears_the_time_and_the_strongest(self) -> None:
        said = charts.mix_chart(mixes(0, 2)).to_dict()["description"]
        assert said == (
            "Mix of emotions from 2026-03-30 to 2026-04-19, 22 clips. "
            "Strongest: Angry 0.300, Neutral 0.250, Disgusted 0.100."
        )
        assert "片段" in charts.mix_chart(mixes(0), lang="zh").to_dict()["description"]
        assert charts.mix_chart([]).to_dict()["description"] == "No clips in this time."

    def test_bad_scores_are_refused(self) -> None:
        with pytest.raises(ScoresError):
            charts.mix_chart([MixPoint(MONDAY, 7, 1, {"tired": 1.0})])


class TestLines:
    def test_a_line_a_band_and_a_gap(self) -> None:
        spec = charts.line_chart({"Ana": line(0, 1, 3), "Team": line(0)}).to_dict()
        (drawn,) = layers(spec, "line")
        rows = data(spec, drawn)
        assert [row["run"] for row in rows] == ["Ana 0", "Ana 0", "Ana 1", "Team 0"]
        assert rows[0]["middle"] == "2026-04-02T12:00:00"
        assert drawn["encoding"]["strokeDash"]["scale"]["domain"] == ["Ana", "Team"]
        (band,) = layers(spec, "area")
        assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("low", "high")

    def test_without_an_interval_nothing_is_made_up(self) -> None:
        first, second, third = line(0, 1, 2)
        spec = charts.line_chart({"Ana": [first, line(1, known=False)[0], third]}).to_dict()
        (drawn,) = layers(spec, "line")
        rows = data(spec, drawn)
        assert [row["interval"] for row in rows] == ["58.0 – 64.0", "too few clips", "58.0 – 64.0"]
        assert rows[1]["known"] is False
        assert rows[0]["band"] != rows[2]["band"]  # no band runs across what is not known
        assert second.low is not None

    def test_the_axis_never_makes_a_cliff_of_noise(self) -> None:
        def domain(points: list[LinePoint], figure: str) -> list[float]:
            (drawn,) = layers(charts.line_chart({"Ana": points}, figure=figure).to_dict(), "line")
            found: list[float] = drawn["encoding"]["y"]["scale"]["domain"]
            return found

        assert domain([LinePoint(MONDAY, 1, 1, 60.0), LinePoint(MONDAY, 1, 1, 60.2)], "quality") == pytest.approx(
            [55.1, 65.1]
        )
        assert domain([LinePoint(MONDAY, 1, 1, 0.01)], "score") == pytest.approx([0, 0.06])
        assert domain(line(0, 40), "quality") == pytest.approx([58, 100])

    @pytest.mark.parametrize("name", NAMES_THAT_LOOK_LIKE_MARKUP)
    def test_names_are_text(self, name: str) -> None:
        spec = charts.line_chart({name: line(0, 1)}).to_dict()
        (drawn,) = layers(spec, "line")
        assert drawn["encoding"]["color"]["scale"]["domain"] == [name]
        assert name in spec["description"]

    def test_more_lines_than_can_be_told_apart_are_refused(self) -> None:
        with pytest.raises(ValueError, match="1 to 2"):
            charts.line_chart({str(number): line(0) for number in range(3)})
        with pytest.raises(ValueError, match="1 to 2"):
            charts.line_chart({})

    def test_a_screen_reader_hears_where_lines_begin_and_end(self) -> None:
        said = charts.line_chart({"Ana": line(0, 2)}).to_dict()["description"]
        assert said == "Quality over time. Ana: 60.0 on 2026-03-30, 62.0 on 2026-04-19."


def test_a_year_is_labelled_by_month_and_a_day_stays_a_day() -> None:
    long, short = mixes(0, 60), [MixPoint(MONDAY, 1, 1, MIX)]
    for points, form in ((long, "%Y-%m"), (short, "%m-%d")):
        (area,) = layers(charts.mix_chart(points).to_dict(), "area")
        assert area["encoding"]["x"]["axis"]["format"] == form
    assert series.day_label(short[0]) == "2026-03-30"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_are_saved_as_images(theme: charts.Theme) -> None:
    for chart in (charts.mix_chart(mixes(0, 1), theme=theme), charts.line_chart({"喆": line(0, 1)}, theme=theme)):
        assert png_size(charts.save(chart, "png"))[0] >= 1600
        assert b"<svg" in charts.save(chart, "svg")
