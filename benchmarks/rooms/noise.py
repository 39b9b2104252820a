"""Three levels of what a sensor and a localisation get wrong: `low`, `middle`, `high`.

| | low | middle | high |
| --- | --- | --- | --- |
| depth at 1 / 2 / 4 m, standard deviation, mm | 1.1 / 4.4 / 17 | 1.6 / 6.6 / 26 | 3.5 / 14 / 56 |
| depth lost at edges, share of pixels | 0.3 | 0.6 | 0.8 |
| outlines of depth off by, VGA pixels | 0.4 | 0.7 | 1.2 |
| colour noise at mid-grey, grey levels | 1.2 | 2.2 | 4.5 |
| position: drift + jitter, RMS, mm | 2 + 0.5 | 10 + 2 | 25 + 4 |
| orientation: drift + jitter, RMS, degrees | 0.05 + 0.02 | 0.3 + 0.08 | 0.6 + 0.15 |

Middle is a Kinect (see `sensor.py`) with the poses of a good RGB-D SLAM; low a sensor that smooths, with those of
motion capture; high a Kinect at its worst, with odometry that drifts. Pictures are always taken from the true poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from benchmarks.rooms.sensor import SensorModel

Floats = NDArray[np.float64]
SMOOTH_S = 1.0  # the drift bends no faster than this: what a hand-held walk with loop closures leaves


@dataclass(frozen=True)
class PoseNoise:
    """Errors of the poses that a segmenter is given; each is the root of the mean squared length over a path.

    Attributes:
        drift_m, drift_deg: of a smooth random walk of position (metres) and of orientation (degrees), its mean removed.
        jitter_m, jitter_deg: of independent errors, anew for every frame.
    """

    drift_m: float = 0.0
    drift_deg: float = 0.0
    jitter_m: float = 0.0
    jitter_deg: float = 0.0


@dataclass(frozen=True)
class Noise:
    """One level: what sensor and localisation get wrong."""

    sensor: SensorModel
    pose: PoseNoise


LEVELS = {
    "low": Noise(
        SensorModel(
            disparity_sigma=0.25, lateral_px=0.4, edge_dropout=0.3, color_noise=1.2, blur_px=0.3, exposure=0.015
        ),
        PoseNoise(0.002, 0.05, 0.0005, 0.02),
    ),
    "middle": Noise(SensorModel(), PoseNoise(0.010, 0.3, 0.002, 0.08)),
    "high": Noise(
        SensorModel(
            disparity_sigma=1.2,
            lateral_px=1.2,
            edge_dropout=0.8,
            grazing=(0.12, 0.35),
            color_noise=4.5,
            blur_px=1.0,
            exposure=0.08,
        ),
        PoseNoise(0.025, 0.6, 0.004, 0.15),
    ),
}
EXACT = Noise(SensorModel(), PoseNoise())  # a Kinect whose poses are true: what `make_scenes` gave from the beginning


def disturbed(T_room_camera: Floats, noise: PoseNoise, rate_hz: float, rng: np.random.Generator) -> Floats:
    """Return N×4×4 poses (at `rate_hz`) with the errors of `noise`; the orientation errs about the camera itself."""
    out = T_room_camera.copy()
    out[:, :3, 3] += _error(len(out), noise.drift_m, noise.jitter_m, rate_hz, rng)
    turn = np.radians(_error(len(out), noise.drift_deg, noise.jitter_deg, rate_hz, rng))
    out[:, :3, :3] = out[:, :3, :3] @ Rotation.from_rotvec(turn).as_matrix()
    return out


def _error(count: int, drift: float, jitter: float, rate_hz: float, rng: np.random.Generator) -> Floats:
    """Return N×3 errors, drift and jitter of the stated RMS lengths together."""
    walk = gaussian_filter1d(np.cumsum(rng.standard_normal((count, 3)), axis=0), SMOOTH_S * rate_hz, axis=0)
    walk -= walk.mean(axis=0)
    size = np.sqrt((walk**2).sum(axis=1).mean())
    if size > 0:
        walk *= drift / size
    return walk + rng.standard_normal((count, 3)) * jitter / np.sqrt(3)
