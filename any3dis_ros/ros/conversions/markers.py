"""visualization_msgs/MarkerArray of the objects: one namespace a kind, the id of a marker is its object's."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from any3dis_ros.objects.instances import Instance, Instances, colors_of
from any3dis_ros.ros.conversions.transforms import header

_EDGES = [(i, i | 1 << k) for i in range(8) for k in range(3) if not i >> k & 1]  # corners that differ in one bit
_MOST_CORNERS = 24
_LINE_M, _TEXT_M, _GAP_M = 0.01, 0.08, 0.06


def markers(instances: Instances, stamp_ns: int, frame_id: str) -> MarkerArray:
    """Return DELETEALL, then of every object its box ('boxes'), outline ('outlines') and a text above it ('labels').

    The outline is the upright prism over the convex hull of the object's points on the floor plan.

    Args:
        instances: the segmentation.
        stamp_ns: of the messages.
        frame_id: the map frame.
    """
    objects = instances.instances
    colors = colors_of(np.array([o.id for o in objects], np.int64)) / 255.0
    out = [Marker(header=header(stamp_ns, frame_id), action=Marker.DELETEALL)]
    for instance, color in zip(objects, colors, strict=True):
        r, g, b = (float(c) for c in color)
        for marker in (_box(instance), _outline(instance, instances.points[instance.points]), _label(instance)):
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


def _outline(instance: Instance, points: NDArray[np.float32]) -> Marker:
    marker = Marker(ns="outlines", type=Marker.LINE_LIST)
    marker.pose.orientation.w = 1.0
    marker.scale.x = _LINE_M / 2  # thinner than the box
    hull = outline(points[:, :2].astype(np.float64))
    low, high = ([_point((x, y, z)) for x, y in hull] for z in instance.aabb[:, 2])
    after = [*range(1, len(hull)), 0]
    marker.points = [p for ring in (low, high) for i, k in enumerate(after) for p in (ring[i], ring[k])]
    marker.points += [p for pair in zip(low, high, strict=True) for p in pair]
    return marker


def outline(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the convex hull of points (P×2) in order, of its corners at most 24: those farthest out all around."""
    centred = (xy - xy.mean(0)).astype(np.float32)  # float32 inside OpenCV: keep coordinates small
    corners = cv2.convexHull(centred, returnPoints=False).ravel()
    if len(corners) > _MOST_CORNERS:
        angle = np.arange(_MOST_CORNERS) * (2 * np.pi / _MOST_CORNERS)
        farthest = np.argmax(centred[corners] @ np.stack([np.cos(angle), np.sin(angle)]), axis=0)
        corners = corners[np.unique(farthest)]
    return np.asarray(xy[corners])


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
