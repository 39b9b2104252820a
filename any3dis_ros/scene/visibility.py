"""Which map points each keyframe sees, and at which pixel (paper, Eq. 1), stored sparse."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.config import VisibilityConfig
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame

_BLOCK = 256  # points that are looked at, or passed over, together
PER_BLOCK = 16
"""Pixels to a block of `VisiblePoints`: some ten entries lie in it, and a run or two begin."""


@dataclass(frozen=True)
class VisiblePoints:
    """What one keyframe sees of the map, sorted by pixel, then by point.

    Neighbouring pixels mostly show the same superpoint: superpoints are kept by runs of entries, a tenth as many.

    Attributes:
        point: M int32, index of the map point.
        pixel: M int32, ``v * width + u``.
        run: R+1 int32; run r is of the entries ``run[r]:run[r+1]``, which one superpoint owns.
        owner: R int32, that superpoint.
        block: B+1 int32; of each `PER_BLOCK` pixels up to the last that shows anything, the entries
            ``block[b]:block[b+1]``.
        block_run: B int32, the run which the first of them, or the next after them, is of.
        width: of the keyframe, pixels.
    """

    point: NDArray[np.int32]
    pixel: NDArray[np.int32]
    run: NDArray[np.int32]
    owner: NDArray[np.int32]
    block: NDArray[np.int32]
    block_run: NDArray[np.int32]
    width: int

    @classmethod
    def of(
        cls, point: NDArray[np.int32], pixel: NDArray[np.int32], superpoint: NDArray[np.int32], width: int
    ) -> VisiblePoints:
        """Find the runs of sorted entries; `superpoint`: N int32, superpoint of each map point."""
        run, owner = _runs(point, superpoint)
        block, block_run = _blocks_of(pixel, run)
        return cls(point, pixel, run, owner, block, block_run, width)

    def rows(self, first: int, end: int) -> slice:
        """Return the entries whose pixel row lies in [first, end)."""
        low, high = np.searchsorted(self.pixel, (first * self.width, end * self.width))
        return slice(int(low), int(high))

    def only(self, superpoints: NDArray[np.bool_], piece: NDArray[np.int32]) -> VisiblePoints:
        """Return the points of some superpoints (L bool) alone, by `piece` (N int32, of each map point) instead."""
        own = spans(self.run, np.flatnonzero(superpoints[self.owner]))
        return VisiblePoints.of(self.point[own], self.pixel[own], piece, self.width)

    def pixels(self, superpoint: int) -> NDArray[np.int32]:
        """Return the pixels that show a superpoint, rising."""
        return self.pixel[spans(self.run, np.flatnonzero(self.owner == superpoint))]

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


def spans(begin: NDArray[np.integer], chosen: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the indices ``begin[c]:begin[c+1]`` of each c in `chosen`, one after another."""
    first, count = begin[chosen], np.diff(begin)[chosen]
    return np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())


def compute_visibility(
    points: NDArray[np.float32],
    superpoint: NDArray[np.int32],
    frames: Sequence[Frame],
    config: VisibilityConfig,
    progress: Progress = silent,
) -> Visibility:
    """Project the map into every keyframe and keep what its depth confirms.

    A point is visible in a keyframe if it lies in front of the camera, inside the image, and within
    `occlusion_threshold_m` of the measured depth at its pixel; invalid depth confirms nothing.

    Args:
        points: N×3 float32, metres, map frame.
        superpoint: N int32, superpoint of each point.
        frames: T keyframes.
        config: the depth test's threshold.
        progress: told after every keyframe.
    """
    ordered, index, boxes = _blocks(points)
    threshold = np.float32(config.occlusion_threshold_m)
    scratch = local()  # memory used again costs less than memory asked for anew

    def project(frame: Frame) -> VisiblePoints:
        if not hasattr(scratch, "found"):
            scratch.found = np.empty((2, len(boxes) * _BLOCK), np.int32)
        K, T = frame.camera.K.astype(np.float32), frame.T_camera_map.astype(np.float32)
        near = _in_sight(boxes, frame, float(threshold))
        total = _visible(ordered, index, near, K, T, frame.depth, threshold, scratch.found)
        point, pixel = _by_pixel(scratch.found[:, :total], frame.depth.size)
        return VisiblePoints.of(point, pixel, superpoint, frame.camera.width)

    found = []
    with ThreadPoolExecutor() as pool:
        for i, visible in enumerate(pool.map(project, frames)):
            progress("visibility", i, len(frames))
            found.append(visible)
    progress("visibility", len(frames), len(frames))
    return Visibility(tuple(found), np.bincount(superpoint))


