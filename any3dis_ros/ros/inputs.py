"""What comes in: images, camera_info and transforms become posed keyframes."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.duration import Duration
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from any3dis_ros.config import Config, NodeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag.camera_stream import CameraPair
from any3dis_ros.io.transforms import TransformError
from any3dis_ros.ros import packages
from any3dis_ros.ros.conversions.images import camera_pair
from any3dis_ros.ros.conversions.transforms import nanoseconds, transform_matrix
from any3dis_ros.ros.ingest import Ingest, Pair, PoseOnItsWay
from any3dis_ros.ros.subscription import ImageSubscription
from any3dis_ros.scene.frames import Camera

log = logging.getLogger(__name__)

_SECOND = 1_000_000_000


class Inputs:
    """Subscriptions, synchroniser, transforms and the worker that makes keyframes of them.

    Args:
        node: whose topics they are.
        settings: topics' transports, frames, queues.
        config: synchronisation and keyframes.

    Attributes:
        ingest: the worker; it holds the keyframes.
    """

    def __init__(self, node: Any, settings: NodeConfig, config: Config) -> None:
        self._node, self._settings, self._config = node, settings, config
        self._buffer = packages.Buffer(cache_time=Duration(seconds=settings.tf_buffer_s), node=node)
        self._listener = packages.TransformListener(self._buffer, node)
        self._poses = Poses(self._buffer, settings)
        self.decode = Decoder(config.input.max_width_px)
        self.ingest = Ingest(config.keyframes, self._poses, self.decode, settings.tf_timeout_s, settings.queue_size)
        self._subscriptions: list[ImageSubscription] = []
        self._synchronizer: Any = None
        self._latest_ns = 0

    @property
    def camera_frame(self) -> str:
        """Optical frame of the keyframes, empty before the first image."""
        return self._poses.camera_frame

    def subscribe(self) -> None:
        """Let messages in."""
        group = MutuallyExclusiveCallbackGroup()  # one after the other: the order of stamps counts
        color, self.decode.color_topic = self._topic("rgb/image", self._settings.color_transport)
        depth, self.decode.depth_topic = self._topic("depth/image", self._settings.depth_transport)
        self.decode.info_topic = self._node.resolve_topic_name("rgb/camera_info")
        self._latest_ns = 0
        topics = (
            (color, self.decode.color_topic),
            (depth, self.decode.depth_topic),
            (CameraInfo, self.decode.info_topic),
        )
        reliability = self._settings.sensor_reliability
        self._subscriptions = [ImageSubscription(self._node, *topic, reliability, group) for topic in topics]
        filters = [subscription.filter for subscription in self._subscriptions]
        filters[0].registerCallback(self._watch_time)  # before the synchroniser, which a jump would freeze
        self._synchronizer = packages.ApproximateTimeSynchronizer(
            filters, self._settings.sync_queue_size, self._config.input.sync_max_interval_s
        )
        self._synchronizer.registerCallback(self._offer)

    def unsubscribe(self) -> None:
        """Let no more messages in; what came in is dealt with."""
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions = []

    def close(self) -> None:
        """End subscriptions and worker."""
        self.unsubscribe()
        self._listener.unregister()
        self.ingest.close()

    def _topic(self, base: str, transport: str) -> tuple[Any, str]:
        """Return message type and name of an image topic, remapped as image_transport does: before the suffix."""
        name = self._node.resolve_topic_name(base)
        return (Image, name) if transport == "raw" else (CompressedImage, f"{name}/{transport}")

    def _offer(self, color: Any, depth: Any, info: Any) -> None:
        """Enqueue synchronised messages: called inside the synchroniser's lock, so nothing else."""
        self._poses.camera_frame = self._settings.camera_frame or color.header.frame_id.lstrip("/")
        self.ingest.offer(Pair(nanoseconds(color.header.stamp), (color, info), depth))

    def _watch_time(self, color: Any) -> None:
        """Start anew where stamps fall back, as where a bag is played in a loop or a simulation begins again."""
        stamp_ns = nanoseconds(color.header.stamp)
        if self._latest_ns - stamp_ns > self._config.input.time_jump_s * _SECOND:
            log.warning(
                "the stamps of %s fell back from %.3f s to %.3f s: keyframes, queues and transforms start anew",
                self.decode.color_topic,
                self._latest_ns / _SECOND,
                stamp_ns / _SECOND,
            )
            packages.empty(self._synchronizer)
            self._buffer.clear()
            self.ingest.clear()
            self._latest_ns = stamp_ns
        self._latest_ns = max(self._latest_ns, stamp_ns)


class Poses:
    """Poses of the camera in the global frame, from a tf2 buffer.

    Attributes:
        camera_frame: optical frame of the colour camera.
    """

    def __init__(self, buffer: Any, settings: NodeConfig) -> None:
        self._buffer = buffer
        self._global_frame = settings.global_frame
        self.camera_frame = settings.camera_frame

    def __call__(self, stamp_ns: int) -> NDArray[np.float64]:
        """Return 4×4 ``T_map_camera`` at a stamp.

        Raises:
            PoseOnItsWay: not yet known.
            TransformError: the stamp is before all that is known.
        """
        frames = (self._global_frame, self.camera_frame)
        try:
            found = self._buffer.lookup_transform(*frames, Time(nanoseconds=stamp_ns))
        except packages.ExtrapolationException as error:
            if stamp_ns < self._latest_ns():
                raise TransformError("older than the transforms that are kept", str(error)) from error
            raise PoseOnItsWay(str(error)) from error
        except packages.TransformException as error:
            raise PoseOnItsWay(str(error)) from error
        return transform_matrix(found.transform)

    def _latest_ns(self) -> int:
        """Return the newest stamp at which the pose is known, 0 where it is not."""
        try:
            return nanoseconds(
                self._buffer.lookup_transform(self._global_frame, self.camera_frame, Time()).header.stamp
            )
        except packages.TransformException:
            return 0


class Decoder:
    """Turns messages into arrays; what follows from camera_info is worked out once for as long as it stays the same.

    Attributes:
        color_topic: for messages to the user, as the other two.
        depth_topic: see there.
        info_topic: see there.
    """

    def __init__(self, max_width_px: int) -> None:
        self._max_width_px = max_width_px
        self.color_topic, self.depth_topic, self.info_topic = "rgb/image", "depth/image", "rgb/camera_info"
        self._basis: tuple[Any, ...] = ()
        self._cameras: CameraPair | None = None

    def __call__(self, color_and_info: Any, depth: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint16], Camera]:
        """Return colour H×W×3 uint8, depth H×W uint16 millimetres on the same grid, and their camera.

        Args:
            color_and_info: the colour image and its camera_info.
            depth: the depth image.

        Raises:
            DamagedImageError: one of the images cannot be decoded.
            InputError: they are none that can be used.
        """
        color, info = color_and_info
        frames = tuple(m.header.frame_id.lstrip("/") for m in (color, depth))
        if frames[0] != frames[1]:
            raise InputError(
                f"depth on {self.depth_topic} is in frame '{frames[1]}', colour in '{frames[0]}'; "
                "let the driver publish depth that is registered to colour"
            )
        basis = (frames, info.width, info.height, info.distortion_model, *map(tuple, (info.d, info.k, info.r, info.p)))
        if self._cameras is None or basis != self._basis:
            self._cameras = camera_pair(
                (self.color_topic, color), (self.depth_topic, depth), (self.info_topic, info), None, self._max_width_px
            )
            self._basis = basis
        return self._cameras.decode(color, depth, np.eye(4))
