"""Folders in ScanNet's exported layout.

``color/<n>.jpg|png``, ``depth/<n>.png`` (uint16 millimetres), ``pose/<n>.txt`` (4×4 camera to world),
``intrinsic/intrinsic_{color,depth}.txt`` (4×4 or 3×3). Colour is brought onto the grid of the depth image, whose
intrinsics are used.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError, check_complete
from any3dis_ros.io.poses import PoseError, read_pose
from any3dis_ros.io.recording import Collector, ReadOptions, Recording
from any3dis_ros.io.registration import on_grid, reduced
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera, Frame

FOLDERS = ("color", "depth", "pose", "intrinsic")
"""Of the layout; any of them tells it."""

_COLOR_SUFFIXES = (".jpg", ".jpeg", ".png")
_RATIO_TOLERANCE = 0.03  # of width to height; ScanNet's own pair differs by 0.4 %
_PERIOD_NS = 33_333_333  # frames are numbered at 30 Hz and carry no stamps


def read_folder(path: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the keyframes of an exported folder in the order of their numbers.

    Raises:
        InputError: a part of the layout is missing or misshapen, or no frame is usable.
    """
    colors, depths = _numbered(path, "color", _COLOR_SUFFIXES), _numbered(path, "depth", (".png",))
    poses = _numbered(path, "pose", (".txt",))
    collector = Collector(str(path), config, config.folder_stride if options.stride is None else options.stride)
    common = sorted(colors.keys() & depths.keys())
    if alone := len(colors.keys() ^ depths.keys()):
        some = min(colors.keys() ^ depths.keys())
        collector.leave_out("colour or depth image missing", f"frame {(colors | depths)[some].stem}", alone)

    camera: Camera | None = None
    ratio = 0.0
    for done, key in enumerate(common):
        progress("read", done, len(common))
        if not collector.wants_next():
            continue
        name = colors[key].stem
        try:
            T_map_camera = read_pose(poses.get(key))
        except PoseError as error:
            collector.leave_out(error.reason, f"frame {name}{error.detail}")
            continue
        try:
            color, depth = read_color(colors[key]), read_depth(depths[key])
        except DamagedImageError as error:
            collector.leave_out("damaged image", str(error))
            continue
        if camera is None:
            camera, ratio = _camera(path, color.shape[:2], depth.shape, options), color.shape[1] / color.shape[0]
        if depth.shape != (camera.height, camera.width):
            sizes = f"{depth.shape[1]}×{depth.shape[0]}, others {camera.width}×{camera.height}"
            collector.leave_out("depth of another size", f"{depths[key].name}: {sizes}")
            continue
        if abs(color.shape[1] / color.shape[0] / ratio - 1) > _RATIO_TOLERANCE:
            example = f"{colors[key].name}: {color.shape[1]}×{color.shape[0]} pixels"
            collector.leave_out("colour of another shape", example)
            continue
        kept = reduced(camera, options.input.max_width_px)
        if color.shape[:2] != (kept.height, kept.width):
            size = (kept.width, kept.height)
            color = np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA), np.uint8)
        depth = on_grid(depth, camera, kept, np.eye(4))
        collector.add(Frame(key[0] * _PERIOD_NS, color, depth, kept, T_map_camera, name))
    progress("read", len(common), len(common))
    return collector.finish(f"{len(common)} frames in the folder {path}")


def read_color(path: Path) -> NDArray[np.uint8]:
    """Read H×W×3 uint8 RGB; grey, 16-bit and transparent images are converted.

    Raises:
        DamagedImageError: the file is missing, cut short or no image.
    """
    return np.asarray(cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_depth(path: Path) -> NDArray[np.uint16]:
    """Read H×W uint16 millimetres, 0 = invalid.

    Raises:
        DamagedImageError: the file is missing, cut short or no image.
        InputError: an image that is not of one 16-bit channel.
    """
    image = _decode(path, cv2.IMREAD_UNCHANGED)
    if image.dtype != np.uint16 or image.ndim != 2:
        raise InputError(f"{path} holds {image.dtype} {image.shape}; expected one 16-bit channel, millimetres")
    return np.asarray(image, np.uint16)


def _camera(path: Path, color_shape: tuple[int, ...], depth_shape: tuple[int, ...], options: ReadOptions) -> Camera:
    """Return the camera of the depth grid, after checks that sizes and intrinsics belong together."""
    height, width = depth_shape
    ratio = (color_shape[1] / color_shape[0]) / (width / height)
    if abs(ratio - 1) > _RATIO_TOLERANCE:
        raise InputError(
            f"colour is {color_shape[1]}×{color_shape[0]} and depth {width}×{height} pixels in {path}; "
            "expected the same field of view (register depth to colour before exporting)"
        )
    if options.intrinsics is not None:
        fx, fy, cx, cy = options.intrinsics
        camera = Camera(width, height, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))
    elif (depth_file := path / "intrinsic" / "intrinsic_depth.txt").is_file():
        camera = _read_camera(depth_file, width, height)
    elif (color_file := path / "intrinsic" / "intrinsic_color.txt").is_file():
        camera = _read_camera(color_file, color_shape[1], color_shape[0]).resized(width, height)
    else:
        raise InputError(f"{path} lacks intrinsic/intrinsic_depth.txt; add it (4×4) or give fx fy cx cy (--intrinsics)")
    cx, cy = camera.K[0, 2], camera.K[1, 2]
    if not (0 < cx < width and 0 < cy < height):
        raise InputError(
            f"the principal point {cx:g}, {cy:g} lies outside the depth image of {width}×{height} pixels in {path}; "
            "the intrinsics belong to another image size"
        )
    return camera


def _read_camera(path: Path, width: int, height: int) -> Camera:
    try:
        values = np.array(path.read_text().split(), np.float64)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the intrinsics {path}: {error}") from error
    if values.size not in (9, 16):
        raise InputError(f"{path} holds {values.size} numbers; expected a 3×3 or 4×4 matrix")
    try:
        return Camera(width, height, values.reshape((3, 3) if values.size == 9 else (4, 4)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _numbered(path: Path, folder: str, suffixes: tuple[str, ...]) -> dict[tuple[int, str], Path]:
    """Return the folder's files by number, then by the rest of the name: `10.jpg` after `9.jpg`.

    `frame-000010.color.png`, `frame-000010.depth.png` and `frame-000010.pose.txt` belong together.
    """
    if not (path / folder).is_dir():
        raise InputError(f"{path} has no folder '{folder}'; expected color, depth, pose and intrinsic")
    files = sorted(f for f in (path / folder).iterdir() if f.suffix.lower() in suffixes)
    if not files:
        others = sorted({f.suffix for f in (path / folder).iterdir()})
        found = f"files of kind {', '.join(others)}" if others else "none"
        raise InputError(
            f"{path / folder} holds no file that can be read: expected {' or '.join(suffixes)}, got {found}"
        )
    return {_key(f.stem): f for f in files}


def _key(stem: str) -> tuple[int, str]:
    stem = re.sub(r"\.(color|depth|pose)$", "", stem)
    digits = re.findall(r"\d+", stem)
    return (int(digits[-1]) if digits else 0, "" if stem.isdigit() else stem)


def _decode(path: Path, flags: int) -> MatLike:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedImageError(f"{path.name}: {error.strerror}") from error
    try:
        check_complete(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (DamagedImageError, cv2.error) as error:
        raise DamagedImageError(f"{path.parent.name}/{path.name}: {error}") from error
    if image is None:
        raise DamagedImageError(f"{path.parent.name}/{path.name} cannot be decoded")
    return image
