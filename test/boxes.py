"""A rendered scene that tests know by heart: a crate and a post on a floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.progress import silent
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.base import PromptedObject, PromptPolicy, Track
from any3dis_ros.tracking.masks import PackedMask

CAMERA = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]]))


def looking_at(eye: tuple[float, float, float], target: tuple[float, float, float]) -> NDArray[np.float64]:
    """T_map_camera of an optical camera at `eye` looking at `target`, image upright (map z up)."""
    forward = np.subtract(target, eye) / np.linalg.norm(np.subtract(target, eye))
    right = np.cross(forward, (0, 0, 1.0))
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward], 1)
    T[:3, 3] = eye
    return T


def render_boxes(boxes: list[tuple[NDArray, NDArray]], T_map_camera: NDArray, camera: Camera = CAMERA, stamp: int = 0):
    """Ray-cast axis-aligned boxes (low, high; metres, map frame): the frame, and each pixel's box (-1 none)."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = np.stack(
        [(u - camera.K[0, 2]) / camera.K[0, 0], (v - camera.K[1, 2]) / camera.K[1, 1], np.ones(u.shape)], -1
    )
    direction, origin = rays @ T_map_camera[:3, :3].T, T_map_camera[:3, 3]
    depth, hit = np.full(u.shape, np.inf), np.full(u.shape, -1)
    for index, (low, high) in enumerate(boxes):
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (low - origin) / direction, (high - origin) / direction
        near, far = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
        closer = (near <= far) & (near > 0) & (near < depth)
        depth[closer], hit[closer] = near[closer], index
    colors = np.array(
        [[60, 60, 60], *[[(80 * i) % 256, (150 + 70 * i) % 256, (37 * i) % 256] for i in range(len(boxes))]]
    )
    millimetres = np.where(np.isfinite(depth), np.round(depth * 1000), 0).astype(np.uint16)
    frame = Frame(stamp, colors[hit + 1].astype(np.uint8), millimetres, camera, T_map_camera, str(stamp))
    return frame, hit


FLOOR = (np.array([-2.0, -2, -0.1]), np.array([2.0, 2, 0]))
CRATE = (np.array([-0.6, -0.3, 0]), np.array([-0.1, 0.3, 0.5]))
POST = (np.array([0.3, -0.2, 0]), np.array([0.6, 0.2, 0.8]))
BOXES = [FLOOR, CRATE, POST]


class PerfectTracker:
    """A tracker that knows which box each pixel shows."""

    name = "perfect"

    def __init__(self, hits: list[NDArray], policy: PromptPolicy | None = None) -> None:
        self.hits = hits
        self.policy = policy or PromptPolicy(1, 1, 0.6, seeds_per_round=512)
        self.closed = 0
        self._ids: dict[tuple[int, int], int] = {}

    def open(self, frames, progress=silent):
        progress("features", len(frames), len(frames))
        return self

    def prompt(self, prompts, masks_per_prompt):
        return [self._prompted(p) for p in prompts]

    def _prompted(self, prompt):
        u, v = prompt.points[0].astype(int)
        box = int(self.hits[prompt.frame][v, u])
        if box < 0:
            return []
        key = self._ids.setdefault((prompt.frame, box), len(self._ids))
        return [PromptedObject(key, prompt.frame, 0.9, PackedMask.pack(self.hits[prompt.frame] == box))]

    def track(self, requests):
        box_of = {key: box for (_, box), key in self._ids.items()}
        for request in requests:
            masks = {t: PackedMask.pack(self.hits[t] == box_of[request.object_id]) for t in request.frames}
            yield Track(request.object_id, {t: m for t, m in masks.items() if not m.empty})

    def drop(self, object_ids):
        pass

    def close(self):
        self.closed += 1

    def statistics(self):
        return {}
