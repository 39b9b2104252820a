"""A robot for tests of the node: it publishes frames as messages, and asks."""

from __future__ import annotations

from array import array

import numpy as np
from boxes import PerfectTracker
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from any3dis_ros.action import Segment
from any3dis_ros.progress import silent
from any3dis_ros.ros.conversions.transforms import header, transform_message

START_NS = 10 * 10**9
MANY = QoSProfile(depth=50)  # reliable


class Robot:
    """Publishes on the topics of one camera; stamps are those of the frames, ten seconds later."""

    def __init__(self, wire, quality=MANY) -> None:
        self.wire = wire
        self.node = wire.node("robot")
        self.color = self.node.create_publisher(Image, "rgb/image", quality)
        self.depth = self.node.create_publisher(Image, "depth/image", quality)
        self.info = self.node.create_publisher(CameraInfo, "rgb/camera_info", MANY)
        self.tf = self.node.create_publisher(TFMessage, "/tf", MANY)

    def wait_for_ears(self) -> None:
        publishers = (self.color, self.depth, self.info, self.tf)
        self.wire.until(lambda: all(p.get_subscription_count() for p in publishers), "the node to listen")

    def say_pose(self, frame, start_ns=START_NS) -> None:
        stamped = transform_message(frame.T_map_camera, start_ns + frame.stamp_ns, "map", "optical")
        self.tf.publish(TFMessage(transforms=[stamped]))

    def show(self, frame, start_ns=START_NS, encoding="rgb8", depth_frame="optical", info=True, depth_ns=0) -> None:
        stamp_ns, camera = start_ns + frame.stamp_ns, frame.camera
        K = camera.K
        calibration = CameraInfo(width=camera.width, height=camera.height, distortion_model="plumb_bob", d=[0.0] * 5)
        calibration.k, calibration.p = K.ravel(), np.hstack([K, np.zeros((3, 1))]).ravel()
        calibration.header = header(stamp_ns, "optical")
        if info:
            self.info.publish(calibration)
        self.color.publish(_image(frame.color, encoding, stamp_ns, "optical"))
        self.depth.publish(_image(frame.depth, "16UC1", stamp_ns + depth_ns, depth_frame))

    def drive(self, frames, start_ns=START_NS) -> None:
        for frame in frames:
            self.say_pose(frame, start_ns)
            self.show(frame, start_ns)

    def ask(self, kind, name, request=None):
        """Call a service and return its answer."""
        client = self.node.create_client(kind, name)
        self.wire.until(client.service_is_ready, f"service {name}")
        future = client.call_async(request or kind.Request())
        self.wire.until(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def latched(self, kind, name, quality):
        """Return what a late subscriber gets."""
        got = []
        subscription = self.node.create_subscription(kind, name, got.append, quality)
        self.wire.until(lambda: got, f"a message on {name}")
        self.node.destroy_subscription(subscription)
        return got[-1]


class Asker:
    """A client of the action that remembers feedback."""

    def __init__(self, robot) -> None:
        self.robot, self.feedback = robot, []
        self.client = ActionClient(robot.node, Segment, "/any3dis/segment")
        robot.wire.until(self.client.server_is_ready, "the action")

    def send(self, **goal):
        future = self.client.send_goal_async(
            Segment.Goal(**goal), feedback_callback=lambda m: self.feedback.append(m.feedback)
        )
        self.robot.wire.until(future.done, "an answer to the goal")
        return future.result()

    def result(self, handle):
        future = handle.get_result_async()
        self.robot.wire.until(future.done, "a result")
        return future.result()


class Listener:
    """Keeps the last of /diagnostics by part: level, message, values."""

    def __init__(self, robot) -> None:
        self.parts = {}
        robot.node.create_subscription(DiagnosticArray, "/diagnostics", self._take, 10)

    def _take(self, message) -> None:
        for status in message.status:
            name, part = status.name.split(": ")
            assert name == "/any3dis"
            self.parts[part] = (status.level, status.message, {v.key: v.value for v in status.values})


def keyframes(node):
    return node.inputs.ingest.status().keyframes


def driven(node, robot, frames):
    robot.wait_for_ears()
    robot.drive(frames)
    robot.wire.until(lambda: keyframes(node) == len(frames), "the keyframes")


class Patient(PerfectTracker):
    """An engine that waits, and hears cancellation meanwhile."""

    def __init__(self, hits, go_on) -> None:
        super().__init__(hits)
        self.go_on = go_on

    def open(self, frames, progress=silent):
        while not self.go_on.wait(0.01):
            progress("features", 0, 1)
        return super().open(frames, progress)


def _image(pixels, encoding, stamp_ns, frame_id) -> Image:
    return Image(
        header=header(stamp_ns, frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=pixels.strides[0],
        data=array("B", pixels.tobytes()),
    )
