from __future__ import annotations

import re
from array import array

import cv2
import numpy as np
import pytest
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from node_robot import MANY, START_NS, driven, keyframes  # noqa: E402
from recordings import compressed_depth_data  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from any3dis_ros.ros.conversions.transforms import header  # noqa: E402

pytestmark = pytest.mark.dds

S = 10**9


def image(pixels, encoding):
    height, width = pixels.shape[:2]
    data = array("B", pixels.tobytes())
    return Image(height=height, width=width, encoding=encoding, step=pixels.strides[0], data=data)


def send(robot, frame, color=None, depth=None, start_ns=START_NS):
    """Publish a frame as a camera does, colour or depth replaced by a message of the test's own."""
    stamp_ns, camera = start_ns + frame.stamp_ns, frame.camera
    K, D = camera.K.ravel(), [0.0] * 5
    info = CameraInfo(width=camera.width, height=camera.height, distortion_model="plumb_bob", d=D, k=K)
    robot.say_pose(frame, start_ns)
    color, depth = color or image(frame.color, "rgb8"), depth or image(frame.depth, "16UC1")
    for publisher, message in ((robot.info, info), (robot.color, color), (robot.depth, depth)):
        message.header = header(stamp_ns, "optical")
        publisher.publish(message)


def metres(depth):
    """The same depth as 32FC1: what was not measured is NaN."""
    return np.where(depth > 0, depth / 1000, np.nan).astype(np.float32)


def left_out(node):
    return node.inputs.ingest.status().left_out


def works(robot):
    answer = robot.ask(Trigger, "/any3dis/trigger")
    assert answer.success, answer.message
    assert answer.message.startswith("3 objects in ")


def said(caplog, words):
    return sum(words in r.getMessage() for r in caplog.records)


def test_depth_in_metres_gives_the_keyframes_of_depth_in_millimetres(wire, start, robot, two_boxes):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames:
        send(robot, frame, depth=image(metres(frame.depth), "32FC1"))
    wire.until(lambda: keyframes(node) == 8, "the keyframes")
    assert any((f.depth == 0).any() for f in frames)  # so that NaN was sent
    for sent, got in zip(frames, node.inputs.ingest.frames(), strict=True):
        np.testing.assert_array_equal(got.depth, sent.depth)
    works(robot)


def test_depth_without_a_measurement_is_left_out_and_takes_no_turn(wire, start, robot, two_boxes):
    node, frames = start(keyframes__stride=2), two_boxes[0]
    robot.wait_for_ears()
    nothing = np.full_like(metres(frames[0].depth), np.nan)
    for i in range(3):
        send(robot, frames[i], depth=image(nothing, "32FC1"), start_ns=START_NS - S)
    wire.until(lambda: left_out(node) == {"depth all zero": 3}, "the three")
    for frame in frames:
        send(robot, frame)
    wire.until(lambda: keyframes(node) == 4, "the keyframes")
    assert [f.stamp_ns for f in node.inputs.ingest.frames()] == [START_NS + f.stamp_ns for f in frames[::2]]
    works(robot)


