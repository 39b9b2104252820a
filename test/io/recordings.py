"""Tiny recordings written by the tests themselves: folders, ROS 2 bags (mcap, sqlite) and ROS 1 bags."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

WIDTH, HEIGHT = 32, 24
K = (30.0, 30.0, 15.5, 11.5)
SECOND = 1_000_000_000
START = 100 * SECOND
PERIOD = SECOND // 10
IDENTITY = (0.0, 0.0, 0.0, 1.0)
COLOR, DEPTH = "/camera/color/image_raw", "/camera/aligned_depth_to_color/image_raw"
TF = "tf2_msgs/msg/TFMessage"
OPTICAL = "camera_color_optical_frame"


def color_image(n: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """H×W×3 uint8 RGB that tells its frame number and its channels apart."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 10 * n % 256
    image[..., 1] = np.arange(width)
    image[..., 2] = 200
    return image


def depth_image(n: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """H×W uint16 millimetres: 1 m + 10 mm a frame + 1 mm a column, one pixel invalid."""
    depth = np.full((height, width), 1000 + 10 * n, np.uint16) + np.arange(width, dtype=np.uint16)
    depth[0, 0] = 0
    return depth


def compressed_depth_data(depth: np.ndarray, a: float = 0.0, b: float = 0.0) -> np.ndarray:
    """Header and PNG, as compressed_depth_image_transport packs them."""
    png = cv2.imencode(".png", depth)[1].tobytes()
    return np.frombuffer(struct.pack("<iff", 0, a, b) + png, np.uint8)


@dataclass
class BagSpec:
    """A bag in the making: (topic, type, log time, message) by `add`, then `write`."""

    ros1: bool = False
    entries: list[tuple[str, str, int, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_JAZZY)
        if self.ros1:
            self.store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", TF))
        self.T = self.store.types

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        time = self.T["builtin_interfaces/msg/Time"](sec=stamp_ns // SECOND, nanosec=stamp_ns % SECOND)
        extra = {"seq": 0} if self.ros1 else {}
        return self.T["std_msgs/msg/Header"](stamp=time, frame_id=frame_id, **extra)

    def add(self, topic: str, kind: str, log_ns: int, **fields: Any) -> None:
        self.entries.append((topic, kind, log_ns, self.T[kind](**fields)))

    def image(
        self,
        topic: str,
        stamp_ns: int,
        array: np.ndarray,
        encoding: str,
        frame_id: str = OPTICAL,
        log_ns: int | None = None,
        **fields: Any,
    ) -> None:
        data = np.ascontiguousarray(array)
        values = {
            "header": self.header(stamp_ns, frame_id),
            "height": array.shape[0],
            "width": array.shape[1],
            "encoding": encoding,
            "is_bigendian": 0,
            "step": data.nbytes // array.shape[0],
            "data": data.reshape(-1).view(np.uint8),
        }
        self.add(topic, "sensor_msgs/msg/Image", stamp_ns if log_ns is None else log_ns, **{**values, **fields})

    def compressed(
        self, topic: str, stamp_ns: int, data: np.ndarray, image_format: str, frame_id: str = OPTICAL
    ) -> None:
        header = self.header(stamp_ns, frame_id)
        self.add(topic, "sensor_msgs/msg/CompressedImage", stamp_ns, header=header, format=image_format, data=data)

    def info(
        self,
        topic: str,
        stamp_ns: int,
        k: tuple[float, float, float, float] = K,
        d: tuple[float, ...] = (),
        size: tuple[int, int] = (WIDTH, HEIGHT),
        frame_id: str = OPTICAL,
        model: str = "plumb_bob",
    ) -> None:
        fx, fy, cx, cy = k
        names = "DKRP" if self.ros1 else "dkrp"
        arrays = (
            np.array(d, np.float64),
            np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1.0]),
            np.eye(3).reshape(-1),
            np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1.0, 0]),
        )
        roi = self.T["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        self.add(
            topic,
            "sensor_msgs/msg/CameraInfo",
            stamp_ns,
            header=self.header(stamp_ns, frame_id),
            height=size[1],
            width=size[0],
            distortion_model=model,
            binning_x=0,
            binning_y=0,
            roi=roi,
            **dict(zip(names, arrays, strict=True)),
        )

    def tf(
        self,
        parent: str,
        child: str,
        stamp_ns: int,
        translation: tuple[float, float, float] = (0.0, 0.0, 0.0),
        rotation: tuple[float, float, float, float] = IDENTITY,
        static: bool = False,
        log_ns: int | None = None,
    ) -> None:
        transform = self.T["geometry_msgs/msg/Transform"](
            translation=self.T["geometry_msgs/msg/Vector3"](*translation),
            rotation=self.T["geometry_msgs/msg/Quaternion"](*rotation),
        )
        stamped = self.T["geometry_msgs/msg/TransformStamped"](
            header=self.header(stamp_ns, parent), child_frame_id=child, transform=transform
        )
        topic = "/tf_static" if static else "/tf"
        log = stamp_ns if log_ns is None else log_ns
        self.add(topic, TF, log, transforms=[stamped])

    def write(self, path: Path, storage: str = "mcap", compression: str = "") -> Path:
        """Write as mcap, sqlite3 or bag; packed by storage, message or file (ROS 2), bz2 or lz4 (ROS 1)."""
        assert (storage == "bag") == self.ros1
        plugin = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}.get(storage)
        writer: Any = Writer2(path, version=9, storage_plugin=plugin) if plugin else Writer1(path)
        if compression and plugin:
            writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
        elif compression:
            writer.set_compression(Writer1.CompressionFormat[compression.upper()])
        serialize = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        with writer:
            connections: dict[str, Any] = {}
            for topic, kind, log_ns, message in sorted(self.entries, key=lambda entry: entry[2]):
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=self.store)
                writer.write(connections[topic], log_ns, serialize(message, kind))
        return path


