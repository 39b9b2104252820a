"""One face for the three buffers under test: arrays and nanoseconds in, a 4×4 or the kind of error out."""

from __future__ import annotations

import numpy as np
from installed import package, rclpy_or_skip

from any3dis_ros.ros.standins import transform_buffer

KINDS = ("LookupException", "ConnectivityException", "ExtrapolationException", "InvalidArgumentException")


class TfError(Exception):
    """`kind` is one of KINDS."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Core:
    """The buffer that needs no ROS."""

    def __init__(self, horizon_ns: int) -> None:
        self._errors = transform_buffer
        self._buffer = transform_buffer.TransformBuffer(horizon_ns)

    def set(self, parent, child, stamp_ns, pose=(0, 0, 0, 0, 0, 0, 1), static=False):
        self._buffer.set(parent, child, stamp_ns, tuple(float(v) for v in pose), static)

    def look(self, target, source, stamp_ns):
        try:
            return self._look(target, source, stamp_ns)
        except self._errors.TransformException as error:
            raise TfError(next(k for k in KINDS if isinstance(error, getattr(self._errors, k)))) from error

    def can(self, target, source, stamp_ns):
        try:
            self._buffer.lookup(target, source, stamp_ns)
        except transform_buffer.TransformException:
            return False
        return True

    def clear(self):
        self._buffer.clear()

    def _look(self, target, source, stamp_ns):
        return self._buffer.lookup(target, source, stamp_ns)


class Ros(Core):
    """A Buffer with the face of tf2_ros."""

    def __init__(self, origin: str, horizon_ns: int) -> None:
        rclpy_or_skip()
        from rclpy.duration import Duration

        self._errors = package(origin, "tf2_ros")
        self._buffer = self._errors.Buffer(cache_time=Duration(nanoseconds=horizon_ns))

    def set(self, parent, child, stamp_ns, pose=(0, 0, 0, 0, 0, 0, 1), static=False):
        message = tf_message(parent, child, stamp_ns, pose)
        (self._buffer.set_transform_static if static else self._buffer.set_transform)(message, "test")

    def can(self, target, source, stamp_ns):
        from rclpy.time import Time

        return self._buffer.can_transform(target, source, Time(nanoseconds=stamp_ns))

    def _look(self, target, source, stamp_ns):
        from rclpy.time import Time

        from any3dis_ros.ros.conversions.transforms import nanoseconds, transform_matrix

        answer = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns))
        assert (answer.header.frame_id, answer.child_frame_id) == (target, source)
        return transform_matrix(answer.transform), nanoseconds(answer.header.stamp)


def tf_message(parent, child, stamp_ns, pose=(0, 0, 0, 0, 0, 0, 1)):
    from geometry_msgs.msg import TransformStamped

    from any3dis_ros.ros.conversions.transforms import header

    message = TransformStamped(header=header(stamp_ns, parent), child_frame_id=child)
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z, q.x, q.y, q.z, q.w = np.asarray(pose, float).tolist()
    return message


def make_buffer(origin: str, horizon_ns: int = 10 * 10**9):
    """Return the buffer of an origin: core, stand-in or real."""
    return Core(horizon_ns) if origin == "core" else Ros(origin, horizon_ns)
