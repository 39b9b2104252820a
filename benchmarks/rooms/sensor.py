"""A structured-light camera: how exact depth and ideal colour become what a Kinect-like sensor delivers.

Depth noise lives in disparity, raw units of which 1/z = 2.85e-3 · raw (1/m): Gaussian with a standard deviation of
half a unit, spatially correlated by the matching window, then rounded to a whole unit (Khoshelham and Elberink 2012,
Sec. 3-4). Depth thus errs by 1.43e-3 · z² m before rounding and 1.65e-3 · z² m (z in metres) after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.rooms.rendering import View

RAW_UNIT = 2.85e-3  # 1/m of inverse depth a raw disparity unit (Khoshelham and Elberink 2012)


@dataclass(frozen=True)
class SensorModel:
    """Strength of every error; lengths in pixels hold at 640 columns and scale with the image."""

    disparity_sigma: float = 0.5  # raw units, before rounding
    correlation_px: float = 3.0  # of the matching window; matches the autocorrelation of real Kinect planes
    lateral_px: float = 0.7  # jitter of where a pixel's depth is read; shows at edges (Nguyen et al. 2012: 0.8)
    edge_jump: float = 0.04  # relative depth step that counts as an edge
    edge_dropout: float = 0.6  # share of edge pixels without depth
    grazing: tuple[float, float] = (0.08, 0.22)  # cosine of incidence: all lost below, none above
    range_m: tuple[float, float] = (0.4, 5.0)
    baseline_m: float = 0.075  # camera to projector
    color_noise: float = 2.2  # grey levels at mid-grey, growing with the root of brightness
    blur_px: float = 0.5
    exposure: float = 0.035  # relative swing of the automatic exposure

    def depth_sigma(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation of depth at `z` (metres), rounding to raw units included."""
        return RAW_UNIT * np.sqrt(self.disparity_sigma**2 + 1 / 12) * np.asarray(z) ** 2


def measure_depth(view: View, model: SensorModel, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres, 0 where the sensor fails."""
    h, w = view.depth.shape
    scale = w / 640
    near_edge = cv2.dilate(_edges(view.depth, model.edge_jump).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    # Jitter moves the outlines of things; elsewhere it would only add axial noise that belongs to the disparity.
    v, u = np.mgrid[:h, :w]
    shift = [np.rint(model.lateral_px * scale * _field(rng, (h, w), scale * model.correlation_px)) for _ in range(2)]
    v = np.clip(v + np.where(near_edge, shift[0], 0).astype(int), 0, h - 1)
    u = np.clip(u + np.where(near_edge, shift[1], 0).astype(int), 0, w - 1)
    z = view.depth[v, u]
    edge = _edges(z, model.edge_jump)
    if model.grazing[1] > model.grazing[0]:
        lost = np.clip((model.grazing[1] - view.cosine[v, u]) / (model.grazing[1] - model.grazing[0]), 0, 1)
    else:
        lost = np.zeros_like(z)
    lost = np.where(edge, np.maximum(lost, model.edge_dropout), lost)
    # Holes cluster as the window does: compare with a correlated field mapped to 0..1 by its normal distribution.
    luck = _normal_cdf(_field(rng, (h, w), 0.6 * scale * model.correlation_px))
    valid = (z > model.range_m[0]) & (z < model.range_m[1]) & (luck >= lost) & ~view.shadow[v, u]
    raw = 1 / (RAW_UNIT * np.maximum(z, 1e-3))
    if model.disparity_sigma:
        raw += model.disparity_sigma * _field(rng, (h, w), scale * model.correlation_px)
        raw = np.rint(raw)
    out = 1000 / (RAW_UNIT * np.maximum(raw, 1.0))
    return np.where(valid, np.rint(out), 0).clip(0, 65535).astype(np.uint16)


def measure_color(
    color: NDArray[np.float32], model: SensorModel, time_s: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return H×W×3 uint8 RGB of ideal sRGB (0..1): lens blur, vignette, exposure that swings, shot noise."""
    h, w = color.shape[:2]
    sigma = model.blur_px * w / 640
    image = np.asarray(cv2.GaussianBlur(color, (0, 0), sigma) if sigma > 0.2 else color, np.float32)
    y, x = np.linspace(-1, 1, h, dtype=np.float32)[:, None], np.linspace(-1, 1, w, dtype=np.float32)
    vignette = 1 - 0.05 * (x * x + y * y)
    gain = 1 + model.exposure * np.sin(2 * np.pi * time_s / 7.0)
    tint = np.array([1 + 0.01 * np.sin(time_s / 3), 1.0, 1 - 0.01 * np.sin(time_s / 3)], np.float32)
    image = image * (255 * gain * vignette)[..., None].astype(np.float32) * tint
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image += model.color_noise * noise * np.sqrt(0.25 + image / 170)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _edges(z: NDArray[np.float32], relative: float) -> NDArray[np.bool_]:
    """Return where depth steps by more than `relative` times itself within 3×3 pixels."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(z, kernel) - cv2.erode(z, kernel) > relative * np.maximum(z, 0.1))


def _field(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> NDArray[np.float32]:
    """Return Gaussian noise of unit variance, correlated over `sigma` pixels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    if sigma < 0.2:
        return white
    size = 2 * int(np.ceil(3 * sigma)) + 1
    k = cv2.getGaussianKernel(size, sigma).astype(np.float32)
    return np.asarray(cv2.sepFilter2D(white, -1, k, k) / (k**2).sum(), np.float32)


def _normal_cdf(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distribution function of the standard normal (logistic approximation, within 0.01)."""
    return np.asarray(1 / (1 + np.exp(-1.702 * x)), np.float32)
