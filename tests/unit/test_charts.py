"""Charts as specifications: what they draw, in which order, in which colours, and what is saved of it."""

from __future__ import annotations

import io
import math
import re
import struct
from typing import Any
from xml.etree import ElementTree

import altair as alt
import pytest
from PIL import Image

from emostore import charts
from emostore.charts import export
from emostore.charts.radar import text_px, vertex
from emostore.charts.style import EXPORT_FONT, INK, PACKAGED_FAMILY
from emostore.emotions import BY_NAME, EMOTIONS
from emostore.errors import ScoresError

CASES = {
    "business": dict(zip(EMOTIONS, (0.008, 0.005, 0.012, 0.153, 0.674, 0.021, 0.009, 0.018, 0.099), strict=True)),
    "complaint": dict(zip(EMOTIONS, (0.421, 0.183, 0.056, 0.002, 0.087, 0.032, 0.124, 0.023, 0.071), strict=True)),
    "teaching": dict(zip(EMOTIONS, (0.001, 0.002, 0.003, 0.724, 0.056, 0.004, 0.002, 0.182, 0.025), strict=True)),
}
TOP_THREE = {
    "business": ("Neutral 0.674", "Happy 0.153", "Unknown 0.099"),
    "complaint": ("Angry 0.421", "Disgusted 0.183", "Sad 0.124"),
    "teaching": ("Happy 0.724", "Surprised 0.182", "Neutral 0.056"),
}
NAMES_THAT_LOOK_LIKE_MARKUP = [
    "<b>bold</b><script>alert(1)</script>",
    "**bold** [link](http://x) $x^2$",
    '"quoted" \\ {"signal": "width"}',
    "datum.score; =SUM(A1)",
    "通话 🎧 喆",
    "مكالمة עברית",
]


def rows(spec: dict[str, Any], having: str) -> list[dict[str, Any]]:
    """The rows of the first data set of the chart that has this field."""
    found = [values for values in spec["datasets"].values() if having in values[0]]
    assert found, f"no layer has {having!r}"
    return found[0]


def layers(spec: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == mark]


def bars(spec: dict[str, Any]) -> dict[str, Any]:
    """The layer that draws the scores."""
    (layer,) = [layer for layer in layers(spec, "bar") if "color" in layer["encoding"]]
    return layer


def png_size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def painted(text: str, font: str = EXPORT_FONT) -> bytes:
    """The pixels of `text` as the export draws it."""
    chart = alt.Chart(alt.InlineData(values=[{}])).mark_text(text=text, fontSize=24).properties(width=120, height=40)
    spec = export._fixed(chart.to_dict(), width=120, background="white")
    spec["config"]["font"] = font
    export._register_font()
    png = export.vl_convert.vegalite_to_png(spec)
    return Image.open(io.BytesIO(png)).convert("L").tobytes()


