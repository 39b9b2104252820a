"""From a seed to what a camera delivered: room, path, and frame after frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms.camera_path import ROUND_ROOM, ROUND_TABLE, CameraPath, NoPathError, plan_path
from benchmarks.rooms.rendering import Renderer, View
from benchmarks.rooms.room import PROCEDURAL, Room, build_room
from benchmarks.rooms.sensor import SensorModel, measure_color, measure_depth

RATE_HZ = 30.0
ATTEMPTS = 10  # rooms of one seed, until a camera gets through
FOCAL_PER_WIDTH = 577.6 / 640  # of the Kinect's VGA image


@dataclass(frozen=True)
class Run:
    """A room, its renderer, and the path of a camera through it."""

    seed: int
    room: Room
    renderer: Renderer
    path: CameraPath


@dataclass(frozen=True)
class Shot:
    """One frame: the exact `view`, and the sensor's `color` (H×W×3 uint8 RGB) and `depth` (H×W uint16 mm)."""

    index: int
    time_s: float
    T_room_camera: NDArray[np.float64]
    view: View
    color: NDArray[np.uint8]
    depth: NDArray[np.uint16]


def pinhole(width: int, height: int) -> Camera:
    """Return the Kinect's field of view sampled by `width` columns, square pixels, principal point in the middle."""
    f = FOCAL_PER_WIDTH * width
    return Camera(width, height, np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1]]))


def prepare(seed: int, frames: int, kind: str = "room", furniture: str = PROCEDURAL) -> Run:
    """Return the room of `seed` and a path of `frames` frames at 30 Hz through it, round its table if a tabletop.

    Raises:
        RuntimeError: no path keeps clear of the furniture, in no attempt.
        InputError: the catalogue's package is absent and cannot be installed.
    """
    walk = ROUND_TABLE if kind == "tabletop" else ROUND_ROOM
    attempts = 1 if furniture == PROCEDURAL else ATTEMPTS
    for attempt in range(attempts):
        room = build_room(seed, kind, furniture, attempt)
        w, d, h = room.size
        lights = np.array([(0.35 * w, 0.45 * d, h - 0.1), (0.68 * w, 0.6 * d, h - 0.1)])
        renderer = Renderer(room.mesh, lights)
        try:
            return Run(seed, room, renderer, plan_path(room, renderer, frames / RATE_HZ, seed, RATE_HZ, walk))
        except NoPathError:
            if attempt == attempts - 1:
                raise
    raise AssertionError("attempts is positive")


def shoot(
    run: Run, camera: Camera, frames: int, stride: int = 1, model: SensorModel | None = None, oversample: int = 1
) -> Iterator[Shot]:
    """Yield every `stride`-th of `frames` frames; `oversample` squared rays a pixel smooth the colour."""
    model = model or SensorModel()
    fine = camera.resized(camera.width * oversample, camera.height * oversample)
    for index in range(0, frames, stride):
        t = index / RATE_HZ
        T = run.path.pose(t)
        rng = np.random.default_rng([run.seed, 3, index])
        view = run.renderer.view(camera, T, model.baseline_m)
        ideal = _reduced(run.renderer.view(fine, T).color, camera) if oversample > 1 else view.color
        depth = measure_depth(view, model, rng)
        yield Shot(index, t, T, view, measure_color(ideal, model, t, rng), depth)


def _reduced(color: NDArray[np.float32], camera: Camera) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(color, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.float32)
