"""ScanNet++ scenes as an iPhone saw them: colour and LiDAR depth of the same view.

Colour is `iphone/rgb/frame_%06d.jpg` where the frames were extracted, else `iphone/rgb.mkv`; depth
`iphone/depth/frame_%06d.png` (uint16 millimetres), else `iphone/depth.bin`. Poses are ARKit's, or COLMAP's where
`iphone/colmap` is asked for or ARKit's are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.lidar_depth import LidarDepth
from any3dis_ros.io.datasets.scannetpp_poses import ARKIT, COLMAP, PhonePose, from_arkit, from_colmap
from any3dis_ros.io.datasets.video import Video
from any3dis_ros.io.datasets.views import Images, View, collector_of, read_views
from any3dis_ros.io.recording import Collector, ReadOptions, Recording
from any3dis_ros.io.scannet import read_color, read_depth
from any3dis_ros.progress import Progress


def pose_source(path: Path) -> Path | None:
    """Return ARKit's file or COLMAP's folder that a scene, its `iphone` or its `iphone/colmap` stands for, or None."""
    for folder in (path / "iphone", path):
        if (folder / ARKIT).is_file():
            return folder / ARKIT
    folders = (path / "iphone" / "colmap", path / "colmap", path)
    return next((f for f in folders if f.resolve().parent.name == "iphone" and (f / COLMAP[1]).is_file()), None)


def read_iphone(source: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the keyframes of an iPhone, with the poses of `source` (see :func:`pose_source`), beside which images are.

    Raises:
        InputError: a part of the layout is missing or of another form, or no frame is usable.
    """
    arkit, folder = source.name == ARKIT, source.parent
    records = from_arkit(source) if arkit else from_colmap(source)
    with ExitStack() as stack:
        colors, color_of = _colors(folder, stack)
        depths, depth_of = _depths(folder, stack)
        wanted = [n for n in records if (colors is None or n in colors) and (depths is None or n in depths)]
        if not wanted:
            raise InputError(
                f"{folder}: no frame of {source.name} ({len(records)}) has both colour and depth; extract them anew"
            )
        collector = collector_of(folder, options, config, wanted)
        if arkit:  # COLMAP registers a part of the frames only
            _count_alone(collector, records, colors, depths)
        views = [
            View(f"{n:06d}", p.stamp_ns, p.T_scan_camera, _Decoder(n, p, color_of, depth_of))
            for n, p in ((n, records[n]) for n in wanted)
        ]
        poses = "ARKit" if arkit else "COLMAP"
        return read_views(views, collector, options, progress, f"the iPhone in {folder}, poses of {poses}")


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
    collector: Collector, records: dict[int, PhonePose], colors: set[int] | None, depths: set[int] | None
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
    pose: PhonePose
    color_of: Callable[[int], NDArray[np.uint8]]
    depth_of: Callable[[int], NDArray[np.uint16]]

    def __call__(self) -> Images:
        color, depth = self.color_of(self.number), self.depth_of(self.number)
        of_color, of_depth = self.pose.lens(color.shape[1], color.shape[0], depth.shape[1], depth.shape[0])
        return Images(of_color.color(color), of_color.camera, of_depth.depth(depth), of_depth.camera)