def test_depth_of_half_the_size_is_brought_to_the_grid_of_colour(wire, start, robot, two_boxes):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames:
        half = cv2.resize(frame.depth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
        send(robot, frame, depth=image(half, "16UC1"))
    wire.until(lambda: keyframes(node) == 8, "the keyframes")
    for sent, got in zip(frames, node.inputs.ingest.frames(), strict=True):
        assert got.depth.shape == got.color.shape[:2]
        both = (got.depth > 0) & (sent.depth > 0)
        assert both.mean() > 0.9 * (sent.depth > 0).mean()
        off = np.abs(got.depth.astype(int) - sent.depth)[both]
        assert np.median(off) <= 15  # millimetres: a pixel away on a floor seen from 2.6 m
    works(robot)


def test_depth_of_another_shape_is_left_out_with_both_sizes_said_once(wire, start, robot, two_boxes, caplog):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames[:5]:
        send(robot, frame, depth=image(frame.depth[:100], "16UC1"), start_ns=START_NS - S)
    wire.until(lambda: left_out(node) == {"unusable images": 5}, "all five")
    assert said(caplog, "describes 160×120 pixels, the images have 160×100") == 1
    driven(node, robot, frames)
    works(robot)


@pytest.mark.parametrize(
    ("encodings", "words"),
    [
        (("rgb8", "8UC1"), "depth encoding '8UC1' is not metric; expected 16UC1 or 32FC1"),
        (("yuv999", "16UC1"), "colour encoding 'yuv999' is not supported"),
        (("rgb8", "32FC1"), "bytes for 160×120 pixels with a row step of 320"),  # 16-bit data that claims to be float
    ],
)
def test_what_cannot_be_used_is_counted_and_said_once(wire, start, robot, two_boxes, caplog, encodings, words):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    for frame in frames[:5]:
        depth = (frame.depth / 20).astype(np.uint8) if encodings[1] == "8UC1" else frame.depth
        send(robot, frame, image(frame.color, encodings[0]), image(depth, encodings[1]), START_NS - S)
    wire.until(lambda: left_out(node) == {"unusable images": 5}, "all five")
    assert said(caplog, words) == said(caplog, "left out a pair of images") == 1
    driven(node, robot, frames)
    works(robot)


@pytest.fixture
def compressing(wire, robot):
    """A robot whose driver compresses."""
    robot.color = robot.node.create_publisher(CompressedImage, "rgb/image/compressed", MANY)
    robot.depth = robot.node.create_publisher(CompressedImage, "depth/image/compressedDepth", MANY)
    return robot


@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_compressed_topics_give_the_keyframes_of_raw_ones(wire, start, compressing, two_boxes, codec):
    node = start(color_transport="compressed", depth_transport="compressedDepth")
    robot, frames = compressing, two_boxes[0]
    robot.wait_for_ears()
    for frame in frames:
        packed = cv2.imencode(f".{codec}", frame.color[..., ::-1])[1]
        color = CompressedImage(format=f"rgb8; {codec} compressed bgr8", data=array("B", packed.tobytes()))
        packed = compressed_depth_data(frame.depth)
        depth = CompressedImage(format="16UC1; compressedDepth png", data=array("B", packed.tobytes()))
        send(robot, frame, color, depth)
    wire.until(lambda: keyframes(node) == 8, "the keyframes")
    for sent, got in zip(frames, node.inputs.ingest.frames(), strict=True):
        np.testing.assert_array_equal(got.depth, sent.depth)
        if codec == "png":
            np.testing.assert_array_equal(got.color, sent.color)
        else:
            assert np.abs(got.color.astype(int) - sent.color).mean() < 4
    works(robot)


def test_a_compressed_image_cut_short_is_left_out(wire, start, compressing, two_boxes, caplog):
    node = start(color_transport="compressed", depth_transport="compressedDepth")
    robot, frames = compressing, two_boxes[0]
    robot.wait_for_ears()
    for i, frame in enumerate(frames):
        packed = cv2.imencode(".jpeg", frame.color[..., ::-1])[1].tobytes()
        color = CompressedImage(format="jpeg", data=array("B", packed[: len(packed) // 2] if i < 3 else packed))
        packed = compressed_depth_data(frame.depth)
        depth = CompressedImage(format="16UC1; compressedDepth png", data=array("B", packed.tobytes()))
        send(robot, frame, color, depth)
    wire.until(lambda: keyframes(node) == 5, "the sound ones")
    assert left_out(node) == {"unusable images": 3}
    assert said(caplog, "left out a pair of images") == 1
    works(robot)


def test_without_a_clock_a_node_on_simulated_time_takes_keyframes_and_segments(start, robot, two_boxes):
    node = start(use_sim_time=True)
    assert node.get_clock().now().nanoseconds == 0
    driven(node, robot, two_boxes[0])
    works(robot)


def test_no_pose_is_made_up_within_a_gap_of_the_transforms(wire, start, robot, two_boxes, caplog):
    node, frames = start(), two_boxes[0]
    robot.wait_for_ears()
    robot.say_pose(frames[0])
    robot.say_pose(frames[7], START_NS + 3 * S)  # 3.7 s later
    for frame in frames[2:6]:
        robot.show(frame, START_NS + S)
    wire.until(lambda: left_out(node) == {"no pose: gap in TF": 4}, "the gap to be seen")
    assert said(caplog, "gap") == 1
    assert re.search(r"3\.700 s", caplog.text)
    robot.drive(frames, START_NS + 4 * S)
    wire.until(lambda: keyframes(node) == 8, "the keyframes after the gap")
    works(robot)
