from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.scene.neighbours import _among_cells, nearest_neighbours


def brute_force(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs, sorted by distance, then by index."""
    x = points.astype(np.float64)
    squared = ((x[:, None] - x[None]) ** 2).sum(2)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squared, order, 1)), order


def shaped(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    points = rng.random((n, 3))
    if kind == "surface":
        points[:, 2] = 0.05 * np.sin(9 * points[:, 0])
    elif kind == "ties":
        points = np.round(points * 5) / 5
    elif kind == "uneven":
        points[: n // 2] = 0.5 + points[: n // 2] / 50
    return points.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(["volume", "surface", "ties", "uneven"]), st.integers(1, 250), st.data()
)
def test_against_all_pairs(seed, kind, n, data):
    points = shaped(kind, n, np.random.default_rng(seed))
    k = data.draw(st.integers(1, min(n, 16)))
    distance, neighbour = nearest_neighbours(points, k)
    expected, order = brute_force(points, k)
    assert distance.shape == neighbour.shape == (n, k)
    np.testing.assert_allclose(distance, expected, rtol=1e-12, atol=1e-15)
    if kind != "ties":
        np.testing.assert_array_equal(neighbour, order)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["surface", "ties", "uneven"]), st.floats(0.02, 2.0))
def test_cells_of_any_width_give_the_same_or_say_that_they_cannot(seed, kind, width):
    points = shaped(kind, 200, np.random.default_rng(seed))
    found = _among_cells(points, 5, width)
    assert found is not None
    distance, neighbour = found
    expected, order = brute_force(points, 5)
    certain = neighbour[:, 0] >= 0
    np.testing.assert_array_equal(neighbour[certain], order[certain])
    np.testing.assert_allclose(distance[certain], expected[certain], rtol=1e-12)
    if width > 0.1:
        assert certain.all()


@pytest.mark.parametrize("width", [0.0, 1e-9])
def test_cells_that_do_not_suit_are_refused(width):
    assert _among_cells(shaped("volume", 50, np.random.default_rng(0)), 3, width) is None


def test_a_crowd_in_one_cell_is_left_to_the_tree():
    crowd = shaped("volume", 400, np.random.default_rng(0))
    assert _among_cells(crowd, 3, 2.0) is None
    np.testing.assert_array_equal(nearest_neighbours(crowd, 400)[1], brute_force(crowd, 400)[1])


def test_points_far_from_all_others_find_their_neighbours():
    points = np.concatenate([shaped("surface", 300, np.random.default_rng(1)), np.float32([[40, 0, 0], [-90, 5, 3]])])
    np.testing.assert_array_equal(nearest_neighbours(points, 4)[1], brute_force(points, 4)[1])
