from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.scene.frames import Camera, Frame, KeyframeBuffer, check_pose, invert, viewing_distance

CAMERA = Camera(8, 6, np.array([[5.0, 0, 3.5], [0, 5, 2.5], [0, 0, 1]]))


def frame(stamp: int = 0, x: float = 0.0, turn: float = 0.0) -> Frame:
    T = np.eye(4)
    T[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    T[0, 3] = x
    return Frame(stamp, np.zeros((6, 8, 3), np.uint8), np.ones((6, 8), np.uint16), CAMERA, T, str(stamp))


def test_camera_accepts_scannets_4x4_intrinsics():
    K = np.eye(4)
    K[0, 0] = K[1, 1] = 500
    assert Camera(640, 480, K).K.shape == (3, 3)


@pytest.mark.parametrize("K", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2), np.diag([-1.0, 1, 1])])
def test_camera_refuses_impossible_intrinsics(K):
    with pytest.raises(InputError, match=r"intrinsics|focal"):
        Camera(640, 480, K)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_resizing_keeps_rays(width, height, x, y):
    camera = Camera(320, 240, np.array([[300.0, 0, 150], [0, 310, 130], [0, 0, 1]]))
    small = camera.resized(width, height)

    def ray(c: Camera) -> np.ndarray:  # the ray through the same place of the sensor, x and y as shares of its extent
        pixel = np.array([x * c.width - 0.5, y * c.height - 0.5, 1])
        return np.linalg.solve(c.K, pixel)

    np.testing.assert_allclose(ray(small), ray(camera), atol=1e-9)


@settings(max_examples=50)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.tuples(*[st.floats(-9, 9)] * 3))
def test_inverse_undoes_a_rigid_transform(a, b, c, t):
    from scipy.spatial.transform import Rotation

    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("zyx", [a, b, c]).as_matrix()
    T[:3, 3] = t
    np.testing.assert_allclose(invert(T) @ T, np.eye(4), atol=1e-12)
    check_pose(T, "test")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda T: T * np.nan, "NaN"),
        (lambda T: T @ np.diag([1, 1, -1, 1]), "rigid"),
        (lambda T: T @ np.diag([2, 2, 2, 1]), "rigid"),
        (lambda T: T[:3], "3, 4"),
        (lambda T: T + np.diag([0, 0, 0, 1]), "last row"),
    ],
)
def test_poses_that_are_no_rigid_transforms_are_refused(spoil, words):
    with pytest.raises(InputError, match=words):
        check_pose(spoil(np.eye(4)), "frame 7")


def test_frame_checks_shapes_and_types():
    good = frame()
    with pytest.raises(InputError, match="depth of frame 0 is float32"):
        replace(good, depth=good.depth.astype(np.float32))
    with pytest.raises(InputError, match="colour of frame 0"):
        replace(good, color=good.color[..., 0])
    with pytest.raises(InputError, match=r"depth of frame 0 is uint16 \(5, 8\)"):
        replace(good, depth=good.depth[:5])


def test_every_nth_frame_is_kept():
    buffer = KeyframeBuffer(KeyframeConfig(stride=10))
    kept = [i for i in range(95) if buffer.add(frame(i))]
    assert kept == list(range(0, 95, 10))
    assert [f.stamp_ns for f in buffer.frames] == kept


def test_skipping_counts_like_adding():
    buffer = KeyframeBuffer(KeyframeConfig(stride=3))
    for i in range(10):
        if buffer.wants_next():
            buffer.add(frame(i))
        else:
            buffer.skip()
    assert [f.stamp_ns for f in buffer.frames] == [0, 3, 6, 9]


def test_a_keyframe_needs_motion_where_asked():
    buffer = KeyframeBuffer(KeyframeConfig(stride=1, min_translation_m=0.1, min_rotation_deg=5))
    assert buffer.add(frame(0))
    assert not buffer.add(frame(1, x=0.05))
    assert buffer.add(frame(2, x=0.11))
    assert not buffer.add(frame(3, x=0.11, turn=np.radians(4)))
    assert buffer.add(frame(4, x=0.11, turn=np.radians(6)))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(1, 200))
def test_the_buffer_is_bounded_and_stays_evenly_spread(bound, stride, count):
    logging.disable(logging.CRITICAL)
    buffer = KeyframeBuffer(KeyframeConfig(stride=stride, max_keyframes=bound))
    for i in range(count):
        buffer.add(frame(i))
    logging.disable(logging.NOTSET)
    stamps = np.array([f.stamp_ns for f in buffer.frames])
    assert 1 <= len(buffer) <= bound
    assert stamps[0] == 0
    gaps = np.diff(stamps)
    assert (gaps == buffer.stride).all()
    assert buffer.nbytes == sum(f.nbytes for f in buffer.frames)


def test_thinning_says_so(caplog):
    buffer = KeyframeBuffer(KeyframeConfig(stride=1, max_keyframes=4))
    with caplog.at_level(logging.WARNING):
        for i in range(5):
            buffer.add(frame(i))
    assert buffer.thinned == 1
    assert "keyframe buffer full (4)" in caplog.text
    buffer.clear()
    assert (len(buffer), buffer.stride, buffer.received) == (0, 1, 0)


def test_viewing_distance_is_the_median_valid_depth():
    near, far, blind = (replace(frame(), depth=np.full((6, 8), z, np.uint16), name=str(z)) for z in (800, 2000, 0))
    assert viewing_distance([near, far, far, blind]) == 2.0
    assert viewing_distance([blind]) == viewing_distance([]) == 1.0
