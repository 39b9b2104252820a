import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from any3dis_ros.io.registration import on_grid, reduced, register_depth, resample_depth
from any3dis_ros.scene.frames import Camera


def camera(width: int, height: int, f: float) -> Camera:
    return Camera(width, height, np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]]))


def literal(depth: np.ndarray, source: Camera, target: Camera, T: np.ndarray) -> np.ndarray:
    """Every depth pixel's centre to every target pixel within its footprint, the nearest kept."""
    out = np.zeros((target.height, target.width), np.uint16)
    for (v, u), d in np.ndenumerate(depth):
        if d == 0:
            continue
        p = T[:3, :3] @ (np.linalg.inv(source.K) @ (u, v, 1) * float(d)) + T[:3, 3] * 1000
        mm = round(p[2])
        if not 1 <= mm <= 65535:
            continue
        x, y, _ = target.K @ p / p[2]
        hx = min(max(target.K[0, 0] / source.K[0, 0] * d / p[2], 1), 16) / 2
        hy = min(max(target.K[1, 1] / source.K[1, 1] * d / p[2], 1), 16) / 2
        for i in range(target.height):
            for j in range(target.width):
                if x - hx <= j < x + hx and y - hy <= i < y + hy and (out[i, j] == 0 or mm < out[i, j]):
                    out[i, j] = mm
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.4, 3))
def test_equals_the_literal_z_buffer(seed, zoom):
    rng = np.random.default_rng(seed)
    depth = rng.integers(500, 1500, (6, 8)).astype(np.uint16)
    depth[rng.random(depth.shape) < 0.3] = 0
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(rng.normal(scale=0.05, size=3)).as_matrix()
    T[:3, 3] = rng.normal(scale=0.05, size=3)
    source, target = camera(8, 6, 9.0), camera(9, 7, 9.0 * zoom)
    assert np.array_equal(register_depth(depth, source, target, T), literal(depth, source, target, T))


def test_identity_is_exact_by_both_ways():
    rng = np.random.default_rng(0)
    depth = rng.integers(0, 5000, (24, 32)).astype(np.uint16)
    c = camera(32, 24, 30.0)
    assert np.array_equal(register_depth(depth, c, c, np.eye(4)), depth)
    assert np.array_equal(resample_depth(depth, c, c), depth)
    assert on_grid(depth, c, c, np.eye(4)) is depth


def test_a_plane_moves_by_its_disparity():
    """f = 30 px, baseline 0.1 m, plane at 1 m: 3 pixels."""
    c = camera(32, 24, 30.0)
    depth = np.full((24, 32), 1000, np.uint16)
    depth[:, 10] = 0
    T = np.eye(4)
    T[0, 3] = -0.1
    got = on_grid(depth, c, c, T)
    assert (np.delete(got[:, :29], 7, axis=1) == 1000).all()
    assert not got[:, 7].any()
    assert not got[:, 29:].any()


def test_the_nearer_surface_hides_the_farther():
    c = camera(32, 24, 30.0)
    depth = np.full((24, 32), 2000, np.uint16)
    depth[:, 16:20] = 500
    T = np.eye(4)
    T[0, 3] = -0.1  # near moves 6 px, far 1.5 px to the left
    got = on_grid(depth, c, c, T)
    assert (got[:, 10:14] == 500).all()


def test_a_finer_colour_grid_has_no_holes():
    depth = np.full((12, 16), 1000, np.uint16)
    T = np.eye(4)
    T[0, 3] = 1e-3
    got = register_depth(depth, camera(16, 12, 15.0), camera(48, 36, 45.0), T)
    assert (got[2:-2, 2:-2] == 1000).all()


def test_what_lies_behind_the_colour_camera_is_not_seen():
    c = camera(8, 6, 9.0)
    T = np.eye(4)
    T[2, 3] = -2.0
    assert not register_depth(np.full((6, 8), 1500, np.uint16), c, c, T).any()


def test_resampling_takes_the_nearest_pixel_and_mixes_none():
    depth = np.zeros((12, 16), np.uint16)
    depth[:, :8], depth[:, 8:] = 1000, 3000
    got = on_grid(depth, camera(16, 12, 15.0), camera(32, 24, 30.5), np.eye(4))
    assert set(np.unique(got)) == {1000, 3000}
    assert (got[:, :15] == 1000).all()
    assert (got[:, 17:] == 3000).all()


@pytest.mark.parametrize(("width", "expected"), [(640, (640, 480)), (320, (320, 240)), (2000, (1280, 960))])
def test_reduced_keeps_the_view(width, expected):
    c = camera(1280, 960, 1000.0)
    small = reduced(c, width)
    if width > 1280:
        assert small is c
    assert (small.width, small.height) == expected
    assert small.K[0, 0] == pytest.approx(1000 * small.width / 1280)
    assert small.K[0, 2] == pytest.approx((small.width - 1) / 2)
