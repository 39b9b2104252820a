"""Which map points each keyframe sees, and at which pixel (paper, Eq. 1)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local

import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import VisibilityConfig
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.visible_points import PER_BLOCK, Room, Visibility, VisiblePoints, blocks_of

_BLOCK = 256  # points that are looked at, or passed over, together
_CELL_BITS = 8  # at most so many tell the cell along each side of the grid that brings points together
_SPREAD = np.array([int(f"{x:b}", 8) for x in range(1 << _CELL_BITS)], np.uint32)  # the bits of x, two free between
_SAMPLE = 4096  # points that tell where nearly all lie, about


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
    superpoint_at = superpoint[index]
    threshold = np.float32(config.occlusion_threshold_m)
    pixels = max((frame.depth.size for frame in frames), default=0)
    of_thread = local()

    def project(frame: Frame) -> VisiblePoints:
        if not hasattr(of_thread, "memory"):
            of_thread.memory = _Memory(len(boxes) * _BLOCK, pixels)
        memory: _Memory = of_thread.memory
        K, T = frame.camera.K.astype(np.float32), frame.T_camera_map.astype(np.float32)
        near = _in_sight(boxes, frame, float(threshold))
        total = _visible(ordered, near, K, T, frame.depth, threshold, memory.entries)
        point, pixel, own = memory.sorted[:, :total]
        end = memory.end[: frame.depth.size + 1]
        _by_pixel(memory.entries, end, index, superpoint_at, point, pixel, own)
        block = memory.room(blocks_of(pixel) + 1)
        block[0], block[1:-1], block[-1] = 0, end[PER_BLOCK - 1 :: PER_BLOCK][: len(block) - 2], total
        return VisiblePoints.owned(point, pixel, own, block, frame.camera.width, memory.room)

    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for i, visible in enumerate(pool.map(project, frames)):
            progress("visibility", i, len(frames))
            found.append(visible)
    progress("visibility", len(frames), len(frames))
    return Visibility(tuple(found), np.bincount(superpoint))


class _Memory:
    """Memory of one thread: scratch used again by each keyframe, and room for what is kept of it."""

    def __init__(self, points: int, pixels: int) -> None:
        self.entries = np.empty((3, points), np.int32)
        self.sorted = np.empty((3, points), np.int32)
        self.end = np.empty(pixels + 1, np.uint32)
        self.room = Room()


def _blocks(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
    """Order the points so that every `_BLOCK` of them lie together: by cells of a grid, the cells in Z-order.

    The grid is laid where nearly all points lie, those outside go into its outermost cells. Of n³ cells surfaces cross
    about n²; n is chosen so that each of those holds about a block.

    Returns:
        The points in that order (3×N), their indices in the map (N), and the boxes of the blocks (B×2×3, middle and
        half extent; metres, map frame).
    """
    N = len(points)
    ordered, index = np.empty((3, N), np.float32), np.empty(N, np.int32)
    boxes = np.empty(((N + _BLOCK - 1) // _BLOCK, 2, 3))
    if N:
        low, high = np.percentile(points[:: max(N // _SAMPLE, 1)], (1, 99), axis=0)
        side = max(1.2 * float((high - low).max()), 1e-3)
        corner = ((low + high) / 2 - side / 2).astype(np.float32)
        cells = 1 << int(np.clip(np.round(np.log2(N / _BLOCK) / 2), 0, _CELL_BITS))
        _by_cell(points, corner, np.float32(cells / side), cells, index)
        _gather(points, index, ordered, boxes)
    return ordered, index, boxes


@numba.njit(cache=True, nogil=True)
def _by_cell(points, corner, cells_per_m, cells, index):  # type: ignore[no-untyped-def]
    """Fill in the points' indices, sorted by cell of a grid of so many along each side: a counting sort."""
    cell, end = np.empty(len(points), np.uint32), np.zeros(cells**3 + 1, np.uint32)
    one, last = np.uint64(1), np.float32(cells - 1)
    for i in range(np.uint64(len(points))):
        own = np.uint64(0)
        for axis in range(3):
            at = min(max((points[i, axis] - corner[axis]) * cells_per_m, np.float32(0)), last)
            own |= _SPREAD[np.uint32(at)] << np.uint64(axis)
        cell[i] = own
        end[own + one] += 1
    for c in range(one, np.uint64(len(end))):
        end[c] += end[c - one]
    for i in range(np.uint64(len(points))):
        index[end[cell[i]]] = i
        end[cell[i]] += 1


@numba.njit(cache=True, nogil=True)
def _gather(points, index, ordered, boxes):  # type: ignore[no-untyped-def]
    """Fill in the points in this order, and the boxes of the blocks."""
    for b in range(len(boxes)):
        first, end = b * _BLOCK, min((b + 1) * _BLOCK, len(index))
        for place in range(first, end):
            point = np.uint64(index[place])
            for axis in range(3):
                ordered[axis, place] = points[point, axis]
        for axis in range(3):
            low, high = np.float64(ordered[axis, first:end].min()), np.float64(ordered[axis, first:end].max())
            boxes[b, 0, axis], boxes[b, 1, axis] = (low + high) / 2, (high - low) / 2


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
    return np.asarray(_on_positive_side(boxes, planes, np.abs(T[:3, 3]).sum()))


