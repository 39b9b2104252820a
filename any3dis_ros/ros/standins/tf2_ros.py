"""tf2_ros' Buffer and TransformListener over :class:`.transform_buffer.TransformBuffer`."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile

from any3dis_ros.ros.conversions.transforms import nanoseconds, pose_of, transform_message
from any3dis_ros.ros.standins.transform_buffer import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformBuffer,
    TransformException,
)

__all__ = [
    "Buffer",
    "ConnectivityException",
    "ExtrapolationException",
    "InvalidArgumentException",
    "LookupException",
    "TransformException",
    "TransformListener",
]

_DEPTH = 100  # tf2_ros'


class Buffer:
    """The transforms of the last `cache_time` (10 s where not given), cleared when the clock of `node` jumps back."""

    def __init__(self, cache_time: Duration | None = None, node: Any = None) -> None:
        self._core = TransformBuffer((cache_time or Duration(seconds=10)).nanoseconds)
        if node is not None:
            backward = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
            self._jumps = node.get_clock().create_jump_callback(backward, post_callback=lambda _: self.clear())

    def set_transform(self, transform: TransformStamped, authority: str) -> None:  # noqa: ARG002 - tf2's signature
        """Add a transform; one that tf2 would refuse is counted and left out."""
        self._set(transform, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:  # noqa: ARG002
        """Add a transform that holds at every stamp."""
        self._set(transform, static=True)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None
    ) -> TransformStamped:
        """Return ``T_target_source`` at `time` (0 = the latest), waiting for it up to `timeout`.

        Raises:
            TransformException: one of its kinds.
        """
        if timeout is not None:
            self.can_transform(target_frame, source_frame, time, timeout)
        T, stamp_ns = self._core.lookup(target_frame, source_frame, nanoseconds(time))
        return transform_message(T, stamp_ns, target_frame, source_frame)

    def can_transform(self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None) -> bool:
        """Return whether :meth:`lookup_transform` would answer, waiting for it up to `timeout`."""
        stamp_ns = nanoseconds(time)

        def possible() -> bool:
            try:
                self._core.lookup(target_frame, source_frame, stamp_ns)
            except TransformException:
                return False
            return True

        if timeout is None or timeout.nanoseconds <= 0:
            return possible()
        with self._core.changed:
            return self._core.changed.wait_for(possible, timeout.nanoseconds / 1e9)

    def clear(self) -> None:
        """Forget all moving transforms."""
        self._core.clear()

    def _set(self, t: TransformStamped, static: bool) -> None:
        self._core.set(t.header.frame_id, t.child_frame_id, nanoseconds(t.header.stamp), pose_of(t.transform), static)


class TransformListener:
    """Feeds a buffer from /tf and /tf_static."""

    def __init__(self, buffer: Buffer, node: Any, *, qos: Any = None, static_qos: Any = None) -> None:
        from tf2_msgs.msg import TFMessage  # generated with the interfaces of this package where ROS does not bring it

        self.buffer, self.node = buffer, node
        self.group = ReentrantCallbackGroup()  # a callback of the node that waits for a transform must not hold it up
        latched = QoSProfile(depth=_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.tf_sub = node.create_subscription(
            TFMessage, "/tf", self.callback, qos or QoSProfile(depth=_DEPTH), callback_group=self.group
        )
        self.tf_static_sub = node.create_subscription(
            TFMessage, "/tf_static", self.static_callback, static_qos or latched, callback_group=self.group
        )

    def callback(self, data: Any) -> None:
        """Take a message of /tf."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, "default_authority")

    def static_callback(self, data: Any) -> None:
        """Take a message of /tf_static."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, "default_authority")

    def unregister(self) -> None:
        """End both subscriptions."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)
