"""Superpoints by a graph cut on normals (Felzenszwalb and Huttenlocher 2004): one edge after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.config import SuperpointConfig


def superpoints(
    points: NDArray[np.float32], viewpoints: NDArray[np.float64], config: SuperpointConfig
) -> NDArray[np.int32]:
    """Return the superpoint of each point, N int32, numbered by first point.

    Args:
        points: N×3 float32, metres, map frame.
        viewpoints: V×3, camera centres.
        config: neighbours, threshold and smallest size.
    """
    k = max(config.normal_neighbours, config.edge_neighbours + 1)
    distance, neighbour = cKDTree(points).query(points, k)
    normal = normals(points, neighbour[:, : config.normal_neighbours], viewpoints)
    longest = config.max_edge_voxels * np.median(distance[:, 1])
    near = slice(1, config.edge_neighbours + 1)
    short = distance[:, near] <= longest
    pairs = np.stack([np.nonzero(short)[0], neighbour[:, near][short]], 1)
    edges = np.unique(np.sort(pairs, 1), axis=0)
    return graph_cut(len(points), edges, edge_weights(points, normal, edges), config.threshold, config.min_points)


def normals(
    points: NDArray[np.float32], neighbour: NDArray[np.int64], viewpoints: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the direction of least variance of each point's neighbours, facing the nearest viewpoint; N×3 float32."""
    near = points[neighbour].astype(np.float64)
    middle = near.mean(1)
    centred = near - middle[:, None]
    normal = np.linalg.eigh(np.einsum("nki,nkj->nij", centred, centred))[1][:, :, 0]
    view = viewpoints[cKDTree(viewpoints).query(points)[1]]
    away = ((view - middle) * normal).sum(1) < 0
    return np.where(away[:, None], -normal, normal).astype(np.float32)


def edge_weights(
    points: NDArray[np.float32], normal: NDArray[np.float32], edges: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return 1 - n₁·n₂ of each edge, squared where the surface is convex across it; E float32."""
    i, j = edges.T
    weight = np.maximum(1 - (normal[i] * normal[j]).sum(1), 0)
    convex = (normal[j] * (points[j] - points[i])).sum(1) > 0
    return np.where(convex, weight * weight, weight)


def graph_cut(
    n: int, edges: NDArray[np.int64], weight: NDArray[np.float32], threshold: float, min_size: int
) -> NDArray[np.int32]:
    """Join components by rising weight, then small ones with a neighbour; n int32, numbered by first node."""
    parent, size, limit = list(range(n)), [1] * n, [np.float32(threshold)] * n

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    order = np.argsort(weight, kind="stable")
    sorted_edges = list(zip(edges[order].tolist(), weight[order], strict=True))
    for (i, j), w in sorted_edges:
        a, b = find(i), find(j)
        if a != b and w <= limit[a] and w <= limit[b]:
            parent[b] = a
            size[a] += size[b]
            limit[a] = np.float32(w + np.float32(threshold) / size[a])
    for (i, j), _ in sorted_edges:
        a, b = find(i), find(j)
        if a != b and min(size[a], size[b]) < min_size:
            parent[b] = a
            size[a] += size[b]
    number: dict[int, int] = {}
    return np.array([number.setdefault(find(i), len(number)) for i in range(n)], np.int32)
