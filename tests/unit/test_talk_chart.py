"""Lanes of speech: what they draw, how they thin, and what they say to those who do not see them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from emostore import charts
from emostore.charts.talk import PARTS, Lane, lanes_chart, thinned
from emostore.i18n import clock
from tests.unit.test_charts import NAMES_THAT_LOOK_LIKE_MARKUP, layers, png_size

LANES = [
    Lane("Agent", [(0, 4), (10, 15)], "60.0 %"),
    Lane("Customer", [(5, 12)], "40.0 %"),
    Lane("Both", [(10, 12)], "0:02", "both"),
    Lane("Nobody", [], "0:00", "silence"),
]


def test_every_stretch_is_a_bar_of_its_lane_from_its_beginning_to_its_end() -> None:
    spec = lanes_chart(LANES, length_s=20, description="said").to_dict()
    assert spec["description"] == "said"
    drawn = next(rows for rows in spec["datasets"].values() if any("start" in row for row in rows))
    assert [(row["name"], row["start"], row["end"]) for row in drawn] == [
        ("Agent", 0, 4),
        ("Agent", 10, 15),
        ("Customer", 5, 12),
        ("Both", 10, 12),
    ]
    assert drawn[0]["when"] == "0:00 – 0:04"
    bar = next(layer for layer in layers(spec, "bar") if "x2" in layer["encoding"] and "color" in layer["encoding"])
    assert bar["encoding"]["y"]["scale"]["domain"] == ["Agent", "Customer", "Both", "Nobody"]
    assert bar["encoding"]["x"]["scale"]["domain"] == [0, 20]
    assert len(set(bar["encoding"]["color"]["scale"]["range"])) == 4


def test_lanes_can_be_taken_away_as_images_whatever_they_are_called() -> None:
    lanes = [Lane(name, [(0, 3700)], "1") for name in NAMES_THAT_LOOK_LIKE_MARKUP]
    image = charts.save(lanes_chart(lanes, length_s=7200, description="d", title="Who speaks when"), "png")
    assert png_size(image)[1] > 100


@pytest.mark.parametrize(("lanes", "length_s"), [([], 10), ([LANES[0], LANES[0]], 10), (LANES, 0)])
def test_lanes_without_names_of_their_own_or_time_are_refused(lanes: list[Lane], length_s: float) -> None:
    with pytest.raises(ValueError, match="lanes need names"):
        lanes_chart(lanes, length_s=length_s, description="")


@given(
    some.lists(some.tuples(some.floats(0, 99), some.floats(0.001, 30)).map(lambda pair: (pair[0], sum(pair)))),
    some.integers(2, 50),
)
def test_thinning_loses_no_stretch_and_invents_less_than_a_part(
    stretches: list[tuple[float, float]], parts: int
) -> None:
    found = thinned(stretches, 130, parts)
    least = 130 / parts
    assert len(found) <= parts
    assert (found[1:, 0] - found[:-1, 1] >= least - 1e-9).all()
    for start, end in stretches:
        assert ((found[:, 0] <= start) & (end <= found[:, 1])).any()
    for start, end in found.tolist():
        covered = np.linspace(start, end, 50)
        near = [min(abs(np.clip(t, a, b) - t) for a, b in stretches) for t in covered]
        assert max(near) <= least + 1e-9


def test_many_short_stretches_of_a_long_call_stay_few_bars() -> None:
    starts = np.arange(0, 14_400, 2.0)
    found = thinned(np.stack([starts, starts + 0.5], axis=1), 14_400)
    assert len(found) <= PARTS
    assert found[0, 0] == 0


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (59.99, "0:59"), (187, "3:07"), (3723, "1:02:03")])
def test_a_time_is_written_as_a_clock_shows_it(seconds: float, said: str) -> None:
    assert clock(seconds) == said
