"""The nearest points of each point of a map.

A map's points are spread evenly over surfaces: sorted into cubic cells about as wide as a neighbourhood, each finds its
nearest in the 3×3×3 cells around it, and those of one cell look through the same ones. What stands in emptier places
looks through wider blocks and at last through a k-d tree, which needs no even spread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.progress import Progress, silent

_BLOCK = 100_000  # points asked for at once: a fifth of a second at most
_REACHES = 1, 2, 4, 8, 16  # cells around its own that a point looks through, one after the other
_WIDTH = 1.3  # cells, in distances of the k-th neighbour: of a room's points one in 500 looks farther than one cell
_SAMPLE = 20_000  # points that tell this distance
_HELD = 4096  # points that are looked through at most: in a heap of copies a tree is faster
_MOST_CELLS = 1 << 20  # along an axis: a cell's number fits in 63 bits
_CHUNKS = 16  # of a block, for the cores
_MORE = 1.25  # times the last point's squared reach, within which a point's neighbours are looked for at first
_RINGS = 32  # into which these are sorted


@dataclass(frozen=True)
class _Cells:
    """N points sorted into C cells, which are numbered along z, then y, then x.

    Attributes:
        points: 3×N float32, metres, in order of their cells.
        order: N int32, index of each before it was sorted.
        number: C int64, rising.
        start: C+1 int64, first point of each cell.
        low: 3 float64, metres, lower corner of all.
        width: metres, edge of a cell.
        rows: cells from one to the next along x, and along y.
    """

    points: NDArray[np.float32]
    order: NDArray[np.int32]
    number: NDArray[np.int64]
    start: NDArray[np.int64]
    low: NDArray[np.float64]
    width: float
    rows: tuple[int, int]

    def around(self, reach: int) -> NDArray[np.int64]:
        """Return how far in number the (2·reach+1)² rows around a cell begin from it, rising."""
        steps = np.arange(-reach, reach + 1)
        return np.add.outer(steps * self.rows[0], steps * self.rows[1]).ravel() - reach

    def blocks(self, left: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
        """Yield the cells that hold points that are `left` (N), some 100,000 of these at a time."""
        waiting = np.add.reduceat(left, self.start[:-1], dtype=np.int64)
        occupied = np.flatnonzero(waiting)
        part = (np.cumsum(waiting[occupied]) - 1) // _BLOCK
        yield from np.split(occupied, np.flatnonzero(np.diff(part)) + 1) if len(occupied) else ()


def nearest_points(
    points: NDArray[np.float32], k: int, progress: Progress = silent
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return distances (metres, rising) and indices of each point's `k` nearest points, itself included; N×k each.

    Which of several points equally far are taken is not defined, but always the same.

    Args:
        points: N×3 float32, metres, map frame.
        k: at most N.
        progress: told between blocks of points.

    Raises:
        Cancelled: raised by `progress`.
    """
    n = len(points)
    distance, neighbour = np.empty((n, k), np.float32), np.empty((n, k), np.int32)
    progress("neighbours", 0, n)
    cells = _sort(points, k)
    left = np.ones(n, bool)  # in order of the cells
    for reach in _REACHES:
        around = cells.around(reach)
        for block in cells.blocks(left):
            _look_around(
                cells.points, cells.order, cells.number, cells.start, cells.low, cells.width,
                block, around, reach, left, distance, neighbour,
            )  # fmt: skip
            progress("neighbours", n - int(np.count_nonzero(left)), n)
    alone = cells.order[left]
    if len(alone):
        tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
        for first in range(0, len(alone), _BLOCK):
            some = alone[first : first + _BLOCK]
            distance[some], neighbour[some] = tree.query(points[some], k=k, workers=-1)
            progress("neighbours", n - len(alone) + first + len(some), n)
    return distance, neighbour


def _sort(points: NDArray[np.float32], k: int) -> _Cells:
    """Sort points into cells about as wide as the distance of the `k`-th neighbour in most places."""
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    step = max(len(points) // _SAMPLE, 1)
    some = points[::step]
    near = min(k, len(some))
    far = cKDTree(some).query(some[:: max(len(some) // 2000, 1)], near)[0].reshape(-1, near)[:, -1]
    between = float(np.quantile(far, 0.9)) / np.sqrt(step)  # on a surface the distance of the k-th goes with 1/√N
    width = max(_WIDTH * between, float((high - low).max()) / _MOST_CELLS) or 1.0
    shape = np.floor((high - low) / width).astype(np.int64) + 1 + 2 * max(_REACHES)  # no row runs into the next
    rows = int(shape[1] * shape[2]), int(shape[2])
    number = _number(points, low, width, rows)
    order = np.argsort(number, kind="stable").astype(np.int32)
    number = number[order]
    first = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]]))
    return _Cells(
        points=np.ascontiguousarray(points[order].T),
        order=order,
        number=number[first],
        start=np.append(first, len(points)),
        low=low,
        width=width,
        rows=rows,
    )


