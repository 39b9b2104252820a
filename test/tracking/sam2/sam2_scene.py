"""A disc that moves over noise, looked at by SAM 2 at 256 pixels."""

from __future__ import annotations

import numpy as np

from any3dis_ros.config import Sam2Config
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.base import PointPrompt, TrackRequest

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


def follow_forward(session, points, last):
    """Prompt an object at each point of the first frame and follow it: the logits of their masks in frame `last`."""
    born = session.prompt([PointPrompt.on(0, np.array([point])) for point in points], 1)
    requests = [TrackRequest(answers[0].object_id, range(1, last + 1)) for answers in born]
    return [track.masks[last].logits for track in session.track(requests)]


def iou(a, b):
    """Of two masks, as logits on one device."""
    a, b = a > 0, b > 0
    return ((a & b).sum() / (a | b).sum().clamp(min=1)).item()
