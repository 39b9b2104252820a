from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from any3dis_ros.config import SuperpointConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.scene.borders import find_borders
from any3dis_ros.scene.mapping import MapCloud
from any3dis_ros.scene.surface import Surface, _flattest_direction, _nearest_viewpoint, build_surface


def entries(m: np.ndarray) -> tuple[float, ...]:
    return m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2]


@settings(max_examples=300)
@given(
    st.tuples(*[st.sampled_from([0.0, 1e-6, 1e-3, 0.5, 1.0, 1.0001, 7.0])] * 3),
    st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    st.sampled_from([1e-8, 1.0, 1e4]),
)
def test_flattest_direction_against_lapack(values, angles, scale):
    R = Rotation.from_euler("zyx", angles).as_matrix()
    m = scale * R @ np.diag(values) @ R.T
    v = np.array(_flattest_direction(*entries((m + m.T) / 2)))
    assert np.linalg.norm(v) == pytest.approx(1)
    smallest = np.linalg.eigvalsh(m)[0]
    assert v @ m @ v <= smallest + 1e-6 * max(scale * max(values), 1e-30)


def test_the_search_for_neighbours_can_be_stopped():
    points = np.random.default_rng(0).random((50, 3)).astype(np.float32)

    def stop(stage: str, done: int, total: int, instances: int = 0) -> None:
        raise Cancelled(stage)

    with pytest.raises(Cancelled, match="neighbours"):
        build_surface(MapCloud(points, np.zeros((50, 3), np.uint8)), SuperpointConfig(), None, stop)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 40), st.booleans(), st.integers(0, 1000))
def test_the_nearest_viewpoint_against_a_tree(n, viewpoints, sorted_, seed):
    rng = np.random.default_rng(seed)
    points, cameras = rng.random((n, 3)).astype(np.float32) * 4, rng.random((viewpoints, 3)) * 4
    if sorted_:
        points = points[np.argsort(points[:, 0])]
    np.testing.assert_array_equal(_nearest_viewpoint(points, cameras), cKDTree(cameras).query(points)[1])


def test_a_surface_joins_each_pair_of_neighbours_once():
    points = np.random.default_rng(0).random((200, 3)).astype(np.float32)
    config = SuperpointConfig(edge_neighbours=4, max_edge_voxels=2.0)
    surface = build_surface(MapCloud(points, np.zeros((200, 3), np.uint8)), config)
    distance, neighbour = cKDTree(points).query(points, k=5)
    spacing = np.median(distance[:, 1])
    expected = {
        (min(i, j), max(i, j))
        for i in range(200)
        for j, d in zip(neighbour[i, 1:], distance[i, 1:], strict=True)
        if d <= 2 * spacing
    }
    assert surface.spacing == pytest.approx(spacing)
    assert {tuple(e) for e in surface.edges.tolist()} == expected
    assert len(surface.edges) == len(expected)


def test_the_maps_own_normals_and_edges_are_kept():
    points = np.random.default_rng(1).random((10, 3)).astype(np.float32)
    normals = np.tile(np.float32([0, 1, 0]), (10, 1))
    edges = np.int32([[0, 1], [4, 7]])
    surface = build_surface(MapCloud(points, np.zeros((10, 3), np.uint8), normals, edges), SuperpointConfig())
    np.testing.assert_array_equal(surface.normals, normals)
    np.testing.assert_array_equal(surface.edges, edges)


def test_too_few_points_are_refused():
    with pytest.raises(InputError, match="3 points"):
        build_surface(MapCloud(np.eye(3, dtype=np.float32), np.zeros((3, 3), np.uint8)), SuperpointConfig())


def test_borders_by_hand():
    """Five points in a row: flat, a concave step up, a convex step over; superpoints 0 0 1 1 2."""
    points = np.float32([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 1], [4, 0, 1]])
    up, back, over = [0, 0, 1], [-0.8, 0, 0.6], [0.8, 0, 0.6]
    normals = np.float32([up, up, back, up, over])
    edges = np.int32([[0, 1], [1, 2], [2, 3], [3, 4], [0, 2]])
    surface = Surface(points, np.zeros((5, 3), np.uint8), normals, edges, 1.0)
    b = find_borders(surface, np.int32([0, 0, 1, 1, 2]))
    assert b.edges.toarray().tolist() == [[0, 2, 0], [2, 0, 1], [0, 1, 0]]
    # from 1 to 2 and from 0 to 2 the normal leans back against the step: concave; from 3 to 4 it leans away: convex
    assert b.concave.toarray().tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert b.convex.toarray().tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert b.flat.toarray().tolist() == [[0] * 3] * 3


def grid(n: int = 7, step: float = 0.02) -> np.ndarray:
    x, y = np.mgrid[:n, :n] * step
    return np.stack([x.ravel(), y.ravel(), np.zeros(n * n)], 1).astype(np.float32)


def test_normals_of_two_plates_face_the_nearest_of_two_viewpoints():
    points = np.concatenate([grid(), grid() + np.float32([3, 0, 0])])
    cloud = MapCloud(points, np.zeros((98, 3), np.uint8))
    surface = build_surface(cloud, SuperpointConfig(normal_neighbours=8), np.array([[0, 0, 1.0], [3, 0, -1.0]]))
    np.testing.assert_allclose(surface.normals[:49], np.tile([0, 0, 1.0], (49, 1)), atol=1e-5)
    np.testing.assert_allclose(surface.normals[49:], np.tile([0, 0, -1.0], (49, 1)), atol=1e-5)
    assert surface.spacing == pytest.approx(0.02)


def test_doubled_points_do_not_bring_the_spacing_to_nothing():
    config = SuperpointConfig(normal_neighbours=8, edge_neighbours=4)
    twice, heaps = (np.repeat(grid(), copies, 0) for copies in (2, 10))
    surface = build_surface(MapCloud(twice, np.zeros((98, 3), np.uint8)), config)
    assert 0.0199 <= surface.spacing <= 0.03
    assert len(surface.edges)
    with pytest.raises(InputError, match="most of the map's 490 points stand 8 times or more; remove the copies"):
        build_surface(MapCloud(heaps, np.zeros((490, 3), np.uint8)), config)
