from __future__ import annotations

import bisect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("tf2_msgs.msg", reason="the interfaces are not built", exc_type=ImportError)

import numpy as np  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

from any3dis_ros.config import NodeConfig  # noqa: E402
from any3dis_ros.io.transforms import TransformError  # noqa: E402
from any3dis_ros.ros import packages, poses  # noqa: E402
from any3dis_ros.ros.conversions.transforms import transform_message  # noqa: E402
from any3dis_ros.ros.ingest import PoseOnItsWay  # noqa: E402
from any3dis_ros.ros.poses import Poses, TransformGaps  # noqa: E402

S = 10**9


def message(*transforms):
    return TFMessage(transforms=[transform_message(np.eye(4), ns, parent, child) for ns, parent, child in transforms])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 50))
def test_a_gap_is_the_time_between_the_neighbours_in_any_order_of_arrival(stamps, asked):
    gaps = TransformGaps(100)
    for stamp in stamps:
        gaps.note(message((stamp, "map", "base")), static=False)
    known = sorted(stamps)
    i = bisect.bisect_left(known, asked)
    outside_or_hit = i == len(known) or known[i] == asked or i == 0
    assert gaps.around("map", "base", asked) == (0 if outside_or_hit else known[i] - known[i - 1], "base")


def test_the_longest_gap_on_the_way_between_two_frames_counts_and_no_other():
    gaps = TransformGaps(100 * S)
    gaps.note(message((0, "base", "camera")), static=True)
    for t in (0, 1, 2, 9):
        gaps.note(message((t * S, "map", "odom")), static=False)
    for t in (0, 4, 8, 12):
        gaps.note(message((t * S, "odom", "base")), static=False)
    gaps.note(message((0, "base", "arm"), (50 * S, "base", "arm")), static=False)
    assert gaps.around("map", "camera", 5 * S) == (7 * S, "odom")
    assert gaps.around("odom", "camera", 5 * S) == (4 * S, "base")
    assert gaps.around("/map", "/camera", S + 1) == (4 * S, "base")
    assert gaps.around("camera", "base", 5 * S) == (0, "camera")
    assert gaps.around("map", "arm", 20 * S) == (50 * S, "arm")
    gaps.clear()
    assert gaps.around("map", "camera", 5 * S)[0] == 0


def test_a_loop_of_frames_and_unknown_ones_end():
    gaps = TransformGaps(S)
    gaps.note(message((0, "a", "b"), (0, "b", "a")), static=False)
    assert gaps.around("a", "b", 5) == (0, "")
    assert gaps.around("x", "y", 5) == (0, "")


def test_what_is_remembered_is_bounded():
    gaps = TransformGaps(100)
    for t in range(10_000):
        gaps.note(message((t, "map", "base")), static=False)
    assert len(gaps._stamps["base"]) <= 201
    assert gaps.around("map", "base", 9_999)[0] == 0


class Arriving(packages.Buffer):
    """A buffer into which a transform comes right after a lookup failed for want of it."""

    coming = ()

    def lookup_transform(self, *arguments, **options):
        try:
            return super().lookup_transform(*arguments, **options)
        except packages.ExtrapolationException:
            for transform in self.coming:
                self.set_transform(transform, "test")
            raise


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setattr(poses, "_listener", lambda *_: None)
    monkeypatch.setattr(packages, "Buffer", lambda cache_time, node: Arriving(cache_time))
    return Poses(None, None, NodeConfig(camera_frame="camera"), 10.0)


def test_a_transform_that_comes_between_two_looks_does_not_make_an_image_old(camera):
    for ns in (S, 2 * S):
        camera._buffer.set_transform(transform_message(np.eye(4), ns, "map", "camera"), "test")
    camera._buffer.coming = [transform_message(np.eye(4), 4 * S, "map", "camera")]
    with pytest.raises(PoseOnItsWay):
        camera(3 * S)
    np.testing.assert_array_equal(camera(3 * S), np.eye(4))
    with pytest.raises(TransformError, match="first sample"):
        camera(S // 2)
