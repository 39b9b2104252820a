from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from any3dis_ros.errors import Cancelled
from any3dis_ros.scene import neighbours
from any3dis_ros.scene.neighbours import nearest_points


def by_brute_force(points: np.ndarray, k: int) -> np.ndarray:
    """Return the distances to all points, the k least of them, rising."""
    p = points.astype(np.float64)
    return np.sort(np.sqrt(((p[:, None] - p[None]) ** 2).sum(2)), 1)[:, :k].astype(np.float32)


def check(points: np.ndarray, k: int) -> None:
    """Hold distances to brute force, and the neighbours to their distances; which of equals is free."""
    distance, neighbour = nearest_points(points, k)
    np.testing.assert_array_equal(distance, by_brute_force(points, k))
    assert all(len(set(row)) == k for row in neighbour.tolist())
    between = points[neighbour].astype(np.float64) - points[:, None].astype(np.float64)
    np.testing.assert_array_equal(np.sqrt((between**2).sum(2)).astype(np.float32), distance)


@st.composite
def clouds(draw):
    """A sheet, a volume, a line, far clusters, a lattice, heaps of copies: up to 300 points, anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = draw(st.integers(4, 300))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e4]))
    shape = draw(st.sampled_from(["sheet", "volume", "line", "clusters", "lattice", "copies", "outliers"]))
    points = rng.random((n, 3))
    if shape == "sheet":
        points[:, 2] = 0.1 * points[:, 0]
    elif shape == "line":
        points[:, 1:] = 0
    elif shape == "clusters":
        points = points * 0.01 + rng.integers(0, 4, (n, 1)) * np.array([1.0, 5.0, 0.3])
    elif shape == "lattice":
        points = np.round(points * 5)
    elif shape == "copies":
        points = points[rng.integers(0, max(n // 8, 1), n)]
    elif shape == "outliers":
        points[: n // 20] *= 1e5
    offset = draw(st.sampled_from([0.0, -3.7, 250.0]))
    return ((points + offset) * scale).astype(np.float32), min(draw(st.sampled_from([1, 2, 5, 16])), n)


@settings(max_examples=150, deadline=None)
@given(clouds())
def test_against_brute_force(cloud):
    check(*cloud)


def walls_with_dust() -> np.ndarray:
    rng = np.random.default_rng(3)
    walls = rng.random((3, 700, 3)) * 2
    walls[0, :, 0] = walls[1, :, 1] = walls[2, :, 2] = 0
    dust = rng.random((40, 3)) * 6 - 2
    return np.concatenate([*walls, dust]).astype(np.float32)


def test_a_room_of_walls_with_dust():
    check(walls_with_dust(), 16)


@pytest.mark.parametrize("held", [4, 60])
def test_blocks_of_too_many_points_are_left_to_the_tree(held, monkeypatch):
    for kernel in ("_look_around", "_gather"):  # compiled, they keep the constant
        monkeypatch.setattr(neighbours, kernel, getattr(neighbours, kernel).py_func)
    monkeypatch.setattr(neighbours, "_HELD", held)
    check(walls_with_dust()[::6], 16)


def test_neighbours_are_found_block_by_block_and_the_search_can_be_stopped(monkeypatch):
    points = np.random.default_rng(0).random((500, 3)).astype(np.float32)
    monkeypatch.setattr(neighbours, "_BLOCK", 170)
    told = []
    found = nearest_points(points, 4, lambda stage, done, total, instances=0: told.append((stage, done, total)))
    distance, neighbour = cKDTree(points).query(points, k=4)
    np.testing.assert_array_equal(found[0], distance.astype(np.float32))
    np.testing.assert_array_equal(found[1], neighbour)
    done = [d for _, d, _ in told]
    assert told[0] == ("neighbours", 0, 500)
    assert told[-1] == ("neighbours", 500, 500)
    assert done == sorted(done)
    assert len(set(done)) >= 4
    largest_cell = np.diff(neighbours._sort(points, 4).start).max()
    assert max(np.diff(done)) <= 170 + largest_cell

    def stop(stage: str, done: int, total: int, instances: int = 0) -> None:
        if done:
            raise Cancelled(stage)

    with pytest.raises(Cancelled, match="neighbours"):
        nearest_points(points, 4, stop)
