"""Which map points each keyframe sees, and at which pixel (paper, Eq. 1), stored sparse."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import VisibilityConfig
from any3dis_ros.progress import Progress, silent
from any3dis_ros.scene.frames import Frame


@dataclass(frozen=True)
class Visibility:
    """The visible points of every keyframe, sorted by pixel within a keyframe.

    Attributes:
        indptr: T+1 int64; keyframe t owns entries ``indptr[t]:indptr[t+1]``.
        point: int32, index of the map point.
        pixel: int32, ``v * W + u`` in the full keyframe.
        superpoint: int32, superpoint of that point.
        size: L int64, points of each superpoint.
        widths: T int32, W of each keyframe.
    """

    indptr: NDArray[np.int64]
    point: NDArray[np.int32]
    pixel: NDArray[np.int32]
    superpoint: NDArray[np.int32]
    size: NDArray[np.int64]
    widths: NDArray[np.int32]

    @property
    def frame_count(self) -> int:
        """Number of keyframes T."""
        return len(self.indptr) - 1

    def entries(self, t: int) -> slice:
        """Return the entries of keyframe `t`."""
        return slice(int(self.indptr[t]), int(self.indptr[t + 1]))

    def rows(self, t: int, first: int, end: int) -> slice:
        """Return the entries of keyframe `t` whose pixel row lies in [first, end)."""
        own = self.entries(t)
        pixel = self.pixel[own]
        low, high = np.searchsorted(pixel, (first * self.widths[t], end * self.widths[t]))
        return slice(own.start + int(low), own.start + int(high))

    def seen(self) -> NDArray[np.int32]:
        """Return seen[t, l] = |ρ_t^l|: visible points of superpoint l in keyframe t; T×L int32."""
        L = len(self.size)
        counts = [np.bincount(self.superpoint[self.entries(t)], minlength=L) for t in range(self.frame_count)]
        return np.stack(counts).astype(np.int32)


def compute_visibility(
    points: NDArray[np.float32],
    superpoint: NDArray[np.int32],
    frames: Sequence[Frame],
    config: VisibilityConfig,
    progress: Progress = silent,
) -> Visibility:
    """Project the map into every keyframe and keep what its depth confirms.

    A point is visible in a keyframe if it lies in front of the camera, inside the image, and within
    `occlusion_threshold_m` of the measured depth at its pixel; invalid depth confirms nothing.

    Args:
        points: N×3 float32, metres, map frame.
        superpoint: N int32, superpoint of each point.
        frames: T keyframes.
        config: the depth test's threshold.
        progress: told after every keyframe.
    """

    def project(frame: Frame) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        K, T = frame.camera.K.astype(np.float32), frame.T_camera_map.astype(np.float32)
        point, pixel = _visible(points, K, T, frame.depth, np.float32(config.occlusion_threshold_m))
        return point, pixel

    found = []
    with ThreadPoolExecutor() as pool:
        for i, entry in enumerate(pool.map(project, frames)):
            progress("visibility", i, len(frames))
            found.append(entry)
    indptr = np.concatenate([[0], np.cumsum([len(point) for point, _ in found])]).astype(np.int64)
    point = np.concatenate([point for point, _ in found]) if found else np.zeros(0, np.int32)
    pixel = np.concatenate([pixel for _, pixel in found]) if found else np.zeros(0, np.int32)
    widths = np.array([f.camera.width for f in frames], np.int32)
    progress("visibility", len(frames), len(frames))
    return Visibility(indptr, point, pixel, superpoint[point], np.bincount(superpoint), widths)


@numba.njit(cache=True, nogil=True)
def _visible(points, K, T, depth, threshold):  # type: ignore[no-untyped-def]
    """Return (point, pixel), int32 both, of the visible points, sorted by pixel (a counting sort)."""
    H, W = depth.shape
    n = len(points)
    at = np.empty(n, np.int32)
    start = np.zeros(H * W + 1, np.int32)
    for i in range(n):
        at[i] = -1
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        zc = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
        if zc <= np.float32(1e-6):
            continue
        xc = T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]
        yc = T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]
        fu = np.floor((K[0, 0] * xc + K[0, 1] * yc) / zc + K[0, 2] + np.float32(0.5))
        fv = np.floor(K[1, 1] * yc / zc + K[1, 2] + np.float32(0.5))
        if not (fu >= 0 and fv >= 0 and fu < W and fv < H):
            continue
        u, v = int(fu), int(fv)
        d = depth[v, u]
        if d > 0 and abs(d * np.float32(0.001) - zc) <= threshold:
            at[i] = v * W + u
            start[v * W + u + 1] += 1
    for p in range(H * W):
        start[p + 1] += start[p]
    total = start[H * W]
    point, pixel = np.empty(total, np.int32), np.empty(total, np.int32)
    for i in range(n):
        if at[i] >= 0:
            slot = start[at[i]]
            point[slot], pixel[slot] = i, at[i]
            start[at[i]] += 1
    return point, pixel
