"""The objects as messages of this package: any3dis_ros/Instance3D and Instance3DArray."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from sensor_msgs.msg import PointCloud2

from any3dis_ros.errors import InputError
from any3dis_ros.msg import Instance3D, Instance3DArray
from any3dis_ros.objects.instances import Box, Instance, Instances
from any3dis_ros.ros.conversions.clouds import colored_cloud
from any3dis_ros.ros.conversions.transforms import header
from any3dis_ros.scene.frames import Frame

_LISTED = 10  # ids in a sentence


def instance_array(
    instances: Instances,
    frames: Sequence[Frame],
    camera_frame_id: str,
    stamp_ns: int,
    frame_id: str,
    point_indices: bool,
) -> Instance3DArray:
    """Return all objects that own points, best first.

    Args:
        instances: the segmentation.
        frames: its keyframes, for the best views.
        camera_frame_id: optical frame of the keyframes.
        stamp_ns: of the message.
        frame_id: the map frame.
        point_indices: whether each object lists its points in the cloud (4 bytes a point).
    """
    objects = [instance_message(i, frames, camera_frame_id, point_indices) for i in instances.instances]
    return Instance3DArray(header=header(stamp_ns, frame_id), instances=objects)


def instance_message(
    instance: Instance, frames: Sequence[Frame], camera_frame_id: str, point_indices: bool
) -> Instance3D:
    """Return one object; the arguments are those of :func:`instance_array`."""
    message = Instance3D(
        id=instance.id,
        score=instance.score,
        pose=box_pose(instance.box),
        size=_xyz(Vector3, instance.box.size),
        centroid=_xyz(Point, instance.centroid),
        point_count=len(instance.points),
    )
    if instance.best_views and instance.best_views[0] < len(frames):
        message.best_view = header(frames[instance.best_views[0]].stamp_ns, camera_frame_id)
    if point_indices:
        message.point_indices = array("I", np.sort(instance.points).astype(np.uint32).tobytes())
    return message


def one_object(
    instances: Instances, id: int, frames: Sequence[Frame], camera_frame_id: str, stamp_ns: int, frame_id: str
) -> tuple[Instance3D, PointCloud2]:
    """Return one object and its points in their own colours, in the order of the map.

    Args:
        instances: the segmentation.
        id: of the object.
        frames: as for :func:`instance_array`, like what follows.
        camera_frame_id: optical frame of the keyframes.
        stamp_ns: of the cloud.
        frame_id: the map frame.

    Raises:
        InputError: no object has this id; says which there are.
    """
    instance = next((o for o in instances.instances if o.id == id), None)
    if instance is None:
        ids = sorted(o.id for o in instances.instances)
        listed = ", ".join(map(str, ids[:_LISTED])) + (f" and {len(ids) - _LISTED} more" if ids[_LISTED:] else "")
        raise InputError(f"no object has the id {id}; " + (f"there are {listed}" if ids else "there are no objects"))
    index = np.sort(instance.points)
    cloud = colored_cloud(instances.points[index], instances.colors[index], stamp_ns, frame_id)
    return instance_message(instance, frames, camera_frame_id, point_indices=False), cloud


def box_pose(box: Box) -> Pose:
    """Return the centre of a box and its rotation about z."""
    half_turn = box.yaw / 2
    orientation = Quaternion(z=float(np.sin(half_turn)), w=float(np.cos(half_turn)))
    return Pose(position=_xyz(Point, box.center), orientation=orientation)


def _xyz(kind: type, values: np.ndarray) -> object:
    x, y, z = (float(v) for v in values)
    return kind(x=x, y=y, z=z)
