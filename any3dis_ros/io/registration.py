"""Depth on the grid of another camera: resampled where the centres agree, else a z-buffer of splatted pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Camera

_MAX_SPLAT_PX = 8.0  # half a footprint's largest width; a pixel right before the lens must not paint the whole image


def on_grid(
    depth: NDArray[np.uint16], depth_camera: Camera, color_camera: Camera, T_color_depth: NDArray[np.float64]
) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres on the grid of `color_camera` in the way that fits the two cameras.

    Args:
        depth: H×W uint16, millimetres, 0 = invalid, in the grid of `depth_camera`.
        depth_camera: intrinsics of `depth`.
        color_camera: intrinsics of the colour image.
        T_color_depth: 4×4, depth camera to colour camera, metres.
    """
    if np.abs(T_color_depth - np.eye(4)).max() > 1e-6:
        return register_depth(depth, depth_camera, color_camera, T_color_depth)
    if depth.shape == (color_camera.height, color_camera.width) and np.allclose(
        depth_camera.K, color_camera.K, rtol=0, atol=0.01
    ):
        return depth
    return resample_depth(depth, depth_camera, color_camera)


def resample_depth(depth: NDArray[np.uint16], depth_camera: Camera, color_camera: Camera) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres of the nearest depth pixel in the direction of each pixel of `color_camera`.

    For cameras with one centre and one orientation: there is no parallax, so nothing hides.
    """
    H = depth_camera.K @ np.linalg.inv(color_camera.K)
    size = (color_camera.width, color_camera.height)
    return np.asarray(
        cv2.warpPerspective(depth, H, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderValue=0), np.uint16
    )


def reduced(camera: Camera, max_width_px: int) -> Camera:
    """Return `camera` with at most `max_width_px` columns."""
    if camera.width <= max_width_px:
        return camera
    return camera.resized(max_width_px, max(round(camera.height * max_width_px / camera.width), 1))


def register_depth(
    depth: NDArray[np.uint16], depth_camera: Camera, color_camera: Camera, T_color_depth: NDArray[np.float64]
) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres on the grid of `color_camera`, 0 = nothing seen.

    Every valid depth pixel is projected as the square it covers, so that a finer colour grid has no holes; where
    several fall on one pixel the nearest wins.

    Args:
        depth: H×W uint16, millimetres, 0 = invalid, in the grid of `depth_camera`.
        depth_camera: intrinsics of `depth`.
        color_camera: intrinsics of the colour image.
        T_color_depth: 4×4, depth camera to colour camera, metres.
    """
    out = np.zeros((color_camera.height, color_camera.width), np.uint16)
    _splat(
        depth,
        np.asarray(np.linalg.inv(depth_camera.K), np.float64),
        color_camera.K,
        np.ascontiguousarray(T_color_depth[:3, :3], dtype=np.float64),
        np.ascontiguousarray(T_color_depth[:3, 3] * 1000.0),
        color_camera.K[0, 0] / depth_camera.K[0, 0],
        color_camera.K[1, 1] / depth_camera.K[1, 1],
        out,
    )
    return out


@njit(cache=True, nogil=True)
def _splat(
    depth: NDArray[np.uint16],
    K_inv: NDArray[np.float64],
    K: NDArray[np.float64],
    R: NDArray[np.float64],
    t_mm: NDArray[np.float64],
    scale_x: float,
    scale_y: float,
    out: NDArray[np.uint16],
) -> None:
    height, width = out.shape
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            d = float(depth[row, column])
            if d == 0:
                continue
            x = (K_inv[0, 0] * column + K_inv[0, 1] * row + K_inv[0, 2]) * d
            y = (K_inv[1, 1] * row + K_inv[1, 2]) * d
            z = R[2, 0] * x + R[2, 1] * y + R[2, 2] * d + t_mm[2]
            mm = np.rint(z)
            if mm < 1 or mm > 65535:
                continue
            xc = R[0, 0] * x + R[0, 1] * y + R[0, 2] * d + t_mm[0]
            yc = R[1, 0] * x + R[1, 1] * y + R[1, 2] * d + t_mm[1]
            u = (K[0, 0] * xc + K[0, 1] * yc) / z + K[0, 2]
            v = K[1, 1] * yc / z + K[1, 2]
            half_u = min(max(0.5 * scale_x * d / z, 0.5), _MAX_SPLAT_PX)
            half_v = min(max(0.5 * scale_y * d / z, 0.5), _MAX_SPLAT_PX)
            # pixels whose centres lie in the half-open footprint
            left, right = max(int(np.ceil(u - half_u)), 0), min(int(np.ceil(u + half_u)), width)
            top, bottom = max(int(np.ceil(v - half_v)), 0), min(int(np.ceil(v + half_v)), height)
            for i in range(top, bottom):
                for j in range(left, right):
                    if out[i, j] == 0 or mm < out[i, j]:
                        out[i, j] = np.uint16(mm)
