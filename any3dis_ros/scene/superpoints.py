"""Superpoints: a normal-based graph cut of the map cloud (paper, Sec. 3, "Problem definition").

Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004, on the map's mesh edges or its
nearest-neighbour graph. An edge weighs ``1 - n₁·n₂``, squared where the surface is convex across it, as in the
segmentator of ScanNet (Dai et al. 2017): objects are convex inside and meet in concave creases.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.config import SuperpointConfig
from any3dis_ros.errors import InputError
from any3dis_ros.scene.mapping import MapCloud


def compute_superpoints(
    cloud: MapCloud, config: SuperpointConfig, viewpoints: NDArray[np.float64] | None = None
) -> NDArray[np.int32]:
    """Partition the map into superpoints.

    Args:
        cloud: the map; its normals and edges are used where it has them.
        config: thresholds.
        viewpoints: V×3 metres, map frame, camera centres; normals without orientation are turned to the nearest.

    Returns:
        N int32, superpoint of each point, 0..L-1, numbered by their first point.

    Raises:
        InputError: fewer than 4 points.
    """
    n = len(cloud)
    if n < 4:
        raise InputError(f"the map has {n} points; expected at least 4")
    k = min(max(config.normal_neighbours, config.edge_neighbours + 1), n)
    distance, neighbour = cKDTree(cloud.points).query(cloud.points, k=k, workers=-1)
    normals = cloud.normals
    if normals is None:
        normals = estimate_normals(cloud.points, neighbour[:, : config.normal_neighbours], viewpoints)
    if cloud.edges is not None:
        edges = cloud.edges
    else:
        spacing = float(np.median(distance[:, 1]))
        edges = _neighbour_edges(
            neighbour[:, 1 : config.edge_neighbours + 1],
            distance[:, 1 : config.edge_neighbours + 1],
            config.max_edge_voxels * spacing,
        )
    weight = _edge_weights(cloud.points, normals.astype(np.float32), edges)
    return graph_cut(n, edges, weight, config.threshold, config.min_points)


def graph_cut(
    n: int, edges: NDArray[np.int32], weight: NDArray[np.float32], threshold: float, min_size: int
) -> NDArray[np.int32]:
    """Cut a weighted graph of `n` nodes; components under `min_size` join a neighbour by their lightest edge.

    Returns:
        n int32, component of each node, numbered by first node.
    """
    order = np.argsort(weight, kind="stable")
    root = _merge(n, edges, weight, order, np.float32(threshold), min_size)
    _, first, component = np.unique(root, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return np.asarray(rank[component])


def estimate_normals(
    points: NDArray[np.float32], neighbour: NDArray[np.integer], viewpoints: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """Fit a plane to each point's neighbours (N×k indices); N×3 float32 unit normals facing the nearest viewpoint."""
    target = points.astype(np.float64).mean(0, keepdims=True) if viewpoints is None else viewpoints
    nearest = cKDTree(target).query(points)[1]
    return np.asarray(
        _plane_normals(points, neighbour.astype(np.int32), np.ascontiguousarray(target[nearest], dtype=np.float32))
    )


def centroids(
    points: NDArray[np.float32], superpoint: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the centroid (L×3, metres) and the size (L, points) of each superpoint."""
    size = np.bincount(superpoint)
    sums = np.stack([np.bincount(superpoint, points[:, k], len(size)) for k in range(3)], 1)
    return sums / np.maximum(size, 1)[:, None], size


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


@numba.njit(cache=True, nogil=True)
def _edge_weights(points, normals, edges):  # type: ignore[no-untyped-def]
    weight = np.empty(len(edges), np.float32)
    for e in range(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        dot = np.float32(0)
        rise = np.float32(0)
        for k in range(3):
            dot += normals[i, k] * normals[j, k]
            rise += normals[j, k] * (points[j, k] - points[i, k])
        w = max(np.float32(0), 1 - dot)
        weight[e] = w * w if rise > 0 else w
    return weight


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


@numba.njit(cache=True, nogil=True)
def _find(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(cache=True, nogil=True)
def _merge(n, edges, weight, order, threshold, min_size):  # type: ignore[no-untyped-def]
    parent = np.arange(n)
    size = np.ones(n, np.int64)
    limit = np.full(n, threshold, np.float32)
    for e in order:
        a, b = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if a != b and weight[e] <= limit[a] and weight[e] <= limit[b]:
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight[e] + threshold / size[a]
    for e in order:
        a, b = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if a != b and (size[a] < min_size or size[b] < min_size):
            parent[b] = a
            size[a] += size[b]
    for i in range(n):
        parent[i] = _find(parent, i)
    return parent
