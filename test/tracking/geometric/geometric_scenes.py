"""Boxes on a floor, rendered by numpy: exact depth, ids and colours of a few axis-aligned boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from boxes import looking_at
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera, Frame

CAMERA = Camera(320, 240, np.array([[290.0, 0, 159.5], [0, 290.0, 119.5], [0, 0, 1]]))
FLOOR_COLOR = (150, 140, 130)


@dataclass(frozen=True)
class Solid:
    """An axis-aligned box: lower and upper corner in metres, RGB."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    color: tuple[int, int, int]


def render(
    solids: list[Solid], T_map_camera: NDArray[np.float64], camera: Camera = CAMERA, noise_m: float = 0.001
) -> tuple[Frame, NDArray[np.int32]]:
    """Return a frame and its ids: 0 = the floor at z = 0, i + 1 = solids[i]. Depth noise is the same in every run."""
    h, w = camera.height, camera.width
    u, v = np.meshgrid(np.arange(w), np.arange(h))
    K = camera.K
    rays = np.dstack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones((h, w))]) @ T_map_camera[:3, :3].T
    eye = T_map_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = -eye[2] / rays[..., 2]
        z = np.where(floor > 0, floor, np.inf)
        ids = np.zeros((h, w), np.int32)
        color = np.broadcast_to(np.array(FLOOR_COLOR, float), (h, w, 3)).copy()
        for i, solid in enumerate(solids):
            near, far = (np.array(solid.low) - eye) / rays, (np.array(solid.high) - eye) / rays
            entry, leave = np.minimum(near, far).max(2), np.maximum(near, far).min(2)
            hit = (entry < leave) & (entry > 0) & (entry < z)
            z[hit], ids[hit] = entry[hit], i + 1
            shade = 1.0 - 0.12 * np.minimum(near, far).argmax(2)  # each of the three visible sides its own brightness
            color[hit] = (np.array(solid.color) * shade[..., None])[hit]
    rng = np.random.default_rng(7)
    z = np.where(np.isfinite(z) & (z < 8), z + rng.normal(0, noise_m, z.shape), 0)
    color = np.clip(color + rng.normal(0, 2, color.shape), 0, 255)
    depth = np.round(z * 1000).astype(np.uint16)
    return Frame(0, color.astype(np.uint8), depth, camera, T_map_camera), ids


TABLE = Solid((-0.6, -0.4, 0.0), (0.6, 0.4, 0.5), (180, 150, 100))
RED = Solid((-0.35, -0.1, 0.5), (-0.15, 0.1, 0.72), (190, 40, 40))
BLUE = Solid((0.1, -0.12, 0.5), (0.32, 0.08, 0.7), (40, 60, 180))


def orbit(
    solids: list[Solid], degrees: list[float], radius: float = 1.5
) -> tuple[list[Frame], list[NDArray[np.int32]]]:
    """Render views on a circle about the table, at 0 degrees from -y."""
    frames, ids = [], []
    for a in np.deg2rad(degrees):
        eye = (radius * float(np.sin(a)), -radius * float(np.cos(a)), 1.3)
        frame, i = render(solids, looking_at(eye, (0.0, 0.0, 0.5)))
        frames.append(frame)
        ids.append(i)
    return frames, ids


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return intersection over union; 1 where both are empty."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def middle(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the pixel (u, v) of the mask nearest to its mean, 1×2."""
    v, u = np.nonzero(mask)
    k = int(np.argmin((u - u.mean()) ** 2 + (v - v.mean()) ** 2))
    return np.array([[u[k], v[k]]], np.float32)
