"""Between an object's 3D memory and a view: what the memory says of its pixels, and what a mask teaches the memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.tracking.geometric.memory import VoxelMemory, new_memory, remember
from any3dis_ros.tracking.geometric.reduction import depth_noise
from any3dis_ros.tracking.geometric.views import Views

MAX_SPLAT = 4  # pixels; half the side of the largest square that one voxel paints
MAX_VOTE = 3.0  # a voxel's say in a view, so that many agreeing views do not drown the pixels around it
LEARN_PIXELS = 3000  # pixels of a mask and its surroundings that one view teaches the memory, about


class FollowParams(NamedTuple):
    """The numbers that the kernels take from the configuration; areas in pixels at tracking size."""

    noise_base_m: float
    noise_quadratic: float
    tolerance_sigmas: float
    tolerance_m: float
    accept: float
    learn_above: float
    abstain_below: float
    unseen_cost: float
    contrast_say: float
    plausible: float
    margin: float
    min_pixels: float
    min_in_view: float


class Workspace(NamedTuple):
    """Scratch memory of one worker thread, reused from object to object.

    Attributes:
        memory: the object's voxels.
        vote: h·w float32, evidence of each pixel where `stamp` equals `tick`.
        stamp: h·w int64, the tick at which a pixel was last touched.
        touched: h·w int32, pixels touched at this tick.
        tick: 1 int64.
        mask: h·w uint8, the mask being made; zero between two views.
        inside: h·w int32, pixels of that mask.
        positive, negative: N+1 float64, pixels of each superpixel for and against; prefix sums in scoring.
        state: N int8, what the mask takes of each superpixel.
    """

    memory: VoxelMemory
    vote: NDArray[np.float32]
    stamp: NDArray[np.int64]
    touched: NDArray[np.int32]
    tick: NDArray[np.int64]
    mask: NDArray[np.uint8]
    inside: NDArray[np.int32]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]
    state: NDArray[np.int8]


def new_workspace(views: Views) -> Workspace:
    """Return scratch memory that fits any of the views."""
    pixels, labels = max(views.labels.shape[1], 1), max(views.start.shape[1], 1)
    return Workspace(
        new_memory(),
        np.zeros(pixels, np.float32),
        np.zeros(pixels, np.int64),
        np.zeros(pixels, np.int32),
        np.zeros(1, np.int64),
        np.zeros(pixels, np.uint8),
        np.zeros(pixels, np.int32),
        np.zeros(labels, np.float64),
        np.zeros(labels, np.float64),
        np.zeros(labels, np.int8),
    )


@njit(cache=True, nogil=True)
def warp(views: Views, work: Workspace, t: int, params: FollowParams) -> tuple[int, int, int]:
    """Project the memory into view `t` and let its visible voxels vote on the pixels that they cover.

    Fills `work.vote`, `work.touched` and the counts of pixels for and against in every superpixel (positive[l + 1] and
    negative[l + 1], ready to be summed up).

    Returns:
        the object's voxels known; of those, how many project into the image; how many pixels were touched.
    """
    memory, T = work.memory, views.T_camera_map[t]
    fx, fy, cx, cy = views.intrinsics[t, 0], views.intrinsics[t, 1], views.intrinsics[t, 2], views.intrinsics[t, 3]
    h, w, row = views.size[t, 0], views.size[t, 1], views.surface.shape[2]
    surface, labels = views.surface[t], views.labels[t]
    work.tick[0] += 1
    tick, touched = work.tick[0], 0
    known, in_view = 0, 0
    for i in range(memory.stored[0]):
        slot = memory.used[i]
        vote = min(max(memory.vote[slot], -MAX_VOTE), MAX_VOTE)
        known += vote > 0
        if vote == 0:
            continue
        x, y, z = memory.point[slot, 0], memory.point[slot, 1], memory.point[slot, 2]
        zc = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
        if zc < 0.1:
            continue
        u = fx * (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / zc + cx
        v = fy * (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / zc + cy
        if not (-0.5 <= u < w - 0.5 and -0.5 <= v < h - 0.5):
            continue
        in_view += vote > 0
        r, c = int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
        reach = params.tolerance_sigmas * depth_noise(zc, params.noise_base_m, params.noise_quadratic)
        reach += params.tolerance_m
        if abs(surface[r, c] - zc) > reach:
            continue
        half = min(int(0.6 * memory.side[0] * fx / zc + 0.3), MAX_SPLAT)
        for i_row in range(max(r - half, 0), min(r + half + 1, h)):
            for i_col in range(max(c - half, 0), min(c + half + 1, w)):
                if abs(surface[i_row, i_col] - zc) > reach:
                    continue
                pixel = i_row * row + i_col
                if work.stamp[pixel] != tick:
                    work.stamp[pixel] = tick
                    work.vote[pixel] = 0.0
                    work.touched[touched] = pixel
                    touched += 1
                near = half + 1 - max(abs(i_row - r), abs(i_col - c))
                work.vote[pixel] += vote * near
    work.positive[:] = 0.0
    work.negative[:] = 0.0
    for i in range(touched):
        pixel = work.touched[i]
        if work.vote[pixel] > 0:
            work.positive[labels[pixel] + 1] += 1
        elif work.vote[pixel] < 0:
            work.negative[labels[pixel] + 1] += 1
    return known, in_view, touched


@njit(cache=True, nogil=True)
def learn(
    views: Views,
    work: Workspace,
    t: int,
    box: tuple[int, int, int, int],
    area: int,
    outer: int,
    weight: float,
    params: FollowParams,
) -> None:
    """Teach the memory the mask in `work.mask`: votes for its inside, against its surroundings, none on its outline.

    Args:
        views: the prepared keyframes.
        work: scratch memory; `work.mask` holds the mask.
        t: the view.
        box: first row, last row, first column, last column of the mask.
        area: pixels of the mask.
        outer: the largest node that may be the object; what lies in it, off the mask, stays undecided.
        weight: of each vote.
        params: thresholds.
    """
    T = views.T_map_camera[t]
    fx, fy, cx, cy = views.intrinsics[t, 0], views.intrinsics[t, 1], views.intrinsics[t, 2], views.intrinsics[t, 3]
    h, w, row = views.size[t, 0], views.size[t, 1], views.surface.shape[2]
    first, end = views.first[t, outer], views.end[t, outer]
    margin = int(params.margin * (0.2 * w + np.sqrt(area)))
    r0, r1 = max(box[0] - margin, 1), min(box[1] + margin, h - 2)
    c0, c1 = max(box[2] - margin, 1), min(box[3] + margin, w - 2)
    stride = max(1, int(np.sqrt(max(r1 - r0, 0) * max(c1 - c0, 0) / LEARN_PIXELS)))
    mask, depth, labels = work.mask, views.depth[t], views.labels[t]
    for r in range(r0, r1 + 1, stride):
        for c in range(c0, c1 + 1, stride):
            z = depth[r, c]
            if z == 0:
                continue
            p = r * row + c
            cross = mask[p] + mask[p - 1] + mask[p + 1] + mask[p - row] + mask[p + row]
            if 0 < cross < 5:
                continue
            if cross == 0 and first <= labels[p] < end:
                continue
            vote = weight if cross == 5 else -weight
            x, y = (c - cx) / fx * z, (r - cy) / fy * z
            remember(
                work.memory,
                T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3],
                T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3],
                T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3],
                vote,
            )
