"""Space as cubic cells with edges of a power of two metres: those of a fine map lie within those of a coarse one.

Cells are M×3 int32, floor(metres / edge) along each axis; their level is the power.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

LEVELS = (-9, 3)
"""The finest and the coarsest level: 2 mm and 8 m."""

_REACH = 1 << 20  # cells on either side of the middle that a key of 3 × 21 bits can tell apart


def level_of(points: NDArray[np.float64]) -> int:
    """Return the level whose cells are two to four point spacings wide."""
    if len(points) < 2:
        return 0
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    distance, _ = tree.query(points[:: max(len(points) // 2000, 1)], k=2)
    return int(np.clip(np.ceil(np.log2(2 * max(np.median(distance[:, 1]), 1e-9))), *LEVELS))


def to_cells(points: NDArray[np.float64], level: int) -> NDArray[np.int32]:
    """Return the cell of each point (N×3, metres)."""
    limit = np.iinfo(np.int32).max
    return np.clip(np.floor(points * 2.0**-level), -limit, limit).astype(np.int32)


def coarser(cells: NDArray[np.int32], level: NDArray[np.int8] | int, to: NDArray[np.int8] | int) -> NDArray[np.int32]:
    """Return the cells of a coarser level that hold these; levels are one or one a cell."""
    shift = np.asarray(to, np.int32) - np.asarray(level, np.int32)
    return np.asarray(cells >> shift[..., None], np.int32)


def keys(cells: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return a number for each cell; neighbours differ by 1, 2^21 and 2^42. What lies far off piles up at the edge."""
    middle = np.median(cells, axis=0).astype(np.int64) if len(cells) else np.zeros(3, np.int64)
    x, y, z = np.clip(cells.astype(np.int64) - middle + _REACH, 1, 2 * _REACH - 2).T
    return np.asarray((x << 42) | (y << 21) | z)


def touching(keys: NDArray[np.int64]) -> sparse.csr_matrix:
    """Return which of the cells (sorted keys) touch, themselves included, C×C sparse of ones."""
    offsets = [(x << 42) + (y << 21) + z for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]
    rows, columns = [np.arange(len(keys))], [np.arange(len(keys))]
    for offset in offsets[14:]:
        place = np.searchsorted(keys, keys + offset)
        hit = np.flatnonzero(keys[np.minimum(place, len(keys) - 1)] == keys + offset)
        rows += [hit, place[hit]]
        columns += [place[hit], hit]
    row, column = np.concatenate(rows), np.concatenate(columns)
    return sparse.csr_matrix((np.ones(len(row), np.int32), (row, column)), shape=(len(keys), len(keys)))


def membership(cell: NDArray[np.int64], group: NDArray[np.int32], cells: int, groups: int) -> sparse.csr_matrix:
    """Return which cell is of which group, cells×groups sparse of ones."""
    return sparse.csr_matrix((np.ones(len(cell), np.int32), (cell, group)), shape=(cells, groups)).sign()


def distinct(cells: NDArray[np.int32], group: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return each cell of each group once, ordered by group."""
    order = np.lexsort((*cells.T, group))
    cells, group = cells[order], group[order]
    first = np.ones(len(group), bool)
    first[1:] = (group[1:] != group[:-1]) | (cells[1:] != cells[:-1]).any(1)
    return cells[first], group[first]