def add_poses(spec: BagSpec, start_ns: int, stop_ns: int, step_ns: int = PERIOD // 2) -> None:
    """/tf map → odom → base_link moving 1 m/s along x, /tf_static base_link → camera_link → optical."""
    quarter = (-0.5, 0.5, -0.5, 0.5)  # optical in body axes (REP-103)
    spec.tf("base_link", "camera_link", 0, (0.1, 0.0, 0.5), static=True, log_ns=start_ns)
    spec.tf("camera_link", OPTICAL, 0, rotation=quarter, static=True, log_ns=start_ns)
    for stamp in range(start_ns, stop_ns + 1, step_ns):
        spec.tf("map", "odom", stamp)
        spec.tf("odom", "base_link", stamp, ((stamp - START) / SECOND, 0.0, 0.0))


def add_frames(spec: BagSpec, count: int, lag_ns: int = 3_000_000) -> None:
    """Raw colour and registered raw depth with one camera_info each, a tenth of a second apart."""
    spec.info("/camera/color/camera_info", START)
    for n in range(count):
        stamp = START + n * PERIOD
        spec.image(COLOR, stamp, color_image(n), "rgb8")
        spec.image(DEPTH, stamp + lag_ns, depth_image(n), "16UC1")


def whole_bag(count: int = 6, ros1: bool = False) -> BagSpec:
    """A bag that has all that is needed."""
    spec = BagSpec(ros1)
    add_poses(spec, START - PERIOD, START + count * PERIOD)
    add_frames(spec, count)
    return spec


def write_frame(root: Path, n: int, color: np.ndarray | None = None, depth: np.ndarray | None = None) -> None:
    pose = np.eye(4)
    pose[0, 3] = n / 10
    np.savetxt(root / "pose" / f"{n}.txt", pose)
    color = color_image(n) if color is None else color
    cv2.imwrite(str(root / "color" / f"{n}.png"), np.ascontiguousarray(color[..., ::-1]))
    cv2.imwrite(str(root / "depth" / f"{n}.png"), depth_image(n) if depth is None else depth)


def write_folder(root: Path, count: int = 12) -> Path:
    """Write a sound ScanNet-style folder: frame n at x = n / 10 metres."""
    for name in ("color", "depth", "pose", "intrinsic"):
        (root / name).mkdir(parents=True)
    for n in range(count):
        write_frame(root, n)
    fx, fy, cx, cy = K
    matrix = np.eye(4)
    matrix[:2, :3] = (fx, 0, cx), (0, fy, cy)
    for name in ("color", "depth"):
        np.savetxt(root / "intrinsic" / f"intrinsic_{name}.txt", matrix)
    return root


def without(spec: BagSpec, *topics: str) -> BagSpec:
    """The same bag without some topics."""
    spec.entries = [entry for entry in spec.entries if entry[0] not in topics]
    return spec


def numbers(recording: Any) -> list[int]:
    """The frame numbers that were kept."""
    return [round((f.stamp_ns - START) / PERIOD) for f in recording.frames]
