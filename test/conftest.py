"""What all tests share."""

from __future__ import annotations

import logging
import signal

import numpy as np
import pytest
from boxes import BOXES, looking_at, render_boxes
from hypothesis import settings

from any3dis_ros.scene.frames import Camera

settings.register_profile("shared machine", deadline=None)  # numba compiles within the first example
settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def interrupts_arrive():
    """Undo what a shell does to its background jobs: they ignore SIGINT, and so would all that the tests start."""
    former = signal.getsignal(signal.SIGINT)
    if former is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture(autouse=True)
def fresh_log_level():
    """The command line sets the package's level, as `--quiet` asks: for its process, not for the tests after it."""
    logging.getLogger("any3dis_ros").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def two_boxes():
    """Eight views around a crate and a post on a floor: frames, and the box each pixel shows."""
    camera = Camera(160, 120, np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]]))
    poses = [looking_at((2.2 * np.cos(a), 2.2 * np.sin(a), 1.4), (0, 0, 0.3)) for a in np.linspace(0, 1.75 * np.pi, 8)]
    rendered = [render_boxes(BOXES, T, camera, 100_000_000 * i) for i, T in enumerate(poses)]
    return [frame for frame, _ in rendered], [hit for _, hit in rendered]
