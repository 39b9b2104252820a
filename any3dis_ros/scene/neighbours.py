"""The nearest neighbours of every point of a map, among the same points.

A k-d tree finds them in n log n, and slower still once the map outgrows the caches, as its paths go through memory in
all directions. Maps are surfaces of even density: in cubic cells as wide as a neighbourhood, each point needs the 27
round it alone.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_SAMPLE = 64  # points whose neighbourhoods set the width of a cell
_WIDE_ENOUGH = 0.8  # of neighbourhoods fit the 27 cells
_CROWDED = 300  # points that share a cell with a point, on average, from which a tree is faster
_RINGS = (1, 2, 4, 8)  # cells round the own one, until the neighbours found are certain


def nearest_neighbours(points: NDArray[np.float32], k: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the distances (metres) and indices of each point's k nearest, N×k both, rising, the point itself included.

    Equals :class:`scipy.spatial.cKDTree`; of points equally far the lower index comes first where cells were searched.

    Args:
        points: N×3 float32, metres, finite.
        k: neighbours, 1 to N.
    """
    sample = points[np.linspace(0, len(points) - 1, min(_SAMPLE, len(points))).astype(np.int64)]
    width = float(np.quantile(_reach(points, sample, k), _WIDE_ENOUGH))
    found = _among_cells(points, k, width)
    if found is None:
        distance, neighbour = cKDTree(points).query(points, k=[*range(1, k + 1)], workers=-1)
        return distance, neighbour.astype(np.int32)
    distance, neighbour = found
    lonely = np.flatnonzero(neighbour[:, 0] < 0)
    if len(lonely):
        distance[lonely], neighbour[lonely] = cKDTree(points).query(points[lonely], k=[*range(1, k + 1)], workers=-1)
    return distance, neighbour


def _among_cells(
    points: NDArray[np.float32], k: int, width: float
) -> tuple[NDArray[np.float64], NDArray[np.int32]] | None:
    """Search cells of `width` metres; rows of -1 where the outermost ring was too near, None where cells are no use."""
    low = points.min(0).astype(np.float64)
    extent = points.max(0) - low
    if width <= 0 or (extent / width).max() >= 2**20:  # three times 21 bits are a key
        return None
    cell = ((points - low) / width).astype(np.int64)
    shape = cell.max(0) + 1
    key = (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]
    order = np.argsort(key, kind="stable")
    cells, first, count = np.unique(key[order], return_index=True, return_counts=True)
    if (count.astype(np.float64) ** 2).sum() > _CROWDED * len(points):
        return None
    first = np.append(first, len(points))
    distance, neighbour = _search(points[order], order.astype(np.int32), cells, first, shape, low, width, k)
    return distance, neighbour


@numba.njit(cache=True, nogil=True)
def _reach(points, sample, k):  # type: ignore[no-untyped-def]
    """Return how far each sampled point's k-th nearest is, one after the other."""
    reach = np.empty(len(sample))
    nearest, index = np.empty(k), np.empty(k, np.int32)
    for s in range(len(sample)):
        nearest[:] = np.inf
        for i in range(len(points)):
            _keep(nearest, index, _squared(points, i, sample[s]), i)
        reach[s] = np.sqrt(nearest[k - 1])
    return reach


@numba.njit(cache=True, nogil=True, inline="always")
def _squared(points, i, p):  # type: ignore[no-untyped-def]
    x = np.float64(points[i, 0]) - np.float64(p[0])
    y = np.float64(points[i, 1]) - np.float64(p[1])
    z = np.float64(points[i, 2]) - np.float64(p[2])
    return x * x + y * y + z * z


@numba.njit(cache=True, nogil=True, inline="always")
def _keep(nearest, index, squared, i):  # type: ignore[no-untyped-def]
    """Insert a candidate into the k nearest so far, rising by distance, then by index."""
    slot = len(nearest) - 1
    if squared > nearest[slot] or (squared == nearest[slot] and i > index[slot]):
        return
    while slot > 0 and (squared < nearest[slot - 1] or (squared == nearest[slot - 1] and i < index[slot - 1])):
        nearest[slot] = nearest[slot - 1]
        index[slot] = index[slot - 1]
        slot -= 1
    nearest[slot] = squared
    index[slot] = i


@numba.njit(cache=True, nogil=True, parallel=True)
def _search(points, order, cells, first, shape, low, width, k):  # type: ignore[no-untyped-def]
    """Search for every point; `points` are sorted by cell, and `order` tells their indices in the map."""
    distance = np.empty((len(points), k))
    neighbour = np.empty((len(points), k), np.int32)
    for c in numba.prange(len(cells)):
        nearest, index = np.empty(k), np.empty(k, np.int32)
        around = _runs(cells, first, shape, cells[c], 1)
        for p in range(first[c], first[c + 1]):
            found = False
            for ring in _RINGS:
                runs = around if ring == 1 else _runs(cells, first, shape, cells[c], ring)
                nearest[:] = np.inf
                for begin, end in runs:
                    for i in range(begin, end):
                        _keep(nearest, index, _squared(points, i, points[p]), order[i])
                if np.sqrt(nearest[k - 1]) <= _certain(points[p], cells[c], shape, low, width, ring):
                    found = True
                    break
            own = order[p]
            for j in range(k):
                distance[own, j] = np.sqrt(nearest[j])
                neighbour[own, j] = index[j] if found else -1
    return distance, neighbour


@numba.njit(cache=True, nogil=True)
def _runs(cells, first, shape, key, ring):  # type: ignore[no-untyped-def]
    """Return the runs of sorted points (R×2, begin and end) in the cells up to `ring` away: one for each z column."""
    x, y, z = key // (shape[1] * shape[2]), key // shape[2] % shape[1], key % shape[2]
    runs = np.empty(((2 * ring + 1) ** 2, 2), np.int64)
    count = 0
    for cx in range(max(x - ring, 0), min(x + ring + 1, shape[0])):
        for cy in range(max(y - ring, 0), min(y + ring + 1, shape[1])):
            column = (cx * shape[1] + cy) * shape[2]
            begin = np.searchsorted(cells, column + max(z - ring, 0))
            end = begin
            while end < len(cells) and cells[end] <= column + min(z + ring, shape[2] - 1):
                end += 1
            if end > begin:
                runs[count, 0], runs[count, 1] = first[begin], first[end]
                count += 1
    return runs[:count]


@numba.njit(cache=True, nogil=True)
def _certain(p, key, shape, low, width, ring):  # type: ignore[no-untyped-def]
    """Return how far from a point (metres) no other can lie outside the cells up to `ring` away."""
    reach = np.inf
    for axis in range(3):
        if axis == 0:
            c = key // (shape[1] * shape[2])
        elif axis == 1:
            c = key // shape[2] % shape[1]
        else:
            c = key % shape[2]
        at = np.float64(p[axis]) - low[axis]
        if c - ring > 0:
            reach = min(reach, at - (c - ring) * width)
        if c + ring + 1 < shape[axis]:
            reach = min(reach, (c + ring + 1) * width - at)
    return reach * (1 - 1e-9)
