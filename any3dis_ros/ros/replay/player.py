"""Plays a bag to a node as a robot would: on the node's inputs, reliably, at the recorded times."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag import bagfile
from any3dis_ros.io.rosbag.playback import COLOR, COLOR_INFO, DEPTH, DEPTH_INFO, TRANSFORMS, Playback
from any3dis_ros.progress import Progress
from any3dis_ros.ros.conversions.transforms import stamp_message
from any3dis_ros.ros.quality import LATCHED

MATCH_TIMEOUT_S = 30.0  # discovery takes seconds on a busy machine
CLOCK_PERIOD_S = 0.01
_ACK_TIMEOUT_S = 10.0
_POLL_S = 0.02

_TYPES = {
    bagfile.IMAGE: Image,
    bagfile.COMPRESSED_IMAGE: CompressedImage,
    bagfile.CAMERA_INFO: CameraInfo,
    bagfile.TF: TFMessage,
}
_RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


class Stopped(Exception):  # noqa: N818 - an outcome, not an error
    """The playing was stopped from outside."""


@dataclass(frozen=True)
class Played:
    """How a bag was played.

    Attributes:
        messages: that went out, those on /clock not counted.
        color_images: of them.
        seconds: that it took.
        lag_s: by which the latest of them was late.
        color_stamp_ns: newest stamp of a colour image, 0 = there was none.
    """

    messages: int
    color_images: int
    seconds: float
    lag_s: float
    color_stamp_ns: int

    def __str__(self) -> str:
        return f"{self.messages} messages in {self.seconds:.1f} s, at worst {1000 * self.lag_s:.0f} ms late"


def input_names(playback: Playback) -> dict[str, str]:
    """Return the node's name of the input that each part of a camera belongs on, before its transport's suffix."""
    names = {COLOR: "rgb/image", DEPTH: "depth/image", COLOR_INFO: "rgb/camera_info", DEPTH_INFO: "depth/camera_info"}
    return {part: name for part, name in names.items() if part in playback.kinds}


class Player:
    """The publishers of one bag.

    Args:
        node: whose publishers they are.
        playback: what is played.
        names: topic of each part of the camera, without the suffix of a compressed one.
        clock: whether /clock is published, with the bag's time.
        stop: set where playing is to end early.
    """

    def __init__(
        self,
        node: Any,
        playback: Playback,
        names: Mapping[str, str],
        clock: bool = True,
        stop: threading.Event | None = None,
    ) -> None:
        self._playback = playback
        self._stop = stop or threading.Event()
        self._publishers = {TRANSFORMS: node.create_publisher(TFMessage, "/tf", _RELIABLE)}
        for part, name in names.items():
            kind = playback.kinds[part]
            suffix = {COLOR: "/compressed", DEPTH: "/compressedDepth"}[part] if kind == bagfile.COMPRESSED_IMAGE else ""
            topic = node.resolve_topic_name(name) + suffix  # remapped before the suffix, as image_transport does
            self._publishers[part] = node.create_publisher(_TYPES[kind], topic, _RELIABLE)
        self._clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=10)) if clock else None
        self._static = node.create_publisher(TFMessage, "/tf_static", LATCHED)
        if static := playback.static_transforms():
            self._static.publish(static)

    @property
    def color_topic(self) -> str:
        """Full name of the topic of the colour images."""
        return str(self._publishers[COLOR].topic_name)

    def unheard(self) -> list[str]:
        """Return the topics that no node listens to; only those that segmenting cannot do without."""
        needed = [p for part, p in self._publishers.items() if part != DEPTH_INFO]
        return [p.topic_name for p in needed if not p.get_subscription_count()]

    def wait_until_heard(self, timeout_s: float = MATCH_TIMEOUT_S) -> None:
        """Wait until somebody listens to every topic.

        Raises:
            InputError: nobody does in time; the topics are named.
            Stopped: from outside.
        """
        deadline = time.monotonic() + timeout_s
        while topics := self.unheard():
            if time.monotonic() > deadline:
                raise InputError(
                    f"nobody listens to {', '.join(topics)} after {timeout_s:g} s; the node's inputs are remapped, or "
                    "its color_transport and depth_transport are others than the bag's (ros2 topic info -v)"
                )
            self._wait(_POLL_S)

    def play(self, rate: float, progress: Progress) -> Played:
        """Publish everything with the recorded spacing divided by `rate`, and wait until it has arrived.

        Raises:
            InputError: the bag holds no message that can be read.
            Stopped: from outside.
        """
        began, first_ns = time.monotonic(), None
        sent, images, lag_s, newest_ns = 0, 0, 0.0, 0
        for record in self._playback:
            if first_ns is None:
                first_ns = record.log_ns
            due = began + (record.log_ns - first_ns) / 1e9 / rate
            self._wait_until(due, record.log_ns, rate)
            lag_s = max(lag_s, time.monotonic() - due)
            self._publishers[record.part].publish(record.cdr)
            sent += 1
            if record.part == COLOR:
                images, newest_ns = images + 1, max(newest_ns, record.stamp_ns)
            progress("play", sent, self._playback.count)
        if sent < self._playback.count:  # the others are damaged
            progress("play", self._playback.count, self._playback.count)
        if first_ns is None:
            raise InputError("the bag holds no message that can be read")
        seconds = time.monotonic() - began
        self._wait_until_acknowledged()
        return Played(sent, images, seconds, lag_s, newest_ns)

    def _wait_until(self, due: float, log_ns: int, rate: float) -> None:
        """Wait, with /clock going on."""
        while (left := due - time.monotonic()) > 0:
            self._tell_time(log_ns - int(left * rate * 1e9))
            self._wait(left if self._clock is None else min(left, CLOCK_PERIOD_S))
        self._wait(0)
        self._tell_time(log_ns)

    def _wait_until_acknowledged(self) -> None:
        """Wait, for a while: a subscriber that went away must not keep us."""
        deadline = time.monotonic() + _ACK_TIMEOUT_S
        for publisher in self._publishers.values():
            while not publisher.wait_for_all_acked(Duration(seconds=_POLL_S)) and time.monotonic() < deadline:
                self._wait(0)

    def _tell_time(self, time_ns: int) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp_message(time_ns)))

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped
