"""A disc that moves over noise, looked at by SAM 2 at 256 pixels."""

from __future__ import annotations

import numpy as np

from any3dis_ros.config import Sam2Config
from any3dis_ros.scene.frames import Camera, Frame

HEIGHT, WIDTH = 96, 128
CAMERA = Camera(WIDTH, HEIGHT, np.array([[150.0, 0, 63.5], [0, 150, 47.5], [0, 0, 1]]))
CONFIG = Sam2Config(image_size=256, min_score=0.0, device="cpu")


def moving_disc(count: int) -> list[Frame]:
    """`count` frames without depth, all from one pose: SAM 2 looks at colours alone."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for t in range(count):
        color = rng.integers(50, 80, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        color[(v - 48 - t) ** 2 + (u - 35 - 3 * t) ** 2 < 600] += np.array([140, 30, 0], np.uint8)
        frames.append(Frame(t, color, np.zeros((HEIGHT, WIDTH), np.uint16), CAMERA, np.eye(4), str(t)))
    return frames
