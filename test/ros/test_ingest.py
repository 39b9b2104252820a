from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.transforms import TransformError
from any3dis_ros.ros.ingest import Ingest, Pair, PoseOnItsWay
from any3dis_ros.scene.frames import Camera, Frame

CAMERA = Camera(4, 3, np.array([[5.0, 0, 1.5], [0, 5, 1], [0, 0, 1]]))
EVERY = KeyframeConfig(stride=1)
SECOND = 10**9


def maker(poses):
    """Messages are numbers: the colour's value and the depth's in millimetres."""

    def make(pair):
        T_map_camera = poses(pair.stamp_ns)
        if pair.color is None:
            raise InputError("encoding '8UC9' is no colour")
        color, depth = np.full((3, 4, 3), pair.color, np.uint8), np.full((3, 4), pair.depth, np.uint16)
        return Frame(pair.stamp_ns, color, depth, CAMERA, T_map_camera)

    return make


def pose(stamp_ns):
    T = np.eye(4)
    T[0, 3] = stamp_ns / SECOND
    return T


def once(come):
    """Poses that are on their way until the event is set."""

    def late(stamp_ns):
        if not come.is_set():
            raise PoseOnItsWay("no transform yet")
        return pose(stamp_ns)

    return late


def pairs(count, first=0):
    return [Pair((first + i) * SECOND, i % 256, 1000) for i in range(count)]


@pytest.fixture
def ingest(request):
    """Make one with given arguments; it is closed at the end."""
    made = []

    def make(config=EVERY, poses=pose, **options):
        made.append(Ingest(config, maker(poses), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def taken(ingest, offered):
    for pair in offered:
        ingest.offer(pair)
    assert ingest.settle(10)
    return [f.stamp_ns // SECOND for f in ingest.frames()]


def test_every_nth_pair_becomes_a_keyframe_with_its_pose(ingest):
    worker = ingest(KeyframeConfig(stride=10))
    assert taken(worker, pairs(35)) == [0, 10, 20, 30]
    frame = worker.frames()[2]
    assert frame.T_map_camera[0, 3] == 20
    assert (frame.color == 20).all()
    assert (frame.depth == 1000).all()
    status = worker.status()
    assert (status.pairs, status.waiting, status.keyframes, status.left_out) == (35, 0, 4, {})
    assert status.keyframe_bytes == 4 * (36 + 24)


def test_a_pair_without_a_pose_takes_no_turn_of_the_stride_and_is_told_once(ingest, caplog):
    def gap(stamp_ns):
        if 9 < stamp_ns // SECOND < 13:
            raise TransformError("gap in the transforms", "nothing between 9 and 13 s")
        return pose(stamp_ns)

    with caplog.at_level(logging.WARNING):
        worker = ingest(KeyframeConfig(stride=10), gap)
        assert taken(worker, pairs(30)) == [0, 13, 23]
    assert worker.status().left_out == {"no pose: gap in the transforms": 3}
    assert len(caplog.records) == 1
    assert "nothing between 9 and 13 s" in caplog.text


def test_a_pose_that_comes_late_is_waited_for_and_nothing_is_lost(ingest):
    come = threading.Event()
    worker = ingest(poses=once(come), pose_timeout_s=20)
    for pair in pairs(20):
        worker.offer(pair)
    assert not worker.settle(0.05)
    assert worker.status().waiting == 19
    come.set()
    assert worker.settle(10)
    assert len(worker.frames()) == 20


def test_a_pose_that_never_comes_is_given_up(ingest):
    def never(stamp_ns):
        raise PoseOnItsWay("no transform from camera to map")

    worker = ingest(poses=never, pose_timeout_s=0.02)
    assert taken(worker, pairs(2)) == []
    assert worker.status().left_out == {"no pose: not within 0.02 s": 2}


def test_the_queue_is_bounded_and_the_oldest_goes(ingest):
    come = threading.Event()
    worker = ingest(poses=once(come), pose_timeout_s=20, queue_size=5)
    worker.offer(pairs(1)[0])
    while worker.status().waiting:  # the worker has taken it
        worker.settle(0.01)
    for pair in pairs(12, first=1):
        worker.offer(pair)
    assert worker.status().waiting == 5
    come.set()
    assert worker.settle(10)
    assert [f.stamp_ns // SECOND for f in worker.frames()] == [0, 8, 9, 10, 11, 12]
    assert worker.status().left_out == {"queue full: the worker falls behind": 7}


def test_bad_messages_are_counted_and_the_worker_lives(ingest):
    def odd(stamp_ns):
        if stamp_ns == 3 * SECOND:
            raise ZeroDivisionError("a defect")
        return pose(stamp_ns) if stamp_ns != 4 * SECOND else np.full((4, 4), np.nan)

    worker = ingest(poses=odd)
    offered = pairs(7)
    offered[1] = offered[1]._replace(color=None)
    offered[2] = offered[2]._replace(depth=0)
    assert taken(worker, offered) == [0, 5, 6]
    assert worker.status().left_out == {
        "unusable images": 2, "depth all zero": 1, "unexpected ZeroDivisionError": 1,
    }  # fmt: skip


def test_clearing_drops_what_waits_and_what_is_under_way(ingest):
    inside, go_on = threading.Event(), threading.Event()

    def slow(stamp_ns):
        inside.set()
        go_on.wait(10)
        return pose(stamp_ns)

    worker = ingest(poses=slow)
    for pair in pairs(5):
        worker.offer(pair)
    assert inside.wait(10)
    worker.clear()
    go_on.set()
    assert worker.settle(10)
    assert worker.frames() == []
    assert worker.status().pairs == 0
    assert taken(worker, pairs(2, first=50)) == [50, 51]


def test_a_jump_of_time_keeps_the_keyframes(ingest):
    worker = ingest()
    assert taken(worker, pairs(3, first=100)) == [100, 101, 102]
    worker.clear(keyframes=False)
    assert taken(worker, pairs(2)) == [100, 101, 102, 0, 1]


def test_closing_while_a_pose_is_waited_for_is_quick_and_can_be_repeated(ingest):
    def never(stamp_ns):
        raise PoseOnItsWay("not yet")

    worker = ingest(poses=never, pose_timeout_s=1000)
    for pair in pairs(3):
        worker.offer(pair)
    worker.close()
    worker.close()
    assert worker.frames() == []
