"""The other process of test_interfaces: publishes, serves and acts with fixed content until it is ended."""

from __future__ import annotations

import sys
import threading

import rclpy
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import Point, TransformStamped
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2, PointField
from tf2_msgs.msg import TFMessage

from any3dis_ros.action import Segment
from any3dis_ros.msg import Instance3D, Instance3DArray
from any3dis_ros.srv import GetInstance

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
CANCELLED = threading.Event()
INDICES = range(0, 300_000, 3)
STAGES = ("looking", "tracking", "merging")


def example() -> Instance3D:
    """Return an instance no field of which is left at its default."""
    instance = Instance3D(id=7, score=0.75, point_count=len(INDICES), point_indices=INDICES)
    instance.pose.position = Point(x=1.0, y=-2.0, z=0.5)
    instance.pose.orientation.z, instance.pose.orientation.w = 0.6, 0.8
    instance.size.x, instance.size.y, instance.size.z = 0.5, 0.25, 2.0
    instance.centroid = Point(x=1.125, y=-2.5, z=0.25)
    instance.best_view.frame_id = "camera_color_optical_frame"
    instance.best_view.stamp.sec, instance.best_view.stamp.nanosec = 1_700_000_000, 999_999_999
    return instance


def example_array() -> Instance3DArray:
    """Return two instances in the frame map."""
    array = Instance3DArray(instances=[example(), Instance3D(id=9)])
    array.header.frame_id = "map"
    return array


def answer(request: GetInstance.Request, response: GetInstance.Response) -> GetInstance.Response:
    """Know the example alone; its cloud is one point of one field."""
    response.found = request.id == example().id
    if response.found:
        response.instance = example()
        x = PointField(name="x", offset=0, datatype=PointField.FLOAT32, count=1)
        response.cloud = PointCloud2(height=1, width=1, fields=[x], point_step=4, row_step=4, data=b"\0\0\x80?")
    else:
        response.message = f"no object {request.id}; there are 7, 9"
    return response


def cancel(_: object) -> CancelResponse:
    """Accept, and wake the goal that waits for it."""
    CANCELLED.set()
    return CancelResponse.ACCEPT


def segment(handle: ServerGoalHandle) -> Segment.Result:
    """Say every stage, then echo the goal in the statistics; the engine 'slow' says one until it is cancelled."""
    while handle.request.engine == "slow":
        if handle.is_cancel_requested:
            handle.canceled()
            return Segment.Result(success=False, message="cancelled")
        handle.publish_feedback(Segment.Feedback(stage="waiting"))
        CANCELLED.wait(0.02)
    for number, stage in enumerate(STAGES):
        share = (number + 1) / len(STAGES)
        handle.publish_feedback(Segment.Feedback(stage=stage, progress=share, instances=number))
    handle.succeed()
    echo = [KeyValue(key="goal.region_max.z", value=str(handle.request.region_max.z))]
    echo.append(KeyValue(key="goal.min_score", value=str(handle.request.min_score)))
    return Segment.Result(success=True, message="done", instances=example_array(), statistics=echo)


def main(namespace: str) -> None:
    """Serve below `namespace` until SIGTERM."""
    rclpy.init()
    node = rclpy.create_node("peer", namespace=namespace)
    node.create_publisher(Instance3DArray, "instances", LATCHED).publish(example_array())
    transform = TransformStamped(child_frame_id="base_link")
    transform.header.frame_id = "map"
    transform.transform.translation.x = 3.5
    node.create_publisher(TFMessage, "tf_static", LATCHED).publish(TFMessage(transforms=[transform]))
    node.create_service(GetInstance, "get_instance", answer)
    ActionServer(node, Segment, "segment", segment, cancel_callback=cancel)
    executor = MultiThreadedExecutor(2)
    executor.add_node(node)
    try:
        while rclpy.ok():  # spin() has slept through SIGTERM, once in some ten times
            executor.spin_once(timeout_sec=0.5)
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
