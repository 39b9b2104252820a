"""The surface in a grid of truncated signed distances: where they change sign between neighbouring voxels.

Open3D's ``extract_point_cloud`` finds the same points, but for those where a distance is exactly 0, and normals that
nobody here needs, in a call in which no other Python thread runs: a third of a second for a room, in which a node would
be deaf.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


def zero_crossings(
    key: NDArray[np.int32],
    slot: NDArray[np.int32],
    tsdf: NDArray[np.float32],
    weight: NDArray[np.float32],
    color: NDArray[np.float32],
    least_weight: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the points where the surface cuts the grid's edges, in voxels, and their colours, both P×3.

    The distance is interpolated linearly along each edge between two voxels that both weigh more than `least_weight`
    (the vertices of marching cubes, Lorensen and Cline 1987). A distance of exactly 0 counts as in front: a wall that
    a simulator puts two metres from the camera lies on voxels, and would have no change of sign at all.

    Args:
        key: B×3, where each block of R×R×R voxels stands, in blocks.
        slot: B, its row in the arrays below.
        tsdf: S×R×R×R (z, y, x), truncated signed distances.
        weight: S×R×R×R, how often each was measured.
        color: S×R×R×R×3.
        least_weight: edges with an end of this weight or less are left out.
    """
    following = np.stack([_slots_at(key, slot, offset) for offset in np.eye(3, dtype=np.int64)], 1)
    arrays = (key, slot, following, tsdf, weight, color, np.float32(least_weight))
    count = _crossings(*arrays, np.empty((0, 3), np.float32), np.empty((0, 3), np.float32))
    points, colors = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    _crossings(*arrays, points, colors)
    return points, colors


def _slots_at(key: NDArray[np.int32], slot: NDArray[np.int32], offset: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the slot of the block at `offset` from each block, -1 where there is none."""
    own = key.astype(np.int64) - key.min(0)
    extent = own.max(0) + 2  # room for the offset
    steps = np.array([extent[1] * extent[2], extent[2], 1])
    code = own @ steps
    order = np.argsort(code)
    wanted = (own + offset) @ steps
    at = order[np.minimum(np.searchsorted(code, wanted, sorter=order), len(code) - 1)]
    return np.where(code[at] == wanted, slot[at], -1)


@njit(cache=True, nogil=True)
def _crossings(key, slot, following, tsdf, weight, color, least_weight, points, colors):  # type: ignore[no-untyped-def]
    """Fill `points` and `colors` as far as they reach; return how many crossings there are."""
    last = tsdf.shape[1] - 1
    voxel, ahead, count = np.empty(3, np.int64), np.empty(3, np.int64), 0
    for b in range(len(slot)):
        s = slot[b]
        for z in range(last + 1):
            for y in range(last + 1):
                for x in range(last + 1):
                    if weight[s, z, y, x] <= least_weight:
                        continue
                    here = tsdf[s, z, y, x]
                    voxel[0], voxel[1], voxel[2] = x, y, z
                    for axis in range(3):
                        ahead[:] = voxel
                        ahead[axis] += 1
                        t = s
                        if ahead[axis] > last:
                            ahead[axis] = 0
                            t = following[b, axis]
                            if t < 0:
                                continue
                        i, j, k = ahead
                        there = tsdf[t, k, j, i]
                        if weight[t, k, j, i] <= least_weight or (here >= 0) == (there >= 0):
                            continue
                        if count < len(points):
                            share = here / (here - there)
                            for c in range(3):
                                points[count, c] = key[b, c] * (last + 1) + voxel[c] + (share if c == axis else 0)
                                colors[count, c] = (1 - share) * color[s, z, y, x, c] + share * color[t, k, j, i, c]
                        count += 1
    return count
