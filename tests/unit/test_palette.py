"""The nine colours are told apart by everybody, on white and on black, and seen by everybody."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from coloraide import Color

import emostore
from emostore.charts.style import INK, SAMPLE_DASHES, SAMPLE_RANGE
from emostore.emotions import BY_NAME, EMOTIONS

ASSETS = Path(emostore.__file__).parent / "assets"
COLORS = {name: BY_NAME[name].color for name in EMOTIONS}

# Kinds of sight, with the published models of it that are checked.
NORMAL = ("normal", "")
COLOUR_BLIND = [
    (sight, model)
    for sight, models in {
        "protan": ("machado", "vienot", "brettel"),
        "deutan": ("machado", "vienot", "brettel"),
        "tritan": ("machado", "brettel"),  # Viénot says nothing reliable about it
    }.items()
    for model in models
]
SIGHTS = [NORMAL, *COLOUR_BLIND]


def seen(color: str, sight: str, model: str) -> Color:
    """The colour as somebody with this kind of sight sees it."""
    if sight == "normal":
        return Color(color)
    return Color(color).filter(sight, method=model).clip("srgb")


def difference(one: str, other: str, sight: str, model: str) -> float:
    return float(seen(one, sight, model).delta_e(seen(other, sight, model), method="2000"))


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", EMOTIONS)
def test_every_emotion_stands_out_from_the_page(name: str, mode: str) -> None:
    assert Color(COLORS[name]).contrast(INK[mode].background) >= 3, "WCAG 2.2, 1.4.11"


@pytest.mark.parametrize(("sight", "model"), SIGHTS)
def test_no_two_emotions_look_alike(sight: str, model: str) -> None:
    distances = {pair: difference(COLORS[pair[0]], COLORS[pair[1]], sight, model) for pair in combinations(EMOTIONS, 2)}
    closest = min(distances, key=lambda pair: distances[pair])
    assert distances[closest] >= (17 if sight == "normal" else 9.5), closest


@pytest.mark.parametrize(("sight", "model"), SIGHTS)
def test_neighbours_touch_in_a_stack_and_differ_even_more(sight: str, model: str) -> None:
    distances = {pair: difference(COLORS[pair[0]], COLORS[pair[1]], sight, model) for pair in pairwise(EMOTIONS)}
    closest = min(distances, key=lambda pair: distances[pair])
    assert distances[closest] >= (25 if sight == "normal" else 15), closest


@pytest.mark.parametrize(
    ("sight", "one", "other"),
    [("protan", "#808000", "#ac7500"), ("deutan", "#6aa84f", "#c08a52"), ("tritan", "#2a7fbf", "#1d8a86")],
)
def test_the_check_notices_what_a_colour_blind_person_confuses(sight: str, one: str, other: str) -> None:
    assert difference(one, other, *NORMAL) > 17
    assert difference(one, other, sight, "machado") < 9.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_outlines_of_charts_are_legible(mode: str) -> None:
    ink = INK[mode]
    page = Color(ink.background)
    assert page.contrast(ink.text) >= 7
    assert page.contrast(ink.muted) >= 4.5
    assert page.contrast(ink.edge) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("color", SAMPLE_RANGE)
def test_every_sample_stands_out_from_the_page(color: str, mode: str) -> None:
    assert Color(color).contrast(INK[mode].background) >= 3


@pytest.mark.parametrize(("sight", "model"), SIGHTS)
def test_samples_are_told_apart_by_colour(sight: str, model: str) -> None:
    assert min(difference(a, b, sight, model) for a, b in combinations(SAMPLE_RANGE, 2)) >= 10


def test_samples_are_told_apart_without_colour() -> None:
    assert len({tuple(dash) for dash in SAMPLE_DASHES}) == len(SAMPLE_DASHES) == len(SAMPLE_RANGE)


@pytest.mark.parametrize("name", ["logo.svg", "icon.svg"])
def test_the_mark_of_the_app_has_the_nine_colours_in_their_order(name: str) -> None:
    drawn = re.findall(r'stroke="(#[0-9a-f]{6})"', (ASSETS / name).read_text(encoding="utf-8"))
    assert drawn == list(COLORS.values())
