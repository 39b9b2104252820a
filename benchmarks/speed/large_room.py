"""A furnished room at full size: up to 300 VGA keyframes with exact depth, and its surface at any spacing.

Geometry is that of `benchmarks.rooms`, ray-cast without light: each thing has one colour, and depth is exact but for
its millimetres. A map of about N points holds, in the order of the voxels, the first point that any keyframe saw in
each: fusing 300 keyframes would take a minute for every map.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import MapCloud
from benchmarks.rooms.capture import RATE_HZ, pinhole, prepare

SEED = 1
STRIDE = 10  # frames of the 30 Hz path from one keyframe to the next
WIDTH, HEIGHT = 640, 480
VOXELS_M = {250_000: 0.0150, 500_000: 0.0106, 1_000_000: 0.0075}  # spacing that gives about so many points


@dataclass(frozen=True)
class LargeRoom:
    """Where a rendered room lies: arrays that each run loads for itself."""

    folder: Path

    @classmethod
    def render(cls, folder: Path, keyframes: int, sizes: list[int]) -> LargeRoom:
        """Ray-cast the keyframes and sample the maps of these sizes, unless they are there."""
        if (folder / "poses.npy").is_file():
            return cls(folder)
        folder.mkdir(parents=True, exist_ok=True)
        run, camera = prepare(SEED, keyframes * STRIDE), pinhole(WIDTH, HEIGHT)
        poses = np.stack([run.path.pose(k * STRIDE / RATE_HZ) for k in range(keyframes)])
        depth = np.empty((keyframes, HEIGHT, WIDTH), np.uint16)
        instance = np.empty((keyframes, HEIGHT, WIDTH), np.uint8)
        surfaces = {size: SurfaceSampler(VOXELS_M[size], np.array(run.room.size)) for size in sizes}
        for k, T in enumerate(poses):
            metres, instance[k] = run.renderer.geometry(camera, T)
            depth[k] = np.round(metres * 1000)
            for surface in surfaces.values():
                surface.add(metres, camera, T)
        for size, surface in surfaces.items():
            np.save(folder / f"points_{size}.npy", surface.points())
        np.save(folder / "depth.npy", depth)
        np.save(folder / "instance.npy", instance)
        np.save(folder / "poses.npy", poses)
        return cls(folder)

    def frames(self, count: int) -> list[Frame]:
        """Return `count` keyframes spread evenly over the path."""
        poses = np.load(self.folder / "poses.npy")
        depth, instance = (np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in ("depth", "instance"))
        camera = pinhole(WIDTH, HEIGHT)
        color = np.random.default_rng(SEED).integers(40, 240, (256, 3)).astype(np.uint8)
        chosen = np.linspace(0, len(poses) - 1, count).round().astype(int)
        return [Frame(k, color[instance[k]], np.array(depth[k]), camera, poses[k], str(k)) for k in chosen.tolist()]

    def cloud(self, size: int) -> MapCloud:
        """Return the map of about `size` points."""
        points = np.load(self.folder / f"points_{size}.npy")
        return MapCloud(points, np.full(points.shape, 128, np.uint8))


class SurfaceSampler:
    """Keeps the first point seen in each voxel of a box from the origin to `size` (metres) and 0.1 m around."""

    def __init__(self, voxel: float, size: NDArray[np.float64]) -> None:
        self._voxel = voxel
        self._shape = np.ceil((size + 0.2) / voxel).astype(np.int64)
        self._taken = np.zeros(int(self._shape.prod()), bool)
        self._points: list[NDArray[np.float32]] = []
        self._cells: list[NDArray[np.int64]] = []

    def add(self, depth: NDArray[np.float32], camera: Camera, T_room_camera: NDArray[np.float64]) -> None:
        """Add what a view sees; `depth` H×W metres, 0 = nothing."""
        v, u = np.nonzero(depth)
        z, K = depth[v, u], camera.K
        p = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], 1)
        p = p @ T_room_camera[:3, :3].T + T_room_camera[:3, 3]
        cell = np.floor((p + 0.1) / self._voxel).astype(np.int64)
        inside = ((cell >= 0) & (cell < self._shape)).all(1)
        key = (cell[:, 0] * self._shape[1] + cell[:, 1]) * self._shape[2] + cell[:, 2]
        fresh = np.flatnonzero(inside)
        fresh = fresh[~self._taken[key[fresh]]]
        cells, first = np.unique(key[fresh], return_index=True)
        self._taken[cells] = True
        self._cells.append(cells)
        self._points.append(p[fresh[first]].astype(np.float32))

    def points(self) -> NDArray[np.float32]:
        """Return what was kept, N×3 metres, in the order of the voxels."""
        return np.concatenate(self._points)[np.argsort(np.concatenate(self._cells))]
