"""ScanNet's sensor stream, `<scene>.sens`, version 4 (Dai et al. 2017): colour, depth and poses in one file.

A pass over the headers of the frames finds where their images lie; only those of keyframes are read and decompressed.
All is little-endian: version u32; name u64 + bytes; 4×4 float32 intrinsics and extrinsics of colour, then of depth;
compressions of both i32; width and height u32 of both; depth units a metre float32; frames u64. Each frame: 4×4 float32
camera to world, stamps of both u64, bytes of both u64, the bytes. What follows (IMU) is of no use here.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.datasets.views import PERIOD_NS, Images, View, collector_of, depth_in_millimetres, read_views
from any3dis_ros.io.poses import PoseError, checked_pose
from any3dis_ros.io.recording import ReadOptions, Recording
from any3dis_ros.io.rosbag.messages import color_from_compressed
from any3dis_ros.progress import Progress
from any3dis_ros.scene.frames import Camera, invert

VERSION = 4
_COLOR = {0: "raw", 1: "png", 2: "jpeg"}
_DEPTH = {0: "raw", 1: "zlib", 2: "occi"}
_LONGEST_NAME = 4096  # bytes; more is no name of a sensor but another kind of file
_FRAME = struct.Struct("<16f4Q")


@dataclass(frozen=True)
class SensHeader:
    """What a stream says of its cameras; `T_base_*` 4×4 bring a camera into the frame that the poses are of."""

    color_camera: Camera
    depth_camera: Camera
    T_base_color: NDArray[np.float64]
    T_base_depth: NDArray[np.float64]
    color_compression: str
    depth_compression: str
    units_per_metre: float
    frames: int


@dataclass(frozen=True)
class SensFrame:
    """Pose (16 numbers, base to world, perhaps not finite) of a frame and where its images lie: offset and bytes."""

    T_world_base: NDArray[np.float64]
    color: tuple[int, int]
    depth: tuple[int, int]


def read_sens(path: Path, options: ReadOptions, config: KeyframeConfig, progress: Progress) -> Recording:
    """Read the keyframes of a .sens file; frames are named by their number, as ScanNet's exporter names them.

    Raises:
        InputError: no .sens file, another version or compression, or no usable frame.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    with file:
        size = path.stat().st_size
        header = read_header(file, path)
        frames = index_frames(file, header, size)
        collector = collector_of(path, options, config)
        if lost := header.frames - len(frames):
            collector.leave_out("frame behind the end of the file", f"cut off after frame {len(frames) - 1}", lost)
        with np.errstate(invalid="ignore"):  # -inf where tracking was lost
            poses = [f.T_world_base @ header.T_base_color for f in frames]
        views = [View(str(n), n * PERIOD_NS, poses[n], _Decoder(file, header, f)) for n, f in enumerate(frames)]
        return read_views(views, collector, options, progress, f"the stream {path}")


def read_header(file: BinaryIO, path: Path) -> SensHeader:
    """Read the header from the beginning of a stream; `path` is named in errors.

    Raises:
        InputError: no .sens file, or one that this version cannot read.
    """
    try:
        (version,) = _unpack(file, "<I")
        if version != VERSION:
            raise InputError(f"{path} is a .sens file of version {version}, or none; this reads version {VERSION}")
        (length,) = _unpack(file, "<Q")
        if length > _LONGEST_NAME:
            raise InputError(f"{path} is no .sens file: its sensor has a name of {length} bytes")
        file.read(length)
        matrices = np.array(_unpack(file, "<64f"), np.float64).reshape(4, 4, 4)
        color_kind, depth_kind, cw, ch, dw, dh = _unpack(file, "<2i4I")
        units, count = _unpack(file, "<fQ")
    except struct.error:
        raise InputError(f"{path} is cut off within its header") from None
    color, depth = _COLOR.get(color_kind, str(color_kind)), _DEPTH.get(depth_kind, str(depth_kind))
    if color not in _COLOR.values() or depth not in ("raw", "zlib"):
        raise InputError(
            f"{path}: colour is compressed as '{color}' and depth as '{depth}'; expected jpeg, png or raw, and zlib or "
            "raw (export the frames by ScanNet's own reader)"
        )
    if not (np.isfinite(units) and units > 0):
        raise InputError(f"{path}: {units} depth units a metre; expected a positive number, 1000 as a rule")
    try:
        cameras = Camera(cw, ch, matrices[0]), Camera(dw, dh, matrices[2])
        T_base_color, T_base_depth = (checked_pose(matrices[k], "extrinsics") for k in (1, 3))
    except (InputError, PoseError) as error:
        raise InputError(f"{path}: {error}") from None
    return SensHeader(*cameras, T_base_color, T_base_depth, color, depth, float(units), count)


def index_frames(file: BinaryIO, header: SensHeader, size: int) -> list[SensFrame]:
    """Return all frames that lie wholly within the `size` bytes of the file, which stands behind its header."""
    frames: list[SensFrame] = []
    while len(frames) < header.frames:
        data = file.read(_FRAME.size)
        if len(data) < _FRAME.size:
            break
        *pose, _, _, color_bytes, depth_bytes = _FRAME.unpack(data)
        begin = file.tell()
        if color_bytes > size or depth_bytes > size or begin + color_bytes + depth_bytes > size:
            break
        T = np.array(pose, np.float64).reshape(4, 4)
        frames.append(SensFrame(T, (begin, color_bytes), (begin + color_bytes, depth_bytes)))
        file.seek(begin + color_bytes + depth_bytes)
    return frames


@dataclass(frozen=True)
class _Decoder:
    """Reads the images of one frame when it is called."""

    file: BinaryIO
    header: SensHeader
    frame: SensFrame

    def __call__(self) -> Images:
        h = self.header
        return Images(
            self._color(), h.color_camera, self._depth(), h.depth_camera, invert(h.T_base_color) @ h.T_base_depth
        )

    def _read(self, place: tuple[int, int]) -> bytes:
        self.file.seek(place[0])
        return self.file.read(place[1])

    def _color(self) -> NDArray[np.uint8]:
        data, camera = self._read(self.frame.color), self.header.color_camera
        shape = (camera.height, camera.width, 3)
        if self.header.color_compression == "raw":
            return _shaped(np.frombuffer(data, np.uint8), shape).copy()
        image = color_from_compressed(data)
        if image.shape != shape:
            raise DamagedImageError(
                f"colour of {image.shape[1]}×{image.shape[0]} pixels, expected {shape[1]}×{shape[0]}"
            )
        return image

    def _depth(self) -> NDArray[np.uint16]:
        data, camera = self._read(self.frame.depth), self.header.depth_camera
        if self.header.depth_compression == "zlib":
            bound = 2 * camera.width * camera.height
            try:
                data = zlib.decompressobj().decompress(data, bound + 1)  # a damaged stream must not fill the memory
            except zlib.error as error:
                raise DamagedImageError(f"depth cannot be decompressed ({error})") from None
        if len(data) % 2:
            raise DamagedImageError(f"depth of {len(data)} bytes, an odd number")
        values = _shaped(np.frombuffer(data, "<u2"), (camera.height, camera.width))
        return depth_in_millimetres(values.astype(np.uint16), self.header.units_per_metre)


def _shaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if values.size != int(np.prod(shape)):
        raise DamagedImageError(f"{values.size} values for {'×'.join(map(str, shape))}")
    return values.reshape(shape)


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
