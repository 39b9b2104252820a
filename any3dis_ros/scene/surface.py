"""The map as a surface: normals, and a graph that joins neighbouring points."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.config import SuperpointConfig
from any3dis_ros.errors import InputError
from any3dis_ros.scene.mapping import MapCloud


@dataclass(frozen=True)
class Surface:
    """Points that know their neighbours.

    Attributes:
        points: N×3 float32, metres, map frame.
        normals: N×3 float32 unit vectors, facing the cameras where these are known.
        edges: E×2 int32, pairs of neighbouring points, each once.
        spacing: metres, median distance of a point to its nearest neighbour.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    edges: NDArray[np.int32]
    spacing: float


def build_surface(cloud: MapCloud, config: SuperpointConfig, viewpoints: NDArray[np.float64] | None = None) -> Surface:
    """Find normals and neighbours of the map's points; its own normals and mesh edges are used where it has them.

    Args:
        cloud: the map.
        config: numbers of neighbours, longest edge.
        viewpoints: V×3 metres, map frame, camera centres; fitted normals are turned to the nearest.

    Raises:
        InputError: fewer than 4 points.
    """
    n = len(cloud)
    if n < 4:
        raise InputError(f"the map has {n} points; expected at least 4")
    k = min(max(config.normal_neighbours, config.edge_neighbours + 1), n)
    distance, neighbour = cKDTree(cloud.points).query(cloud.points, k=k, workers=-1)
    spacing = float(np.median(distance[:, 1]))
    normals = cloud.normals
    if normals is None:
        normals = estimate_normals(cloud.points, neighbour[:, : config.normal_neighbours], viewpoints)
    edges = cloud.edges
    if edges is None:
        near = slice(1, config.edge_neighbours + 1)
        edges = _neighbour_edges(neighbour[:, near], distance[:, near], config.max_edge_voxels * spacing)
    return Surface(cloud.points, normals.astype(np.float32), edges, spacing)


def estimate_normals(
    points: NDArray[np.float32], neighbour: NDArray[np.integer], viewpoints: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """Fit a plane to each point's neighbours (N×k indices); N×3 float32 unit normals facing the nearest viewpoint."""
    target = points.astype(np.float64).mean(0, keepdims=True) if viewpoints is None else viewpoints
    nearest = cKDTree(target).query(points)[1]
    return np.asarray(
        _plane_normals(points, neighbour.astype(np.int32), np.ascontiguousarray(target[nearest], dtype=np.float32))
    )


def _neighbour_edges(
    neighbour: NDArray[np.integer], distance: NDArray[np.floating], longest: float
) -> NDArray[np.int32]:
    """Return each neighbour pair once, E×2, without those farther apart than `longest` metres."""
    n, k = neighbour.shape
    a = np.repeat(np.arange(n, dtype=np.int64), k)
    b = neighbour.reshape(-1).astype(np.int64)
    keep = (distance.reshape(-1) <= longest) & (a != b)
    low, high = np.minimum(a, b)[keep], np.maximum(a, b)[keep]
    key = np.unique(low * n + high)
    return np.stack([key // n, key % n], 1).astype(np.int32)


@numba.njit(cache=True, nogil=True, parallel=True)
def _plane_normals(points, neighbour, viewpoint):  # type: ignore[no-untyped-def]
    n, k = neighbour.shape
    normals = np.zeros((n, 3), np.float32)
    for i in numba.prange(n):
        mean = np.zeros(3)
        for j in range(k):
            for a in range(3):
                mean[a] += points[neighbour[i, j], a]
        mean /= k
        cov = np.zeros((3, 3))
        for j in range(k):
            for a in range(3):
                for b in range(3):
                    cov[a, b] += (points[neighbour[i, j], a] - mean[a]) * (points[neighbour[i, j], b] - mean[b])
        normal = np.linalg.eigh(cov)[1][:, 0]
        facing = 0.0
        for a in range(3):
            facing += normal[a] * (viewpoint[i, a] - points[i, a])
        for a in range(3):
            normals[i, a] = normal[a] if facing >= 0 else -normal[a]
    return normals
