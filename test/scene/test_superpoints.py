from __future__ import annotations

import numpy as np
import pytest
from boxes import BOXES, FLOOR
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import MapConfig, SuperpointConfig
from any3dis_ros.errors import InputError
from any3dis_ros.scene.mapping import MapCloud, fuse
from any3dis_ros.scene.superpoints import _edge_weights, centroids, compute_superpoints, graph_cut
from any3dis_ros.scene.surface import build_surface, estimate_normals


def cloud_of(points: np.ndarray, **more) -> MapCloud:
    return MapCloud(points.astype(np.float32), np.zeros((len(points), 3), np.uint8), **more)


def segments(cloud: MapCloud, config: SuperpointConfig | None = None, viewpoints=None) -> np.ndarray:
    config = config or SuperpointConfig()
    return compute_superpoints(build_surface(cloud, config, viewpoints), config)


def plane(size: int, spacing: float = 0.02) -> np.ndarray:
    x, y = np.mgrid[:size, :size] * spacing
    return np.stack([x.ravel(), y.ravel(), np.zeros(size * size)], 1)


def felzenszwalb(n: int, edges, weight, threshold: float, min_size: int) -> list[set[int]]:
    """The published algorithm with sets, slow and plain (IJCV 2004, Sec. 4)."""
    component = {i: {i} for i in range(n)}
    internal = dict.fromkeys(range(n), 0.0)
    of = list(range(n))
    order = np.argsort(weight, kind="stable")

    def join(a: int, b: int) -> None:
        component[a] |= component.pop(b)
        for i in component[a]:
            of[i] = a

    for e in order:
        a, b = of[edges[e][0]], of[edges[e][1]]
        if a != b and all(weight[e] <= internal[c] + np.float32(threshold) / len(component[c]) for c in (a, b)):
            join(a, b)
            internal[a] = weight[e]
    for e in order:
        a, b = of[edges[e][0]], of[edges[e][1]]
        if a != b and min(len(component[a]), len(component[b])) < min_size:
            join(a, b)
    return sorted(component.values(), key=min)


@settings(max_examples=150)
@given(st.data(), st.integers(2, 14), st.sampled_from([0.0, 0.5, 2.0, 8.0]), st.integers(1, 5))
def test_graph_cut_against_the_published_algorithm_with_sets(data, n, threshold, min_size):
    pairs = [(i, j) for i in range(n) for j in range(i)]
    edges = data.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=30, unique=True))
    weight = np.array(data.draw(st.lists(st.integers(0, 8), min_size=len(edges), max_size=len(edges))), np.float32)
    label = graph_cut(n, np.array(edges, np.int32), weight, threshold, min_size)
    expected = np.empty(n, int)
    for number, members in enumerate(felzenszwalb(n, edges, weight, threshold, min_size)):
        expected[list(members)] = number
    np.testing.assert_array_equal(label, expected)


def test_a_plane_is_one_superpoint_and_two_planes_apart_are_two():
    one = plane(20)
    assert segments(cloud_of(one)).max() == 0
    two = np.vstack([one, one + [0, 0, 0.5]])
    label = segments(cloud_of(two))
    np.testing.assert_array_equal(label, np.repeat([0, 1], 400))


@pytest.mark.parametrize("seed", range(3))
def test_a_hollow_parts_where_a_bulge_does_not(seed):
    """The same quarter of a tube, seen from its axis and from outside."""
    angle, along = np.meshgrid(np.arange(0, np.pi / 2, 0.1), np.arange(0, 0.6, 0.02))
    tube = np.stack([0.2 * np.cos(angle), 0.2 * np.sin(angle), along], -1).reshape(-1, 3)
    tube += np.random.default_rng(seed).normal(0, 1e-4, tube.shape)
    config = SuperpointConfig(threshold=0.05)
    hollow = segments(cloud_of(tube), config, np.array([[0, 0, 0.3]]))
    bulge = segments(cloud_of(tube), config, np.array([[2, 2, 0.3]]))
    assert bulge.max() == 0
    assert hollow.max() > 0


