from __future__ import annotations

import numpy as np
import pytest
from boxes import BOXES, looking_at, render_boxes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from any3dis_ros.scene.shape import describe, spread
from any3dis_ros.scene.surface import Surface


def described(points: np.ndarray, superpoint: np.ndarray, spacing: float = 0.001):
    n = len(points)
    edges = np.stack([np.arange(n - 1), np.arange(1, n)], 1).astype(np.int32)
    normals = np.tile(np.float32([0, 0, 1]), (n, 1))
    surface = Surface(points.astype(np.float32), np.zeros((n, 3), np.uint8), normals, edges, spacing)
    frame, _ = render_boxes(BOXES, looking_at((2, 0, 1.0), (0, 0, 0)))
    return describe(surface, superpoint, [frame]), frame


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.floats(0, 1e4))
def test_spread_of_unions_against_their_points(seed, L, far):
    rng = np.random.default_rng(seed)
    superpoint = np.concatenate([np.arange(L), rng.integers(0, L, 200)]).astype(np.int32)
    points = rng.normal(0, (0.1, 0.3, 0.5), (len(superpoint), 3)) + np.array([far, -far, 1.0])
    points = points.astype(np.float32).astype(np.float64)
    member = rng.random((4, L)) < 0.6
    member[:, 0] = True
    shapes, _ = described(points, superpoint)
    along, upward = spread(sparse.csr_matrix(member.astype(np.int64)), shapes)
    for row, a, z in zip(member, along, upward, strict=True):
        own = points[row[superpoint]]
        assert z == pytest.approx(max(own[:, 2].std(), 0.0005), rel=1e-3)
        variance = np.linalg.eigvalsh(np.cov(own.T, bias=True)) if len(own) > 1 else np.zeros(3)
        np.testing.assert_allclose(a, np.sqrt(np.maximum(variance, 0.0005**2)), rtol=1e-3, atol=1e-5)


def test_borders_and_distance_come_along():
    shapes, frame = described(np.arange(9.0).reshape(3, 3), np.int32([0, 0, 1]))
    assert shapes.size.tolist() == [2, 1]
    assert shapes.borders.edges.toarray().tolist() == [[0, 1], [1, 0]]
    seen = frame.depth[::8, ::8]
    assert shapes.distance == pytest.approx(np.median(seen[seen > 0]) / 1000)
