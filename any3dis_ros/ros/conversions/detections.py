"""vision_msgs/Detection3DArray of the objects, where vision_msgs (4 or later, as since Humble) is installed."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PoseWithCovariance, Vector3

from any3dis_ros.objects.instances import Instance, Instances
from any3dis_ros.ros.conversions.objects import box_pose
from any3dis_ros.ros.conversions.transforms import header

try:
    from vision_msgs import msg as vision
except ImportError:
    vision = None

CLASS_ID = "object"
"""Of every detection: the method knows no classes."""


def available() -> bool:
    """Tell whether vision_msgs is installed; without it nothing else here can be used."""
    return vision is not None


def message_type() -> Any:
    """Return vision_msgs/Detection3DArray."""
    return vision.Detection3DArray


def detections(instances: Instances, stamp_ns: int, frame_id: str) -> Any:
    """Return all objects that own points, best first, as vision_msgs/Detection3DArray.

    Args:
        instances: the segmentation.
        stamp_ns: of the messages.
        frame_id: the map frame.
    """
    found = [_detection(instance, stamp_ns, frame_id) for instance in instances.instances]
    return vision.Detection3DArray(header=header(stamp_ns, frame_id), detections=found)


def _detection(instance: Instance, stamp_ns: int, frame_id: str) -> Any:
    """Return one object: its box, its id as text, one hypothesis with its score and the box's pose."""
    pose = box_pose(instance.box)
    x, y, z = (float(v) for v in instance.box.size)
    hypothesis = vision.ObjectHypothesisWithPose(
        hypothesis=vision.ObjectHypothesis(class_id=CLASS_ID, score=instance.score), pose=PoseWithCovariance(pose=pose)
    )
    return vision.Detection3D(
        header=header(stamp_ns, frame_id),
        results=[hypothesis],
        bbox=vision.BoundingBox3D(center=pose, size=Vector3(x=x, y=y, z=z)),
        id=str(instance.id),
    )
