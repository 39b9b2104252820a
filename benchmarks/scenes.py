"""Scenes with instance ground truth: ScanNet's exported layout plus `instance/<n>.png` and `scene_gt.npz`.

Scenes are looked up by name beside the repository (`<repository>/../shared/data`) or given as folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.ground_truth import load_ground_truth
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.objects.overlap import GroundTruth
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.mapping import MapCloud

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RENDERED = ("room32", "tabletop31")


@dataclass(frozen=True)
class BenchmarkScene:
    """Keyframes with their ground truth.

    Attributes:
        name: folder name.
        frames: all posed frames, in order.
        instance_images: H×W int32 by frame name, 0 = none; ids as in `truth`.
        truth: labelled points; its valid ids are the things, floor and walls are instances that do not count.
        exact: the same points as a map cloud without normals or mesh.
    """

    name: str
    frames: tuple[Frame, ...]
    instance_images: Mapping[str, NDArray[np.int32]]
    truth: GroundTruth
    exact: MapCloud


def available(*names: str) -> bool:
    """Return whether all these scenes can be found by name."""
    return all((DATA / name / "scene_gt.npz").is_file() for name in names)


def load(name_or_folder: str | Path) -> BenchmarkScene:
    """Load a scene by its name under the shared data, or from a folder.

    Raises:
        InputError: no such scene, or a file of it cannot be read.
    """
    folder = Path(name_or_folder)
    if not folder.is_dir():
        folder = DATA / name_or_folder
    if not (folder / "scene_gt.npz").is_file():
        raise InputError(f"no ground truth at '{name_or_folder}' or in {folder}; give a folder holding scene_gt.npz")
    frames = tuple(read_scene(folder, ReadOptions(stride=1)).frames)
    truth = load_ground_truth(folder)
    with np.load(folder / "scene_gt.npz") as data:
        exact = MapCloud(truth.points, data["rgb"].astype(np.uint8))
    images = {f.name: _instance_image(folder / "instance" / f"{f.name}.png", f) for f in frames}
    return BenchmarkScene(folder.resolve().name, frames, images, truth, exact)


def _instance_image(path: Path, frame: Frame) -> NDArray[np.int32]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"cannot read {path}; the ground truth needs an instance image for each frame")
    size = (frame.camera.width, frame.camera.height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.int32)