class TestBarChart:
    @pytest.mark.parametrize("case", CASES)
    def test_a_reference_case_is_shown_as_published(self, case: str) -> None:
        data = rows(charts.bar_chart(CASES[case]).to_dict(), "value_label")
        assert [row["emotion"] for row in data] == list(EMOTIONS)
        assert [row["score"] for row in data] == list(CASES[case].values())
        assert [row["value_label"] for row in data] == [f"{value:.3f}" for value in CASES[case].values()]

    def test_the_bars_stand_in_the_order_of_the_emotions_whatever_the_scores(self) -> None:
        backwards = dict(reversed(CASES["complaint"].items()))
        axis = bars(charts.bar_chart(backwards).to_dict())["encoding"]["y"]
        assert axis["sort"] == axis["scale"]["domain"] == [BY_NAME[name].en for name in EMOTIONS]

    def test_every_emotion_has_its_fixed_colour(self) -> None:
        color = bars(charts.bar_chart(CASES["teaching"]).to_dict())["encoding"]["color"]
        assert color["field"] == "emotion"
        assert dict(zip(color["scale"]["domain"], color["scale"]["range"], strict=True)) == {
            name: BY_NAME[name].color for name in EMOTIONS
        }

    def test_the_axis_runs_from_0_to_1_so_that_two_clips_compare(self) -> None:
        tiny = bars(charts.bar_chart({"angry": 0.01}).to_dict())["encoding"]["x"]["scale"]
        assert tiny["domain"] == [0, 1]
        assert tiny["nice"] is False
        assert (
            bars(charts.bar_chart({"angry": 0.01}, maximum=0.5).to_dict())["encoding"]["x"]["scale"]["domain"][1] == 0.5
        )

    def test_an_absent_name_is_0_and_nothing_is_renormalised(self) -> None:
        data = rows(charts.bar_chart({"angry": 0.2}).to_dict(), "score")
        assert [row["score"] for row in data] == [0.2] + [0.0] * 8

    def test_a_class_that_the_model_cannot_produce_has_no_number(self) -> None:
        spec = charts.bar_chart(CASES["teaching"], missing=["other", "unknown"]).to_dict()
        without = {row["emotion"]: row for row in rows(spec, "value_label") if row["missing"]}
        assert set(without) == {"other", "unknown"}
        assert {row["score"] for row in without.values()} == {None}
        assert not any(re.search(r"\d", row["value_label"] + row["percent_label"]) for row in without.values())
        assert [layer["mark"]["text"] for layer in layers(spec, "text") if "text" in layer["mark"]] == ["not produced"]

    def test_tooltips_say_name_score_and_per_cent(self) -> None:
        spec = charts.bar_chart(CASES["business"]).to_dict()
        assert [tip["title"] for tip in bars(spec)["encoding"]["tooltip"]] == ["Emotion", "Score", "Per cent"]
        assert rows(spec, "percent_label")[EMOTIONS.index("neutral")]["percent_label"] == "67.4%"

    def test_chinese_names_chinese_words(self) -> None:
        spec = charts.bar_chart(CASES["business"], lang="zh", missing=["other"]).to_dict()
        assert [row["label"] for row in rows(spec, "label")] == [BY_NAME[name].zh for name in EMOTIONS]
        assert "无法给出" in [layer["mark"].get("text") for layer in layers(spec, "text")]

    @pytest.mark.parametrize("title", NAMES_THAT_LOOK_LIKE_MARKUP)
    def test_a_title_is_text_and_nothing_else(self, title: str) -> None:
        spec = charts.bar_chart(CASES["business"], title=title).to_dict()
        assert spec["title"]["text"] == title

    def test_a_chart_without_a_title_has_none(self) -> None:
        assert "title" not in charts.bar_chart(CASES["business"]).to_dict()

    def test_it_is_as_wide_as_the_page(self) -> None:
        assert charts.bar_chart(CASES["business"]).to_dict()["width"] == "container"

    @pytest.mark.parametrize("bad", [{"bored": 0.5}, {"angry": 1.5}, {"angry": -0.1}, {"angry": math.nan}])
    def test_numbers_that_are_no_scores_are_refused(self, bad: dict[str, float]) -> None:
        with pytest.raises(ScoresError, match=next(iter(bad))):
            charts.bar_chart(bad)

    def test_a_language_that_no_chart_speaks_is_refused(self) -> None:
        with pytest.raises(ValueError, match="en and zh, not 'de'"):
            charts.bar_chart(CASES["business"], lang="de")


