"""What goes out: one segmentation on three latched topics, all with one stamp and one frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from any3dis_ros.config import NodeConfig
from any3dis_ros.msg import Instance3DArray
from any3dis_ros.objects.instances import Instances
from any3dis_ros.ros.conversions.clouds import instance_cloud, instance_colors
from any3dis_ros.ros.conversions.markers import markers
from any3dis_ros.ros.conversions.objects import instance_array
from any3dis_ros.scene.frames import Frame

_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Outputs:
    """The publishers of results."""

    def __init__(self, node: Any) -> None:
        self._cloud = node.create_publisher(PointCloud2, "~/instance_cloud", _LATCHED)
        self._instances = node.create_publisher(Instance3DArray, "~/instances", _LATCHED)
        self._markers = node.create_publisher(MarkerArray, "~/markers", _LATCHED)

    def publish(
        self, found: Instances, frames: Sequence[Frame], camera_frame: str, settings: NodeConfig
    ) -> Instance3DArray:
        """Publish a segmentation and return its objects.

        Args:
            found: the segmentation.
            frames: its keyframes, oldest first; the stamp is the last one's.
            camera_frame: their optical frame.
            settings: global frame, colours, point indices.
        """
        head = (frames[-1].stamp_ns if frames else 0, settings.global_frame)
        colors = instance_colors(found) if settings.cloud_colors == "objects" else found.colors
        objects = instance_array(found, frames, camera_frame, *head, settings.point_indices)
        self._cloud.publish(instance_cloud(found, colors, *head))
        self._instances.publish(objects)
        self._markers.publish(markers(found, *head))
        return objects

    def clear(self, settings: NodeConfig) -> None:
        """Replace what was published last by nothing, so that no late subscriber gets it."""
        self.publish(Instances.empty(), (), "", settings)
