"""Replica as NICE-SLAM renders it: a walk of perfect images through each scene.

`<scene>/results/frame%06d.jpg` and `depth%06d.png` (uint16), `<scene>/traj.txt` (16 numbers a line, camera to world,
optical axes), and for all scenes `cam_params.json` beside them: under `camera` its w, h, fx, fy, cx, cy and `scale`,
the depth units a metre. `<scene>_mesh.ply` lies beside the scene, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.datasets.views import (
    PERIOD_NS,
    Images,
    View,
    collector_of,
    depth_in_millimetres,
    read_json,
    read_views,
)
from any3dis_ros.io.recording import ReadOptions, Recording
from any3dis_ros.io.scannet import read_color, read_depth
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera

CAMERA_FILE = "cam_params.json"


def read_replica(path: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the keyframes of one scene.

    Raises:
        InputError: a part of the layout is missing or of another form, or no frame is usable.
    """
    camera, units = _camera(path)
    colors, depths = _numbered(path, "frame", (".jpg", ".png")), _numbered(path, "depth", (".png",))
    poses = _poses(path / "traj.txt")
    numbers = sorted(colors.keys() & depths.keys())
    if not numbers:
        raise InputError(f"{path / 'results'} holds no frame<number>.jpg with a depth<number>.png")
    collector = collector_of(path, options, config)
    if alone := colors.keys() ^ depths.keys():
        collector.leave_out("colour or depth image missing", f"frame {min(alone):06d}", len(alone))

    def decoder(n: int) -> Callable[[], Images]:
        def decode() -> Images:
            color, depth = read_color(colors[n]), read_depth(depths[n])
            return Images(
                color,
                camera.resized(color.shape[1], color.shape[0]),
                depth_in_millimetres(depth, units),
                camera.resized(depth.shape[1], depth.shape[0]),
            )

        return decode

    views = [View(f"{n:06d}", n * PERIOD_NS, poses[n] if n < len(poses) else None, decoder(n)) for n in numbers]
    return read_views(views, collector, options, progress, f"the Replica scene {path}")


def mesh_of(path: Path) -> Path | None:
    """Return the mesh of a scene, which stands beside it, or None."""
    mesh = path.resolve().parent / f"{path.resolve().name}_mesh.ply"
    return mesh if mesh.is_file() else None


def _camera(path: Path) -> tuple[Camera, float]:
    """Return the camera of all images and the depth units a metre."""
    file = next((f for f in (path / CAMERA_FILE, path.resolve().parent / CAMERA_FILE) if f.is_file()), None)
    if file is None:
        raise InputError(f"there is no {CAMERA_FILE} in {path} nor beside it: intrinsics and depth scale are unknown")
    data = read_json(file)
    try:
        c = data["camera"]
        fx, fy, cx, cy, units = (float(c[k]) for k in ("fx", "fy", "cx", "cy", "scale"))
        camera = Camera(int(c["w"]), int(c["h"]), np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))
    except (KeyError, TypeError, ValueError) as error:  # an InputError is a ValueError
        raise InputError(f"{file} does not describe a camera ({type(error).__name__}: {error})") from error
    if not (np.isfinite(units) and units > 0):
        raise InputError(f"{file}: scale is {units}; expected the depth units a metre, 6553.5 as a rule")
    return camera, units


def _numbered(path: Path, prefix: str, suffixes: tuple[str, ...]) -> dict[int, Path]:
    files = (f for f in (path / "results").glob(f"{prefix}*") if f.suffix.lower() in suffixes)
    return {int(f.stem.removeprefix(prefix)): f for f in files if f.stem.removeprefix(prefix).isdecimal()}


def _poses(path: Path) -> list[list[str]]:
    """Return the words of each line; a line that is no pose costs its frame alone."""
    try:
        return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the poses {path}: {error}") from error
