"""The plane on which clips are drawn, and the picture of it."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from emostore import charts
from emostore.analytics.projection import principal
from emostore.charts.map import CHOICE, SHAPES
from emostore.emotions import EMOTIONS

RANDOM = np.random.default_rng(2)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_the_plane_is_that_of_a_singular_value_decomposition(shape: tuple[int, int]) -> None:
    vectors = RANDOM.normal(size=shape) * np.linspace(3, 1, shape[1])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    left, values, right = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    found = principal(vectors)
    np.testing.assert_allclose(np.abs(found.places), np.abs(left * values)[:, :2], atol=1e-9)
    np.testing.assert_allclose(found.explained, (values**2 / np.sum(values**2))[:2], atol=1e-9)
    largest = np.abs(right[:2]).argmax(axis=1)
    signs = np.sign(right[[0, 1], largest])
    np.testing.assert_allclose(found.places, (left * values)[:, :2] * signs, atol=1e-9)


def test_the_length_of_a_vector_and_how_often_it_is_asked_change_nothing() -> None:
    vectors = RANDOM.normal(size=(30, 8))
    longer = vectors * RANDOM.uniform(0.5, 9, size=(30, 1))
    np.testing.assert_allclose(principal(vectors).places, principal(longer).places, atol=1e-9)
    assert principal(vectors).places.tobytes() == principal(vectors).places.tobytes()


def test_clips_that_are_all_alike_lie_in_one_place() -> None:
    found = principal(np.ones((6, 4)))
    assert np.abs(found.places).max() < 1e-9
    assert found.explained == (0.0, 0.0)
    assert principal(np.array([[1.0], [2.0], [-1.0]])).places.shape == (3, 2)


@pytest.mark.parametrize("vectors", [np.ones((2, 4)), np.zeros((5, 4)), np.full((5, 4), np.nan)])
def test_too_few_or_without_a_direction_is_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"three vectors|direction"):
        principal(vectors)


POINTS = [
    charts.MapPoint(7, 0.0, 0.2, "angry", "<b>a</b>", "Ana"),
    charts.MapPoint(8, 1.0, -0.3, "happy", "b"),
    charts.MapPoint(9, 0.5, 0.0, "happy", "c"),
]


def test_a_map_shows_only_emotions_that_are_there_in_their_colours_and_shapes() -> None:
    spec = charts.map_chart(POINTS, description="Three clips").to_dict()
    encoding = spec["encoding"]
    assert encoding["color"]["scale"]["domain"] == encoding["shape"]["scale"]["domain"] == ["Angry", "Happy"]
    assert encoding["shape"]["scale"]["range"] == [SHAPES[0], SHAPES[EMOTIONS.index("happy")]]
    assert spec["description"] == "Three clips"
    (clicked,) = spec["params"]
    assert (clicked["name"], clicked["select"]["fields"]) == (CHOICE, ["clip_id"])
    widths = [np.diff(encoding[axis]["scale"]["domain"])[0] for axis in "xy"]
    assert widths[0] == pytest.approx(widths[1])
    assert widths[0] > 1.0
    assert len(set(SHAPES)) == len(EMOTIONS)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_map_is_saved_with_names_as_they_are_also_of_one_place(mode: charts.Theme) -> None:
    alike = [charts.MapPoint(1, 0.0, 0.0, "sad", "x"), charts.MapPoint(2, 0.0, 0.0, "sad", "y")]
    for points in (POINTS, alike):
        svg = charts.save(charts.map_chart(points, description="d", lang="zh", theme=mode), "svg").decode()
        ElementTree.fromstring(svg)
        assert "<b>" not in svg


def test_a_map_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="needs points"):
        charts.map_chart([], description="d")
