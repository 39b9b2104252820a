"""How two plates meet: flat, inwards, outwards, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from any3dis_ros.scene.borders import find_borders
from any3dis_ros.scene.surface import Surface


def hinge(degrees: float) -> Surface:
    """Two strips of 3 points along y that meet at x = 0, the second turned up by `degrees`; normals up."""
    a = np.deg2rad(degrees)
    left = [(-0.01, y, 0) for y in (0, 0.02, 0.04)]
    right = [(0.01 * np.cos(a), y, 0.01 * np.sin(a)) for y in (0, 0.02, 0.04)]
    normals = [(0, 0, 1)] * 3 + [(-np.sin(a), 0, np.cos(a))] * 3
    edges = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    black = np.zeros((6, 3), np.uint8)
    return Surface(np.float32([*left, *right]), black, np.float32(normals), np.int32(edges), 0.02)


STRIPS = np.int32([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("degrees", "kind"), [(0, "flat"), (10, "flat"), (-10, "flat"), (22, None), (90, "concave"), (-90, "convex")]
)
def test_the_turn_of_the_surface_names_the_border(degrees, kind):
    borders = find_borders(hinge(degrees), STRIPS)
    assert borders.edges.toarray().tolist() == [[0, 3], [3, 0]]
    for name in ("flat", "concave", "convex"):
        count = 3 if name == kind else 0
        assert getattr(borders, name).toarray().tolist() == [[0, count], [count, 0]], name
    assert borders.spacing == 0.02


def test_edges_within_a_superpoint_are_no_border():
    borders = find_borders(hinge(90), np.zeros(6, np.int32))
    assert borders.edges.shape == (1, 1)
    assert borders.edges.nnz == borders.concave.nnz == 0


def test_counts_against_a_loop():
    rng = np.random.default_rng(0)
    n, L = 80, 6
    superpoint = np.concatenate([np.arange(L), rng.integers(0, L, n - L)]).astype(np.int32)
    edges = np.unique(np.sort(rng.integers(0, n, (300, 2)), axis=1), axis=0).astype(np.int32)
    black = np.zeros((n, 3), np.uint8)
    surface = Surface(rng.random((n, 3)).astype(np.float32), black, np.tile(np.float32([0, 0, 1]), (n, 1)), edges, 0.1)
    expected = np.zeros((L, L), int)
    for i, j in edges:
        a, b = superpoint[i], superpoint[j]
        if a != b:
            expected[a, b] += 1
            expected[b, a] += 1
    borders = find_borders(surface, superpoint)
    np.testing.assert_array_equal(borders.edges.toarray(), expected)
    np.testing.assert_array_equal(borders.flat.toarray(), expected)  # all normals are parallel
