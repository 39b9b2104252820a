"""Between an object's 3D memory and a view: what the memory says of its superpixels, and what a mask teaches it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.tracking.geometric.memory import MAX_VOXELS, VoxelMemory, new_memory, remember
from any3dis_ros.tracking.geometric.reduction import depth_noise
from any3dis_ros.tracking.geometric.views import Views

OUT, WHOLE, SPLIT = np.int8(0), np.int8(1), np.int8(2)  # what a mask takes of a superpixel
MAX_SPLAT = 4  # pixels; half the side of the largest square that one voxel paints
MAX_VOTE = np.float32(3.0)  # a voxel's say in a view, so that many agreeing views do not drown those around it
LEARN_PIXELS = 500  # pixels of a mask and its surroundings that one view teaches the memory, about


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
        memory: the object's voxels, V at most.
        hit: V int32, the pixel at which each voxel seen in the view lies.
        hit_label: V uint32, the superpixel there.
        hit_depth, hit_side, hit_vote: V float32; metres from the camera, pixels that the voxel is wide, its vote.
        positive, negative: N+1 float64, pixels of each superpixel for and against; prefix sums in scoring.
        covered: N+1 float64, pixels of each superpixel that voxels cover, those counted twice that are covered twice.
        state: N int8, what the mask takes of each superpixel.
        vote: h·w float32, evidence of each pixel of split superpixels where `stamp` equals `tick`.
        stamp: h·w int32, the tick at which a pixel was last touched.
        inside: h·w+8 uint8, the pixels of a mask's box, row by row, 1 inside.
        lesson: h·w int32, the pixels that a view teaches the memory.
        tick: 1 int32.
    """

    memory: VoxelMemory
    hit: NDArray[np.int32]
    hit_label: NDArray[np.uint32]
    hit_depth: NDArray[np.float32]
    hit_side: NDArray[np.float32]
    hit_vote: NDArray[np.float32]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]
    covered: NDArray[np.float64]
    state: NDArray[np.int8]
    vote: NDArray[np.float32]
    stamp: NDArray[np.int32]
    inside: NDArray[np.uint8]
    lesson: NDArray[np.int32]
    tick: NDArray[np.int32]


