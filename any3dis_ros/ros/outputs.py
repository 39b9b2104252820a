"""What goes out: one segmentation on latched topics, all with one stamp and one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from any3dis_ros.config import Config, NodeConfig
from any3dis_ros.msg import Instance3DArray
from any3dis_ros.objects.instances import Instances
from any3dis_ros.ros.conversions import detections
from any3dis_ros.ros.conversions.clouds import instance_cloud, instance_colors
from any3dis_ros.ros.conversions.markers import markers
from any3dis_ros.ros.conversions.objects import instance_array
from any3dis_ros.ros.quality import LATCHED
from any3dis_ros.scene.frames import Frame


@dataclass(frozen=True)
class Result:
    """A segmentation with all that a message or a file of it tells.

    Attributes:
        found: the segmentation.
        frames: its keyframes, oldest first; empty where it was loaded from a file.
        camera_frame: their optical frame.
        stamp_ns: of its messages.
        frame_id: the map frame.
        config: the parameters that it was made with.
    """

    found: Instances
    frames: Sequence[Frame]
    camera_frame: str
    stamp_ns: int
    frame_id: str
    config: Config


class Outputs:
    """The publishers of results.

    Attributes:
        last: what was published last, None = nothing, or it was withdrawn.
    """

    def __init__(self, node: Any) -> None:
        self._cloud = node.create_publisher(PointCloud2, "~/instance_cloud", LATCHED)
        self._instances = node.create_publisher(Instance3DArray, "~/instances", LATCHED)
        self._markers = node.create_publisher(MarkerArray, "~/markers", LATCHED)
        self._detections = None
        if detections.available():
            self._detections = node.create_publisher(detections.message_type(), "~/detections", LATCHED)
        self.last: Result | None = None

    def publish(self, result: Result, settings: NodeConfig) -> Instance3DArray:
        """Publish a segmentation and return its objects.

        Args:
            result: what to publish.
            settings: colours of the cloud, point indices.
        """
        found, head = result.found, (result.stamp_ns, result.frame_id)
        colors = instance_colors(found) if settings.cloud_colors == "objects" else found.colors
        objects = instance_array(found, result.frames, result.camera_frame, *head, settings.point_indices)
        self._cloud.publish(instance_cloud(found, colors, *head))
        self._instances.publish(objects)
        self._markers.publish(markers(found, *head))
        if self._detections is not None:
            self._detections.publish(detections.detections(found, *head))
        self.last = result
        return objects

    def withdraw(self, settings: NodeConfig) -> None:
        """Replace what was published last by nothing, so that no late subscriber gets it."""
        self.publish(Result(Instances.empty(), (), "", 0, settings.global_frame, Config()), settings)
        self.last = None
