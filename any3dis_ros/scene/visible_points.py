"""What keyframes see of the map, stored sparse: points by pixel, superpoints by runs of them."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

PER_BLOCK = 16
"""Pixels to a block of `VisiblePoints`: some ten entries lie in it, and a run or two begin."""

_PIECE = 1 << 24  # values: 64 MB, which NumPy asks the system to hold in huge pages; only what is written takes memory


class Room:
    """Gives arrays to be kept, cut from pieces of so many values: memory asked for page by page takes long."""

    def __init__(self, piece: int = _PIECE) -> None:
        self._piece = piece
        self._left = np.empty(0, np.int32)

    def __call__(self, size: int) -> NDArray[np.int32]:
        """Return an array of `size` values that is used for nothing else."""
        if len(self._left) < size:
            self._left = np.empty(max(size, self._piece), np.int32)
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def bytes(self, size: int) -> NDArray[np.uint8]:
        """Return the same of `size` single bytes."""
        return self(-(-size // 4)).view(np.uint8)[:size]


@dataclass(frozen=True)
class VisiblePoints:
    """What one keyframe sees of the map, sorted by pixel, then by point.

    Neighbouring pixels mostly show the same superpoint: superpoints are kept by runs of entries, a tenth as many. Of an
    entry's pixel a byte is kept, its place in a block of pixels; `pixel` has all of them.

    Attributes:
        point: M int32, index of the map point.
        place: M uint8, of the entry's pixel in its block.
        run: R+1 int32; run r is of the entries ``run[r]:run[r+1]``, which one superpoint owns.
        owner: R int32, that superpoint.
        block: B+1 int32; of each `PER_BLOCK` pixels up to the last that shows anything, the entries
            ``block[b]:block[b+1]``.
        block_run: B int32, the run which the first of them, or the next after them, is of.
        width: of the keyframe, pixels.
    """

    point: NDArray[np.int32]
    place: NDArray[np.uint8]
    run: NDArray[np.int32]
    owner: NDArray[np.int32]
    block: NDArray[np.int32]
    block_run: NDArray[np.int32]
    width: int

    @classmethod
    def of(
        cls, point: NDArray[np.int32], pixel: NDArray[np.int32], superpoint: NDArray[np.int32], width: int
    ) -> VisiblePoints:
        """Find the runs of sorted entries.

        Args:
            point: M int32, index of the map point.
            pixel: M int32, ``v * width + u``.
            superpoint: N int32, superpoint of each map point.
            width: of the keyframe, pixels.
        """
        room = Room(0)  # a single keyframe's are no larger than they need to be
        return cls.owned(point, pixel, superpoint[point], _begun(pixel, room(blocks_of(pixel) + 1)), width, room)

    @classmethod
    def owned(
        cls,
        point: NDArray[np.int32],
        pixel: NDArray[np.int32],
        own: NDArray[np.int32],
        block: NDArray[np.int32],
        width: int,
        room: Room,
    ) -> VisiblePoints:
        """Find the runs of sorted entries, whose blocks are known, and keep copies of the entries.

        Args:
            point: M int32, index of the map point.
            pixel: M int32, ``v * width + u``.
            own: M int32, superpoint of each entry.
            block: B+1 int32, as the attribute; kept as it is.
            width: of the keyframe, pixels.
            room: for all else that is kept.
        """
        M, R, B = len(pixel), _runs(own), len(block) - 1
        kept, place, run, owner, block_run = room(M), room.bytes(M), room(R + 1), room(R + 1), room(B + 1)
        kept[:] = point
        _fill_places(pixel, place)
        _fill_runs(own, run, owner)
        _fill_block_runs(pixel, run, block, block_run)
        return cls(kept, place, run, owner[:R], block, block_run[:B], width)

    @property
    def pixel(self) -> NDArray[np.int32]:
        """Pixel of each entry, ``v * width + u``; M int32, put together anew."""
        return self.pixels_of(slice(0, len(self.place)))

    def pixels_of(self, entries: slice) -> NDArray[np.int32]:
        """Return the pixels of some entries, one after another."""
        return self._pixels(np.array([entries.start]), np.array([entries.stop]))

    def _pixels(self, begin: NDArray[np.integer], end: NDArray[np.integer]) -> NDArray[np.int32]:
        return np.asarray(_pixels(self.place, self.block, begin, end))

    def rows(self, first: int, end: int) -> slice:
        """Return the entries whose pixel row lies in [first, end)."""
        low, high = (reached(self.place, self.block, row * self.width) for row in (first, end))
        return slice(int(low), int(high))

    def only(self, superpoints: NDArray[np.bool_], piece: NDArray[np.int32]) -> VisiblePoints:
        """Return the points of some superpoints (L bool) alone, by `piece` (N int32, of each map point) instead."""
        runs = np.flatnonzero(superpoints[self.owner])
        pixel = self._pixels(self.run[runs], self.run[runs + 1])
        return VisiblePoints.of(self.point[spans(self.run, runs)], pixel, piece, self.width)

    def pixels(self, superpoint: int) -> NDArray[np.int32]:
        """Return the pixels that show a superpoint, rising."""
        runs = np.flatnonzero(self.owner == superpoint)
        return self._pixels(self.run[runs], self.run[runs + 1])

    def count(self, L: int) -> NDArray[np.int32]:
        """Return how many points of each of L superpoints are visible."""
        return np.asarray(_counted(self.run, self.owner, L))

    def count_flagged(self, flags: NDArray[np.bool_], L: int, first: int = 0) -> NDArray[np.int32]:
        """Return how many entries of each of L superpoints are flagged; `flags` are of the entries from `first` on."""
        return np.asarray(_counted_flags(self.run, self.owner, flags, first, L))


@dataclass(frozen=True)
class Visibility:
    """The visible points of every keyframe.

    Attributes:
        keyframes: of each of T keyframes.
        size: L int64, points of each superpoint.
    """

    keyframes: tuple[VisiblePoints, ...]
    size: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of visible points of all keyframes together."""
        return sum(len(k.point) for k in self.keyframes)

    def seen(self) -> NDArray[np.int32]:
        """Return seen[t, l] = |ρ_t^l|: visible points of superpoint l in keyframe t; T×L int32."""
        L = len(self.size)
        return np.stack([k.count(L) for k in self.keyframes])

    def views(self, points: int) -> NDArray[np.int32]:
        """Return in how many keyframes each of the map's `points` points is visible; N int32."""
        views = np.zeros(points, np.int32)
        for k in self.keyframes:
            _add_one(views, k.point)
        return views


