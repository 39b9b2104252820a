"""A latched cloud of a million points as a process: `python -m benchmarks.node.clouds` converts, publishes and stays.

One line of JSON says how long each conversion took, in seconds.
"""

from __future__ import annotations

import contextlib
import json
import time

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2

from any3dis_ros.objects.instances import Instances
from any3dis_ros.ros.conversions.clouds import instance_cloud, instance_colors
from benchmarks.node.client import Client
from benchmarks.node.process import Child

POINTS = 1_000_000
TOPIC = "/any3dis/instance_cloud"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

_OBJECTS = 64
_CONVERSIONS = 20


def segmentation(points: int) -> Instances:
    """Return random points in 64 objects, half of the points in none."""
    random = np.random.default_rng(0)
    superpoint = random.integers(0, 2 * _OBJECTS, points).astype(np.int32)
    return Instances(
        points=random.random((points, 3)).astype(np.float32),
        colors=random.integers(0, 256, (points, 3)).astype(np.uint8),
        superpoint=superpoint,
        proposals=np.eye(_OBJECTS, 2 * _OBJECTS, dtype=bool),
        scores=np.linspace(0.9, 0.1, _OBJECTS).astype(np.float32),
        labels=np.where(superpoint < _OBJECTS, superpoint + 1, 0).astype(np.int32),
    )


def measure(times: int, domain: int) -> dict[str, list[float]]:
    """Return seconds of each conversion, and from subscribing late until the cloud is there."""
    late: list[float] = []
    with Child("benchmarks.node.clouds", domain=domain) as publisher, Client(domain) as asks:
        asks.until(lambda: publisher.output.endswith("\n"), "the cloud to be published")
        converted = json.loads(publisher.output)
        for _ in range(times):
            got: list[PointCloud2] = []
            began = time.monotonic()
            subscription = asks.node.create_subscription(PointCloud2, TOPIC, got.append, LATCHED)
            asks.until(lambda got=got: got, "the cloud")  # type: ignore[misc]
            late.append(time.monotonic() - began)
            if got[0].width != POINTS:
                raise RuntimeError(f"a cloud of {got[0].width} points came, {POINTS} were published")
            asks.node.destroy_subscription(subscription)
        publisher.stop()
    return {"cloud of 1 M points, to a message": converted, "the same, received by a late subscriber": late}


def main() -> None:
    """Convert, publish, and stay until a signal."""
    found = segmentation(POINTS)
    took = []
    for _ in range(_CONVERSIONS):
        began = time.perf_counter()
        message = instance_cloud(found, instance_colors(found), 10**9, "map")
        took.append(time.perf_counter() - began)
    rclpy.init(args=[])
    node = rclpy.create_node("clouds")
    node.create_publisher(PointCloud2, TOPIC, LATCHED).publish(message)
    print(json.dumps(took), flush=True)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.5)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
