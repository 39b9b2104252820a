"""A run as a ROS 2 bag (MCAP): colour, depth, intrinsics, and the transforms of a rig whose odometry drifts."""

from __future__ import annotations

import heapq
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from any3dis_ros.scene.frames import Camera, invert
from benchmarks.rooms.camera_path import MARGIN_S, CameraPath
from benchmarks.rooms.capture import Shot
from benchmarks.rooms.meshes import transform

Floats = NDArray[np.float64]
Item = tuple[int, int, str, Any]  # time received (ns), tie-breaker, topic, message

START_NS = 1_700_000_000_000_000_000  # the stamp of frame 0
COLOR = "/camera/color/image_raw/compressed"
DEPTH = "/camera/aligned_depth_to_color/image_raw/compressedDepth"
INFO = "/camera/color/camera_info"
OPTICAL_FRAME = "camera_color_optical_frame"
ODOMETRY_HZ, LOCALISATION_HZ = 50.0, 30.0
IMAGE_LATENCY_NS, TF_LATENCY_NS = 20_000_000, 1_000_000
DEPTH_HEADER = struct.pack("<iff", 0, 0.0, 0.0)  # compressed_depth_image_transport: format, two quantisation numbers

T_BASE_CAMERA = transform((0.06, 0.0, 0.11), pitch=0.05)
T_CAMERA_OPTICAL = transform((0.0, 0.015, 0.0), roll=-np.pi / 2, yaw=-np.pi / 2)  # REP-103

_store = get_typestore(Stores.ROS2_HUMBLE)
_t = _store.types


def T_map_odom(t: float) -> Floats:
    """Return the localisation's correction of the odometry at `t` seconds: an offset that drifts by centimetres."""
    at = (0.42 + 0.05 * np.sin(2 * np.pi * t / 23), -0.31 + 0.04 * np.sin(2 * np.pi * t / 17), 0.01 * np.sin(t / 5))
    return transform(at, yaw=0.35 + np.radians(1.5) * np.sin(2 * np.pi * t / 19))


def write_bag(folder: Path, camera: Camera, path: CameraPath, shots: Iterable[Shot], jpeg_quality: int = 85) -> None:
    """Write the rosbag2 folder `folder` (must not exist); the room's frame is `map`."""
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connections = _connect(writer)
        streams = [
            _images(camera, shots, jpeg_quality),
            _moving(path, "odom", "base_link", ODOMETRY_HZ, 1, lambda t: _odom_base(path, t)),
            _moving(path, "map", "odom", LOCALISATION_HZ, 2, T_map_odom),
        ]
        first = START_NS - int(MARGIN_S * 1e9)
        fixed = [
            _stamped(first, "base_link", "camera_link", T_BASE_CAMERA),
            _stamped(first, "camera_link", OPTICAL_FRAME, T_CAMERA_OPTICAL),
        ]
        message = _t["tf2_msgs/msg/TFMessage"](transforms=fixed)
        _put(writer, connections["/tf_static"], first, message)
        for received, _, topic, message in heapq.merge(*streams, key=lambda item: item[:2]):
            _put(writer, connections[topic], received, message)


def _odom_base(path: CameraPath, t: float) -> Floats:
    T_map_base = path.pose(t) @ invert(T_BASE_CAMERA @ T_CAMERA_OPTICAL)
    return np.asarray(invert(T_map_odom(t)) @ T_map_base, np.float64)


def _connect(writer: Writer) -> dict[str, Connection]:
    topics = {
        COLOR: ("sensor_msgs/msg/CompressedImage", QosReliability.BEST_EFFORT, QosDurability.VOLATILE, 5),
        DEPTH: ("sensor_msgs/msg/CompressedImage", QosReliability.BEST_EFFORT, QosDurability.VOLATILE, 5),
        INFO: ("sensor_msgs/msg/CameraInfo", QosReliability.BEST_EFFORT, QosDurability.VOLATILE, 5),
        "/tf": ("tf2_msgs/msg/TFMessage", QosReliability.RELIABLE, QosDurability.VOLATILE, 100),
        "/tf_static": ("tf2_msgs/msg/TFMessage", QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, 1),
    }
    forever = QosTime(9223372036, 854775807)
    out = {}
    for topic, (kind, reliability, durability, depth) in topics.items():
        qos = Qos(
            QosHistory.KEEP_LAST,
            depth,
            reliability,
            durability,
            deadline=forever,
            lifespan=forever,
            liveliness=QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=forever,
            avoid_ros_namespace_conventions=False,
        )
        out[topic] = writer.add_connection(topic, kind, typestore=_store, offered_qos_profiles=[qos])
    return out