class TestRadarChart:
    def polygon(self, spec: dict[str, Any], sample: str) -> list[dict[str, Any]]:
        return [row for row in rows(spec, "sample") if row["sample"] == sample]

    def test_the_first_axis_points_up_and_the_others_follow_clockwise(self) -> None:
        assert vertex(0, 1) == pytest.approx((0, 1))
        x, y = vertex(1, 1)
        assert x == pytest.approx(math.sin(math.radians(40)))
        assert y == pytest.approx(math.cos(math.radians(40)))
        assert vertex(8, 1)[0] == pytest.approx(-x)

    @pytest.mark.parametrize("case", CASES)
    def test_every_polygon_is_closed_and_runs_through_the_nine_scores(self, case: str) -> None:
        points = self.polygon(charts.radar_chart(CASES).to_dict(), case)
        assert [point["step"] for point in points] == list(range(10))
        assert (points[0]["x"], points[0]["y"]) == (points[-1]["x"], points[-1]["y"])
        assert [point["emotion"] for point in points] == [*EMOTIONS, EMOTIONS[0]]
        lengths = [math.hypot(point["x"], point["y"]) for point in points[:9]]
        assert lengths == pytest.approx(list(CASES[case].values()))

    @pytest.mark.parametrize(("highest", "top"), [(0.15, 0.2), (0.2, 0.2), (0.21, 0.4), (0.724, 0.8), (0.9, 1.0)])
    def test_the_scale_ends_at_a_round_number_that_holds_every_score(self, highest: float, top: float) -> None:
        spec = charts.radar_chart({"a": {"happy": highest}}).to_dict()
        assert [row["label"] for row in spec["datasets"][spec["layer"][-1]["data"]["name"]]][-1] == f"{top:g}"

    def test_rings_are_round_because_both_directions_have_one_scale(self) -> None:
        spec = charts.radar_chart(CASES, size=300).to_dict()
        for layer in spec["layer"]:
            across, up = (layer["encoding"][axis]["scale"]["domain"] for axis in ("x", "y"))
            assert (across[1] - across[0]) / spec["width"] == pytest.approx((up[1] - up[0]) / spec["height"])

    @pytest.mark.parametrize("lang", ["en", "zh"])
    @pytest.mark.parametrize("size", [280, 300, 360, 600])
    def test_the_names_of_the_axes_fit_into_the_picture(self, size: int, lang: str) -> None:
        spec = charts.radar_chart(CASES, size=size, lang=lang).to_dict()
        names = rows(spec, "align")
        half = spec["layer"][0]["encoding"]["x"]["scale"]["domain"][1]
        assert len(names) == 9
        for row in names:
            share = {"left": 1, "right": 1, "center": 0.5}[row["align"]]
            assert abs(row["x"]) / half * size / 2 + share * text_px(row["label"]) <= size / 2 + 1, row["label"]

    def test_names_grow_away_from_the_web(self) -> None:
        sides = {row["emotion"]: row["align"] for row in rows(charts.radar_chart(CASES).to_dict(), "align")}
        assert sides["angry"] == "center"
        assert {sides[name] for name in ("disgusted", "fearful", "happy", "neutral")} == {"left"}
        assert {sides[name] for name in ("other", "sad", "surprised", "unknown")} == {"right"}

    def test_a_click_in_the_legend_hides_a_sample_and_all_are_shown_at_first(self) -> None:
        spec = charts.radar_chart(CASES).to_dict()
        (shown,) = [param for param in spec["params"] if "select" in param]
        assert shown["bind"] == "legend"
        assert shown["select"]["fields"] == ["sample"]
        assert shown["select"]["toggle"] == "true"
        assert shown["value"] == [{"sample": name} for name in CASES]
        filtered = [layer for layer in spec["layer"] if layer.get("transform")]
        assert [layer["transform"] for layer in filtered] == [[{"filter": {"param": shown["name"]}}]] * 3

    def test_samples_differ_in_colour_and_in_dashes(self) -> None:
        (line,) = [
            layer for layer in layers(charts.radar_chart(CASES).to_dict(), "line") if "strokeDash" in layer["encoding"]
        ]
        for channel in ("color", "strokeDash"):
            scale = line["encoding"][channel]["scale"]
            assert scale["domain"] == list(CASES)
            assert len({str(value) for value in scale["range"]}) == len(CASES)

    def test_vertices_tell_sample_emotion_and_score(self) -> None:
        spec = charts.radar_chart(CASES).to_dict()
        (points,) = layers(spec, "circle")
        assert [tip["field"] for tip in points["encoding"]["tooltip"]] == ["sample", "label", "score_label"]
        assert self.polygon(spec, "complaint")[0]["score_label"] == "0.421"

    @pytest.mark.parametrize("name", NAMES_THAT_LOOK_LIKE_MARKUP)
    def test_the_name_of_a_sample_is_text_and_nothing_else(self, name: str) -> None:
        spec = charts.radar_chart({name: CASES["business"]}, title=name).to_dict()
        assert {row["sample"] for row in rows(spec, "sample")} == {name}
        assert spec["title"]["text"] == name
        ElementTree.fromstring(charts.save(charts.radar_chart({name: CASES["business"]}, title=name), "svg"))

    @pytest.mark.parametrize("count", [0, charts.MAX_SAMPLES + 1])
    def test_more_samples_than_can_be_told_apart_are_refused(self, count: int) -> None:
        with pytest.raises(ScoresError, match=f"1 to {charts.MAX_SAMPLES} samples; {count} were given"):
            charts.radar_chart({str(number): CASES["business"] for number in range(count)})


