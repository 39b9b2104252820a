"""A segmentation small enough to know by heart: three cubes of points, two of them objects, one view with a mask."""

from __future__ import annotations

import numpy as np
from boxes import looking_at

from any3dis_ros.objects.instances import Instances
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.masks import PackedMask

SIDE = 6  # points along an edge, 2 cm apart


def cube(corner: tuple[float, float, float]) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.arange(SIDE) * 0.02] * 3, indexing="ij"), -1).reshape(-1, 3)
    return (grid + corner).astype(np.float32)


def small_result(names: tuple[str, str] = ("first", "second")) -> tuple[Instances, list[Frame]]:
    """Superpoints 0, 1, 2 are the cubes at x = 0, 0.5, 1.0; proposals {0}, {1}, {0, 1}; the last owns no point."""
    corners = [(0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (1.0, 0.0, 0.0)]
    points = np.concatenate([cube(c) for c in corners])
    superpoint = np.repeat(np.arange(3, dtype=np.int32), SIDE**3)
    frames = []
    for k, name in enumerate(names):
        camera = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]]))
        depth = np.full((48, 64), 1500, np.uint16)
        color = np.full((48, 64, 3), 40 * (k + 1), np.uint8)
        frames.append(Frame(10**9 * (k + 1), color, depth, camera, looking_at((0.5, -1.5, 0.6 + k), (0.5, 0, 0)), name))
    mask = np.zeros((48, 64), bool)
    mask[10:20, 5:25] = True
    instances = Instances(
        points=points,
        colors=np.tile(np.array([[10, 20, 250]], np.uint8), (len(points), 1)),
        superpoint=superpoint,
        proposals=np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], bool),
        scores=np.array([0.9, 0.625, 0.25], np.float32),
        labels=np.array([1, 2, 0], np.int32)[superpoint],
        best_views=((1, 0), (0,), ()),
        masks=({1: PackedMask.pack(mask)}, {}, {}),
        statistics={"engine": "geometric", "keyframes": 2, "seconds": {"tracking": 1.5, "merging": 0.25}},
    )
    return instances, frames