@numba.njit(cache=True, nogil=True)
def _on_positive_side(boxes, planes, distance):  # type: ignore[no-untyped-def]
    """Return the boxes that reach the positive side of all planes; `distance`: of map and camera frame, 1-norm."""
    found, total = np.empty(len(boxes), np.int64), 0
    for b in range(len(boxes)):
        size = distance
        for axis in range(3):
            size += abs(boxes[b, 0, axis]) + boxes[b, 1, axis]
        inside = True
        for k in range(len(planes)):
            reach = planes[k, 3] + 1e-5 * size
            for axis in range(3):
                reach += planes[k, axis] * boxes[b, 0, axis] + abs(planes[k, axis]) * boxes[b, 1, axis]
            inside &= reach >= 0
        found[total] = b
        total += inside
    return found[:total]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _visible(points, blocks, K, T, depth, threshold, entries):  # type: ignore[no-untyped-def]
    """Write place and pixel of the visible points of these blocks into `entries` and return their number.

    A block is projected as a whole, then its pixels are fetched, then tested, and what is not visible is written as
    well and overwritten by the next: without branches, eight at once, and none to guess.
    """
    H, W = depth.shape
    measured = depth.reshape(-1)
    half = np.float32(0.5)
    z, at, there = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.int32), np.empty(_BLOCK, np.float32)
    place, pixel = entries[0], entries[1]
    total = np.uint64(0)
    for b in blocks:
        first, end = b * _BLOCK, min((b + 1) * _BLOCK, points.shape[1])
        X, Y, Z = points[0, first:end], points[1, first:end], points[2, first:end]
        size = np.uint64(end - first)
        for i in range(size):
            xc = T[0, 0] * X[i] + T[0, 1] * Y[i] + T[0, 2] * Z[i] + T[0, 3]
            yc = T[1, 0] * X[i] + T[1, 1] * Y[i] + T[1, 2] * Z[i] + T[1, 3]
            zc = T[2, 0] * X[i] + T[2, 1] * Y[i] + T[2, 2] * Z[i] + T[2, 3]
            u = np.floor((K[0, 0] * xc + K[0, 1] * yc) / zc + K[0, 2] + half)
            v = np.floor(K[1, 1] * yc / zc + K[1, 2] + half)
            shown = (zc > np.float32(1e-6)) & (u >= 0) & (v >= 0) & (u < W) & (v < H)
            at[i] = np.int32(v) * np.int32(W) + np.int32(u) if shown else np.int32(-1)
            z[i] = zc
        for i in range(size):
            there[i] = measured[np.uint32(max(at[i], 0))]
        for i in range(size):
            near = abs(np.float64(there[i]) * np.float32(0.001) - z[i]) <= threshold
            at[i] = at[i] if (there[i] > 0) & near else np.int32(-1)
        for i in range(size):
            place[total], pixel[total] = first + i, at[i]
            total += np.uint64(at[i] >= 0)
    return int(total)


@numba.njit(cache=True, nogil=True)
def _by_pixel(entries, end, index, superpoint, point, pixel, own):  # type: ignore[no-untyped-def]
    """Sort entries by pixel, then by point: a counting sort, few points to a pixel.

    All slots are found before anything is put into them: in one loop each step waits to know whether it reads what the
    last one wrote.

    Args:
        entries: 3×N int32; the first M of the rows hold each entry's place and pixel, and take its slot.
        end: one more than pixels, uint32, filled with where the entries of each pixel end.
        index: N int32, the point of each place.
        superpoint: N int32, the superpoint of each place.
        point: M int32, filled with each entry's point.
        pixel: M int32, filled with each entry's pixel.
        own: M int32, filled with each entry's superpoint.
    """
    place, at, slots = entries
    one, total = np.uint64(1), np.uint64(len(point))
    end[:] = 0
    for e in range(total):
        end[np.uint64(at[e]) + one] += 1
    for p in range(one, np.uint64(len(end))):
        end[p] += end[p - one]
    for e in range(total):
        p = np.uint32(at[e])
        slots[e] = end[p]
        end[p] += np.uint32(1)
    for e in range(total):
        slot, i = np.uint32(slots[e]), np.uint32(place[e])
        point[slot], pixel[slot], own[slot] = index[i], at[e], superpoint[i]
    for e in range(one, total):
        slot = e
        while slot > 0 and (pixel[slot - one] == pixel[slot]) & (point[slot - one] > point[slot]):
            before = slot - one
            point[slot], point[before] = point[before], point[slot]
            own[slot], own[before] = own[before], own[slot]
            slot = before