class TestAltText:
    @pytest.mark.parametrize("case", CASES)
    def test_it_names_the_three_strongest_with_their_scores(self, case: str) -> None:
        assert charts.alt_text(CASES[case]) == f"Strongest of the nine emotions: {', '.join(TOP_THREE[case])}."

    def test_it_speaks_chinese(self) -> None:
        text = charts.alt_text(CASES["complaint"], lang="zh")
        assert text == "九种情绪中得分最高的是：生气 0.421、厌恶 0.183、难过 0.124。"

    def test_equal_scores_are_named_in_the_order_of_the_emotions_and_zeros_not_at_all(self) -> None:
        assert charts.alt_text({"sad": 0.5, "angry": 0.5}).endswith(": Angry 0.500, Sad 0.500.")
        assert not re.search("Angry", charts.alt_text({}))

    def test_every_chart_carries_it(self) -> None:
        bar = charts.bar_chart(CASES["business"]).to_dict()["description"]
        assert bar == charts.alt_text(CASES["business"])
        radar = charts.radar_chart(CASES).to_dict()["description"]
        assert radar == charts.samples_alt_text(CASES)
        assert all(f"{case}: {', '.join(TOP_THREE[case])}" in radar for case in CASES)


class TestLook:
    @pytest.mark.parametrize("mode", ["light", "dark"])
    @pytest.mark.parametrize(
        "build", [charts.bar_chart, lambda scores, theme: charts.radar_chart({"a": scores}, theme=theme)]
    )
    def test_a_chart_is_complete_without_the_theme_of_a_page(self, build: Any, mode: charts.Theme) -> None:
        spec = build(CASES["business"], theme=mode).to_dict()
        config = spec["config"]
        assert config["background"] == "transparent"
        assert config["axis"]["labelColor"] == INK[mode].muted
        assert config["font"].split(", ")[-2:] == [PACKAGED_FAMILY, "sans-serif"]
        assert set(spec["padding"]) == {"left", "right", "top", "bottom"}, "Streamlit writes to the sides"
        assert "autosize" in spec, "Streamlit chooses one where none is given"


