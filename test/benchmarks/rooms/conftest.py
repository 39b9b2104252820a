import numpy as np
import pytest

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms.capture import Run, pinhole, prepare


@pytest.fixture(scope="session")
def tiny_camera() -> Camera:
    return pinhole(64, 48)


@pytest.fixture(scope="session")
def run() -> Run:
    return prepare(3, 120)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
