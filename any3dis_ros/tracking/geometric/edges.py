"""Where one thing may end and another begin: an edge map from depth, normals and colour.

Everything geometric is computed in inverse depth d = 1/z: it is linear in pixel coordinates on any plane, and the noise
of structured light and stereo is nearly constant in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import GeometricConfig
from any3dis_ros.tracking.geometric.reduction import ReducedFrame, filled_inverse_depth

CEILING = 1.5  # an edge is no stronger than this, whatever its cue
MARGIN = 12  # pixels; reach of all filters below together
SMOOTHING = 0.008  # 1/m; differences in inverse depth well above the noise survive the bilateral filter


@dataclass(frozen=True)
class EdgeMap:
    """What one reduced frame shows.

    Attributes:
        strength: h×w float32, 0 = inside a surface, 1 = a clear edge, at most about 1.7.
        lab: h×w×3 float32, smoothed CIE Lab (OpenCV's scale, 0-255).
        surface: h×w float32, metres, smoothed depth without holes.
    """

    strength: NDArray[np.float32]
    lab: NDArray[np.float32]
    surface: NDArray[np.float32]


def edge_map(frame: ReducedFrame, config: GeometricConfig) -> EdgeMap:
    """Return the edges of a reduced frame."""
    inverse = _continued(filled_inverse_depth(frame.depth), MARGIN)
    for _ in range(2):
        inverse = np.asarray(cv2.bilateralFilter(inverse, 7, SMOOTHING, 2.5), np.float32)
    z = (1.0 / np.maximum(inverse, 1e-3)).astype(np.float32)
    lab = cv2.cvtColor(cv2.bilateralFilter(frame.color, 7, 30, 5), cv2.COLOR_RGB2LAB).astype(np.float32)
    K = frame.camera.K.copy()
    K[:2, 2] += MARGIN
    inner = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    geometry = np.maximum(_depth_edges(inverse, z, config), _crease_edges(inverse, z, K, config.convex_weight))[inner]
    color = _color_edges(lab)
    strength = np.maximum(geometry, config.color_weight * color) + config.color_bonus * color
    return EdgeMap(strength.astype(np.float32), lab, np.ascontiguousarray(z[inner]))


def _continued(inverse: NDArray[np.float32], margin: int) -> NDArray[np.float32]:
    """Continue inverse depth beyond the image by point reflection, so that a plane goes on as the same plane."""
    margins = [(min(margin, n - 1), margin - min(margin, n - 1)) for n in inverse.shape]
    near = np.pad(inverse, [(m, m) for m, _ in margins], mode="reflect", reflect_type="odd")
    return np.maximum(np.pad(near, [(m, m) for _, m in margins], mode="edge"), np.float32(1e-2))


def _shifted(a: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Return a[..., i + rows, j + columns], the border repeated."""
    h, w = a.shape[-2:]
    out = a.take(np.clip(np.arange(h) + rows, 0, h - 1), -2) if rows else a
    return out.take(np.clip(np.arange(w) + columns, 0, w - 1), -1) if columns else out


def _depth_edges(d: NDArray[np.float32], z: NDArray[np.float32], config: GeometricConfig) -> NDArray[np.float32]:
    """Steps and folds: the second difference of inverse depth, in units of what the sensor's noise can make."""
    second = np.zeros_like(d)
    for rows, columns in ((0, 2), (2, 0), (2, 2), (2, -2)):
        np.maximum(second, np.abs(_shifted(d, rows, columns) + _shifted(d, -rows, -columns) - 2 * d), out=second)
    sigma = config.noise_base_m + config.noise_quadratic * (z - 0.4) ** 2
    return np.asarray(np.minimum(second * z * z / (config.depth_edge_sigmas * sigma + 0.004), CEILING))


def _crease_edges(
    d: NDArray[np.float32], z: NDArray[np.float32], K: NDArray[np.float64], convex_weight: float
) -> NDArray[np.float32]:
    """Turns of the normal: concave creases part objects, convex ones mostly lie inside them."""
    h, w = d.shape
    (fx, _, cx), (_, fy, cy) = K[0], K[1]
    x = ((np.arange(w) - cx) / fx).astype(np.float32)[None, :]
    y = ((np.arange(h) - cy) / fy).astype(np.float32)[:, None]
    smooth = np.asarray(cv2.blur(d, (5, 5)), np.float32)
    # a plane n·p = 1 is d = n·(x, y, 1): the gradient of d is the normal
    nx = (_shifted(smooth, 0, 2) - _shifted(smooth, 0, -2)) * np.float32(fx / 4)
    ny = (_shifted(smooth, 2, 0) - _shifted(smooth, -2, 0)) * np.float32(fy / 4)
    nz = smooth - nx * x - ny * y
    normal = np.stack([nx, ny, nz]) / -(np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9))
    point = np.stack([x * z, y * z, z])
    turn = np.zeros_like(d)
    for rows, columns in ((0, 3), (3, 0)):
        na, nb = _shifted(normal, -rows, -columns), _shifted(normal, rows, columns)
        apart = _shifted(point, rows, columns) - _shifted(point, -rows, -columns)
        angle = 1 - np.einsum("cij,cij->ij", na, nb)
        concave = np.einsum("cij,cij->ij", nb - na, apart) < 0
        np.maximum(turn, np.where(concave, angle, convex_weight * angle), out=turn)
    return np.asarray(np.minimum(turn / 0.35, CEILING))


def _color_edges(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lab gradient over one pixel, 40 units = 1."""
    gx, gy = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    return np.asarray(np.minimum(np.sqrt((gx * gx + gy * gy).sum(2)) / 160, CEILING))
