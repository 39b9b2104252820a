"""Keyframes brought to tracking size: colour by area, depth by the median surface, never averaged over an edge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera, Frame

MAX_INVERSE_DEPTH = 10.0  # 1/m; nearer than 10 cm no depth camera measures


@dataclass(frozen=True)
class ReducedFrame:
    """A keyframe at tracking size.

    Attributes:
        color: h×w×3 uint8, RGB.
        depth: h×w float32, metres, 0 = invalid.
        camera: intrinsics of the reduced view.
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    camera: Camera


def reduced(frame: Frame, width: int, noise: tuple[float, float]) -> ReducedFrame:
    """Reduce a keyframe to at most `width` pixels across; `noise` as in :func:`depth_noise`."""
    H, W = frame.depth.shape
    w = min(W, width)
    h = max(1, round(H * w / W))
    color = frame.color if (h, w) == (H, W) else cv2.resize(frame.color, (w, h), interpolation=cv2.INTER_AREA)
    depth = _reduce_depth(np.ascontiguousarray(frame.depth), h, w, noise[0], noise[1])
    return ReducedFrame(np.ascontiguousarray(color), depth, frame.camera.resized(w, h))


@njit(cache=True, nogil=True)
def depth_noise(z: float, base: float, quadratic: float) -> float:
    """Return the standard deviation of a depth reading at `z` metres, metres.

    base + quadratic (z - 0.4 m)²: axial noise of structured light (Nguyen, Izadi and Lovell 2012), a bound for others.
    """
    return base + quadratic * (z - 0.4) * (z - 0.4)


@njit(cache=True, nogil=True)
def _reduce_depth(depth: np.ndarray, h: int, w: int, base: float, quadratic: float) -> np.ndarray:
    """Mean of the valid depths of each cell that lie on the surface of the cell's median; H×W mm to h×w metres."""
    H, W = depth.shape
    out = np.zeros((h, w), np.float32)
    side = max((H + h - 1) // h + 1, (W + w - 1) // w + 1)
    values = np.empty(side * side, np.float32)
    for i in range(h):
        r0, r1 = i * H // h, max((i + 1) * H // h, i * H // h + 1)
        for j in range(w):
            c0, c1 = j * W // w, max((j + 1) * W // w, j * W // w + 1)
            n = 0
            for r in range(r0, r1):
                for c in range(c0, c1):
                    if depth[r, c] > 0:
                        x = np.float32(depth[r, c] * 0.001)
                        k = n
                        while k > 0 and values[k - 1] > x:
                            values[k] = values[k - 1]
                            k -= 1
                        values[k] = x
                        n += 1
            if n == 0:
                continue
            median = values[(n - 1) // 2]
            reach = 3.0 * depth_noise(median, base, quadratic) + 0.003
            total, count = 0.0, 0
            for k in range(n):
                if abs(values[k] - median) <= reach:
                    total += values[k]
                    count += 1
            out[i, j] = total / count
    return out


def filled_inverse_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1/depth (h×w, 1/m) with every hole given the value of the nearest valid pixel, so that it is no edge."""
    valid = depth > 0
    if not valid.any():
        return np.ones_like(depth)
    inverse = np.zeros_like(depth)
    inverse[valid] = np.minimum(1.0 / depth[valid], MAX_INVERSE_DEPTH)
    if valid.all():
        return inverse
    _, nearest = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros(int(nearest.max()) + 1, np.float32)
    by_label[nearest[valid]] = inverse[valid]
    return np.asarray(by_label[nearest])
