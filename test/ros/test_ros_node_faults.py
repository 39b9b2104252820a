from __future__ import annotations

import re

import pytest
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from node_robot import START_NS, Robot, driven, keyframes  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

pytestmark = pytest.mark.dds

S = 10**9


def left_out(node):
    return node.inputs.ingest.status().left_out


def works(robot):
    assert robot.ask(Trigger, "/any3dis/trigger").success


def test_without_transforms_pairs_are_counted_and_told_once(wire, start, robot, two_boxes, caplog):
    node, frames = start(tf_timeout_s=0.2), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames[:4]:
        robot.show(frame)
    reason = "no pose: not within 0.2 s"
    wire.until(lambda: left_out(node) == {reason: 4}, "the four pairs to be counted")
    assert sum("left out a pair" in r.getMessage() for r in caplog.records) == 1
    assert re.search("map.* does not exist", caplog.text)
    assert not robot.ask(Trigger, "/any3dis/trigger").success
    for frame in frames:
        robot.say_pose(frame, START_NS + 2 * S)
    for frame in frames:
        robot.show(frame, START_NS + 2 * S)
    wire.until(lambda: keyframes(node) >= 6, "keyframes")  # the first poses may come after their images
    works(robot)


def test_a_transform_that_comes_late_is_waited_for(wire, start, robot, two_boxes):
    node, frames = start(tf_timeout_s=10), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames:
        robot.show(frame)
    wire.until(lambda: node.inputs.ingest.status().pairs == 8, "the pairs")
    assert keyframes(node) == 0
    for frame in frames:
        robot.say_pose(frame)
    wire.until(lambda: keyframes(node) == 8, "the keyframes")
    works(robot)


def test_an_image_older_than_all_transforms_is_left_out(wire, start, robot, two_boxes):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    robot.say_pose(frames[0], START_NS + 3 * S)
    robot.say_pose(frames[1], START_NS + 3 * S)
    robot.show(frames[0])
    wire.until(lambda: left_out(node) == {"no pose: older than the transforms that are kept": 1}, "the reason")


def test_a_bad_encoding_and_depth_of_another_frame_are_left_out(wire, start, robot, two_boxes, caplog):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    robot.say_pose(frames[0])
    robot.show(frames[0], encoding="yuv999")
    wire.until(lambda: left_out(node) == {"unusable images": 1}, "the reason")
    assert "yuv999" in caplog.text
    robot.say_pose(frames[1])
    robot.show(frames[1], depth_frame="infrared")
    wire.until(lambda: left_out(node) == {"unusable images": 2}, "the second")
    robot.drive(frames, START_NS + S)
    wire.until(lambda: keyframes(node) == 8, "the keyframes")
    works(robot)


def test_without_camera_info_nothing_is_taken_and_with_it_all(wire, start, robot, two_boxes):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames:
        robot.say_pose(frame)
        robot.show(frame, info=False)
    robot.drive(frames, START_NS + S)
    wire.until(lambda: keyframes(node) == 8, "the keyframes")
    assert node.inputs.ingest.status().pairs == 8
    works(robot)


def test_where_time_jumps_back_everything_starts_anew_and_is_told_once(wire, start, robot, two_boxes, caplog):
    node, frames = start(), two_boxes[0]
    driven(node, robot, frames)
    works(robot)
    early = 2 * S
    robot.show(frames[0], early)  # 8.7 s back
    wire.until(lambda: keyframes(node) == 0, "the jump to be seen")
    for frame in frames:
        robot.say_pose(frame, early)
    for frame in frames[1:]:
        robot.show(frame, early)
    expected = [early + f.stamp_ns for f in frames]

    def stamps():
        return [f.stamp_ns for f in node.inputs.ingest.frames()]

    wire.until(lambda: stamps()[-1:] == expected[-1:], "keyframes of the second time")
    assert stamps()[-7:] == expected[1:]  # depth of the first may have come before its colour, which told of the jump
    assert set(stamps()) <= set(expected)
    assert sum("fell back from 10.700 s to 2.000 s" in r.getMessage() for r in caplog.records) == 1
    works(robot)


BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.mark.parametrize("first", ["node", "camera"])
def test_a_camera_of_best_effort_is_heard_whichever_starts_first(wire, start, two_boxes, first, caplog):
    if first == "node":
        node, robot = start(), Robot(wire, BEST_EFFORT)
    else:
        robot = Robot(wire, BEST_EFFORT)
        node = start()
    driven(node, robot, two_boxes[0])
    said = [r.getMessage() for r in caplog.records if "offers best effort only" in r.getMessage()]
    assert len(said) == 2
    assert {"/rgb/image", "/depth/image"} == {word for line in said for word in line.split() if "/image" in word}
    works(robot)


def test_a_camera_of_best_effort_is_named_where_reliable_is_demanded(wire, start, caplog):
    start(sensor_reliability="reliable")
    Robot(wire, BEST_EFFORT)
    wire.until(
        lambda: "a publisher of /rgb/image is not heard: its RELIABILITY does not match" in caplog.text, "the warning"
    )
    assert "sensor_reliability" in caplog.text


def test_a_camera_that_starts_again_is_heard_again(wire, start, robot, two_boxes):
    node, frames = start(), two_boxes[0]
    driven(node, robot, frames)
    wire.executor.remove_node(robot.node)
    robot.node.destroy_node()
    wire.nodes.remove(robot.node)
    again = Robot(wire)
    wire.until(lambda: node.count_publishers("/rgb/image") == 1, "the first camera to be gone")
    again.wait_for_ears()
    again.drive(frames, START_NS + S)
    wire.until(lambda: keyframes(node) == 16, "keyframes of the second camera")
