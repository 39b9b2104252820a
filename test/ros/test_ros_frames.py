from __future__ import annotations

from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installed import rclpy_or_skip
from recordings import compressed_depth_data
from scipy.spatial.transform import Rotation

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.scenes import bag_files, read_scene

rclpy_or_skip()

from rclpy.serialization import deserialize_message  # noqa: E402
from rclpy.time import Time  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from any3dis_ros.ros.conversions import images, transforms  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[2] / "sample" / "room"
S = 10**9
K = np.array([[60.0, 0, 31.5], [0, 61.0, 23.5], [0, 0, 1]])


def info(**changes):
    message = CameraInfo(width=64, height=48, distortion_model="plumb_bob", k=K.ravel(), d=[0.0] * 5)
    message.p = np.hstack([K, np.zeros((3, 1))]).ravel()
    message.header.frame_id = "optical"
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def image(pixels, encoding, stamp_ns=2 * S + 5, frame_id="optical"):
    return Image(
        header=transforms.header(stamp_ns, frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=pixels.strides[0],
        data=array("B", pixels.tobytes()),
    )


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture
def depth():
    return np.random.default_rng(1).integers(500, 4000, (48, 64), np.uint16)


def pair_of(color, depth, depth_info=None, max_width_px=1280):
    return images.camera_pair(
        ("rgb/image", color), ("depth/image", depth), ("rgb/camera_info", info()), depth_info, max_width_px
    )


@settings(max_examples=50, deadline=None)
@given(stamp_ns=st.integers(0, 2**31 * S - 1))
def test_stamps_go_both_ways(stamp_ns):
    message = transforms.stamp_message(stamp_ns)
    assert transforms.nanoseconds(message) == stamp_ns
    assert transforms.nanoseconds(Time.from_msg(message)) == stamp_ns


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), length=st.floats(0.5, 2))
def test_transforms_go_both_ways(seed, length):
    rng = np.random.default_rng(seed)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec(rng.normal(0, 2, 3)).as_matrix(), rng.normal(0, 10, 3)
    message = transforms.transform_message(T, 3 * S, "map", "camera")
    assert (message.header.frame_id, message.child_frame_id, message.header.stamp.sec) == ("map", "camera", 3)
    np.testing.assert_allclose(transforms.transform_matrix(message.transform), T, atol=1e-12)
    for axis in "xyzw":  # of any length
        setattr(message.transform.rotation, axis, getattr(message.transform.rotation, axis) * length)
    np.testing.assert_allclose(transforms.transform_matrix(message.transform), T, atol=1e-12)


def test_a_quarter_turn_is_the_one_that_everybody_means():
    message = transforms.transform_message(np.eye(4), 0, "map", "base")
    message.transform.rotation.z = message.transform.rotation.w = np.sqrt(0.5)
    T = transforms.transform_matrix(message.transform)
    np.testing.assert_allclose(T[:3, :3] @ [1, 0, 0], [0, 1, 0], atol=1e-12)  # x forward turns to y left


@pytest.mark.parametrize("depth_encoding", ["16UC1", "32FC1"])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_two_messages_and_a_pose_become_a_frame(rgb, depth, encoding, depth_encoding):
    color = image(rgb if encoding == "rgb8" else np.ascontiguousarray(rgb[..., ::-1]), encoding)
    metric = image(depth if depth_encoding == "16UC1" else (depth / 1000).astype(np.float32), depth_encoding)
    T = np.eye(4)
    T[:3, 3] = 1, 2, 3
    frame = images.frame(pair_of(color, metric), color, metric, T)
    np.testing.assert_array_equal(frame.color, rgb)
    np.testing.assert_array_equal(frame.depth, depth)
    np.testing.assert_array_equal(frame.T_map_camera, T)
    np.testing.assert_array_equal(frame.camera.K, K)
    assert (frame.stamp_ns, frame.name) == (2 * S + 5, "2.000")


