"""The merge tree: superpixels joined in pairs, weakest border first, until one region is left.

Its nodes are the engine's vocabulary of masks. Superpixels are renumbered in the tree's own order, so that every node
covers a run of consecutive labels: sums over a node are differences of prefix sums.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.tracking.geometric.superpixels import Adjacency

NO_BORDER = 10.0  # height of a joint between regions that do not touch


@dataclass(frozen=True)
class MergeTree:
    """Nodes 0..N-1 are the superpixels (in tree order), N..2N-2 their unions, the last one the whole image.

    Attributes:
        parent: 2N-1 int32, -1 at the root.
        height: 2N-1 float32, border strength at which a node came to be, never below its children's; 0 at leaves.
        area: 2N-1 int32, pixels.
        first, end: 2N-1 int32; node k covers labels first[k] .. end[k]-1.
    """

    parent: NDArray[np.int32]
    height: NDArray[np.float32]
    area: NDArray[np.int32]
    first: NDArray[np.int32]
    end: NDArray[np.int32]


def build_merge_tree(
    adjacency: Adjacency, area: NDArray[np.int64], cheap_area: float
) -> tuple[MergeTree, NDArray[np.int32]]:
    """Build the tree over N superpixels of `area` pixels.

    Returns:
        the tree, and N int32: the new label of every superpixel.
    """
    parent, height, total = agglomerate(
        adjacency.pairs, adjacency.length, adjacency.strength, area.astype(np.int32), cheap_area
    )
    rank, first, end = _in_tree_order(parent, len(area))
    leaves = np.argsort(rank)
    new = np.concatenate([rank, np.arange(len(area), len(parent), dtype=np.int32)])
    parent = parent.copy()
    order = np.concatenate([leaves, np.arange(len(area), len(parent))])
    return MergeTree(parent[order], height[order], total[order], first[order], end[order]), new[: len(area)]


@njit(cache=True, nogil=True)
def border_cost(length: float, strength: float, smaller_area: float, cheap_area: float) -> float:
    """Cost of joining two regions: mean strength of their border, less where the smaller one is small."""
    return strength / length * min(1.0, smaller_area / cheap_area) ** 0.3


@njit(cache=True, nogil=True)
def agglomerate(
    pairs: np.ndarray, length: np.ndarray, strength: np.ndarray, leaf_area: np.ndarray, cheap_area: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join the cheapest pair until one region is left; ties go to the border listed first.

    Returns:
        parent (2N-1 int32), height (2N-1 float32), area (2N-1 int32).
    """
    N, E = len(leaf_area), len(pairs)
    parent = np.full(2 * N - 1, -1, np.int32)
    height = np.zeros(2 * N - 1, np.float32)
    area = np.zeros(2 * N - 1, np.int32)
    area[:N] = leaf_area
    ends = pairs.astype(np.int32).copy()
    count, total = length.astype(np.float64), strength.astype(np.float64)
    # half-edge 2e leaves ends[e, 0], 2e + 1 leaves ends[e, 1]; a region keeps its half-edges in a linked list
    following = np.full(2 * E, -1, np.int32)
    head = np.full(2 * N - 1, -1, np.int32)
    tail = np.full(2 * N - 1, -1, np.int32)
    version = np.zeros(E, np.int32)
    heap = [(0.0, np.int32(0), np.int32(0)) for _ in range(0)]
    for e in range(E):
        for side in range(2):
            r, half = ends[e, side], np.int32(2 * e + side)
            following[half] = head[r]
            head[r] = half
            if tail[r] < 0:
                tail[r] = half
        a, b = ends[e, 0], ends[e, 1]
        cost = border_cost(count[e], total[e], min(area[a], area[b]), cheap_area)
        heap.append((cost, np.int32(e), np.int32(0)))
    heapq.heapify(heap)
    met = np.full(2 * N - 1, -1, np.int32)
    level, k = 0.0, N
    while len(heap) > 0:
        cost, cheapest, stamp = heapq.heappop(heap)
        if version[cheapest] != stamp:
            continue
        level = max(level, cost)
        _join(
            ends[cheapest, 0],
            ends[cheapest, 1],
            k,
            parent,
            area,
            head,
            tail,
            following,
            ends,
            count,
            total,
            version,
            met,
        )
        height[k] = level
        half = head[k]
        while half >= 0:
            f = half // 2
            version[f] += 1
            smaller = min(area[ends[f, 0]], area[ends[f, 1]])
            heapq.heappush(heap, (border_cost(count[f], total[f], smaller, cheap_area), np.int32(f), version[f]))
            half = following[half]
        k += 1
    last = -1
    for r in range(k):  # islands, which no border joins, are put together last
        if parent[r] < 0:
            if last >= 0 and r != last and k < 2 * N - 1:
                parent[last] = parent[r] = k
                area[k] = area[last] + area[r]
                height[k] = max(level, NO_BORDER)
                last = k
                k += 1
            else:
                last = r
    return parent, height, area


@njit(cache=True, nogil=True)
def _join(i, j, k, parent, area, head, tail, following, ends, count, total, version, met):  # type: ignore[no-untyped-def]
    """Make region k of i and j: chain their half-edges, drop the ones between them, add up the doubled ones."""
    parent[i] = parent[j] = k
    area[k] = area[i] + area[j]
    for r in (i, j):
        half = head[r]
        while half >= 0:
            after = following[half]
            f, side = half // 2, half % 2
            other = ends[f, 1 - side]
            if version[f] >= 0:
                if other in (i, j):
                    version[f] = -1
                elif met[other] >= 0:
                    kept = met[other]
                    count[kept] += count[f]
                    total[kept] += total[f]
                    version[f] = -1
                else:
                    ends[f, side] = k
                    met[other] = f
                    following[half] = -1
                    if head[k] < 0:
                        head[k] = half
                    else:
                        following[tail[k]] = half
                    tail[k] = half
            half = after
    half = head[k]
    while half >= 0:
        met[ends[half // 2, 1 - half % 2]] = -1
        half = following[half]


@njit(cache=True, nogil=True)
def _in_tree_order(parent: np.ndarray, leaves: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the leaves so that each node covers a run of them: rank (N), first and end (2N-1), int32."""
    nodes = len(parent)
    size = np.zeros(nodes, np.int32)
    size[:leaves] = 1
    for k in range(nodes):  # a parent always comes after its children
        if parent[k] >= 0:
            size[parent[k]] += size[k]
    first = np.zeros(nodes, np.int32)
    filled = np.zeros(nodes, np.int32)
    for k in range(nodes - 1, -1, -1):
        p = parent[k]
        if p >= 0:
            first[k] = first[p] + filled[p]
            filled[p] += size[k]
    return first[:leaves].copy(), first, first + size
