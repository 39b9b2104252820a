"""visualization_msgs/MarkerArray of the objects: one namespace a kind, the id of a marker is its object's."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from any3dis_ros.objects.instances import Instance, Instances, palette
from any3dis_ros.ros.conversions.transforms import header

_EDGES = [(i, i | 1 << k) for i in range(8) for k in range(3) if not i >> k & 1]  # corners that differ in one bit
_LINE_M, _TEXT_M, _GAP_M = 0.01, 0.08, 0.06


def markers(instances: Instances, stamp_ns: int, frame_id: str) -> MarkerArray:
    """Return DELETEALL, then the edges of every box ('boxes') and a text above it ('labels').

    Args:
        instances: the segmentation.
        stamp_ns: of the messages.
        frame_id: the map frame.
    """
    colors = palette(len(instances.scores)) / 255.0
    out = [Marker(header=header(stamp_ns, frame_id), action=Marker.DELETEALL)]
    for instance in instances.instances:
        r, g, b = (float(c) for c in colors[instance.id])
        for marker in (_box(instance), _label(instance)):
            marker.header = header(stamp_ns, frame_id)
            marker.id = instance.id
            marker.action = Marker.ADD
            marker.color = ColorRGBA(r=r, g=g, b=b, a=1.0)
            out.append(marker)
    return MarkerArray(markers=out)


def _box(instance: Instance) -> Marker:
    marker = Marker(ns="boxes", type=Marker.LINE_LIST)
    marker.pose.orientation.w = 1.0
    marker.scale.x = _LINE_M
    corners = [_point(corner) for corner in instance.box.corners]
    marker.points = [corners[k] for edge in _EDGES for k in edge]
    return marker


def _label(instance: Instance) -> Marker:
    marker = Marker(ns="labels", type=Marker.TEXT_VIEW_FACING, text=f"{instance.id}: {instance.score:.2f}")
    top = instance.box.center + np.array([0.0, 0.0, instance.box.size[2] / 2 + _GAP_M])
    marker.pose.position = _point(top)
    marker.pose.orientation.w = 1.0
    marker.scale.z = _TEXT_M
    return marker


def _point(xyz: Any) -> Point:
    x, y, z = (float(v) for v in xyz)
    return Point(x=x, y=y, z=z)
