"""Open3D's grid of voxel blocks, used so that no call holds up the other threads of the process for long.

Open3D's Python functions let no other Python thread run. So blocks are integrated some at a time, the surface is taken
out by our own kernel, and the grid is allocated once: it counts in voxels, so that one serves maps of any voxel size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.zero_crossings import zero_crossings

_BLOCK = 8  # voxels along a block's edge: small blocks waste little on thin surfaces
_BLOCKS = 16384  # as many as a room takes (168 MB): growing copies all, half a second in which no other thread runs
_AT_ONCE = 500  # blocks integrated in one call: some milliseconds
_CHANNELS = {"tsdf": 1, "weight": 1, "color": 3}


class VoxelGrid:
    """Truncated signed distances, weights and colours (Curless and Levoy 1996) on Open3D's VoxelBlockGrid."""

    def __init__(self) -> None:
        import open3d as o3d

        self._o3d = o3d
        self._voxel_size = 1.0
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            attr_names=tuple(_CHANNELS),
            attr_dtypes=(o3d.core.float32,) * len(_CHANNELS),
            attr_channels=tuple(_CHANNELS.values()),
            voxel_size=1.0,
            block_resolution=_BLOCK,
            block_count=_BLOCKS,
            device=o3d.core.Device("CPU:0"),
        )

    def clear(self, voxel_size: float) -> None:
        """Empty it; its voxels measure `voxel_size` metres from now on."""
        slot, key = self._blocks()
        if len(slot):
            for name in _CHANNELS:
                self._values(name)[slot] = 0  # a block that is taken again begins with what its slot holds
            self._grid.hashmap().erase(self._o3d.core.Tensor(key))
        self._voxel_size = voxel_size

    def integrate(self, frame: Frame, depth: NDArray[np.uint16], depth_max_m: float, truncation_voxels: float) -> None:
        """Fuse the colour of a keyframe and a depth image (millimetres, 0 = nothing) of its shape."""
        o3d = self._o3d
        images = [o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(a))) for a in (depth, frame.color)]
        # Open3D truncates projections to pixels: with centres at integers that is half a pixel off, 2 mm on a VGA floor
        K = frame.camera.K.copy()
        K[:2, 2] += 0.5
        T = frame.T_camera_map.copy()
        T[:3, 3] /= self._voxel_size
        view = (o3d.core.Tensor(K), o3d.core.Tensor(T))
        units = (1000.0 * self._voxel_size, depth_max_m / self._voxel_size, truncation_voxels)
        blocks = self._grid.compute_unique_block_coordinates(images[0], *view, *units)
        for first in range(0, len(blocks), _AT_ONCE):
            self._grid.integrate(blocks[first : first + _AT_ONCE], *images, *view, *units)

    def surface(self, least_weight: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return P×3 points of the surface, metres, and their colours, 0 to 255, where voxels weigh more than this."""
        slot, key = self._blocks()
        if not len(slot):
            return np.empty((0, 3), np.float32), np.empty((0, 3), np.float32)
        tsdf, weight = (self._values(name)[..., 0] for name in ("tsdf", "weight"))
        points, colors = zero_crossings(key, slot, tsdf, weight, self._values("color"), least_weight)
        return points * np.float32(self._voxel_size), colors

    def _blocks(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the slots of the blocks in use, and where they stand, B×3 in blocks."""
        table = self._grid.hashmap()
        slot = table.active_buf_indices().numpy()
        return slot, table.key_tensor().numpy()[slot]

    def _values(self, name: str) -> NDArray[np.float32]:
        """Return an attribute of all slots, S×8×8×8×channels, not a copy."""
        return np.asarray(self._grid.attribute(name).numpy())
