"""Scenes with instance ground truth: ScanNet's exported layout plus `instance/<n>.png` and `scene_gt.npz`.

Scenes are looked up by name beside the repository (`<repository>/../shared/data`) or among the synthetic ones
(`synthetic.py`), or given as folders.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.ground_truth import load_ground_truth
from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.objects.evaluation import Evaluation
from any3dis_ros.objects.overlap import GroundTruth
from any3dis_ros.scene.frames import Frame
from any3dis_ros.scene.mapping import MapCloud
from any3dis_ros.terminal import Bars
from benchmarks.rooms.tags import TAGS
from benchmarks.synthetic import SceneSpec, cached

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
        tags: for each tag of `rooms/tags.py` the ids of the things that have it; empty where they are not known.
    """

    name: str
    frames: tuple[Frame, ...]
    instance_images: Mapping[str, NDArray[np.int32]]
    truth: GroundTruth
    exact: MapCloud
    tags: Mapping[str, frozenset[int]] = field(default_factory=dict)


def available(*names: str) -> bool:
    """Return whether all these scenes can be found by name."""
    return all((DATA / name / "scene_gt.npz").is_file() for name in names)


def load(name_or_folder: str | Path) -> BenchmarkScene:
    """Load a scene from a folder, or by its name: under the shared data, or a synthetic one, made if it is not kept.

    Raises:
        InputError: no such scene, a file of it cannot be read, or it cannot be made.
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
    frames = tuple(read_scene(folder, ReadOptions(stride=1)).frames)
    truth = load_ground_truth(folder)
    with np.load(folder / "scene_gt.npz") as data:
        exact = MapCloud(truth.points, data["rgb"].astype(np.uint8))
    images = {f.name: _instance_image(folder / "instance" / f"{f.name}.png", f) for f in frames}
    return BenchmarkScene(folder.resolve().name, frames, images, truth, exact, _tags(folder / "scene.json"))


def recall_by_tag(
    evaluation: Evaluation, scenes: Sequence[BenchmarkScene], iou: float = 0.5
) -> dict[str, tuple[int, int]]:
    """Return, by tag, how many of the things that count are found (best proposal above `iou`), and how many there are.

    `scenes` are those that were scored, in their order. `all` and `none` (no tag) come with the tags.
    """
    out: dict[str, list[bool]] = {"all": [], "none": [], **{tag: [] for tag in TAGS}}
    for (index, thing), best in zip(evaluation.objects.tolist(), evaluation.best_iou.tolist(), strict=True):
        held = [tag for tag, ids in scenes[index].tags.items() if thing in ids]
        for tag in ("all", *(held or ["none"])):
            out[tag].append(best > iou)
    return {tag: (sum(found), len(found)) for tag, found in out.items()}


def _tags(path: Path) -> dict[str, frozenset[int]]:
    if not path.is_file():
        return {}
    try:
        things = [i for i in json.loads(path.read_text())["instances"] if "tags" in i]
        return {tag: frozenset(int(i["id"]) for i in things if tag in i["tags"]) for tag in TAGS} if things else {}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not describe a scene: {error}; make the scene again") from error


def _instance_image(path: Path, frame: Frame) -> NDArray[np.int32]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"cannot read {path}; the ground truth needs an instance image for each frame")
    size = (frame.camera.width, frame.camera.height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.int32)
