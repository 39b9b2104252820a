"""sensor_msgs/PointCloud2 ↔ arrays: the labelled cloud out, a map cloud in."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from any3dis_ros.errors import InputError
from any3dis_ros.io.cloud import GREY
from any3dis_ros.objects.instances import Instances, colors_of
from any3dis_ros.ros.conversions.transforms import header
from any3dis_ros.scene.mapping import MapCloud

log = logging.getLogger(__name__)

_KINDS = {
    PointField.INT8: "i1",
    PointField.UINT8: "u1",
    PointField.INT16: "i2",
    PointField.UINT16: "u2",
    PointField.INT32: "i4",
    PointField.UINT32: "u4",
    PointField.FLOAT32: "f4",
    PointField.FLOAT64: "f8",
}

_BLOCK = 1 << 15  # points written at once: they stay in the cache from field to field, which halves the time


def instance_colors(instances: Instances) -> NDArray[np.uint8]:
    """Return N×3 uint8 RGB: a colour for each object, grey for the points of none."""
    table = np.zeros((len(instances.scores) + 1, 4), np.uint8)  # four bytes are looked up as one number, three are not
    table[:, :3] = colors_of(np.concatenate([[0], instances.ids]))
    return table.view(np.uint32)[:, 0][instances.labels].view(np.uint8).reshape(-1, 4)[:, :3]


def instance_cloud(instances: Instances, colors: NDArray[np.uint8], stamp_ns: int, frame_id: str) -> PointCloud2:
    """Return the labelled cloud, in the point order of the map.

    Fields: x y z (metres, map frame), rgb, label (1 = object, 0 = none), instance_id (0 = none), score (0-1).

    Args:
        instances: the segmentation.
        colors: N×3 uint8, RGB: the map's own, or :func:`instance_colors`.
        stamp_ns: of the message.
        frame_id: the map frame.
    """
    ids, scores = np.concatenate([[0], instances.ids]), np.concatenate([[0], instances.scores])
    tables = {
        "label": (PointField.UINT32, (ids > 0).astype(np.uint32)),
        "instance_id": (PointField.UINT32, ids.astype(np.uint32)),
        "score": (PointField.FLOAT32, scores.astype(np.float32)),
    }
    return _message(instances.points, colors, instances.labels, tables, header(stamp_ns, frame_id))


def colored_cloud(points: NDArray[np.float32], colors: NDArray[np.uint8], stamp_ns: int, frame_id: str) -> PointCloud2:
    """Return a cloud of x y z and rgb; N×3 float32 metres, N×3 uint8 RGB."""
    return _message(points, colors, np.zeros(0, np.int32), {}, header(stamp_ns, frame_id))


def map_cloud(message: Any, max_points: int) -> MapCloud:
    """Return the map of a sensor_msgs/PointCloud2 that holds x y z and perhaps rgb or rgba, in any order.

    Points that are NaN or infinite are left out with a counted warning; a cloud without colours is grey.

    Args:
        message: the cloud, in the map frame, metres.
        max_points: a larger cloud is refused (map.max_points).

    Raises:
        InputError: fields are missing or of an unknown kind, fewer bytes than the size asks for, no finite point, or
            more points than the bound.
    """
    count = message.width * message.height
    if count > max_points:
        raise InputError(f"the map cloud holds {count} points; at most {max_points} (map.max_points) are taken")
    rows = _rows(message)
    points = np.stack([rows[axis].ravel() for axis in ("x", "y", "z")], axis=1).astype(np.float64)
    finite = np.all(np.abs(points) < np.finfo(np.float32).max, axis=1)  # False for NaN
    if not np.any(finite):
        raise InputError(f"none of the {count} points of the map cloud is finite")
    if not np.all(finite):
        log.warning("%d of %d points of the map cloud are not finite and left out", int(np.sum(~finite)), count)
    return MapCloud(points[finite].astype(np.float32), _colors(rows)[finite])


def _message(
    points: NDArray[np.float32],
    colors: NDArray[np.uint8],
    labels: NDArray[np.int32],
    tables: dict[str, tuple[int, NDArray[Any]]],
    head: Header,
) -> PointCloud2:
    """Return x y z, rgb (declared float as everywhere in PCL, its bytes are b g r 0) and more fields of four bytes.

    Each of `tables` is the kind of a field and its value for every label.
    """
    kinds = dict.fromkeys(("x", "y", "z", "rgb"), PointField.FLOAT32) | {
        name: kind for name, (kind, _) in tables.items()
    }
    dtype = np.dtype([(name, "4u1" if name == "rgb" else f"<{_KINDS[kind]}") for name, kind in kinds.items()])
    message = PointCloud2(
        header=head,
        height=1,
        width=len(points),
        fields=[PointField(name=n, offset=4 * i, datatype=kinds[n], count=1) for i, n in enumerate(kinds)],
        is_bigendian=False,
        point_step=dtype.itemsize,
        row_step=len(points) * dtype.itemsize,
        is_dense=bool(np.isfinite(points).all()),
    )
    data = message.data  # made to grow in place: the constructor copies what it is given twice
    data.frombytes(bytes(dtype.itemsize))
    data *= len(points)
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        rows = np.frombuffer(data, dtype)[block]
        for k, axis in enumerate(("x", "y", "z")):
            rows[axis] = points[block, k]
            rows["rgb"][:, k] = colors[block, 2 - k]
        for name, (_, table) in tables.items():
            rows[name] = table[labels[block]]
    return message


def _rows(message: Any) -> NDArray[Any]:
    """Return height×width records of the fields that a map takes."""
    wanted = {f.name: f for f in message.fields if f.name in ("x", "y", "z", "rgb", "rgba")}
    held = ", ".join(f.name for f in message.fields) or "none"
    if not {"x", "y", "z"} <= wanted.keys():
        raise InputError(f"the map cloud has no x y z; its fields are {held}")
    for name, field in wanted.items():
        expected = (
            (PointField.FLOAT32, PointField.FLOAT64) if name in "xyz" else (PointField.FLOAT32, PointField.UINT32)
        )
        if field.datatype not in expected:
            kind = _KINDS.get(field.datatype, str(field.datatype))
            raise InputError(f"field '{name}' of the map cloud is of kind {kind}; expected one of {_names(expected)}")
        if field.offset + int(_KINDS[field.datatype][1]) > message.point_step:
            raise InputError(f"field '{name}' at byte {field.offset} exceeds the points of {message.point_step} bytes")
    order = ">" if message.is_bigendian else "<"
    dtype = np.dtype(
        {
            "names": list(wanted),
            "formats": [order + (_KINDS[f.datatype] if f.name in "xyz" else "u4") for f in wanted.values()],
            "offsets": [f.offset for f in wanted.values()],
            "itemsize": message.point_step,
        }
    )
    height, width = message.height, message.width
    row_step = message.row_step or message.point_step * width
    needed = row_step * (height - 1) + message.point_step * width if height and width else 0
    if row_step < message.point_step * width or len(message.data) < needed:
        raise InputError(
            f"the map cloud holds {len(message.data)} bytes; {width}×{height} points of {message.point_step} bytes "
            f"with a row step of {row_step} need {needed}"
        )
    raw = np.frombuffer(message.data, np.uint8)[:needed]
    return np.ndarray((height, width), dtype, raw, strides=(row_step, message.point_step))


def _colors(rows: NDArray[Any]) -> NDArray[np.uint8]:
    name = next((n for n in ("rgb", "rgba") if n in (rows.dtype.names or ())), None)
    if name is None:
        return np.full((rows.size, 3), GREY, np.uint8)
    packed = rows[name].ravel().astype(np.uint32)
    return np.stack([(packed >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], axis=1)


def _names(kinds: tuple[int, ...]) -> str:
    return ", ".join(_KINDS[kind] for kind in kinds)