def test_compressed_messages_become_the_same_frame(rgb, depth):
    head = transforms.header(S, "optical")
    color = CompressedImage(header=head, format="rgb8; png compressed bgr8")
    color.data = array("B", cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())
    packed = CompressedImage(header=head, format="16UC1; compressedDepth png")
    packed.data = array("B", compressed_depth_data(depth).tobytes())
    frame = images.frame(pair_of(color, packed), color, packed, np.eye(4))
    np.testing.assert_array_equal(frame.color, rgb)
    np.testing.assert_array_equal(frame.depth, depth)


def test_wide_images_are_reduced(rgb, depth):
    color, metric = image(rgb, "rgb8"), image(depth, "16UC1")
    frame = images.frame(pair_of(color, metric, max_width_px=32), color, metric, np.eye(4))
    assert (frame.color.shape, frame.depth.shape, frame.camera.K[0, 0]) == ((24, 32, 3), (24, 32), 30.0)


def test_depth_of_its_own_frame_needs_its_camera_info(rgb, depth):
    color, metric = image(rgb, "rgb8"), image(depth, "16UC1", frame_id="depth_optical")
    with pytest.raises(InputError, match="'depth/image' is in its own frame 'depth_optical'"):
        pair_of(color, metric)
    cameras = pair_of(color, metric, ("depth/camera_info", info()))
    T_color_depth = np.eye(4)
    T_color_depth[2, 3] = 0.5
    flat = image(np.full((48, 64), 1000, np.uint16), "16UC1", frame_id="depth_optical")
    registered = images.frame(cameras, color, flat, np.eye(4), T_color_depth).depth
    assert set(np.unique(registered)) == {0, 1500}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"encoding": "8UC1"}, InputError, "depth encoding '8UC1' is not metric"),
        ({"data": array("B", bytes(100))}, DamagedImageError, "100 bytes for 64×48"),
        ({"width": 48, "height": 48}, InputError, "describes 64×48 pixels, the images have 48×48"),
    ],
)
def test_depth_that_no_frame_can_have(rgb, depth, changes, error, says):
    color, metric = image(rgb, "rgb8"), image(depth, "16UC1", frame_id="depth_optical")
    cameras = pair_of(color, metric, ("depth/camera_info", info()))
    for name, value in changes.items():
        setattr(metric, name, value)
    with pytest.raises(error, match=says):
        images.frame(cameras, color, metric, np.eye(4))


def test_messages_of_a_live_topic_give_the_frames_that_the_bag_reader_gives():
    """To the bit: the shipped bag's first keyframes, deserialised as rclpy does."""
    from rosbags.highlevel import AnyReader

    recording = read_scene(SAMPLE, config=KeyframeConfig(max_keyframes=300))
    wanted = {frame.stamp_ns: frame for frame in recording.frames[:3]}
    kinds = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}
    color, depth, infos = {}, {}, {}
    with AnyReader(bag_files(SAMPLE)[:1] if SAMPLE.is_file() else [SAMPLE]) as bag:
        for connection, _, raw in bag.messages():
            if connection.msgtype == "sensor_msgs/msg/CameraInfo":
                infos.setdefault(connection.topic, deserialize_message(raw, CameraInfo))
            if connection.msgtype not in kinds:
                continue
            message = deserialize_message(raw, kinds[connection.msgtype])
            stamp_ns = transforms.nanoseconds(message.header.stamp)
            if stamp_ns in wanted:
                (depth if "depth" in connection.topic else color)[stamp_ns] = (connection.topic, message)
    assert wanted.keys() == color.keys() == depth.keys()
    info_topic = next(t for t in infos if "depth" not in t)
    cameras = images.camera_pair(
        next(iter(color.values())), next(iter(depth.values())), (info_topic, infos[info_topic]), None, 1280
    )
    for stamp_ns, expected in wanted.items():
        frame = images.frame(cameras, color[stamp_ns][1], depth[stamp_ns][1], expected.T_map_camera)
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_array_equal(frame.depth, expected.depth)
        np.testing.assert_array_equal(frame.camera.K, expected.camera.K)
        assert frame.name == expected.name
