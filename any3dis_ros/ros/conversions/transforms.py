"""Stamps and transforms: geometry_msgs ↔ 4×4 float64 in metres, builtin_interfaces/Time ↔ nanoseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from any3dis_ros.io.transforms import matrix

_SECOND = 1_000_000_000


def nanoseconds(time: Any) -> int:
    """Return nanoseconds of a builtin_interfaces/Time or an rclpy.time.Time."""
    return int(time.nanoseconds) if hasattr(time, "nanoseconds") else time.sec * _SECOND + time.nanosec


def stamp_message(stamp_ns: int) -> Time:
    """Return builtin_interfaces/Time of nanoseconds."""
    return Time(sec=stamp_ns // _SECOND, nanosec=stamp_ns % _SECOND)


def header(stamp_ns: int, frame_id: str) -> Header:
    """Return std_msgs/Header."""
    return Header(stamp=stamp_message(stamp_ns), frame_id=frame_id)


def pose_of(transform: Any) -> tuple[float, ...]:
    """Return x y z qx qy qz qw of a geometry_msgs/Transform."""
    t, q = transform.translation, transform.rotation
    return (t.x, t.y, t.z, q.x, q.y, q.z, q.w)


def transform_matrix(transform: Any) -> NDArray[np.float64]:
    """Return 4×4 ``T_parent_child`` of a geometry_msgs/Transform; its quaternion is normalised."""
    pose = np.array(pose_of(transform))
    pose[3:] /= np.linalg.norm(pose[3:])
    return matrix(pose)


def transform_message(T_parent_child: NDArray[np.float64], stamp_ns: int, parent: str, child: str) -> TransformStamped:
    """Return geometry_msgs/TransformStamped of a rigid 4×4."""
    message = TransformStamped(header=header(stamp_ns, parent), child_frame_id=child)
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = T_parent_child[:3, 3].tolist()
    q.x, q.y, q.z, q.w = Rotation.from_matrix(T_parent_child[:3, :3]).as_quat().tolist()
    return message
