"""What comes in: images, camera_info and transforms become posed keyframes; a map cloud is kept as it comes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from any3dis_ros.config import Config, NodeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.ros import packages
from any3dis_ros.ros.conversions.clouds import map_cloud
from any3dis_ros.ros.conversions.transforms import nanoseconds
from any3dis_ros.ros.frame_maker import FrameMaker, Topics
from any3dis_ros.ros.ingest import Ingest, Pair
from any3dis_ros.ros.input_node import InputNode
from any3dis_ros.ros.poses import Poses
from any3dis_ros.ros.subscription import ImageSubscription, LatchedSubscription
from any3dis_ros.scene.mapping import MapCloud

log = logging.getLogger(__name__)

_SECOND = 1_000_000_000


class Inputs:
    """Subscriptions, synchroniser, transforms and the worker that makes keyframes of them.

    Args:
        node: whose topics they are; they are heard on a node beside it.
        settings: topics' transports, frames, queues.
        config: synchronisation and keyframes.
        on_keyframe: called after each keyframe, on the worker.

    Attributes:
        topics: full names, remapped.
        ingest: the worker; it holds the keyframes.
        newest_ns: stamp of the newest colour image, 0 = none came.
    """

    def __init__(self, node: Any, settings: NodeConfig, config: Config, on_keyframe: Callable[[], None]) -> None:
        self._node, self._settings, self._config = node, settings, config
        self.topics = Topics(
            self._image_topic("rgb/image", settings.color_transport),
            self._image_topic("depth/image", settings.depth_transport),
            node.resolve_topic_name("rgb/camera_info"),
            node.resolve_topic_name("depth/camera_info"),
        )
        self._own = InputNode(node, ("/tf", "/tf_static"))
        self._poses = Poses(node, self._own.node, settings, config.input.tf_max_gap_s)
        self._make_frame = FrameMaker(self._poses, self.topics, config.input.max_width_px)
        self.ingest = Ingest(
            config.keyframes, self._make_frame, settings.tf_timeout_s, settings.queue_size, on_keyframe
        )
        self._subscriptions: list[ImageSubscription] = []
        self._others: list[Any] = []
        self._synchronizer: Any = None
        self._map: MapCloud | None = None
        self.newest_ns = 0

    @property
    def camera_frame(self) -> str:
        """Optical frame of the keyframes, empty before the first image."""
        return self._poses.camera_frame

    @property
    def received(self) -> dict[str, tuple[int, int]]:
        """For each topic of the camera, the messages that came and those that a best-effort link lost."""
        return {s.topic: (s.received, s.lost) for s in self._subscriptions}

    @property
    def map_points(self) -> int:
        """Points of the map from outside, 0 = none came."""
        return 0 if self._map is None else len(self._map)

    def subscribe(self) -> None:
        """Let messages in."""
        group = MutuallyExclusiveCallbackGroup()  # one after the other: the order of stamps counts
        settings, topics = self._settings, self.topics
        kinds = {True: Image, False: CompressedImage}
        self.newest_ns = 0
        wanted = (
            (kinds[settings.color_transport == "raw"], topics.color),
            (kinds[settings.depth_transport == "raw"], topics.depth),
            (CameraInfo, topics.info),
        )
        how = (settings.sensor_reliability, settings.sync_queue_size, group)
        self._subscriptions = [ImageSubscription(self._own.node, kind, topic, *how) for kind, topic in wanted]
        filters = [subscription.filter for subscription in self._subscriptions]
        filters[0].registerCallback(self._watch_time)  # before the synchroniser, which a jump would freeze
        self._synchronizer = packages.ApproximateTimeSynchronizer(
            filters,
            settings.sync_queue_size,
            self._config.input.sync_max_interval_s + 1e-9,  # what message_filters takes is less than its bound
        )
        self._synchronizer.registerCallback(self._offer)
        depth_info = ImageSubscription(self._own.node, CameraInfo, topics.depth_info, *how)
        depth_info.filter.registerCallback(self._take_depth_info)
        self._others = [depth_info]
        if settings.map_source == "topic":
            topic = self._node.resolve_topic_name("map_cloud")
            self._others.append(LatchedSubscription(self._own.node, PointCloud2, topic, self._take_map, group))

    def unsubscribe(self) -> None:
        """Let no more messages in; what came in is dealt with."""
        for subscription in (*self._subscriptions, *self._others):
            self._own.in_turn(subscription.close)
        self._subscriptions, self._others = [], []

    def map_cloud(self) -> MapCloud | None:
        """Return the map from outside, None = it is to be fused.

        Raises:
            InputError: it is to come from outside and has not.
        """
        if self._settings.map_source == "topic" and self._map is None:
            topic = self._node.resolve_topic_name("map_cloud")
            raise InputError(f"no usable cloud came on {topic} yet; publish one, or set map_source to fused")
        return self._map

    def clear(self) -> None:
        """Forget keyframes and the map from outside."""
        self.ingest.clear()
        self._map = None

    def close(self) -> None:
        """End subscriptions and worker."""
        self.unsubscribe()
        self._poses.close()
        self._own.close()
        self.ingest.close()

    def _image_topic(self, base: str, transport: str) -> str:
        """Return the name of an image topic, remapped as image_transport does: before the suffix."""
        name = str(self._node.resolve_topic_name(base))
        return name if transport == "raw" else f"{name}/{transport}"

    def _offer(self, color: Any, depth: Any, info: Any) -> None:
        """Enqueue synchronised messages: called inside the synchroniser's lock, so nothing else."""
        self._poses.camera_frame = self._settings.camera_frame or color.header.frame_id.lstrip("/")
        self.ingest.offer(Pair(nanoseconds(color.header.stamp), color, depth, info))

    def _take_depth_info(self, message: Any) -> None:
        self._make_frame.depth_info = message

    def _take_map(self, message: Any) -> None:
        """Keep a map cloud; one that cannot be used leaves the former."""
        frame_id, wanted = message.header.frame_id.lstrip("/"), self._settings.global_frame.lstrip("/")
        try:
            if frame_id != wanted:
                raise InputError(f"it is in frame '{frame_id}', the node's global_frame is '{wanted}'")
            self._map = map_cloud(message, self._config.map.max_points)
        except InputError as error:
            log.warning("the cloud on %s is left out: %s", self._node.resolve_topic_name("map_cloud"), error)
        else:
            log.info("a map of %d points came", len(self._map))

    def _watch_time(self, color: Any) -> None:
        """Start anew where stamps fall back, as where a bag is played in a loop or a simulation begins again."""
        stamp_ns = nanoseconds(color.header.stamp)
        if self.newest_ns - stamp_ns > self._config.input.time_jump_s * _SECOND:
            log.warning(
                "the stamps of %s fell back from %.3f s to %.3f s: keyframes, queues and transforms start anew",
                self.topics.color,
                self.newest_ns / _SECOND,
                stamp_ns / _SECOND,
            )
            packages.empty(self._synchronizer)
            self._poses.clear()
            self.ingest.clear()
            self.newest_ns = stamp_ns
        self.newest_ns = max(self.newest_ns, stamp_ns)
