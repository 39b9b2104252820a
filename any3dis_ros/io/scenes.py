"""Recordings of every kind by one call."""

from __future__ import annotations

import re
from pathlib import Path

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.layouts import LAYOUTS, layout_of, read_layout
from any3dis_ros.io.recording import ReadOptions, Recording
from any3dis_ros.progress import Progress, silent

_BAG_SUFFIXES = (".mcap", ".db3", ".bag")
_MAGIC = {b"\x89MCAP0\r\n": ".mcap", b"SQLite format 3\0": ".db3", b"#ROSBAG V": ".bag"}


def read_scene(
    path: Path,
    options: ReadOptions | None = None,
    config: KeyframeConfig | None = None,
    progress: Progress = silent,
) -> Recording:
    """Read the keyframes of a scene of a public data set, a ROS 2 bag (folder, .mcap, .db3) or a ROS 1 bag (.bag).

    Data sets: ScanNet (a .sens file, or exported frames), ScanNet++ (iPhone, DSLR), Replica, TUM RGB-D.

    Args:
        path: the folder or file; its kind is found by its content.
        options: topics, frames, intrinsics and stride; what is left empty is found in the recording.
        config: stride, motion and bound of the keyframes.
        progress: told of every frame; raises Cancelled to stop.

    Raises:
        InputError: nothing readable, with what was found and what was expected.
    """
    options, config = options or ReadOptions(), config or KeyframeConfig()
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder with color, depth and pose, or a ROS bag")
    if not (path / "metadata.yaml").is_file() and (layout := layout_of(path)) is not None:
        return read_layout(layout, path, options, config, progress)
    bags = bag_files(path)
    from any3dis_ros.io.rosbag import read_bag

    return read_bag(path, bags, options, config, progress)


def bag_files(path: Path) -> list[Path]:
    """Return the storage files of a bag: the file itself, or those in a rosbag2 folder, in the order of their names.

    Raises:
        InputError: no bag, several of them, or one whose suffix contradicts its content.
    """
    if path.is_dir():
        files = sorted((f for f in path.iterdir() if f.suffix in _BAG_SUFFIXES), key=lambda f: (len(f.name), f.name))
        if (path / "metadata.yaml").is_file():
            return files
        if len({(f.suffix, re.sub(r"_\d+$", "", f.stem)) for f in files}) > 1:
            raise InputError(
                f"the folder {path} holds several bags: {', '.join(f.name for f in files)}; give one of them"
            )
        if files:
            return files
        found = "is empty" if not any(path.iterdir()) else "holds neither a recording nor a bag"
        raise InputError(
            f"the folder {path} {found}; expected color, depth, pose and intrinsic (ScanNet's layout), a ROS bag, "
            f"or a scene of {', '.join(dict.fromkeys(layout.name for layout in LAYOUTS))}"
        )
    with path.open("rb") as file:
        start = file.read(16)
    kind = next((suffix for magic, suffix in _MAGIC.items() if start.startswith(magic)), None)
    if kind is None:
        what = "is empty" if not start else "is no ROS bag"
        raise InputError(f"{path} {what}; expected .mcap, .db3, .bag or .sens, or a folder with color, depth and pose")
    if path.suffix != kind:
        raise InputError(f"{path} is a {kind} file by its content; rename it to {path.stem}{kind}")
    return [path]
