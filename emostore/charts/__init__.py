"""Altair builders: data in, chart out. No page and no store is known here."""

from emostore.charts.bar import bar_chart
from emostore.charts.export import Format, save
from emostore.charts.radar import MAX_SAMPLES, radar_chart
from emostore.charts.style import Theme, theme
from emostore.charts.words import alt_text, samples_alt_text

__all__ = [
    "MAX_SAMPLES",
    "Format",
    "Theme",
    "alt_text",
    "bar_chart",
    "radar_chart",
    "samples_alt_text",
    "save",
    "theme",
]
