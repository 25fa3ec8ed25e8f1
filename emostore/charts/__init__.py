"""Altair builders: data in, chart out. No page and no store is known here."""

# Altair looks into pandas if anybody has begun to import it, and fails if another thread is not through with that.
# Importing it here waits until it is whole.
import pandas  # noqa: F401
from altair.utils.schemapi import disable_debug_mode

from emostore.charts.bar import bar_chart
from emostore.charts.course import Mark, Stretch, course_chart
from emostore.charts.export import Format, inline_svg, save
from emostore.charts.interval import Interval, axis_around, interval_chart
from emostore.charts.map import MapPoint, map_chart
from emostore.charts.matrix import matrix_chart
from emostore.charts.radar import MAX_SAMPLES, radar_chart
from emostore.charts.reliability import CoveragePoint, ReliabilityPoint, coverage_chart, reliability_chart
from emostore.charts.series import LinePoint, MixPoint, day_label, line_chart, mix_chart, say_value
from emostore.charts.style import Theme, theme
from emostore.charts.words import alt_text, samples_alt_text

# Altair would hold every part of a chart against Vega-Lite's schema while it is made, which takes longer than all the
# rest. What pages draw is checked by the tests, which switch that on again.
disable_debug_mode()

__all__ = [
    "MAX_SAMPLES",
    "CoveragePoint",
    "Format",
    "Interval",
    "LinePoint",
    "MapPoint",
    "Mark",
    "MixPoint",
    "ReliabilityPoint",
    "Stretch",
    "Theme",
    "alt_text",
    "axis_around",
    "bar_chart",
    "course_chart",
    "coverage_chart",
    "day_label",
    "inline_svg",
    "interval_chart",
    "line_chart",
    "map_chart",
    "matrix_chart",
    "mix_chart",
    "radar_chart",
    "reliability_chart",
    "samples_alt_text",
    "save",
    "say_value",
    "theme",
]
