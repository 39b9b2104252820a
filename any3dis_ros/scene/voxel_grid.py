"""A sparse grid of truncated signed distances: blocks of voxels near surfaces that were measured.

Open3D finds the blocks that a depth image touches. What fills them and what takes the surface out are our own kernels,
for in Open3D's Python functions no other Python thread runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.integration import Voxels, integrate
from any3dis_ros.scene.zero_crossings import zero_crossings

_BLOCK = 8  # voxels along a block's edge: small blocks waste little on thin surfaces
_BLOCKS = 8192  # at first; doubled when they are taken (10 kB each, in memory only when used)
_FARTHEST = 1 << 20  # blocks from the first one, along any axis: 16 km of the finest voxels


class VoxelGrid:
    """Truncated signed distances, weights and colours (Curless and Levoy 1996) of the blocks near surfaces."""

    def __init__(self) -> None:
        import open3d as o3d

        self._o3d = o3d
        self._finder = o3d.t.geometry.VoxelBlockGrid(  # one of voxels of unit size serves maps of any voxel size
            ("tsdf",), (o3d.core.float32,), ((1),), 1.0, _BLOCK, 1
        )
        self.clear(1.0)

    def clear(self, voxel_size: float) -> None:
        """Empty it; its voxels measure `voxel_size` metres from now on."""
        self._voxel_size = voxel_size
        self._codes, self._slot = np.zeros(0, np.int64), np.zeros(0, np.int64)  # of the blocks, rising, and their rows
        self._key = np.zeros((_BLOCKS, 3), np.int32)
        self._voxels = _empty(_BLOCKS)
        self._used = 0

    def integrate(self, frame: Frame, depth: NDArray[np.uint16], depth_max_m: float, truncation_voxels: float) -> None:
        """Fuse the colour of a keyframe and a depth image (millimetres, 0 = nothing) of its shape."""
        o3d = self._o3d
        T = frame.T_camera_map.copy()
        T[:3, 3] /= self._voxel_size
        touched = self._finder.compute_unique_block_coordinates(
            o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(depth))),
            o3d.core.Tensor(frame.camera.K),
            o3d.core.Tensor(T),
            1000.0 * self._voxel_size,
            depth_max_m / self._voxel_size,
            truncation_voxels,
        ).numpy()
        if not len(touched):
            return
        key = touched[np.lexsort(touched.T)]  # Open3D gives them in an order of its own each time
        slot = self._slots(key)  # may move the voxels
        integrate(self._voxels, key, slot, frame, depth, self._voxel_size, truncation_voxels * self._voxel_size)

    def surface(self, least_weight: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return P×3 points of the surface, metres, and their colours, 0 to 255, where voxels weigh more than this."""
        if not self._used:
            return np.empty((0, 3), np.float32), np.empty((0, 3), np.float32)
        key, slot = self._key[: self._used], np.arange(self._used, dtype=np.int32)
        points, colors = zero_crossings(key, slot, *self._voxels, least_weight)
        return points * np.float32(self._voxel_size), colors

    def _slots(self, key: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the rows of the voxels of these blocks, which come by rising z, y, x; those that are new get one."""
        if not self._used:
            self._key[0] = key[0]  # which codes count from
        codes = (key.astype(np.int64) - self._key[0] + _FARTHEST) @ (1, 2 * _FARTHEST, 4 * _FARTHEST**2)
        at = np.searchsorted(self._codes, codes)
        known = self._codes[np.minimum(at, self._used - 1)] == codes if self._used else np.zeros(len(codes), bool)
        if not known.all():
            new, first = key[~known], self._used
            self._used += len(new)
            while self._used > len(self._key):
                self._grow()
            self._key[first : self._used] = new
            self._codes = np.insert(self._codes, at[~known], codes[~known])
            self._slot = np.insert(self._slot, at[~known], np.arange(first, self._used))
            at = np.searchsorted(self._codes, codes)
        return self._slot[at]

    def _grow(self) -> None:
        used = len(self._key)
        voxels, key = _empty(2 * used), np.zeros((2 * used, 3), np.int32)
        for old, new in zip((self._key, *self._voxels), (key, *voxels), strict=True):
            new[:used] = old
        self._key, self._voxels = key, voxels


def _empty(blocks: int) -> Voxels:
    shape = (blocks, _BLOCK, _BLOCK, _BLOCK)
    return Voxels(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros((*shape, 3), np.float32))