def _put(writer: Writer, connection: Connection, received: int, message: Any) -> None:
    writer.write(connection, received, _store.serialize_cdr(message, connection.msgtype))


def _images(camera: Camera, shots: Iterable[Shot], quality: int) -> Iterator[Item]:
    compressed = _t["sensor_msgs/msg/CompressedImage"]
    for shot in shots:
        stamp = START_NS + round(shot.time_s * 1e9)
        received = stamp + IMAGE_LATENCY_NS
        header = _header(stamp, OPTICAL_FRAME)
        jpeg = cv2.imencode(
            ".jpg", shot.color[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        )[1]
        depth = np.frombuffer(DEPTH_HEADER + png16(shot.depth), np.uint8)
        yield received, 0, INFO, _camera_info(camera, header)
        yield received, 0, COLOR, compressed(header, format="rgb8; jpeg compressed bgr8", data=jpeg.ravel())
        yield received, 0, DEPTH, compressed(header, format="16UC1; compressedDepth png", data=depth)


def png16(image: NDArray[np.uint16]) -> bytes:
    """Return H×W uint16 as a grey PNG whose rows are not filtered.

    Rounded disparities are few values that repeat: deflate packs them a fifth smaller than any filter's differences.
    """
    h, w = image.shape
    rows = np.zeros((h, 1 + 2 * w), np.uint8)
    rows[:, 1:] = image.astype(">u2").view(np.uint8).reshape(h, 2 * w)
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9)
    body = packer.compress(rows.tobytes()) + packer.flush()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", w, h, 16, 0, 0, 0, 0)),
        (b"IDAT", body),
        (b"IEND", b""),
    )
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out


def _camera_info(camera: Camera, header: Any) -> Any:
    K = camera.K
    P = np.zeros((3, 4))
    P[:, :3] = K
    roi = _t["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return _t["sensor_msgs/msg/CameraInfo"](
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=K.ravel(),
        r=np.eye(3).ravel(),
        p=P.ravel(),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def _moving(
    path: CameraPath, parent: str, child: str, rate_hz: float, order: int, T_parent_child: Callable[[float], Floats]
) -> Iterator[Item]:
    """Yield /tf messages over the whole path and a margin on both sides, so that nothing is extrapolated."""
    message = _t["tf2_msgs/msg/TFMessage"]
    # An offset of a fraction of a period: no stamp of a transform coincides with one of an image.
    for t in np.arange(-MARGIN_S + 0.37 / rate_hz, path.duration + MARGIN_S, 1 / rate_hz):
        stamp = START_NS + round(float(t) * 1e9)
        # The transform belongs to the stamp that is written, not to the time before rounding.
        T = T_parent_child((stamp - START_NS) * 1e-9)
        yield stamp + TF_LATENCY_NS, order, "/tf", message(transforms=[_stamped(stamp, parent, child, T)])


def _stamped(stamp_ns: int, parent: str, child: str, T: Floats) -> Any:
    x, y, z, w = (float(q) for q in Rotation.from_matrix(T[:3, :3]).as_quat())
    geometry = "geometry_msgs/msg/"
    return _t[geometry + "TransformStamped"](
        header=_header(stamp_ns, parent),
        child_frame_id=child,
        transform=_t[geometry + "Transform"](
            translation=_t[geometry + "Vector3"](*(float(v) for v in T[:3, 3])),
            rotation=_t[geometry + "Quaternion"](x=x, y=y, z=z, w=w),
        ),
    )


def _header(stamp_ns: int, frame: str) -> Any:
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return _t["std_msgs/msg/Header"](stamp=_t["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec), frame_id=frame)
