"""Synthetic scenes by name, such as `room7-middle`: made when they are first asked for, and kept.

A name says everything that a scene depends on, but for two versions: the folder it is kept in says the generator's, its
scene.json that of the furniture, and where another is installed the scene is made anew. So the same name means the same
arrays on every machine that has the same models.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from any3dis_ros.cache import cache_root
from any3dis_ros.errors import InputError
from any3dis_ros.progress import Progress, silent
from benchmarks.rooms import GENERATOR_VERSION
from benchmarks.rooms.capture import RATE_HZ, Run, Shot, pinhole, prepare, shoot
from benchmarks.rooms.catalogue import edition
from benchmarks.rooms.catalogue_layout import credits_for
from benchmarks.rooms.difficulty import Seen, measure, thinned
from benchmarks.rooms.folder_writer import write_scene
from benchmarks.rooms.ground_truth import VOXEL_M
from benchmarks.rooms.noise import EXACT, LEVELS, Noise, disturbed
from benchmarks.rooms.room import CATALOGUE, KINDS, PROCEDURAL

STRIDE = 10  # only keyframes of the 30 Hz path are rendered
BENCHMARK_VOXEL_M = 0.01
_NAME = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})(?P<seed>\d+)-(?P<noise>{'|'.join(LEVELS)})(?P<procedural>-{PROCEDURAL})?"
    r"(?:-(?P<width>\d+)x(?P<height>\d+)x(?P<keyframes>\d+))?"
)


@dataclass(frozen=True)
class SceneSpec:
    """Everything that a kept scene depends on, besides the generator's version."""

    kind: str
    seed: int
    noise: str = "middle"
    furniture: str = CATALOGUE
    width: int = 640
    height: int = 480
    keyframes: int = 40

    @property
    def name(self) -> str:
        """`room7-middle`; what differs from the defaults follows: `room7-middle-procedural-320x240x20`."""
        size = (self.width, self.height, self.keyframes)
        usual = (SceneSpec.width, SceneSpec.height, SceneSpec.keyframes)
        tail = "" if size == usual else "-{}x{}x{}".format(*size)
        return f"{self.kind}{self.seed}-{self.noise}" + f"-{PROCEDURAL}" * (self.furniture == PROCEDURAL) + tail

    @staticmethod
    def parse(name: str) -> SceneSpec | None:
        """Return what `name` means, None where it is no scene's name."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        spec = SceneSpec(found["kind"], int(found["seed"]), found["noise"])
        if found["procedural"]:
            spec = replace(spec, furniture=PROCEDURAL)
        if found["width"]:
            width, height, keyframes = (int(found[k]) for k in ("width", "height", "keyframes"))
            spec = replace(spec, width=width, height=height, keyframes=keyframes)
        return spec


def scenes_folder() -> Path:
    """Return where scenes of this version are kept: `scenes/v<version>` of the cache, which need not exist yet."""
    return cache_root() / "scenes" / f"v{GENERATOR_VERSION}"


def cached(spec: SceneSpec, progress: Progress = silent) -> Path:
    """Return the folder of a scene, made now if it is not kept already, or not of the furniture that is installed.

    It is made under another name and renamed when it is whole, so that there is never half a scene. Another process
    that asks for the same scene waits.

    Raises:
        InputError: the cache cannot be written, or the furniture is absent.
        Cancelled: raised by `progress`.
    """
    folder = scenes_folder() / spec.name
    if _kept(folder, spec):
        return folder
    with _alone(folder):
        if _kept(folder, spec):
            return folder
        part = folder.with_name(f".{spec.name}.part")
        shutil.rmtree(part, ignore_errors=True)  # of a run that was killed: nobody else holds the lock
        noise = LEVELS[spec.noise]
        make_scene(
            part, spec.seed, spec.width, spec.height, spec.keyframes, spec.kind, spec.furniture, noise,
            BENCHMARK_VOXEL_M, progress,
        )  # fmt: skip
        if folder.is_dir():
            shutil.rmtree(folder)
        part.rename(folder)
    return folder


def _kept(folder: Path, spec: SceneSpec) -> bool:
    """Return whether a scene is kept, and made of the furniture that is installed, if any is."""
    try:
        made_of = json.loads((folder / "scene.json").read_text()).get("furniture_version", "")
    except (OSError, ValueError):
        return False
    return spec.furniture == PROCEDURAL or edition() in ("", made_of)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a scene, which vanishes with the process."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        raise InputError(
            f"cannot write to {folder.parent}: {error.strerror}; set ANY3DIS_CACHE to another folder"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_scene(
    folder: Path,
    seed: int,
    width: int,
    height: int,
    keyframes: int,
    kind: str = "room",
    furniture: str = PROCEDURAL,
    noise: Noise = EXACT,
    voxel_m: float = VOXEL_M,
    progress: Progress = silent,
) -> dict[str, object]:
    """Write the scene of `seed` and return its summary (also written as scene.json).

    Args:
        folder: receives ScanNet's exported layout and the ground truth (see `folder_writer.py`).
        seed: of everything random.
        width: of the images, pixels.
        height: of the images, pixels.
        keyframes: every STRIDE-th frame of a path at 30 Hz.
        kind: room or tabletop.
        furniture: where the models come from.
        noise: of the sensor, and of the poses that are written; the ground truth is that of the true ones.
        voxel_m: distance of the ground truth's points.
        progress: told keyframes; may raise Cancelled.
    """
    progress(folder.name.strip(".").removesuffix(".part"), 0, keyframes)
    run = prepare(seed, keyframes * STRIDE, kind, furniture)
    camera = pinhole(width, height)
    seen: list[Seen] = []

    def watched() -> Iterator[Shot]:
        for shot in shoot(run, camera, keyframes * STRIDE, STRIDE, noise.sensor):
            yield shot
            seen.append(Seen(shot.T_room_camera, thinned(shot.view.instance, camera)))
            progress(folder.name.strip(".").removesuffix(".part"), len(seen), keyframes)

    truth = write_scene(folder, camera, watched(), noise.sensor, voxel_m, given_poses(run, keyframes, noise))
    measures = measure(run.room, camera, seen, truth)
    points = dict(zip(*(a.tolist() for a in np.unique(truth.instance, return_counts=True)), strict=True))
    summary: dict[str, object] = {
        "kind": kind,
        "seed": seed,
        "generator_version": GENERATOR_VERSION,
        "furniture": furniture,
        "furniture_version": edition() if furniture == CATALOGUE else "",
        "noise": asdict(noise),
        "voxel_m": voxel_m,
        "instances": [
            {"id": i, "name": name, "points": points.get(i, 0)}
            | ({"tags": list(measures[i].tags), "measures": asdict(measures[i])} if i in measures else {})
            for i, name in run.room.names.items()
        ],
        "credits": credits_for({thing.model.source for thing in run.room.things}),
    }
    (folder / "scene.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return summary


def given_poses(run: Run, keyframes: int, noise: Noise) -> np.ndarray | None:
    """Return the poses (K×4×4) of the keyframes as a segmenter is given them, None where they are the true ones."""
    if noise.pose == EXACT.pose:
        return None
    true = run.path.poses(np.arange(keyframes * STRIDE) / RATE_HZ)
    rng = np.random.default_rng([run.seed, 4])
    return disturbed(true, noise.pose, RATE_HZ, rng)[::STRIDE]
