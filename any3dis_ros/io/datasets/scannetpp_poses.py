"""Poses and intrinsics of a ScanNet++ iPhone: ARKit's, brought into the scan's frame, or COLMAP's.

ARKit: `pose_intrinsic_imu.json` has for each ``frame_%06d`` its `timestamp` (seconds), `aligned_pose` (4×4, camera to
scan, optical axes) and `intrinsic` (3×3, of colour). COLMAP: `cameras.txt` and `images.txt`, scan to camera, for the
frames that it registered; its pixel centres are at +1/2, ours at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.datasets.views import PERIOD_NS, read_json
from any3dis_ros.io.rosbag.calibration import Lens, lens_from_intrinsics, with_distortion
from any3dis_ros.io.transforms import matrix
from any3dis_ros.scene.frames import Camera, invert

ARKIT, COLMAP = "pose_intrinsic_imu.json", ("cameras.txt", "images.txt")

# COLMAP's models: how many focal lengths, and which distortion the rest of the parameters is
_MODELS = {"SIMPLE_PINHOLE": (1, ""), "PINHOLE": (2, ""), "OPENCV": (2, "plumb_bob"), "OPENCV_FISHEYE": (2, "fisheye")}


@dataclass(frozen=True)
class PhonePose:
    """What is known of a frame before its images are decoded.

    Attributes:
        stamp_ns: time, nanoseconds.
        T_scan_camera: 16 numbers, yet unchecked; None where there are none.
        lens: gives the lens of its images of so many columns and rows, colour or depth, which share the view.
    """

    stamp_ns: int
    T_scan_camera: ArrayLike | None
    lens: Callable[[int, int, int, int], tuple[Lens, Lens]]


def from_arkit(path: Path) -> dict[int, PhonePose]:
    """Read `pose_intrinsic_imu.json`, by number in rising order.

    Raises:
        InputError: the file is missing, damaged, or of another form.
    """
    data = read_json(path)
    try:
        records = {int(name.removeprefix("frame_")): dict(record) for name, record in data.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not hold records named frame_<number> ({error})") from error
    return {number: _arkit(number, record) for number, record in sorted(records.items())}


def from_colmap(folder: Path) -> dict[int, PhonePose]:
    """Read a COLMAP model in text form, by the numbers in the names of its images in rising order.

    Raises:
        InputError: a file is missing or of another form, or a camera's model is not supported.
    """
    try:
        cameras, images = ((folder / name).read_text(encoding="utf-8").splitlines() for name in COLMAP)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the COLMAP model {folder}: {error}") from error
    try:
        lenses = {words[0]: _colmap_lens(words, folder) for words in _rows(cameras) if words}
        poses = {}
        for words in filter(None, _rows(images)[::2]):  # every second line has an image's points, and may be empty
            values = np.array(words[1:8], np.float64)
            number = int(Path(words[9]).stem.rpartition("_")[2])
            poses[number] = PhonePose(number * PERIOD_NS, _inverse(values), lenses[words[8]])
    except (KeyError, IndexError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder} is no COLMAP model of images frame_<number> ({error!r})") from error
    return dict(sorted(poses.items()))


def _arkit(number: int, record: dict[str, Any]) -> PhonePose:
    stamp = record.get("timestamp")
    seconds = float(stamp) if isinstance(stamp, (int, float)) and math.isfinite(stamp) else None
    intrinsic = record.get("intrinsic")

    def lens(width: int, height: int, depth_width: int, depth_height: int) -> tuple[Lens, Lens]:
        try:
            camera = Camera(width, height, np.array(intrinsic, np.float64))
        except (InputError, TypeError, ValueError) as error:
            raise DamagedImageError(f"intrinsic {intrinsic!r} is of no use ({error})") from None
        return Lens(camera), Lens(camera.resized(depth_width, depth_height))

    return PhonePose(number * PERIOD_NS if seconds is None else round(seconds * 1e9), record.get("aligned_pose"), lens)


def _rows(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines if not line.startswith("#")]


def _colmap_lens(words: list[str], folder: Path) -> Callable[[int, int, int, int], tuple[Lens, Lens]]:
    model, width, height = words[1], int(words[2]), int(words[3])
    if model not in _MODELS:
        raise InputError(f"{folder}: the camera model {model} is not supported; expected one of {', '.join(_MODELS)}")
    focal, distortion = _MODELS[model]
    numbers = [float(word) for word in words[4:]]
    fx, fy, (cx, cy) = numbers[0], numbers[focal - 1], numbers[focal : focal + 2]
    camera = lens_from_intrinsics((fx, fy, cx - 0.5, cy - 0.5), width, height).camera
    D = np.array(numbers[focal + 2 :])

    @cache  # the maps of a lens take longer than an image
    def lens(image_width: int, image_height: int, depth_width: int, depth_height: int) -> tuple[Lens, Lens]:
        sizes = (image_width, image_height), (depth_width, depth_height)
        color, depth = (with_distortion(camera.resized(*size), D, distortion, str(folder)) for size in sizes)
        return color, depth

    return lens


def _inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``T_scan_camera`` of COLMAP's qw qx qy qz tx ty tz, scan to camera."""
    qw, qx, qy, qz, *translation = values.tolist()
    q = np.array([qx, qy, qz, qw])
    return invert(matrix(np.concatenate([translation, q / np.linalg.norm(q)])))