def new_workspace(views: Views) -> Workspace:
    """Return scratch memory that fits any of the views."""
    pixels, labels = max(views.labels.shape[1], 1), max(views.start.shape[1], 1)
    return Workspace(
        new_memory(),
        np.zeros(MAX_VOXELS, np.int32),
        np.zeros(MAX_VOXELS, np.uint32),
        np.zeros(MAX_VOXELS, np.float32),
        np.zeros(MAX_VOXELS, np.float32),
        np.zeros(MAX_VOXELS, np.float32),
        np.zeros(labels, np.float64),
        np.zeros(labels, np.float64),
        np.zeros(labels, np.float64),
        np.zeros(labels, np.int8),
        np.zeros(pixels, np.float32),
        np.zeros(pixels, np.int32),
        np.zeros(pixels + 8, np.uint8),
        np.zeros(pixels, np.int32),
        np.zeros(1, np.int32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def warp(views: Views, work: Workspace, t: int, params: FollowParams) -> tuple[int, int, int]:
    """Project the memory into view `t` and let its visible voxels vote on the superpixels in which they lie.

    A voxel speaks for the pixels that it covers. Fills `work.hit*`, and the pixels for and against in every superpixel
    (positive[l + 1] and negative[l + 1], ready to be summed up): of the share of it that voxels cover, the share that
    their votes give each side.

    Returns:
        the object's voxels known; of those, how many project into the image; how many voxels of any kind are seen.
    """
    positive, negative, covered = work.positive, work.negative, work.covered
    positive[:] = 0.0
    negative[:] = 0.0
    covered[:] = 0.0
    known, in_view = _project(views, work, t)
    seen = _on_surface(work, views.surface[t].reshape(-1), params)
    width = np.float32(work.memory.side[0]) * np.float32(views.intrinsics[t, 0])
    labels, hit, hit_label, start = views.labels[t], work.hit, work.hit_label, views.start[t]
    for i in range(seen):
        hit_label[i] = labels[np.uint32(hit[i])]
    plus, minus, covers = positive[1:], negative[1:], covered[1:]
    for i in range(seen):
        vote, side = work.hit_vote[i], width / work.hit_depth[i]
        label, area = hit_label[i], side * side
        plus[label] += max(vote, np.float32(0)) * area
        minus[label] += max(-vote, np.float32(0)) * area
        covers[label] += area
        work.hit_side[i] = side
    for label in range(1, len(covered)):
        if covered[label] > 0:
            area = start[label] - start[label - 1]
            votes_cast = positive[label] + negative[label]
            share = min(covered[label], area) / votes_cast
            positive[label] *= share
            negative[label] *= share
    return known, in_view, seen


@njit(cache=True, nogil=True, error_model="numpy")
def _project(views: Views, work: Workspace, t: int) -> tuple[int, int]:
    """Write the pixel of each voxel of the memory in view `t` (-1: outside, or undecided) and its depth.

    Returns:
        the object's voxels known; of those, how many project into the image.
    """
    n, T = work.memory.stored[0], views.T_camera_map[t].astype(np.float32)
    X, Y, Z, votes = work.memory.point[0, :n], work.memory.point[1, :n], work.memory.point[2, :n], work.memory.vote[:n]
    hit, hit_depth = work.hit[:n], work.hit_depth[:n]
    t00, t01, t02, t03 = T[0, 0], T[0, 1], T[0, 2], T[0, 3]
    t10, t11, t12, t13 = T[1, 0], T[1, 1], T[1, 2], T[1, 3]
    t20, t21, t22, t23 = T[2, 0], T[2, 1], T[2, 2], T[2, 3]
    fx, fy = np.float32(views.intrinsics[t, 0]), np.float32(views.intrinsics[t, 1])
    cx, cy = np.float32(views.intrinsics[t, 2] + 0.5), np.float32(views.intrinsics[t, 3] + 0.5)
    h, w, row = np.float32(views.size[t, 0]), np.float32(views.size[t, 1]), np.int32(views.surface.shape[2])
    known, in_view = np.int32(0), np.int32(0)
    for i in range(n):  # without a branch: eight at once
        z = t20 * X[i] + t21 * Y[i] + t22 * Z[i] + t23
        u = fx * (t00 * X[i] + t01 * Y[i] + t02 * Z[i] + t03) / z + cx
        v = fy * (t10 * X[i] + t11 * Y[i] + t12 * Z[i] + t13) / z + cy
        shown = (z >= np.float32(0.1)) & (u >= 0) & (u < w) & (v >= 0) & (v < h)
        hit[i] = np.int32(v) * row + np.int32(u) if shown & (votes[i] != 0) else np.int32(-1)
        hit_depth[i] = z
        known += np.int32(votes[i] > 0)
        in_view += np.int32(shown & (votes[i] > 0))
    return int(known), int(in_view)


@njit(cache=True, nogil=True, error_model="numpy")
def _on_surface(work: Workspace, surface: np.ndarray, params: FollowParams) -> int:
    """Keep of the voxels projected those that lie on the surface measured, with their votes; return how many.

    All are written, and overwritten by the next unless kept: no branch waits for a pixel to come from memory.
    """
    near = np.float32(params.tolerance_m + params.tolerance_sigmas * params.noise_base_m)
    far = np.float32(params.tolerance_sigmas * params.noise_quadratic)
    hit, hit_depth, hit_vote, votes = work.hit, work.hit_depth, work.hit_vote, work.memory.vote
    shown = np.uint64(0)
    for i in range(work.memory.stored[0]):
        hit[shown], hit_depth[shown], hit_vote[shown] = hit[i], hit_depth[i], min(max(votes[i], -MAX_VOTE), MAX_VOTE)
        shown += np.uint64(hit[i] >= 0)
    measured = work.hit_side  # not used yet
    for i in range(shown):
        measured[i] = surface[np.uint32(hit[i])]
    seen = np.uint64(0)
    for i in range(shown):
        z = hit_depth[i]
        beyond = z - np.float32(0.4)
        on_it = abs(measured[i] - z) <= near + far * beyond * beyond
        hit[seen], hit_depth[seen], hit_vote[seen] = hit[i], z, hit_vote[i]
        seen += np.uint64(on_it)
    return int(seen)


@njit(cache=True, nogil=True, error_model="numpy")
def splat(views: Views, work: Workspace, t: int, seen: int, params: FollowParams) -> None:
    """Let the voxels seen in split superpixels vote on their pixels, each on the square that it covers."""
    surface, labels, state = views.surface[t].reshape(-1), views.labels[t], work.state
    h, w, row = views.size[t, 0], views.size[t, 1], views.surface.shape[2]
    stamp, tick, votes = work.stamp, work.tick[0], work.vote
    for i in range(seen):
        if state[work.hit_label[i]] != SPLIT:
            continue
        pixel, z, half = work.hit[i], work.hit_depth[i], min(int(0.6 * work.hit_side[i] + 0.3), MAX_SPLAT)
        sigma = depth_noise(z, params.noise_base_m, params.noise_quadratic)
        reach = params.tolerance_m + params.tolerance_sigmas * sigma
        r, c = pixel // row, pixel % row
        for i_row in range(max(r - half, 0), min(r + half + 1, h)):
            for i_col in range(max(c - half, 0), min(c + half + 1, w)):
                p = np.uint64(i_row * row + i_col)
                if state[labels[p]] != SPLIT or abs(surface[p] - z) > reach:
                    continue
                if stamp[p] != tick:
                    stamp[p] = tick
                    votes[p] = 0.0
                ring = max(abs(i_row - r), abs(i_col - c))
                votes[p] += work.hit_vote[i] * (half + 1 - ring)


@njit(cache=True, nogil=True, error_model="numpy")
def learn(
    views: Views,
    work: Workspace,
    t: int,
    box: tuple[int, int, int, int],
    area: float,
    outer: int,
    weight: float,
    params: FollowParams,
) -> None:
    """Teach the memory the mask in `work.state`: votes for its inside, against its surroundings.

    Its outline teaches nothing, nor do split superpixels, which hold both.

    Args:
        views: the prepared keyframes.
        work: scratch memory; `work.state` holds the mask.
        t: the view.
        box: first row, last row, first column, last column of the mask.
        area: pixels of the mask.
        outer: the largest node that may be the object; what lies in it, off the mask, stays undecided.
        weight: of each vote.
        params: thresholds.
    """
    T, state, memory = views.T_map_camera[t], work.state, work.memory
    fx, fy, cx, cy = views.intrinsics[t, 0], views.intrinsics[t, 1], views.intrinsics[t, 2], views.intrinsics[t, 3]
    h, w, row = views.size[t, 0], views.size[t, 1], views.surface.shape[2]
    first, end = np.uint32(views.first[t, outer]), np.uint32(views.end[t, outer])
    margin = int(params.margin * (0.2 * w + np.sqrt(area)))
    r0, r1 = max(box[0] - margin, 1), min(box[1] + margin, h - 2)
    c0, c1 = max(box[2] - margin, 1), min(box[3] + margin, w - 2)
    stride = max(1, int(np.sqrt(max(r1 - r0, 0) * max(c1 - c0, 0) / LEARN_PIXELS)))
    depth, labels, lesson = views.depth[t].reshape(-1), views.labels[t], work.lesson
    one, below, chosen = np.uint64(1), np.uint64(row), np.uint64(0)  # without a sign, places are found sooner
    for r in range(r0, r1 + 1, stride):
        for at in range(r * row + c0, r * row + c1 + 1, stride):
            p = np.uint64(at)
            label = labels[p]
            own = state[label]
            undecided = (own == SPLIT) | ((own == OUT) & (first <= label) & (label < end))
            across = (state[labels[p - one]] == own) & (state[labels[p + one]] == own)
            along = (state[labels[p - below]] == own) & (state[labels[p + below]] == own)
            lesson[chosen] = at
            chosen += np.uint64((depth[p] != 0) & (not undecided) & across & along)
    points, votes = np.empty((3, chosen)), np.empty(chosen)
    for i in range(chosen):
        p = lesson[i]
        r, c, z = p // row, p % row, depth[p]
        x, y = (c - cx) / fx * z, (r - cy) / fy * z
        for axis in range(3):
            points[axis, i] = T[axis, 0] * x + T[axis, 1] * y + T[axis, 2] * z + T[axis, 3]
        votes[i] = weight if state[labels[p]] == WHOLE else -weight
    remember(memory, points, votes)
