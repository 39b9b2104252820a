"""Scenes with instance ground truth: ScanNet's exported layout plus `instance/<n>.png` and `scene_gt.npz`.

Scenes are looked up by name beside the repository (`<repository>/../shared/data`) or given as folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import MapCloud

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RENDERED = ("room32", "tabletop31")


@dataclass(frozen=True)
class GroundTruth:
    """Labelled surface points.

    Attributes:
        points: N×3 float32, metres, map frame.
        colors: N×3 uint8, RGB.
        instance: N int32, 0 = none.
        things: ids that are objects rather than floor, wall or ceiling, ascending.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    instance: NDArray[np.int32]
    things: NDArray[np.int32]

    @property
    def cloud(self) -> MapCloud:
        """The points as a map cloud without normals or mesh."""
        return MapCloud(self.points, self.colors)

    @property
    def objects(self) -> NDArray[np.int32]:
        """N int32, instance ids of things only: stuff is 0 as well."""
        return np.where(np.isin(self.instance, self.things), self.instance, 0).astype(np.int32)

    def countable(self, min_points: int) -> NDArray[np.int32]:
        """Return the things of at least `min_points` points."""
        ids, counts = np.unique(self.objects, return_counts=True)
        return np.asarray(ids[(ids > 0) & (counts >= min_points)], np.int32)


@dataclass(frozen=True)
class BenchmarkScene:
    """Keyframes with their ground truth.

    Attributes:
        name: folder name.
        frames: all posed frames, in order.
        instance_images: H×W int32 by frame name, 0 = none; ids as in `truth`.
        truth: labelled points.
    """

    name: str
    frames: tuple[Frame, ...]
    instance_images: Mapping[str, NDArray[np.int32]]
    truth: GroundTruth


def available(names: tuple[str, ...] = RENDERED) -> bool:
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
        raise InputError(
            f"no scene with ground truth at '{name_or_folder}' or {folder}; give a folder with scene_gt.npz"
        )
    K = np.loadtxt(folder / "intrinsic" / "intrinsic_color.txt")
    stems = sorted((p.stem for p in (folder / "pose").glob("*.txt")), key=int)
    frames = tuple(_frame(folder, stem, K) for stem in stems)
    images = {
        stem: _image(folder / "instance" / f"{stem}.png", cv2.IMREAD_UNCHANGED).astype(np.int32) for stem in stems
    }
    return BenchmarkScene(folder.name, frames, images, _truth(folder / "scene_gt.npz"))


def _frame(folder: Path, stem: str, K: NDArray[np.float64]) -> Frame:
    depth = _image(folder / "depth" / f"{stem}.png", cv2.IMREAD_UNCHANGED)
    color = cv2.cvtColor(_image(folder / "color" / f"{stem}.jpg", cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    camera = Camera(depth.shape[1], depth.shape[0], K)
    pose = np.loadtxt(folder / "pose" / f"{stem}.txt")
    return Frame(int(stem) * 33_333_333, color.astype(np.uint8), depth.astype(np.uint16), camera, pose, stem)


def _image(path: Path, flags: int) -> NDArray[Any]:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise InputError(f"cannot read the image {path}; the scene is incomplete")
    return np.asarray(image)


def _truth(path: Path) -> GroundTruth:
    with np.load(path) as data:
        instance = data["instance"].astype(np.int32)
        thing = data["thing"].astype(bool) if "thing" in data else instance > 0
        things = np.unique(instance[thing & (instance > 0)]).astype(np.int32)
        return GroundTruth(data["xyz"].astype(np.float32), data["rgb"].astype(np.uint8), instance, things)
