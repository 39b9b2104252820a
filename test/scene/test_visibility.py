from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from boxes import BOXES
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import MapConfig, VisibilityConfig
from any3dis_ros.errors import Cancelled
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.scene.mapping import fuse
from any3dis_ros.scene.visibility import compute_visibility
from any3dis_ros.scene.visible_points import VisiblePoints

CAMERA = Camera(40, 30, np.array([[35.0, 0, 19.5], [0, 33.0, 14.5], [0, 0, 1]]))


def brute_force(points, frame, threshold):
    """Project every point by the textbook, one at a time: {point: pixel}."""
    out = {}
    for i, p in enumerate(points):
        c = np.linalg.inv(frame.T_map_camera) @ [*p, 1]
        if c[2] <= 1e-6:
            continue
        u, v, w = frame.camera.K @ c[:3]
        u, v = int(np.floor(u / w + 0.5)), int(np.floor(v / w + 0.5))
        if 0 <= u < frame.camera.width and 0 <= v < frame.camera.height:
            d = frame.depth[v, u] / 1000
            if d > 0 and abs(d - c[2]) <= threshold:
                out[i] = v * frame.camera.width + u
    return out


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
def test_against_brute_force(seed, threshold):
    rng = np.random.default_rng(seed)
    points = (rng.random((200, 3)) * [4, 3, 6] - [2, 1.5, 1]).astype(np.float32)
    depth = rng.integers(0, 5000, (30, 40)).astype(np.uint16)
    angle = rng.uniform(-0.5, 0.5)
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:3, 3] = rng.uniform(-0.3, 0.3, 3)
    frame = Frame(0, np.zeros((30, 40, 3), np.uint8), depth, CAMERA, T)
    (visible,) = compute_visibility(points, np.zeros(200, np.int32), [frame], VisibilityConfig(threshold)).keyframes
    expected = brute_force(points.astype(float), frame, threshold)
    found = dict(zip(visible.point.tolist(), visible.pixel.tolist(), strict=True))
    different = {k for k in set(found) | set(expected) if found.get(k) != expected.get(k)}
    assert len(different) <= 1  # float32 against float64 at a pixel's or the threshold's edge
    assert (np.diff(visible.pixel) >= 0).all()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["spread", "a few far away", "all in one place", "on a line"]))
def test_points_are_seen_as_each_few_of_them_alone(seed, kind):
    rng = np.random.default_rng(seed)
    points = (rng.random((3000, 3)) * [4, 3, 6] - [2, 1.5, 1]).astype(np.float32)
    if kind == "a few far away":
        points[rng.integers(0, 3000, 5)] *= 1e6
    elif kind == "all in one place":
        points[:] = [0.1, 0.1, 2.0]
    elif kind == "on a line":
        points[:, :2] = 0.1
    frame = Frame(
        0, np.zeros((30, 40, 3), np.uint8), rng.integers(0, 5000, (30, 40)).astype(np.uint16), CAMERA, np.eye(4)
    )

    def seen(first, end):
        own = np.arange(3000, dtype=np.int32)[first:end]
        (k,) = compute_visibility(points[own], own % 7, [frame], VisibilityConfig(0.5)).keyframes
        return list(zip(k.pixel.tolist(), own[k.point].tolist(), strict=True))

    alone = [entry for first in range(0, 3000, 100) for entry in seen(first, first + 100)]
    assert seen(0, 3000) == sorted(alone)
    assert alone or kind in ("all in one place", "on a line")


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 40))
def test_blocks_and_runs_are_those_of_the_entries(seed, H, W):
    rng = np.random.default_rng(seed)
    points = (rng.random((500, 3)) * [4, 3, 6] - [2, 1.5, 1]).astype(np.float32)
    superpoint = np.arange(500, dtype=np.int32) // 100
    depth = rng.integers(0, 5000, (H, W)).astype(np.uint16)
    frame = Frame(0, np.zeros((H, W, 3), np.uint8), depth, Camera(W, H, CAMERA.K), np.eye(4))
    (found,) = compute_visibility(points, superpoint, [frame], VisibilityConfig(1.0)).keyframes
    again = VisiblePoints.of(found.point, found.pixel, superpoint, W)
    for field in dataclasses.fields(VisiblePoints):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(again, field.name))


def test_occluded_points_are_not_visible(two_boxes):
    frames, hits = two_boxes
    cloud = fuse(frames, MapConfig(voxel_size_m=0.03))
    visible = compute_visibility(cloud.points, np.zeros(len(cloud), np.int32), frames, VisibilityConfig(0.05))
    for t, hit in enumerate(hits):
        own = visible.keyframes[t]
        low, high = BOXES[2]
        on_post = ((cloud.points > low - 0.02) & (cloud.points < high + 0.02) & (cloud.points[:, 2:] > 0.1)).all(1)
        shown = hit.ravel()[own.pixel[on_post[own.point]]]
        assert (shown == 2).mean() > 0.9 or len(shown) < 20
        assert 0 < len(own.point) < len(cloud)


def test_seen_counts_visible_points_of_each_superpoint(two_boxes):
    frames, _ = two_boxes
    cloud = fuse(frames, MapConfig(voxel_size_m=0.05))
    superpoint = (np.arange(len(cloud)) % 7).astype(np.int32)
    visible = compute_visibility(cloud.points, superpoint, frames, VisibilityConfig())
    seen = visible.seen()
    assert seen.shape == (len(frames), 7)
    for t, own in enumerate(visible.keyframes):
        for l in range(7):  # noqa: E741 - the paper's symbol
            assert seen[t, l] == sum(superpoint[p] == l for p in own.point)
    np.testing.assert_array_equal(visible.size, np.bincount(superpoint))


def test_rows_select_entries_by_image_row(two_boxes):
    frames, _ = two_boxes
    cloud = fuse(frames, MapConfig(voxel_size_m=0.05))
    visible = compute_visibility(cloud.points, np.zeros(len(cloud), np.int32), frames, VisibilityConfig()).keyframes[3]
    rows = visible.pixel // 160
    for first, end in ((0, 120), (30, 60), (60, 60), (119, 120)):
        own = visible.rows(first, end)
        inside = (rows >= first) & (rows < end)
        np.testing.assert_array_equal(np.arange(own.start, own.stop), np.flatnonzero(inside))


def test_invalid_depth_confirms_nothing():
    frame = Frame(0, np.zeros((30, 40, 3), np.uint8), np.zeros((30, 40), np.uint16), CAMERA, np.eye(4))
    visible = compute_visibility(np.float32([[0, 0, 0.05]]), np.int32([0]), [frame], VisibilityConfig())
    assert visible.total == 0
    assert visible.seen().tolist() == [[0]]


def test_points_behind_the_camera_or_not_finite_are_not_visible():
    frame = Frame(0, np.zeros((30, 40, 3), np.uint8), np.full((30, 40), 1000, np.uint16), CAMERA, np.eye(4))
    points = np.float32([[0, 0, -1], [0, 0, 0], [1e30, 0, 1], [0, 0, 1]])
    visible = compute_visibility(points, np.arange(4, dtype=np.int32), [frame], VisibilityConfig())
    assert [k.point.tolist() for k in visible.keyframes] == [[3]]


def test_progress_can_cancel(two_boxes):
    def stop(stage: str, done: int, total: int, instances: int = 0) -> None:
        raise Cancelled(stage)

    with pytest.raises(Cancelled):
        compute_visibility(np.zeros((5, 3), np.float32), np.zeros(5, np.int32), two_boxes[0], VisibilityConfig(), stop)
