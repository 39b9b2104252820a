"""A smooth hand-held walk round the room: splines through a few waypoints, and a slow sway.

Poses are T_room_camera with optical axes (x right, y down, z forward), a function of time in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms.rendering import Renderer
from benchmarks.rooms.room import FIRST_THING, Room

Floats = NDArray[np.float64]

MAX_SPEED, MAX_ACCELERATION, MAX_TURN = 1.0, 3.0, np.radians(75)  # m/s, m/s², rad/s: a person walking with a camera
CLEARANCE_M = 0.2  # between the camera and every part of a thing
MARGIN_S = 0.3  # the path is defined this long before 0 and after its duration
SWEEP = np.radians(27)  # rad/s round the room's middle
KNOT_S = 1.6  # between waypoints, about
CANDIDATES, TRIES = 10, 400


@dataclass(frozen=True)
class Walk:
    """A kind of path round the room's middle; metres, lowest and highest.

    Attributes:
        eye_z: height of the camera.
        target_z: height of what it looks at.
        across: how far beyond the middle (negative: before it) it looks, as a share of the half room.
        aside: how far beside that.
        radius: of the walk, (0, 0) = to the walls.
    """

    eye_z: tuple[float, float]
    target_z: tuple[float, float]
    across: tuple[float, float]
    aside: float
    radius: tuple[float, float] = (0.0, 0.0)


ROUND_ROOM = Walk((1.3, 1.75), (0.4, 0.85), (-0.1, 0.95), 0.3)
ROUND_TABLE = Walk((1.15, 1.5), (0.6, 0.8), (-0.05, 0.15), 0.12, (1.0, 1.45))


@dataclass(frozen=True)
class CameraPath:
    """Where the camera is at a time: `eye` and `target` splines (s → metres), sinusoidal sway, `duration` in seconds.

    `sway` is 6×3: amplitude (metres for the first three rows, radians for the others), frequency in Hz, phase.
    """

    eye: CubicSpline
    target: CubicSpline
    sway: Floats
    duration: float

    def pose(self, t: float) -> Floats:
        """Return T_room_camera (4×4 float64) at `t` seconds."""
        return np.asarray(self.poses(np.array([t]))[0], np.float64)

    def poses(self, times: Floats) -> Floats:
        """Return T_room_camera (N×4×4 float64) at N times."""
        amplitude, frequency, phase = self.sway.T
        s = amplitude * np.sin(2 * np.pi * np.asarray(times)[:, None] * frequency + phase)
        T = look_at(self.eye(times) + s[:, :3], self.target(times))
        T[:, :3, :3] = T[:, :3, :3] @ Rotation.from_rotvec(s[:, 3:]).as_matrix()
        return T


def look_at(eyes: Floats, targets: Floats) -> Floats:
    """Return the upright T_room_camera (N×4×4) at `eyes` that look at `targets` (N×3 each)."""
    z = targets - eyes
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    x = np.cross(z, (0.0, 0.0, 1.0))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    T = np.zeros((len(z), 4, 4))
    T[:, :3, 0], T[:, :3, 1], T[:, :3, 2], T[:, :3, 3], T[:, 3, 3] = x, np.cross(z, x), z, eyes, 1
    return T


class NoPathError(RuntimeError):
    """No candidate path keeps clear of the furniture."""


def plan_path(
    room: Room, renderer: Renderer, duration: float, seed: int, rate_hz: float = 30.0, walk: Walk = ROUND_ROOM
) -> CameraPath:
    """Return the one of several safe and smooth random paths that sees most things well.

    Raises:
        NoPathError: no safe path was found (a room furnished up to the ceiling).
    """
    rng = np.random.default_rng([seed, 2])
    times = np.arange(-MARGIN_S, duration + MARGIN_S, 1 / rate_hz)
    best, best_score, found = None, -1.0, 0
    for attempt in range(TRIES):
        path = _candidate(room, duration, rng, 1 - 0.4 * attempt / TRIES, walk)
        poses = path.poses(times)
        if not (_smooth(poses, rate_hz) and _clear(room, poses[:, :3, 3])):
            continue
        score = _coverage(room, renderer, path.poses(np.arange(0, duration, 1 / 3)))
        if score > best_score:
            best, best_score = path, score
        found += 1
        if found == CANDIDATES:
            break
    if best is None:
        raise NoPathError("no camera path keeps clear of the furniture; use another seed")
    return best


def _candidate(room: Room, duration: float, rng: np.random.Generator, reach: float, walk: Walk) -> CameraPath:
    """Draw a walk on an ellipse, `reach` of its full size, the camera looking across the middle."""
    w, d, _ = room.size
    middle = np.array([w / 2, d / 2])
    count = max(4, round(duration / KNOT_S) + 1)
    knots = np.linspace(-MARGIN_S, max(duration + MARGIN_S, (count - 1) * KNOT_S), count)
    angle = rng.uniform(0, 2 * np.pi) + rng.choice([-1, 1]) * SWEEP * knots + rng.normal(0, 0.08, len(knots))
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    largest = middle - 0.5 if walk.radius == (0.0, 0.0) else np.full(2, rng.uniform(*walk.radius))
    radius = reach * largest * rng.uniform(0.82, 1.0, (len(knots), 1))
    eye = np.column_stack([middle + direction * radius, rng.uniform(*walk.eye_z, len(knots))])
    across = rng.uniform(*walk.across, (len(knots), 1)) * (middle - 0.5)
    target = middle - direction * across + rng.uniform(-walk.aside, walk.aside, (len(knots), 2))
    target = np.column_stack([target, rng.uniform(*walk.target_z, len(knots))])
    amplitude = np.array([0.012, 0.012, 0.008, *np.radians([0.7, 0.6, 0.8])])
    sway = np.column_stack([amplitude, rng.uniform(0.4, 1.1, 6), rng.uniform(0, 2 * np.pi, 6)])
    return CameraPath(CubicSpline(knots, eye), CubicSpline(knots, target), sway, duration)


def motion(poses: Floats, rate_hz: float) -> tuple[Floats, Floats, Floats]:
    """Return speed (m/s), acceleration (m/s²) and turn rate (rad/s) along N×4×4 poses at `rate_hz`."""
    step = np.diff(poses[:, :3, 3], axis=0) * rate_hz
    change = np.diff(step, axis=0) * rate_hz
    R = np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3]
    turn = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1)) * rate_hz
    return np.linalg.norm(step, axis=1), np.linalg.norm(change, axis=1), turn


def _smooth(poses: Floats, rate_hz: float) -> bool:
    speed, acceleration, turn = motion(poses, rate_hz)
    return bool(speed.max() <= MAX_SPEED and acceleration.max() <= MAX_ACCELERATION and turn.max() <= MAX_TURN)


def _clear(room: Room, eyes: Floats) -> bool:
    """Return whether all `eyes` (N×3) are inside the room and away from every part's box."""
    if (eyes < CLEARANCE_M).any() or (eyes > np.array(room.size) - CLEARANCE_M).any():
        return False
    boxes = np.concatenate([thing.boxes for thing in room.things])
    boxes = boxes[boxes[:, 2] + boxes[:, 5] > eyes[:, 2].min() - CLEARANCE_M]
    if not len(boxes):
        return True
    delta = eyes[:, None] - boxes[None, :, :3]
    c, s = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    local = np.stack(
        [c * delta[..., 0] + s * delta[..., 1], c * delta[..., 1] - s * delta[..., 0], delta[..., 2]], axis=-1
    )
    outside = np.maximum(np.abs(local) - boxes[None, :, 3:6], 0)
    return bool(np.linalg.norm(outside, axis=-1).min() >= CLEARANCE_M)


def _coverage(room: Room, renderer: Renderer, poses: Floats) -> float:
    """Return how many things are seen in at least three of `poses`, by images of 96×72."""
    camera = Camera(96, 72, np.array([[86.6, 0, 47.5], [0, 86.6, 35.5], [0, 0, 1]]))
    seen = np.zeros(FIRST_THING + len(room.things))
    for T in poses:
        _, instance = renderer.geometry(camera, T)
        seen += np.bincount(instance.ravel(), minlength=len(seen)) >= 3
    return float(np.minimum(seen[FIRST_THING:], 3).sum())
