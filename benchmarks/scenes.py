"""Scenes with instance ground truth: ScanNet's exported layout plus `instance/<n>.png` and `scene_gt.npz`.

Scenes are looked up by name beside the repository (`<repository>/../shared/data`) or among the synthetic ones
(`synthetic.py`), or given as folders. A `scene.json` beside them, where there is one, says how they were made and what
is difficult about each object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from any3dis_ros.terminal import Bars
from benchmarks.rooms.room import KINDS
from benchmarks.synthetic import SceneSpec, cached

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
STANDARD = tuple(f"{kind}{seed}-middle" for seed in range(1, 6) for kind in KINDS)
"""What commands take that are given no scenes; parameters were chosen on these ten."""


@dataclass(frozen=True)
class BenchmarkScene:
    """Keyframes with their ground truth.

    Attributes:
        name: folder name.
        frames: all posed frames, in order.
        instance_images: H×W int32 by frame name, 0 = none; ids as in `truth`.
        truth: labelled points; its valid ids are the things, floor and walls are instances that do not count.
        exact: the same points as a map cloud without normals or mesh.
        tags: what is difficult about an object, by instance id; objects without tags may be missing.
    """

    name: str
    frames: tuple[Frame, ...]
    instance_images: Mapping[str, NDArray[np.int32]]
    truth: GroundTruth
    exact: MapCloud
    tags: Mapping[int, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What is known of a scene without loading it.

    Attributes:
        name: folder name.
        level: of the sensor's noise: `level` of scene.json, else what follows the first "-" of the name (room1-middle);
            may be empty.
        origin: the name with seed, level and versions of generator and furniture, as far as they are known.
        tags: as in :class:`BenchmarkScene`.
    """

    name: str
    level: str
    origin: str
    tags: Mapping[int, frozenset[str]]


def available(*names: str) -> bool:
    """Return whether all these scenes can be found by name."""
    return all((DATA / name / "scene_gt.npz").is_file() for name in names)


def load(name_or_folder: str | Path) -> BenchmarkScene:
    """Load a scene from a folder, or by its name: under the shared data, or a synthetic one, made if it is not kept.

    Raises:
        InputError: no such scene, a file of it cannot be read, or it cannot be made.
    """
    folder = find(name_or_folder)
    frames = tuple(read_scene(folder, ReadOptions(stride=1)).frames)
    truth = load_ground_truth(folder)
    with np.load(folder / "scene_gt.npz") as data:
        exact = MapCloud(truth.points, data["rgb"].astype(np.uint8))
    images = {f.name: _instance_image(folder / "instance" / f"{f.name}.png", f) for f in frames}
    return BenchmarkScene(folder.name, frames, images, truth, exact, describe(folder).tags)


def find(name_or_folder: str | Path) -> Path:
    """Return the folder of a scene: given, or by name under the shared data or of a synthetic one, made if need be.

    Raises:
        InputError: there is no ground truth, or the scene cannot be made.
    """
    folder = Path(name_or_folder)
    if not folder.is_dir():
        folder = DATA / name_or_folder
    if not folder.is_dir() and (spec := SceneSpec.parse(str(name_or_folder))):
        folder = cached(spec, Bars(quiet=not sys.stderr.isatty()))
    if not (folder / "scene_gt.npz").is_file():
        raise InputError(
            f"no ground truth at '{name_or_folder}' or in {folder}; give a folder holding scene_gt.npz, or "
            "the name of a synthetic scene such as room7-middle"
        )
    return folder.resolve()


def describe(name_or_folder: str | Path) -> Description:
    """Read the scene.json of a scene; without one, its name is all that is known.

    Raises:
        InputError: no such scene, or its scene.json is damaged.
    """
    folder = find(name_or_folder)
    path = folder / "scene.json"
    try:
        about = json.loads(path.read_text()) if path.is_file() else {}
        objects = about["objects"].items() if "objects" in about else ((o["id"], o) for o in about.get("instances", ()))
        tags = {int(i): frozenset(map(str, o["tags"])) for i, o in objects if o.get("tags")}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        expected = '{"objects": {"<id>": {"name": …, "points": …, "tags": […]}}}, or "instances" with an "id" each'
        raise InputError(f"{path} describes no scene ({error}); expected {expected}") from error
    level = str(about.get("level", "".join(folder.name.split("-")[1:2])))
    generator, furniture = (about.get(f"{made_by}_version", "") for made_by in ("generator", "furniture"))
    known = {"seed": about.get("seed", ""), "level": level, "generator": generator, "furniture": furniture}
    said = ", ".join(f"{k} {v}" for k, v in known.items() if v != "")
    return Description(folder.name, level, f"{folder.name} ({said})" if said else folder.name, tags)


def _instance_image(path: Path, frame: Frame) -> NDArray[np.int32]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"cannot read {path}; the ground truth needs an instance image for each frame")
    size = (frame.camera.width, frame.camera.height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.int32)
