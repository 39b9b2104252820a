"""Superpoints: a graph cut of the map cloud by normals and colour (paper, Sec. 3, "Problem definition").

Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004, on the map's mesh edges or its
nearest-neighbour graph. An edge weighs ``1 - n₁·n₂``, squared where the surface is convex across it, as in the
segmentator of ScanNet (Dai et al. 2017): objects are convex inside and meet in concave creases.
What lies flat on another thing meets it in no crease at all: a difference of colour is added to the weight.
"""

from __future__ import annotations

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import SuperpointConfig
from any3dis_ros.scene.surface import Surface


def compute_superpoints(surface: Surface, config: SuperpointConfig) -> NDArray[np.int32]:
    """Partition the map into superpoints.

    Args:
        surface: N points with normals, colours and edges.
        config: threshold and smallest size of the cut, weight of colour.

    Returns:
        N int32, superpoint of each point, 0..L-1, numbered by their first point.
    """
    lab = cv2.cvtColor(surface.colors[:, None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[:, 0]
    weight = _edge_weights(
        surface.points, surface.normals, lab * np.float32(0.01), surface.edges, np.float32(config.color_weight)
    )
    return graph_cut(len(surface.points), surface.edges, weight, config.threshold, config.min_points)


def graph_cut(
    n: int, edges: NDArray[np.int32], weight: NDArray[np.float32], threshold: float, min_size: int
) -> NDArray[np.int32]:
    """Cut a weighted graph of `n` nodes; components under `min_size` join a neighbour by their lightest edge.

    Args:
        n: number of nodes.
        edges: E×2 int32, pairs of nodes.
        weight: E float32, dissimilarity of the two.
        threshold: kThresh: how much a component's lightest new edge may exceed its heaviest inner one, times its size.
        min_size: nodes; a component without any edge may stay smaller.

    Returns:
        n int32, component of each node, numbered by first node.
    """
    order = _ascending(weight)
    root = _merge(n, edges, weight, order, np.float32(threshold), min_size)
    _, first, component = np.unique(root, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return np.asarray(rank[component])


def _ascending(weight: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the stable order of non-negative weights in linear time.

    Bits of non-negative floats are ordered as the floats are, and NumPy sorts 16-bit integers by radix.
    """
    bits = weight.view(np.uint32)
    low, high = bits.astype(np.uint16), (bits >> 16).astype(np.uint16)
    order = np.argsort(low, kind="stable")
    return order[np.argsort(high[order], kind="stable")]


def centroids(
    points: NDArray[np.float32], superpoint: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the centroid (L×3, metres, map frame) and the size (L, points) of each superpoint.

    Args:
        points: N×3 float32, metres, map frame.
        superpoint: N int32, superpoint of each point.
    """
    size = np.bincount(superpoint)
    sums = np.stack([np.bincount(superpoint, points[:, k], len(size)) for k in range(3)], 1)
    return sums / np.maximum(size, 1)[:, None], size


@numba.njit(cache=True, nogil=True, parallel=True)
def _edge_weights(points, normals, lab, edges, color_weight):  # type: ignore[no-untyped-def]
    weight = np.empty(len(edges), np.float32)
    for e in numba.prange(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        dot = np.float32(0)
        rise = np.float32(0)
        contrast = np.float32(0)
        for k in range(3):
            dot += normals[i, k] * normals[j, k]
            rise += normals[j, k] * (points[j, k] - points[i, k])
            contrast += (lab[j, k] - lab[i, k]) ** 2
        w = max(np.float32(0), 1 - dot)
        weight[e] = (w * w if rise > 0 else w) + color_weight * contrast
    return weight


@numba.njit(cache=True, nogil=True)
def _find(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(cache=True, nogil=True)
def _merge(n, edges, weight, order, threshold, min_size):  # type: ignore[no-untyped-def]
    parent = np.arange(n).astype(np.int32)  # half the memory traffic of int64
    size = np.ones(n, np.int32)
    limit = np.full(n, threshold, np.float32)
    between = np.empty(len(order), np.int32)  # edges that join no two yet: few, and the only ones to look at again
    left = 0
    for e in order:
        a, b = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if a == b:
            continue
        if weight[e] <= limit[a] and weight[e] <= limit[b]:
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight[e] + threshold / size[a]
        else:
            between[left] = e
            left += 1
    for e in between[:left]:
        a, b = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if a != b and (size[a] < min_size or size[b] < min_size):
            parent[b] = a
            size[a] += size[b]
    for i in range(n):
        parent[i] = _find(parent, i)
    return parent
