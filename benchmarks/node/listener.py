"""The bare subscriber to compare with: `python -m benchmarks.node.listener` hears what the node hears and drops it."""

from __future__ import annotations

import contextlib
import json
from collections import Counter

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage


def main() -> None:
    """Count messages until a signal, then print the counts as one line of JSON."""
    rclpy.init(args=[])
    node = rclpy.create_node("listener")
    heard: Counter[str] = Counter()
    for kind, topic in (
        (Image, "rgb/image"),
        (Image, "depth/image"),
        (CameraInfo, "rgb/camera_info"),
        (TFMessage, "/tf"),
    ):
        node.create_subscription(kind, topic, lambda _, topic=topic: heard.update([topic]), QoSProfile(depth=10))
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.5)
    print(json.dumps(heard), flush=True)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
