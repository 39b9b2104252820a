"""The stand-ins over real DDS, each beside the real package where that is installed."""

from __future__ import annotations

import numpy as np
import pytest
from installed import package, rclpy_or_skip
from tf_buffers import tf_message

rclpy_or_skip()
pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not generated", exc_type=ImportError)

from rclpy.duration import Duration  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.time import Time  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

from any3dis_ros.ros.conversions.transforms import header, stamp_message, transform_matrix  # noqa: E402

pytestmark = pytest.mark.dds

S, MS = 10**9, 10**6
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(params=["stand-in", "real"])
def tf2(request):
    return package(request.param, "tf2_ros")


def test_a_listener_hears_moving_transforms_and_static_ones_sent_before_it_came(wire, tf2):
    robot = wire.node("robot")
    static = robot.create_publisher(TFMessage, "/tf_static", LATCHED)
    static.publish(TFMessage(transforms=[tf_message("base", "camera", 0, (0, 0, 2, 0, 0, 0, 1))]))
    moving = robot.create_publisher(TFMessage, "/tf", 100)

    node, buffer = wire.node("listener"), tf2.Buffer(cache_time=Duration(seconds=10))
    listener = tf2.TransformListener(buffer, node)
    wire.until(lambda: node.get_subscriptions_info_by_topic("/tf"), "the listener to be seen")
    assert [i.topic_type for i in node.get_subscriptions_info_by_topic("/tf")] == ["tf2_msgs/msg/TFMessage"]
    wire.until(lambda: buffer.can_transform("base", "camera", Time()), "the latched transform")
    wire.until(lambda: moving.get_subscription_count(), "the listener on /tf")
    moving.publish(TFMessage(transforms=[tf_message("map", "base", 5 * S), tf_message("map", "other", 5 * S)]))
    moving.publish(TFMessage(transforms=[tf_message("map", "base", 6 * S, (1, 0, 0, 0, 0, 0, 1))]))
    wire.until(lambda: buffer.can_transform("map", "camera", Time(seconds=6)), "the moving transforms")
    answer = buffer.lookup_transform("map", "camera", Time(nanoseconds=5 * S + S // 4))
    np.testing.assert_allclose(transform_matrix(answer.transform)[:3, 3], [0.25, 0, 2])
    with pytest.raises(tf2.ExtrapolationException):
        buffer.lookup_transform("map", "camera", Time(seconds=7))

    listener.unregister()
    wire.until(lambda: not moving.get_subscription_count(), "the listener to go")


def test_a_jump_of_the_clock_back_clears_the_buffer_and_forward_does_not(wire, tf2):
    simulator = wire.node("simulator")
    clock = simulator.create_publisher(Clock, "/clock", 10)
    from rclpy.parameter import Parameter

    node = wire.node("listener", parameter_overrides=[Parameter("use_sim_time", value=True)])
    buffer = tf2.Buffer(node=node)

    def tick(seconds):
        def arrived():
            clock.publish(Clock(clock=stamp_message(round(seconds * S))))
            return node.get_clock().now().nanoseconds == round(seconds * S)

        wire.until(arrived, f"the clock to say {seconds} s")

    tick(100)
    buffer.set_transform_static(tf_message("base", "camera", 0), "test")
    buffer.set_transform(tf_message("map", "base", 100 * S), "test")
    tick(105)
    tick(104.5)  # half a second back is none
    assert buffer.can_transform("map", "camera", Time(seconds=100))
    tick(1)
    assert not buffer.can_transform("map", "camera", Time(seconds=100))
    assert buffer.can_transform("base", "camera", Time(seconds=1))
    buffer.set_transform(tf_message("map", "base", 1 * S), "test")
    assert buffer.can_transform("map", "camera", Time(seconds=1))


@pytest.mark.parametrize("origin", ["stand-in", "real"])
def test_images_of_two_topics_meet(wire, origin):
    filters, got = package(origin, "message_filters"), []
    camera, node = wire.node("camera"), wire.node("segmenter")
    quality = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    publishers = [camera.create_publisher(kind, name, quality) for kind, name in ((Image, "rgb"), (CameraInfo, "info"))]
    inputs = [filters.Subscriber(node, Image, "rgb", qos_profile=quality)]
    inputs.append(filters.Subscriber(node, CameraInfo, "info", qos_profile=quality))
    synchronizer = filters.ApproximateTimeSynchronizer(inputs, 5, 0.02)
    synchronizer.registerCallback(lambda *messages: got.append([m.header.stamp.nanosec // 10**6 for m in messages]))
    wire.until(lambda: all(p.get_subscription_count() for p in publishers), "both subscriptions")
    for k, late_ms in enumerate((0, 5, 25, -10)):
        publishers[0].publish(Image(header=header(5 * S + 100 * k * MS, "optical")))
        publishers[1].publish(CameraInfo(header=header(5 * S + (100 * k + late_ms) * MS, "optical")))
    wire.until(lambda: len(got) == 3, "three pairs")
    assert sorted(got) == [[0, 0], [100, 105], [300, 290]]
    for one in inputs:
        node.destroy_subscription(one.sub)
    wire.until(lambda: not any(p.get_subscription_count() for p in publishers), "the subscriptions to go")
