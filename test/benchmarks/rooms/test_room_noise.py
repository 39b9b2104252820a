"""The levels of noise have the sizes that they state."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.rooms import noise
from benchmarks.rooms.noise import EXACT, LEVELS, PoseNoise, disturbed
from benchmarks.rooms.rendering import View
from benchmarks.rooms.sensor import measure_depth

RATE, COUNT = 30.0, 400


def still(count: int = COUNT) -> np.ndarray:
    return np.broadcast_to(np.eye(4), (count, 4, 4)).copy()


def errors(T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position in metres, orientation in degrees, N×3 each."""
    return T[:, :3, 3], np.degrees(Rotation.from_matrix(T[:, :3, :3]).as_rotvec())


def rms(v: np.ndarray) -> float:
    return float(np.sqrt((v**2).sum(axis=1).mean()))


@pytest.mark.parametrize("level", LEVELS)
def test_drift_and_jitter_have_the_stated_root_mean_square(level):
    pose = LEVELS[level].pose
    drift = errors(disturbed(still(), PoseNoise(pose.drift_m, pose.drift_deg), RATE, np.random.default_rng(1)))
    assert rms(drift[0]) == pytest.approx(pose.drift_m)
    assert rms(drift[1]) == pytest.approx(pose.drift_deg, rel=1e-3)
    jitter = PoseNoise(jitter_m=pose.jitter_m, jitter_deg=pose.jitter_deg)
    own = errors(disturbed(still(4000), jitter, RATE, np.random.default_rng(2)))
    assert rms(own[0]) == pytest.approx(pose.jitter_m, rel=0.05)
    assert rms(own[1]) == pytest.approx(pose.jitter_deg, rel=0.05)
    both = errors(disturbed(still(), pose, RATE, np.random.default_rng(3)))
    assert rms(both[0]) == pytest.approx(np.hypot(pose.drift_m, pose.jitter_m), rel=0.1)


def test_drift_is_smooth_and_returns_and_jitter_is_independent():
    drift, _ = errors(disturbed(still(), PoseNoise(0.01), RATE, np.random.default_rng(4)))
    assert np.abs(drift.mean(axis=0)).max() < 1e-12
    step = np.diff(drift, axis=0)
    assert rms(step) < 0.1 * rms(drift)
    assert (step[1:] * step[:-1]).sum() > 0.95 * (step**2).sum()
    jitter, _ = errors(disturbed(still(4000), PoseNoise(jitter_m=0.01), RATE, np.random.default_rng(5)))
    assert abs((jitter[1:] * jitter[:-1]).sum()) < 0.06 * (jitter**2).sum()


def test_without_noise_poses_are_as_they_were_and_the_rest_is_rigid():
    T = still()
    np.testing.assert_array_equal(disturbed(T, EXACT.pose, RATE, np.random.default_rng(0)), T)
    R = disturbed(T, LEVELS["high"].pose, RATE, np.random.default_rng(0))[:, :3, :3]
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)


def test_the_orientation_errs_about_the_camera():
    T = still()
    T[:, :3, 3] = 1.0, 2.0, 3.0
    out = disturbed(T, PoseNoise(drift_deg=1.0), RATE, np.random.default_rng(6))
    np.testing.assert_array_equal(out[:, :3, 3], T[:, :3, 3])


@pytest.mark.parametrize(("level", "stated"), [("low", 0.0044), ("middle", 0.0066), ("high", 0.014)])
def test_depth_at_two_metres_errs_as_the_table_says(level, stated):
    shape = (240, 320)
    sensor = LEVELS[level].sensor
    error = []
    for k, z in enumerate(np.linspace(1.98, 2.02, 8)):
        view = View(
            np.full(shape, z, np.float32),
            np.ones(shape, np.int32),
            np.ones(shape, np.float32),
            np.zeros(shape, bool),
            np.zeros((*shape, 3), np.float32),
        )
        error.append(measure_depth(view, sensor, np.random.default_rng(k)) / 1000.0 - z)
    assert np.std(error) == pytest.approx(stated, rel=0.08)
    row = next(line for line in (noise.__doc__ or "").splitlines() if line.startswith("| depth at"))
    cell = row.split("|")[2 + list(LEVELS).index(level)]
    assert [float(v) for v in cell.split("/")] == [
        pytest.approx(1000 * float(sensor.depth_sigma(np.float64(z))), rel=0.05) for z in (1, 2, 4)
    ]


def test_levels_grow():
    for attribute in ("drift_m", "drift_deg", "jitter_m", "jitter_deg"):
        sizes = [getattr(LEVELS[level].pose, attribute) for level in ("low", "middle", "high")]
        assert 0 < sizes[0] < sizes[1] < sizes[2]
