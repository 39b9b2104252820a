"""From the views of a data set to keyframes: what is left out is not decoded, depth comes onto the grid of colour."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.poses import PoseError, checked_pose
from any3dis_ros.io.recording import Collector, ReadOptions, Recording
from any3dis_ros.io.registration import on_grid, reduced
from any3dis_ros.io.rosbag.messages import to_millimetres
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera, Frame

PERIOD_NS = 33_333_333
"""Frames that are numbered and carry no stamps are taken for 30 Hz."""

_LEAST_WIDTH_PX = 640  # colour is not reduced below this for a coarser depth image (phones: 256 pixels)


@dataclass(frozen=True)
class Images:
    """The decoded images of one view.

    Attributes:
        color: H×W×3 uint8, RGB, without distortion.
        color_camera: its intrinsics.
        depth: h×w uint16, millimetres, 0 = invalid.
        depth_camera: its intrinsics.
        T_color_depth: 4×4, depth camera to colour camera, metres; None = one and the same centre and orientation.
    """

    color: NDArray[np.uint8]
    color_camera: Camera
    depth: NDArray[np.uint16]
    depth_camera: Camera
    T_color_depth: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class View:
    """One view before its images are decoded.

    Attributes:
        name: what the data set calls it.
        stamp_ns: time of the colour image, nanoseconds.
        T_map_camera: 16 numbers of the colour camera's pose (optical axes), None where there is none; yet unchecked.
        decode: gives the images; raises DamagedImageError where they cannot be used.
    """

    name: str
    stamp_ns: int
    T_map_camera: ArrayLike | None
    decode: Callable[[], Images]


def read_views(
    views: Sequence[View], collector: Collector, options: ReadOptions, progress: Progress, description: str
) -> Recording:
    """Decode those views that the stride chooses, and return the keyframes.

    The grid is that of colour, reduced to the width of depth, or to 640 pixels where depth is coarser; never more
    than `input.max_width_px`.

    Raises:
        InputError: no view is usable.
    """
    for done, view in enumerate(views):
        progress("read", done, len(views))
        if not collector.wants_next():
            continue
        try:
            T_map_camera = checked_pose(view.T_map_camera, view.name)
            images = view.decode()
        except PoseError as error:
            collector.leave_out(error.reason, f"frame {view.name}{error.detail}")
            continue
        except DamagedImageError as error:
            collector.leave_out("damaged image", f"frame {view.name}: {error}")
            continue
        collector.add(_frame(view, images, T_map_camera, options))
    progress("read", len(views), len(views))
    return collector.finish(f"{len(views)} frames of {description}")


def collector_of(path: Path, options: ReadOptions, config: KeyframeConfig, numbers: Sequence[int] = ()) -> Collector:
    """Return the collector of a data set at the rate of its camera, whose stride is that of bags.

    Where the `numbers` of the frames say that they are thinned already, the stride is so much smaller.
    """
    stride = config.stride if options.stride is None else options.stride
    if options.stride is None and len(numbers) > 1:
        stride = max(1, round(config.stride / max(float(np.median(np.diff(numbers))), 1.0)))
    return Collector(str(path), config, stride)


def depth_in_millimetres(values: NDArray[np.uint16], per_metre: float) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres of depth in units of 1 / `per_metre` metres; 0 stays invalid."""
    if per_metre == 1000:
        return values
    return to_millimetres((values / np.float32(per_metre)).astype(np.float32))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError
        raise InputError(f"{path} is no JSON, or is cut off ({error})") from error


def _frame(view: View, images: Images, T_map_camera: NDArray[np.float64], options: ReadOptions) -> Frame:
    color_camera, depth_camera = images.color_camera, images.depth_camera
    width = min(options.input.max_width_px, max(depth_camera.width, _LEAST_WIDTH_PX))
    kept = reduced(color_camera, width)
    color = images.color
    if kept is not color_camera:
        color = np.asarray(cv2.resize(color, (kept.width, kept.height), interpolation=cv2.INTER_AREA), np.uint8)
    T_color_depth = np.eye(4) if images.T_color_depth is None else images.T_color_depth
    depth = on_grid(images.depth, depth_camera, kept, T_color_depth)
    return Frame(view.stamp_ns, color, depth, kept, T_map_camera, view.name)
