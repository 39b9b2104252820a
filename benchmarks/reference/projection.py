"""Which points a keyframe sees (paper, Eq. 1), as public code has it: all points by a 4×4 product, dense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Frame


def project(points: NDArray[np.float32], frame: Frame, threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return for each of N points whether the keyframe sees it (N bool), and at which pixel (N×2, row and column).

    Args:
        points: N×3 float32, metres, map frame.
        frame: the keyframe.
        threshold: metres between measured and projected depth of what is seen.
    """
    H, W = frame.depth.shape
    homogeneous = np.concatenate([points.astype(np.float64), np.ones((len(points), 1))], 1)
    x, y, z, _ = np.linalg.inv(frame.T_map_camera) @ homogeneous.T
    K = frame.camera.K
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.floor((K[0, 0] * x + K[0, 1] * y) / z + K[0, 2] + 0.5)
        v = np.floor(K[1, 1] * y / z + K[1, 2] + 0.5)
    visible = (z > 0) & (u >= 0) & (u < W) & (v >= 0) & (v < H)
    pixel = np.zeros((len(points), 2), np.int64)
    pixel[visible] = np.stack([v[visible], u[visible]], 1)
    depth = frame.depth[pixel[:, 0], pixel[:, 1]] / 1000
    visible &= (depth > 0) & (np.abs(depth - z) <= threshold)
    return visible, pixel


def members(superpoint: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Return the points of each superpoint."""
    return [np.flatnonzero(superpoint == one) for one in range(int(superpoint.max()) + 1)]


def counted(flags: NDArray[np.bool_], points_of: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return how many points of each superpoint are flagged (N bool), one superpoint after the other; L."""
    return np.array([np.count_nonzero(flags[own]) for own in points_of], np.int64)