def test_a_thing_that_lies_flat_is_parted_by_its_colour():
    """A dark sheet on a pale table: no crease, 50 units of lightness."""
    table = cloud_of(plane(20))
    sheet = (np.abs(table.points[:, :2] - 0.19) < 0.08).all(1)
    colored = MapCloud(table.points, np.where(sheet[:, None], np.uint8([70] * 3), np.uint8([200] * 3)))
    np.testing.assert_array_equal(segments(colored) == segments(colored)[sheet][0], sheet)
    assert segments(colored, SuperpointConfig(color_weight=0.0)).max() == 0


def test_edges_weigh_the_turn_of_the_normal_and_the_difference_of_colour():
    points = np.float32([[0, 0, 0], [1, 0, 0], [2, 0, 1]])
    normals = np.float32([[0, 0, 1], [0, 0, 1], [-1, 0, 0]])
    lab = np.float32([[0, 0, 0], [0.3, 0, 0], [0.3, 0.4, 0]])
    edges = np.int32([[0, 1], [1, 2], [2, 1]])
    np.testing.assert_allclose(
        _edge_weights(points, normals, lab, edges, np.float32(2)), [0.18, 1 + 0.32, 1 + 0.32], rtol=1e-6
    )
    np.testing.assert_allclose(_edge_weights(points, normals, lab, edges, np.float32(0)), [0, 1, 1])


def test_superpoints_do_not_cross_objects(two_boxes):
    cloud = fuse(two_boxes[0], MapConfig(voxel_size_m=0.03))
    label = segments(cloud, None, np.stack([f.T_map_camera[:3, 3] for f in two_boxes[0]]))
    owner = np.zeros(len(cloud), int)
    for index, (low, high) in enumerate(BOXES[1:], start=1):
        owner[((cloud.points > low - 0.03) & (cloud.points < high + 0.03) & (cloud.points[:, 2:] > 0.05)).all(1)] = (
            index
        )
    clear = owner > 0
    clear |= (np.abs(cloud.points[:, 2]) < 0.02) & (np.abs(cloud.points[:, :2]) > 0.8).any(1) & (owner == 0)
    votes = np.zeros((label.max() + 1, 3), int)
    np.add.at(votes, (label[clear], owner[clear]), 1)
    assert votes.max(1).sum() / votes.sum() > 0.98
    assert FLOOR is BOXES[0]


def test_mesh_edges_are_used_where_there_are_any():
    points = np.vstack([plane(10), plane(10) + [0, 0, 0.011]])  # two sheets, nearer to each other than their own points
    i = np.arange(100).reshape(10, 10)
    sheet = np.vstack(
        [np.stack([i[:, :-1].ravel(), i[:, 1:].ravel()], 1), np.stack([i[:-1].ravel(), i[1:].ravel()], 1)]
    )
    edges = np.vstack([sheet, sheet + 100]).astype(np.int32)
    normals = np.tile(np.float32([0, 0, 1]), (200, 1))
    label = segments(cloud_of(points, normals=normals, edges=edges))
    np.testing.assert_array_equal(label, np.repeat([0, 1], 100))


def test_labels_are_numbered_by_first_point_and_cover_all():
    rng = np.random.default_rng(0)
    label = segments(cloud_of(rng.random((500, 3))))
    _, first = np.unique(label, return_index=True)
    assert (np.diff(first) > 0).all()
    assert first[0] == 0
    assert np.bincount(label).min() >= 1


def test_normals_of_a_sphere_face_the_viewpoint():
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = (directions + [0, 0, 5]).astype(np.float32)
    from scipy.spatial import cKDTree

    neighbour = cKDTree(points).query(points, k=16)[1]
    normals = estimate_normals(points, neighbour, np.array([[0.0, 0, 5]]))  # from inside the sphere
    assert np.median((normals * -directions).sum(1)) > 0.995
    assert ((normals * -directions).sum(1) > 0).all()


def test_centroids_and_sizes():
    points = np.float32([[0, 0, 0], [2, 0, 0], [5, 5, 5]])
    centroid, size = centroids(points, np.int32([0, 0, 1]))
    np.testing.assert_array_equal(centroid, [[1, 0, 0], [5, 5, 5]])
    np.testing.assert_array_equal(size, [2, 1])


def test_too_few_points_are_refused():
    with pytest.raises(InputError, match="3 points"):
        segments(cloud_of(np.eye(3)))


def test_fewer_points_than_neighbours_is_no_problem():
    assert segments(cloud_of(plane(2))).max() == 0
