"""TUM RGB-D sequences (Sturm et al. 2012): stamped images of a Kinect with poses by motion capture.

`rgb.txt` and `depth.txt` list ``stamp file`` (seconds), `groundtruth.txt` ``stamp x y z qx qy qz qw`` of the colour
camera (optical axes). Depth is uint16, 5000 units a metre, registered to colour pixel by pixel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import InputConfig, KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.datasets.views import Images, View, collector_of, depth_in_millimetres, read_views
from any3dis_ros.io.recording import ReadOptions, Recording
from any3dis_ros.io.rosbag.calibration import Lens, lens_from_intrinsics, with_distortion
from any3dis_ros.io.rosbag.synchronise import pair
from any3dis_ros.io.scannet import read_color, read_depth
from any3dis_ros.io.transforms import TransformError, TransformTree
from any3dis_ros.progress import Progress

UNITS_PER_METRE = 5000.0
WIDTH, HEIGHT = 640, 480

# fx fy cx cy and k1 k2 p1 p2 k3 of the three Kinects' colour cameras, as the benchmark publishes them
_CALIBRATED = {
    1: ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    2: ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    3: ((535.4, 539.2, 320.1, 247.6), (0.0, 0.0, 0.0, 0.0, 0.0)),
}


def read_tum(path: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the keyframes of one sequence; poses are interpolated at the colour stamps, never extrapolated.

    The camera is that of the freiburg number in the folder's name, distortion taken out of colour and depth alike, or
    the pinhole of `options.intrinsics`.

    Raises:
        InputError: a list is missing or unreadable, no camera is known, no images belong together, or none is usable.
    """
    lens = _lens(path, options)
    color_ns, colors = _listed(path, "rgb.txt")
    depth_ns, depths = _listed(path, "depth.txt")
    pairs = pair(color_ns, depth_ns, round(options.input.sync_max_interval_s * 1e9))
    if not len(pairs):
        raise InputError(
            f"{path}: none of {len(colors)} colour and {len(depths)} depth images are within "
            f"{options.input.sync_max_interval_s:g} s of each other (input.sync_max_interval_s)"
        )
    tree = _trajectory(path / "groundtruth.txt", options.input)
    collector = collector_of(path, options, config)

    def decoder(color: Path, depth: Path) -> Callable[[], Images]:
        def decode() -> Images:
            image, values = read_color(color), depth_in_millimetres(read_depth(depth), UNITS_PER_METRE)
            expected = (lens.camera.height, lens.camera.width)
            if image.shape[:2] != expected or values.shape != expected:
                raise DamagedImageError(f"images of {image.shape[:2]} and {values.shape} pixels, expected {expected}")
            return Images(lens.color(image), lens.camera, lens.depth(values), lens.camera)

        return decode

    views = []
    for i, j in pairs.tolist():
        try:
            T = tree.lookup("world", "camera", int(color_ns[i]))
        except TransformError as error:
            collector.leave_out(f"no pose: {error.reason}", str(error))
            continue
        views.append(View(f"{color_ns[i] / 1e9:.3f}", int(color_ns[i]), T, decoder(colors[i], depths[j])))
    return read_views(views, collector, options, progress, f"the TUM RGB-D sequence {path}")


def _lens(path: Path, options: ReadOptions) -> Lens:
    if options.intrinsics is not None:
        return lens_from_intrinsics(options.intrinsics, WIDTH, HEIGHT)
    found = re.search(r"freiburg([123])(?!\d)", path.resolve().name)
    if found is None:
        raise InputError(
            f"the name {path.resolve().name} holds no freiburg1, freiburg2 or freiburg3, by which the camera is known; "
            "give fx fy cx cy (--intrinsics)"
        )
    intrinsics, distortion = _CALIBRATED[int(found[1])]
    camera = lens_from_intrinsics(intrinsics, WIDTH, HEIGHT).camera
    return with_distortion(camera, np.array(distortion), "plumb_bob", str(path))


def read_table(path: Path, columns: int) -> list[list[str]]:
    """Return the rows of a list, `columns` words each or more; lines that start with # are comments.

    Raises:
        InputError: the file is missing, unreadable, empty, or a row is too short.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    rows = [(n, line.split()) for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    if not rows:
        raise InputError(f"{path} lists nothing")
    for number, row in rows:
        if len(row) < columns:
            raise InputError(f"{path}, line {number}: {len(row)} words, expected {columns}")
    return [row for _, row in rows]


def nanoseconds(seconds: str) -> int:
    """Return a stamp of decimal seconds exactly, as a float of today's seconds cannot hold it.

    Raises:
        ValueError: no decimal number.
    """
    found = re.fullmatch(r"(\d+)(?:\.(\d*))?", seconds)
    if found is None:
        raise ValueError(f"'{seconds}' is no stamp in seconds")
    return int(found[1]) * 1_000_000_000 + int((found[2] or "")[:9].ljust(9, "0"))


def _listed(path: Path, name: str) -> tuple[NDArray[np.int64], list[Path]]:
    rows = read_table(path / name, 2)
    try:
        stamps = np.array([nanoseconds(row[0]) for row in rows], np.int64)
    except ValueError as error:
        raise InputError(f"{path / name}: {error}") from None
    return stamps, [path / row[1] for row in rows]


def _trajectory(path: Path, config: InputConfig) -> TransformTree:
    tree = TransformTree(round(config.tf_max_gap_s * 1e9))
    good = False
    for row in read_table(path, 8):
        try:
            stamp, values = nanoseconds(row[0]), [float(word) for word in row[1:8]]
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None
        x, y, z, qx, qy, qz, qw = values
        good |= tree.add("world", "camera", stamp, (x, y, z), (qx, qy, qz, qw))
    if not good:
        raise InputError(f"{path} holds no pose: expected stamp x y z qx qy qz qw, the last four a unit quaternion")
    return tree