def blocks_of(pixel: NDArray[np.int32]) -> int:
    """Return the number of blocks up to the last of rising pixels; 1 without any."""
    return int(pixel[-1]) // PER_BLOCK + 1 if len(pixel) else 1


def spans(begin: NDArray[np.integer], chosen: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the indices ``begin[c]:begin[c+1]`` of each c in `chosen`, one after another."""
    first, count = begin[chosen], np.diff(begin)[chosen]
    return np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())


@numba.njit(cache=True, nogil=True)
def _add_one(views, point):  # type: ignore[no-untyped-def]
    for i in point:
        views[i] += 1


@numba.njit(cache=True, nogil=True)
def _runs(own):  # type: ignore[no-untyped-def]
    """Return how many runs of one superpoint the entries are."""
    one, total = np.uint64(1), np.uint64(min(len(own), 1))
    for e in range(one, np.uint64(len(own))):
        total += np.uint64(own[e] != own[e - one])
    return int(total)


@numba.njit(cache=True, nogil=True)
def _fill_runs(own, run, owner):  # type: ignore[no-untyped-def]
    """Fill in where the superpoint changes from one entry to the next (R+1, both ends included), and each run's own.

    All are written, and overwritten by the next unless they begin a run; so `owner` has a place more than runs.
    """
    n = len(own)
    total, one = np.uint64(min(n, 1)), np.uint64(1)
    run[0] = 0
    owner[: min(n, 1)] = own[:1]
    for e in range(one, np.uint64(n)):
        run[total], owner[total] = e, own[e]
        total += np.uint64(own[e] != own[e - one])
    run[total] = n


@numba.njit(cache=True, nogil=True)
def _fill_places(pixel, place):  # type: ignore[no-untyped-def]
    """Fill in the place of each pixel in its block."""
    for e in range(np.uint64(len(pixel))):
        place[e] = np.uint32(pixel[e]) % np.uint32(PER_BLOCK)


@numba.njit(cache=True, nogil=True)
def _begun(pixel, block):  # type: ignore[no-untyped-def]
    """Fill in where the entries of each block begin (B+1, both ends included), and return it."""
    block[:] = 0
    for p in pixel:
        block[p // PER_BLOCK + 1] += 1
    for b in range(len(block) - 1):
        block[b + 1] += block[b]
    return block


@numba.njit(cache=True, nogil=True)
def _fill_block_runs(pixel, run, block, block_run):  # type: ignore[no-untyped-def]
    """Fill in the run which the first entry of each block, or the next after them, is of.

    Written by the last run that begins in it, then filled in where none does; a run that begins amid the last block is
    written behind the end.
    """
    blocks = len(block) - 1
    block_run[:] = 0
    for r in range(len(run) - 1):
        b = pixel[run[r]] // PER_BLOCK
        block_run[b + (run[r] > block[b])] = r
    for b in range(1, blocks):
        block_run[b] = max(block_run[b - 1], block_run[b])
    for b in range(blocks - 2, -1, -1):
        if block[b] == block[b + 1]:
            block_run[b] = block_run[b + 1]


@numba.njit(cache=True, nogil=True)
def reached(place, block, at):  # type: ignore[no-untyped-def]
    """Return the first entry at a pixel or behind it; their number if there is none."""
    b = np.uint64(at) // np.uint64(PER_BLOCK)
    if b >= len(block) - 1:
        return block[-1]
    before, value = np.int32(0), np.uint8(np.uint64(at) % np.uint64(PER_BLOCK))
    for p in place[block[b] : block[b + np.uint64(1)]]:
        before += np.int32(p < value)
    return block[b] + before


@numba.njit(cache=True, nogil=True)
def _pixels(place, block, begin, end):  # type: ignore[no-untyped-def]
    """Return the pixels of the entries of rising ranges, one after another."""
    out = np.empty((end - begin).sum(), np.int32)
    n = 0
    b = np.searchsorted(block, begin[0], side="right") - 1 if len(begin) else 0
    for k in range(len(begin)):
        for e in range(begin[k], end[k]):
            while block[b + 1] <= e:
                b += 1
            out[n] = b * PER_BLOCK + place[e]
            n += 1
    return out


@numba.njit(cache=True, nogil=True)
def _counted(run, owner, L):  # type: ignore[no-untyped-def]
    count = np.zeros(L, np.int32)
    for r in range(len(owner)):
        count[owner[r]] += run[r + 1] - run[r]
    return count


@numba.njit(cache=True, nogil=True)
def _counted_flags(run, owner, flags, first, L):  # type: ignore[no-untyped-def]
    count = np.zeros(L, np.int32)
    r = np.searchsorted(run, first, side="right") - 1
    for e in range(len(flags)):
        while run[r + 1] <= first + e:
            r += 1
        count[owner[r]] += flags[e]
    return count