def _blocks(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
    """Order the points so that every `_BLOCK` of them lie together, as the leaves of a k-d tree do.

    Returns:
        The points in that order (3×N), their indices in the map (N), and the boxes of the blocks (B×2×3, middle and
        half extent; metres, map frame).
    """
    order = cKDTree(points, leafsize=_BLOCK, compact_nodes=False, balanced_tree=False).indices.astype(np.int32)
    ordered = points[order]
    first = np.arange(0, len(points), _BLOCK)
    low, high = (f.reduceat(ordered.astype(np.float64), first, axis=0) for f in (np.minimum, np.maximum))
    return np.ascontiguousarray(ordered.T), order, np.stack([(low + high) / 2, (high - low) / 2], 1)


def _in_sight(boxes: NDArray[np.float64], frame: Frame, threshold: float) -> NDArray[np.int64]:
    """Return the boxes that a keyframe may see: those not wholly beside its view, nor behind all that it measured.

    The view is taken a pixel wider, and boxes larger by more than what single precision errs in projecting points.
    """
    K, T, (H, W) = frame.camera.K, frame.T_camera_map, frame.depth.shape
    planes = np.array(
        [
            [K[0, 0], K[0, 1], K[0, 2] + 1.5, 0],
            [-K[0, 0], -K[0, 1], W + 0.5 - K[0, 2], 0],
            [0, K[1, 1], K[1, 2] + 1.5, 0],
            [0, -K[1, 1], H + 0.5 - K[1, 2], 0],
            [0, 0, 1, 0],
            [0, 0, -1, frame.depth.max() * 0.001 + threshold],
        ]
    )  # camera frame: what is seen lies on the positive side of all
    planes = planes / np.linalg.norm(planes[:, :3], axis=1, keepdims=True) @ T
    middle, half = boxes[:, 0], boxes[:, 1]
    slack = 1e-5 * (np.abs(middle).sum(1) + half.sum(1) + np.abs(T[:3, 3]).sum())
    reach = middle @ planes[:, :3].T + half @ np.abs(planes[:, :3]).T + planes[:, 3] + slack[:, None]
    return np.flatnonzero((reach >= 0).all(1))


@numba.njit(cache=True, nogil=True)
def _add_one(views, point):  # type: ignore[no-untyped-def]
    for i in point:
        views[i] += 1


@numba.njit(cache=True, nogil=True)
def _runs(point, superpoint):  # type: ignore[no-untyped-def]
    """Return where the superpoint changes from one entry to the next (R+1, both ends included), and each run's own."""
    n = len(point)
    run, owner = np.empty(n + 1, np.int32), np.empty(n, np.int32)
    total = 0
    last = np.int32(-1)
    for e in range(n):
        own = superpoint[point[e]]
        if own != last:
            run[total], owner[total], last = e, own, own
            total += 1
    run[total] = n
    return run[: total + 1].copy(), owner[:total].copy()


@numba.njit(cache=True, nogil=True)
def _blocks_of(pixel, run):  # type: ignore[no-untyped-def]
    """Return where the entries of each block begin (B+1, both ends included), and the run of the first of them."""
    blocks = pixel[-1] // PER_BLOCK + 1 if len(pixel) else 1
    block, block_run = np.zeros(blocks + 1, np.int32), np.zeros(blocks, np.int32)
    e = r = 0
    for b in range(blocks):
        while e < len(pixel) and pixel[e] < b * PER_BLOCK:
            e += 1
        while r < len(run) - 2 and run[r + 1] <= e:
            r += 1
        block[b], block_run[b] = e, r
    block[blocks] = len(pixel)
    return block, block_run


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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _visible(points, index, blocks, K, T, depth, threshold, found):  # type: ignore[no-untyped-def]
    """Write point and pixel of the visible points of these blocks into `found` (2×M int32) and return their number.

    A block is projected as a whole before any of its points is tested, and what is not visible is written as well and
    overwritten by the next: without branches, eight at once, and none to guess.
    """
    H, W = depth.shape
    measured = depth.reshape(-1)
    half = np.float32(0.5)
    z, pixel = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.int32)
    total = 0
    for b in blocks:
        first, end = b * _BLOCK, min((b + 1) * _BLOCK, points.shape[1])
        X, Y, Z = points[0, first:end], points[1, first:end], points[2, first:end]
        for i in range(end - first):
            xc = T[0, 0] * X[i] + T[0, 1] * Y[i] + T[0, 2] * Z[i] + T[0, 3]
            yc = T[1, 0] * X[i] + T[1, 1] * Y[i] + T[1, 2] * Z[i] + T[1, 3]
            zc = T[2, 0] * X[i] + T[2, 1] * Y[i] + T[2, 2] * Z[i] + T[2, 3]
            u = np.floor((K[0, 0] * xc + K[0, 1] * yc) / zc + K[0, 2] + half)
            v = np.floor(K[1, 1] * yc / zc + K[1, 2] + half)
            shown = (zc > np.float32(1e-6)) & (u >= 0) & (v >= 0) & (u < W) & (v < H)
            pixel[i] = np.int32(v) * np.int32(W) + np.int32(u) if shown else np.int32(-1)
            z[i] = zc
        for i in range(end - first):
            d = measured[max(pixel[i], 0)]
            near = abs(d * np.float32(0.001) - z[i]) <= threshold
            found[0, total], found[1, total] = index[first + i], pixel[i]
            total += (pixel[i] >= 0) & (d > 0) & near
    return total


@numba.njit(cache=True, nogil=True)
def _by_pixel(found, pixels):  # type: ignore[no-untyped-def]
    """Return point and pixel (of 2×M int32) sorted by pixel, then by point: a counting sort, few points to a pixel."""
    point, pixel = found
    end = np.zeros(pixels + 1, np.int32)
    for p in pixel:
        end[p + 1] += 1
    for p in range(pixels):
        end[p + 1] += end[p]
    points, at = np.empty(len(point), np.int32), np.empty(len(point), np.int32)
    for e in range(len(point)):
        slot = end[pixel[e]]
        points[slot], at[slot] = point[e], pixel[e]
        end[pixel[e]] = slot + 1
    for e in range(1, len(point)):
        own = points[e]
        slot = e
        while slot > 0 and at[slot - 1] == at[e] and points[slot - 1] > own:
            points[slot] = points[slot - 1]
            slot -= 1
        points[slot] = own
    return points, at
