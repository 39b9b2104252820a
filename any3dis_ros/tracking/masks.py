"""2D masks of keyframes: what they are asked, and the form that needs no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.visible_points import PER_BLOCK, VisiblePoints, reached

_LEADING_ZEROS = np.array([8 - i.bit_length() for i in range(256)], np.int64)  # of a byte
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Tally:
    """Points inside a mask by superpoint, those alone that have any.

    Attributes:
        superpoints: M int64, indices, rising.
        points: M int32, visible points of each inside, all positive.
    """

    superpoints: NDArray[np.int64]
    points: NDArray[np.int32]

    @classmethod
    def of(cls, total: NDArray[np.int32]) -> Tally:
        """Leave out the superpoints without a point (`total`: of each)."""
        return cls(*_positive(total))


class Mask(Protocol):
    """A 2D mask of a keyframe, in whatever form and on whatever device its engine keeps it."""

    def tally(self, visible: VisiblePoints, L: int) -> Tally:
        """Return which of L superpoints have visible points inside, and how many."""

    def packed(self) -> PackedMask:
        """Return the mask as bits on the CPU."""


@dataclass(frozen=True)
class PackedMask:
    """A mask as bits inside its bounding box, possibly on a coarser grid than the keyframe.

    Attributes:
        frame_shape: (H, W) of the keyframe, pixels.
        shape: (h, w) of the mask's own grid.
        corner: (row, column) of the box in that grid.
        box_shape: (rows, columns) of the box; (0, 0) for an empty mask.
        bits: packed rows of the box, uint8, ``ceil(rows * columns / 8)`` bytes.
    """

    frame_shape: tuple[int, int]
    shape: tuple[int, int]
    corner: tuple[int, int]
    box_shape: tuple[int, int]
    bits: NDArray[np.uint8]

    @classmethod
    def pack(cls, mask: NDArray[np.bool_], frame_shape: tuple[int, int] | None = None) -> PackedMask:
        """Pack a dense mask, h×w bool, of a keyframe of `frame_shape` (its own shape if left out)."""
        h, w = mask.shape
        rows = np.flatnonzero(mask.any(1))
        if not len(rows):
            return cls(frame_shape or (h, w), (h, w), (0, 0), (0, 0), np.zeros(0, np.uint8))
        columns = np.flatnonzero(mask.any(0))
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(
            frame_shape or (h, w),
            (h, w),
            (int(rows[0]), int(columns[0])),
            (box.shape[0], box.shape[1]),
            np.packbits(box),
        )

    @property
    def empty(self) -> bool:
        """Whether no pixel is inside."""
        return self.box_shape == (0, 0)

    @property
    def area(self) -> int:
        """Pixels inside, counted on the mask's own grid."""
        return int(np.unpackbits(self.bits).sum())

    def dense(self) -> NDArray[np.bool_]:
        """Return the mask on its own grid, h×w bool."""
        out = np.zeros(self.shape, bool)
        (r, c), (rows, columns) = self.corner, self.box_shape
        if rows:
            box = np.unpackbits(self.bits, count=rows * columns).reshape(rows, columns)
            out[r : r + rows, c : c + columns] = box
        return out

    def full(self) -> NDArray[np.bool_]:
        """Return the mask on the keyframe's grid, H×W bool: each pixel as the coarse one that holds its corner."""
        rows, columns = (np.arange(n) * m // n for n, m in zip(self.frame_shape, self.shape, strict=True))
        return self.dense()[np.ix_(rows, columns)]

    def tally(self, visible: VisiblePoints, L: int) -> Tally:
        """Return which of L superpoints have visible points inside, and how many."""
        grid = (self.frame_shape, self.shape, self.corner, self.box_shape, self.bits)
        return Tally(*_inside(visible.place, visible.run, visible.owner, visible.block, visible.block_run, *grid, L))

    def packed(self) -> PackedMask:
        """Return itself."""
        return self


@numba.njit(cache=True, nogil=True)
def _inside(place, run, owner, block, block_run, frame_shape, shape, corner, box_shape, bits, L):  # type: ignore[no-untyped-def]
    """Return the superpoints with entries inside and how many: runs of ones in the mask's rows meet their runs.

    Pixels are looked up only where runs of ones begin and end: a keyframe's are too many for the cache.
    """
    H, W = frame_shape
    total = np.zeros(L, np.int32)
    first = np.empty(box_shape[1] + 1, np.int64)  # first pixel column of each column of the box, and one beyond
    for c in range(box_shape[1] + 1):
        first[c] = (W * (corner[1] + c) + shape[1] - 1) // shape[1]
    ends = np.empty(box_shape[1] + 1, np.int64)  # of the runs of ones: from, to, from, to, ...
    scanned, count = -1, 0
    words = bits[: len(bits) & ~7].view(np.uint64)
    top = (H * corner[0] + shape[0] - 1) // shape[0]
    bottom = (H * (corner[0] + box_shape[0]) + shape[0] - 1) // shape[0]
    for v in range(top, bottom):
        row = v * shape[0] // H - corner[0]
        if row != scanned:
            count = _ones(bits, words, row * box_shape[1], box_shape[1], ends)
            scanned = row
        for k in range(np.uint64(0), np.uint64(count), np.uint64(2)):
            left, right = np.uint64(v * W + first[ends[k]]), np.uint64(v * W + first[ends[k + _ONE]])
            e, stop = reached(place, block, left), reached(place, block, right)
            r = np.uint64(block_run[min(left // np.uint64(PER_BLOCK), np.uint64(len(block_run) - 1))])
            while e < stop and run[r + _ONE] <= e:
                r += _ONE
            while e < stop:
                end = min(run[r + _ONE], stop)
                total[np.uint64(owner[r])] += end - e
                e = end
                r += _ONE
    return _positive(total)


@numba.njit(cache=True, nogil=True)
def _positive(total):  # type: ignore[no-untyped-def]
    """Return the indices of positive numbers (int64), and these."""
    some = np.flatnonzero(total > 0)
    return some, total[some]


@numba.njit(cache=True, nogil=True)
def _ones(bits, words, start, count, ends):  # type: ignore[no-untyped-def]
    """Write where ones begin and end among `count` bits from `start` on; return how many numbers that gives.

    `words`: the same bits, 64 at once; what does not fill the last one is left out.
    """
    every = (np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF))
    found = inside = 0
    at, end = start, start + count
    while at < end:
        if at & 63 == 0 and at >> 6 < len(words) and words[at >> 6] == every[inside]:
            at += 64
            continue
        other = (bits[at >> 3] ^ (255 * inside)) & (255 >> (at & 7))  # the rest of this byte that is not as before
        at = (at & ~7) + _LEADING_ZEROS[other]
        if other and at < end:
            ends[found] = at - start
            found += 1
            inside = 1 - inside
    if inside:
        ends[found] = count
        found += 1
    return found