class TestSave:
    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("mode", ["light", "dark"])
    def test_a_png_has_its_size_and_the_background_of_its_theme(self, case: str, mode: charts.Theme) -> None:
        png = charts.save(charts.bar_chart(CASES[case], theme=mode), "png", width=320, scale=2)
        assert png_size(png)[0] == 640
        corner = Image.open(io.BytesIO(png)).convert("RGB").getpixel((0, 0))
        assert "#{:02x}{:02x}{:02x}".format(*corner) == INK[mode].background

    def test_a_background_can_be_chosen(self) -> None:
        png = charts.save(charts.bar_chart(CASES["business"]), "png", width=320, scale=1, background="#336699")
        assert Image.open(io.BytesIO(png)).convert("RGB").getpixel((0, 0)) == (0x33, 0x66, 0x99)

    def test_a_bar_is_as_long_as_its_score_and_has_its_colour(self) -> None:
        png = charts.save(charts.bar_chart({"happy": 1.0, "sad": 0.5}), "png", width=800, scale=1)
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        counts = {color: count for count, color in picture.getcolors(maxcolors=1 << 20)}
        happy, sad = (counts[tuple(bytes.fromhex(BY_NAME[name].color[1:]))] for name in ("happy", "sad"))
        assert sad / happy == pytest.approx(0.5, abs=0.01)

    def test_an_svg_is_whole_by_itself(self) -> None:
        chart = charts.bar_chart(CASES["complaint"], lang="zh", title="客户 <投诉> & 喆")
        svg = ElementTree.fromstring(charts.save(chart, "svg"))
        space = {"svg": "http://www.w3.org/2000/svg"}
        assert svg.get("width") == "800"
        assert svg.get("aria-label") == charts.alt_text(CASES["complaint"], lang="zh")
        words = [text.text for text in svg.iterfind(".//svg:text", space)]
        assert "客户 <投诉> & 喆" in words
        assert "0.421" in words
        assert {text.get("font-family") for text in svg.iterfind(".//svg:text", space)} == {EXPORT_FONT}
        style = svg.findtext("svg:style", namespaces=space)
        assert style is not None
        assert re.match(rf"@font-face\{{font-family:'{PACKAGED_FAMILY}';src:url\(data:font/woff;base64,", style)
        addresses = [value for part in svg.iter() for key, value in part.items() if key.endswith("href")]
        assert addresses == []

    def test_an_svg_carries_the_glyphs_it_uses_and_few_others(self) -> None:
        from fontTools.ttLib import TTFont

        font = TTFont(io.BytesIO(export._glyphs("生气 0.421 喆")))
        assert {chr(code) for code in font.getBestCmap()} == set("生气 0.421 喆")
        assert len(charts.save(charts.bar_chart(CASES["business"], lang="zh"), "svg")) < 60_000

    @pytest.mark.parametrize("format", ["png", "svg"])
    def test_characters_that_no_file_can_hold_are_left_out(self, format: Any) -> None:
        def image(sample: str, title: str) -> bytes:
            chart = charts.radar_chart({sample: CASES["business"]}, title=title, size=280)
            return re.sub(rb"view_[0-9a-f]+", b"", charts.save(chart, format, scale=1))  # a name made of the data

        assert image("a\x00\x07\x1f\ufffe\ud800b", "c\x07d") == image("ab", "cd")

    def test_another_format_is_refused(self) -> None:
        with pytest.raises(ValueError, match="png or svg, not 'gif'"):
            charts.save(charts.bar_chart(CASES["business"]), "gif")  # type: ignore[arg-type]


class TestFont:
    def test_chinese_is_drawn_with_the_packaged_font_alone(self) -> None:
        # The family is ours and no other is named, so no installed font can draw this; a letter that is missing
        # is a crossed box, the same for all.
        drawn = {text: painted(text, font=PACKAGED_FAMILY) for text in ("生", "气", "喆", "國", "\U000f0000")}
        assert len(set(drawn.values())) == len(drawn)
        assert all(min(pixels) < 128 for pixels in drawn.values()), "ink on paper"
        assert painted("\U000f0001", font=PACKAGED_FAMILY) == drawn["\U000f0000"], "the box for what is missing"

    def test_it_holds_every_character_of_gb_2312_and_those_of_rare_given_names(self) -> None:
        from fontTools.ttLib import TTFont

        held = set(TTFont(export.FONT_FILE, lazy=True).getBestCmap())
        gb2312 = {
            bytes((row, cell)).decode("gb2312", errors="ignore")
            for row in range(0xB0, 0xF8)
            for cell in range(0xA1, 0xFF)
        } - {""}
        assert len(gb2312) == 6763
        assert {character for character in gb2312 if ord(character) not in held} == set()
        assert {character for character in "喆堃玥琰煊镕瑀璟婳國語" if ord(character) not in held} == set()
        assert {character for character in "AZaz09äéßñüōΩЖ、。《》—…€°±→★" if ord(character) not in held} == set()

    def test_it_is_small_and_its_licence_lies_beside_it(self) -> None:
        assert export.FONT_FILE.stat().st_size < 3_000_000
        assert "SIL OPEN FONT LICENSE Version 1.1" in (export.FONT_DIR / "OFL.txt").read_text(encoding="utf-8")
