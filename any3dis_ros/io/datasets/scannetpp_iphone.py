"""ScanNet++ scenes as an iPhone saw them: colour and LiDAR depth of the same view, poses of ARKit in the scan's frame.

`iphone/pose_intrinsic_imu.json` has for each ``frame_%06d`` its `timestamp` (seconds), `aligned_pose` (4×4, camera to
scan, optical axes) and `intrinsic` (3×3, of colour). Colour is `iphone/rgb/frame_%06d.jpg` where the frames were
extracted, else `iphone/rgb.mkv`; depth `iphone/depth/frame_%06d.png` (uint16 millimetres), else `iphone/depth.bin`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.datasets.lidar_depth import LidarDepth
from any3dis_ros.io.datasets.video import Video
from any3dis_ros.io.datasets.views import PERIOD_NS, Images, View, collector_of, read_json, read_views
from any3dis_ros.io.recording import Collector, ReadOptions, Recording
from any3dis_ros.io.scannet import read_color, read_depth
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera

POSES = "pose_intrinsic_imu.json"


def read_iphone(folder: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the keyframes of a scene's `iphone` folder.

    Raises:
        InputError: a part of the layout is missing or of another form, or no frame is usable.
    """
    records = _records(folder / POSES)
    with ExitStack() as stack:
        colors, color_of = _colors(folder, stack)
        depths, depth_of = _depths(folder, stack)
        wanted = [n for n in records if (colors is None or n in colors) and (depths is None or n in depths)]
        if not wanted:
            raise InputError(
                f"{folder}: no frame of {POSES} ({len(records)}) has both colour and depth; extract rgb and depth anew"
            )
        collector = collector_of(folder, options, config, wanted)
        _count_alone(collector, records, colors, depths)
        views = [_view(n, records[n], color_of, depth_of) for n in wanted]
        return read_views(views, collector, options, progress, f"the iPhone in {folder}")


def _records(path: Path) -> dict[int, dict[str, Any]]:
    """Return what is known of each frame by its number, in rising order."""
    data = read_json(path)
    try:
        records = {int(name.removeprefix("frame_")): dict(record) for name, record in data.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not hold records named frame_<number> ({error})") from error
    return dict(sorted(records.items()))


def _colors(folder: Path, stack: ExitStack) -> tuple[set[int] | None, Callable[[int], NDArray[np.uint8]]]:
    """Return which frames have colour (None = unknown, a video) and what reads one."""
    files = {n: f for suffix in ("jpg", "png") for n, f in _numbered(folder / "rgb", suffix).items()}
    if files:
        return set(files), lambda n: read_color(files[n])
    if not (folder / "rgb.mkv").is_file():
        raise InputError(f"{folder} has neither rgb/frame_<number>.jpg nor rgb.mkv")
    return None, stack.enter_context(closing(Video(folder / "rgb.mkv"))).frame


def _depths(folder: Path, stack: ExitStack) -> tuple[set[int] | None, Callable[[int], NDArray[np.uint16]]]:
    """Return which frames have depth (None = unknown, one stream) and what reads one."""
    files = _numbered(folder / "depth", "png")
    if files:
        return set(files), lambda n: read_depth(files[n])
    if not (folder / "depth.bin").is_file():
        raise InputError(f"{folder} has neither depth/frame_<number>.png nor depth.bin")
    stream = stack.enter_context(closing(LidarDepth(folder / "depth.bin")))
    return set(range(len(stream))) or None, stream.frame


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    names = {f: f.stem.removeprefix("frame_") for f in folder.glob(f"frame_*.{suffix}")}
    return {int(number): f for f, number in names.items() if number.isdecimal()}


def _count_alone(
    collector: Collector, records: dict[int, dict[str, Any]], colors: set[int] | None, depths: set[int] | None
) -> None:
    """Count images without a pose, and frames with one image of the two; frames nobody extracted are no loss."""
    both = colors if depths is None else depths if colors is None else colors & depths
    if both is None:
        return
    if without := both - records.keys():
        collector.leave_out("pose missing", f"frame {min(without):06d}", len(without))
    if colors is not None and depths is not None and (alone := colors - depths):
        collector.leave_out("depth image missing", f"frame {min(alone):06d}", len(alone))


@dataclass(frozen=True)
class _Decoder:
    number: int
    intrinsic: Any
    color_of: Callable[[int], NDArray[np.uint8]]
    depth_of: Callable[[int], NDArray[np.uint16]]

    def __call__(self) -> Images:
        color, depth = self.color_of(self.number), self.depth_of(self.number)
        try:
            camera = Camera(color.shape[1], color.shape[0], np.array(self.intrinsic, np.float64))
        except (InputError, TypeError, ValueError) as error:
            raise DamagedImageError(f"intrinsic {self.intrinsic!r} is of no use ({error})") from None
        return Images(color, camera, depth, camera.resized(depth.shape[1], depth.shape[0]))


def _view(
    number: int,
    record: dict[str, Any],
    color_of: Callable[[int], NDArray[np.uint8]],
    depth_of: Callable[[int], NDArray[np.uint16]],
) -> View:
    stamp = record.get("timestamp")
    stamp_ns = round(stamp * 1e9) if isinstance(stamp, (int, float)) else number * PERIOD_NS
    decoder = _Decoder(number, record.get("intrinsic"), color_of, depth_of)
    return View(f"{number:06d}", stamp_ns, record.get("aligned_pose"), decoder)
