"""What comes back from a labelled cloud: sensor_msgs/PointCloud2 → instances that can be scored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointField

from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances

_FIELDS = {
    "x": (PointField.FLOAT32, "<f4"),
    "y": (PointField.FLOAT32, "<f4"),
    "z": (PointField.FLOAT32, "<f4"),
    "instance_id": (PointField.UINT32, "<u4"),
    "score": (PointField.FLOAT32, "<f4"),
}


def published_instances(cloud: Any) -> Instances:
    """Return what a message of ~/instance_cloud says: every object as one proposal, no two of which overlap.

    Raises:
        InputError: a field is missing or of another type.
    """
    held = {f.name: f for f in cloud.fields}
    for name, (kind, _) in _FIELDS.items():
        if name not in held or held[name].datatype != kind:
            raise InputError(f"the cloud has no field '{name}' of type {kind}; it is no ~/instance_cloud")
    dtype = np.dtype(
        {
            "names": list(_FIELDS),
            "formats": [form for _, form in _FIELDS.values()],
            "offsets": [held[name].offset for name in _FIELDS],
            "itemsize": cloud.point_step,
        }
    )
    rows = np.frombuffer(cloud.data, dtype, cloud.width * cloud.height)
    points = np.stack([rows[axis] for axis in "xyz"], axis=1)
    return instances_of_labels(points, rows["instance_id"], rows["score"])


def instances_of_labels(
    points: NDArray[np.float32], ids: NDArray[np.integer], score: NDArray[np.floating]
) -> Instances:
    """Return a labelled cloud as instances.

    Args:
        points: N×3 float32, metres, map frame.
        ids: N int, the object of each point, 0 = none.
        score: N float, the score of that object.
    """
    found, first, which = np.unique(ids, return_index=True, return_inverse=True)
    objects = np.flatnonzero(found > 0)
    objects = objects[np.argsort(-score[first[objects]], kind="stable")]
    rank = np.zeros(len(found), np.int32)  # 0 = none, then the best first
    rank[objects] = np.arange(1, len(objects) + 1)
    labels = rank[which.reshape(-1)].astype(np.int32)
    return Instances(
        points=points,
        colors=np.zeros((len(points), 3), np.uint8),
        superpoint=labels,
        proposals=np.eye(len(objects) + 1, dtype=bool)[1:],
        scores=score[first[objects]].astype(np.float32),
        labels=labels,
    )
