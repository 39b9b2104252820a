"""A run as a folder in ScanNet's exported layout, with ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms.capture import Shot
from benchmarks.rooms.ground_truth import VOXEL_M, GroundTruth, SurfaceAccumulator
from benchmarks.rooms.room import FIRST_THING
from benchmarks.rooms.sensor import SensorModel


def write_scene(
    folder: Path,
    camera: Camera,
    shots: Iterable[Shot],
    model: SensorModel | None = None,
    voxel_m: float = VOXEL_M,
    given: NDArray[np.float64] | None = None,
) -> GroundTruth:
    """Write color/ (jpg), depth/ (png, mm), pose/, intrinsic/, instance/ (png), scene_gt.npz; frames are numbered.

    Args:
        folder: destination.
        camera: intrinsics of all shots.
        shots: the frames.
        model: the sensor, for its range.
        voxel_m: distance of the ground truth's points.
        given: K×4×4, written as the poses of the frames instead of the true ones, which then go to pose_true/.
    """
    for name in ("color", "depth", "pose", "intrinsic", "instance"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if given is not None:
        (folder / "pose_true").mkdir(exist_ok=True)
    surface = SurfaceAccumulator(voxel_m)
    K = np.eye(4)
    K[:3, :3] = camera.K
    for name in ("color", "depth"):
        np.savetxt(folder / "intrinsic" / f"intrinsic_{name}.txt", K, fmt="%.6f")
    for n, shot in enumerate(shots):
        bgr = cv2.cvtColor(shot.color, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / "color" / f"{n}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
        cv2.imwrite(str(folder / "depth" / f"{n}.png"), shot.depth)
        cv2.imwrite(str(folder / "instance" / f"{n}.png"), shot.view.instance.astype(np.uint16))
        np.savetxt(folder / "pose" / f"{n}.txt", shot.T_room_camera if given is None else given[n], fmt="%.8f")
        if given is not None:
            np.savetxt(folder / "pose_true" / f"{n}.txt", shot.T_room_camera, fmt="%.8f")
        surface.add(shot.view, camera, shot.T_room_camera, (model or SensorModel()).range_m)
    truth = surface.result(FIRST_THING)
    save_truth(folder / "scene_gt.npz", truth)
    return truth


def save_truth(path: Path, truth: GroundTruth) -> None:
    """Write `xyz`, `rgb`, `instance` and `thing` as one compressed NPZ."""
    np.savez_compressed(path, xyz=truth.xyz, rgb=truth.rgb, instance=truth.instance, thing=truth.thing)
