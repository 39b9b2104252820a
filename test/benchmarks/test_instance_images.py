from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.scene.frames import Camera, Frame
from benchmarks.instance_images import HalfSpace, InstanceImages, back_project
from benchmarks.scenes import BenchmarkScene


def images_of(scene: BenchmarkScene) -> InstanceImages:
    return InstanceImages(scene.frames, list(scene.instance_images.values()), scene.truth.valid_ids)


def test_masks_are_unions_grown_and_shrunk_by_pixels(blocks: BenchmarkScene) -> None:
    images = images_of(blocks)
    truth = blocks.instance_images["0"]
    assert np.array_equal(images.mask(0, [2, 3]), (truth == 2) | (truth == 3))
    assert images.mask(0, [4], offset_px=3)[25].sum() == 25 + 6
    assert images.mask(0, [4], offset_px=-3)[25].sum() == 25 - 6
    assert not images.mask(15, [4]).any()


def test_neighbours_are_those_that_touch_and_stuff_counts_a_quarter(blocks: BenchmarkScene) -> None:
    images = images_of(blocks)
    rng = np.random.default_rng(0)
    drawn = np.array([images.neighbour(0, 2, rng) for _ in range(2000)])
    thing, stuff = 40.0, 30 / 4  # border with thing 3, and with the floor
    assert set(drawn) == {1, 3}
    assert np.mean(drawn == 3) == pytest.approx(thing / (thing + stuff), abs=0.04)
    assert images.neighbour(0, 4, rng) == 0
    assert images.touches(0, 2, 3)
    assert not images.touches(0, 3, 4)


def test_areas_and_points_under_a_prompt(blocks: BenchmarkScene) -> None:
    images = images_of(blocks)
    assert images.area[0, 2] == 40 * 30
    assert images.area[15, 4] == 0
    assert images.at(0, np.array([[30.4, 40], [79.6, 40], [500, -3]], np.float32)).tolist() == [2, 0, 0]


def test_a_half_space_and_its_opposite_share_only_the_plane_and_pixels_without_depth(blocks: BenchmarkScene) -> None:
    depth = blocks.frames[0].depth.copy()
    depth[0, 0] = 0
    frame = Frame(0, blocks.frames[0].color, depth, blocks.frames[0].camera, np.eye(4))
    half = HalfSpace(np.array([1.0, 0, 0]), 0.0)
    box = (0, frame.camera.height, 0, frame.camera.width)
    left = half.opposite.contains(frame, box)
    right = half.contains(frame, box)
    assert right[5, -1]
    assert not left[5, -1]
    assert (left | right).all()
    assert np.argwhere(left & right).tolist() == [[0, 0]]


@settings(max_examples=50, deadline=None)
@given(
    angle=st.floats(-3, 3),
    shift=st.tuples(*[st.floats(-5, 5)] * 3),
    u=st.integers(0, 127),
    v=st.integers(0, 95),
    z=st.floats(0.3, 8),
)
def test_back_projection_inverts_projection(
    angle: float, shift: tuple[float, float, float], u: int, v: int, z: float
) -> None:
    camera = Camera(128, 96, np.array([[110.0, 0, 60], [0, 120.0, 50], [0, 0, 1]]))
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:3, 3] = shift
    frame = Frame(0, np.zeros((96, 128, 3), np.uint8), np.zeros((96, 128), np.uint16), camera, T)
    p = back_project(frame, np.array(u), np.array(v), np.array(z))
    x, y, w = camera.K @ (frame.T_camera_map @ [*p, 1])[:3]
    assert [x / w, y / w, w] == pytest.approx([u, v, z], abs=1e-6)
