"""The exact visible surface of a run: back-projected points of all its views, one a voxel, with their instance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms.rendering import View

VOXEL_M = 0.02
_BITS, _BIAS = 12, 2048  # voxel indices of ±2048 along every axis, packed with the instance into one integer


@dataclass(frozen=True)
class GroundTruth:
    """N points, one a voxel: `xyz` N×3 float32 metres (map), `rgb` N×3 uint8, `instance` N int32, `thing` N bool."""

    xyz: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    instance: NDArray[np.int32]
    thing: NDArray[np.bool_]


class SurfaceAccumulator:
    """Sums points by voxel and instance, so that its memory is bounded by the surface, not by the number of views."""

    def __init__(self, voxel_m: float = VOXEL_M) -> None:
        self._voxel = voxel_m
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty((0, 7))  # x, y, z, r, g, b, count

    def add(self, view: View, camera: Camera, T_room_camera: NDArray[np.float64], range_m: tuple[float, float]) -> None:
        """Add what `view` sees within the sensor's range."""
        v, u = np.nonzero((view.depth > range_m[0]) & (view.depth < range_m[1]) & (view.instance > 0))
        z = view.depth[v, u].astype(np.float64)
        K = camera.K
        p = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], axis=1)
        p = p @ T_room_camera[:3, :3].T + T_room_camera[:3, 3]
        # Voxels are centred on multiples of their size: a floor at z = 0 must not fall on the face between two.
        cell = np.rint(p / self._voxel).astype(np.int64) + _BIAS
        key = ((cell[:, 0] << _BITS | cell[:, 1]) << _BITS | cell[:, 2]) << _BITS | view.instance[v, u]
        values = np.column_stack([p, view.color[v, u], np.ones(len(p))])
        keys, inverse = np.unique(np.concatenate([self._keys, key]), return_inverse=True)
        values = np.concatenate([self._sums, values])
        self._sums = np.stack([np.bincount(inverse, values[:, k], len(keys)) for k in range(7)], axis=1)
        self._keys = keys

    def result(self, first_thing: int) -> GroundTruth:
        """Return a point a voxel, the mean of its most frequent instance; ids from `first_thing` are things."""
        voxel = self._keys >> _BITS
        order = np.lexsort((-self._sums[:, 6], voxel))
        winner = order[np.r_[True, np.diff(voxel[order]) != 0]] if len(order) else order
        sums = self._sums[winner]
        mean = sums[:, :6] / sums[:, 6:]
        # A quarter of a millimetre is far below any use of the points, and the shorter mantissas compress.
        xyz = (np.rint(mean[:, :3] * 4096) / 4096).astype(np.float32)
        instance = (self._keys[winner] & ((1 << _BITS) - 1)).astype(np.int32)
        rgb = np.clip(np.rint(mean[:, 3:] * 255), 0, 255).astype(np.uint8)
        return GroundTruth(xyz, rgb, instance, instance >= first_thing)