@numba.njit(cache=True, nogil=True, parallel=True)
def _number(points, low, width, rows):  # type: ignore[no-untyped-def]
    number = np.empty(len(points), np.int64)
    for i in numba.prange(len(points)):
        x, y, z = (points[i, 0] - low[0]) / width, (points[i, 1] - low[1]) / width, (points[i, 2] - low[2]) / width
        number[i] = int(x) * rows[0] + int(y) * rows[1] + int(z)
    return number


@numba.njit(cache=True, nogil=True, parallel=True)
def _look_around(points, order, number, start, low, width, block, around, reach, left, distance, neighbour):  # type: ignore[no-untyped-def]
    """Find the nearest of the points of some cells, those apart that may have nearer ones beyond `reach` cells."""
    k = distance.shape[1]
    for chunk in numba.prange(_CHUNKS):
        xs, ys, zs = np.empty(_HELD), np.empty(_HELD), np.empty(_HELD)
        apart, best = np.empty(_HELD), np.empty(_HELD)
        who, near = np.empty(_HELD, np.int32), np.empty(_HELD, np.int32)
        close, ring, begin = np.empty(_HELD + 1, np.int32), np.empty(_HELD, np.int32), np.empty(_RINGS + 1, np.int32)
        guess = np.inf
        at = np.zeros(len(around), np.int64)  # where each row of cells goes on: rows rise as cells do
        for c in block[len(block) * chunk // _CHUNKS : len(block) * (chunk + 1) // _CHUNKS]:
            held = _gather(points, order, number, start, number[c] + around, 2 * reach, at, xs, ys, zs, who)
            if held < k or held > _HELD:
                continue
            for i in range(start[c], start[c + 1]):
                if not left[i]:
                    continue
                x, y, z = points[0, i], points[1, i], points[2, i]
                for j in range(held):
                    apart[j] = (xs[j] - x) ** 2 + (ys[j] - y) ** 2 + (zs[j] - z) ** 2
                count, most = _within(apart[:held], guess, k, close)
                _sort_nearest(apart, who, close[:count], most, k, ring, begin, best, near)
                guess = _MORE * best[k - 1]
                if np.sqrt(best[k - 1]) <= (reach + _to_side(points, i, low, width)) * width * (1 - 1e-9):
                    left[i] = False
                    own = order[i]
                    for j in range(k):
                        distance[own, j], neighbour[own, j] = np.sqrt(best[j]), near[j]


@numba.njit(cache=True, nogil=True)
def _gather(points, order, number, start, rows, longer, at, x, y, z, who):  # type: ignore[no-untyped-def]
    """Collect the points of the cells ``rows`` to ``rows + longer``; return how many, more than `_HELD` if too many."""
    held = 0
    for r in range(len(rows)):
        e = at[r] if at[r] else np.searchsorted(number, rows[r])
        while e < len(number) and number[e] < rows[r]:
            e += 1
        at[r] = e
        while e < len(number) and number[e] <= rows[r] + longer:
            e += 1
        first, end = start[at[r]], start[e]
        if held + end - first > _HELD:
            return _HELD + 1
        for i in range(first, end):
            x[held], y[held], z[held], who[held] = points[0, i], points[1, i], points[2, i], order[i]
            held += 1
    return held


@numba.njit(cache=True, nogil=True)
def _within(apart, guess, k, close):  # type: ignore[no-untyped-def]
    """Write into `close` which squared distances are at most `guess`, more where these are not `k`; return how many.

    Also returns what the guess became.
    """
    while True:
        count = 0
        for j in range(len(apart)):  # no branch that could be foreseen wrongly
            close[count] = j
            count += apart[j] <= guess
        if count >= k:
            return count, guess if guess < np.inf else apart.max()
        guess = 2 * guess if guess > 0 else np.inf


@numba.njit(cache=True, nogil=True)
def _sort_nearest(apart, who, close, most, k, ring, begin, best, near):  # type: ignore[no-untyped-def]
    """Write into `best` and `near` the `k` least of the distances `close`, at most `most` each, and whose they are.

    On a surface there are as many in any ring of the same area: sorted into rings first, few change places afterwards.
    """
    rings = len(begin) - 1
    scale = rings / most if most > 0 else 0.0
    begin[:] = 0
    for e in range(len(close)):
        ring[e] = min(int(apart[close[e]] * scale), rings - 1)
        begin[ring[e] + 1] += 1
    for r in range(rings):
        begin[r + 1] += begin[r]
    for e in range(len(close)):
        place = begin[ring[e]]
        begin[ring[e]] += 1
        best[place], near[place] = apart[close[e]], who[close[e]]
    full = 0
    while begin[full] < k:  # by now where each ring ends
        full += 1
    for e in range(1, begin[full]):
        d, other, place = best[e], near[e], e
        while place > 0 and best[place - 1] > d:
            best[place], near[place] = best[place - 1], near[place - 1]
            place -= 1
        best[place], near[place] = d, other


@numba.njit(cache=True, nogil=True)
def _to_side(points, i, low, width):  # type: ignore[no-untyped-def]
    """Return how far point `i` stands from the nearest side of its cell, in cells."""
    inner = 1.0
    for axis in range(3):
        place = (points[axis, i] - low[axis]) / width
        inner = min(inner, place - np.floor(place), np.floor(place) + 1 - place)
    return inner
