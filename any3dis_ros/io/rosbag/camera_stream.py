"""The images of one bag's camera pair: decoded, without distortion, depth on the grid of colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.registration import on_grid, reduced
from any3dis_ros.io.rosbag import messages
from any3dis_ros.io.rosbag.bagfile import COMPRESSED_IMAGE
from any3dis_ros.io.rosbag.calibration import Lens, lens_from_info, lens_from_intrinsics
from any3dis_ros.io.rosbag.topics import ImageTopic
from any3dis_ros.scene.frames import Camera

Intrinsics = tuple[float, float, float, float]


@dataclass(frozen=True)
class CameraInfo:
    """A camera_info topic and its first message."""

    topic: str
    message: Any


@dataclass
class CameraPair:
    """Decodes the messages of a colour and a depth topic.

    Attributes:
        color: the colour topic.
        depth: the depth topic.
        color_type: message type of `color`.
        depth_type: message type of `depth`.
        color_info: intrinsics of colour, None = `intrinsics` are given.
        depth_info: intrinsics of depth, None = those of colour, which is allowed in one and the same frame.
        intrinsics: fx, fy, cx, cy of colour, which count more than `color_info`.
        max_width_px: wider images are reduced.
    """

    color: ImageTopic
    depth: ImageTopic
    color_type: str
    depth_type: str
    color_info: CameraInfo | None
    depth_info: CameraInfo | None
    intrinsics: Intrinsics | None
    max_width_px: int
    _lenses: dict[tuple[str, int, int], Lens] = field(default_factory=dict)

    @property
    def one_frame(self) -> bool:
        """Whether depth is in the frame of colour, that is, registered by the driver."""
        return self.depth.frame_id == self.color.frame_id

    def check(self) -> None:
        """Raise InputError where intrinsics are missing."""
        if self.color_info is None and self.intrinsics is None:
            raise InputError(
                f"no camera_info belongs to '{self.color.name}'; choose its topic (--camera-info-topic) "
                "or give fx fy cx cy (--intrinsics)"
            )
        if self.depth_info is None and not self.one_frame:
            raise InputError(
                f"depth '{self.depth.name}' is in its own frame '{self.depth.frame_id}' and no camera_info belongs to "
                "it; choose its topic (--depth-info-topic), or record depth that is registered to colour"
            )

    def decode(
        self, color_message: Any, depth_message: Any, T_color_depth: NDArray[np.float64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint16], Camera]:
        """Return colour H×W×3 uint8, depth H×W uint16 millimetres on the same grid, and the camera of both.

        Raises:
            DamagedImageError: one of the two cannot be decoded.
            InputError: an encoding, a size or a distortion that no other message will mend.
        """
        color, depth = self._color(color_message), self._depth(depth_message)
        lens = self._color_lens(color.shape[1], color.shape[0])
        depth_lens = self._depth_lens(depth.shape[1], depth.shape[0], lens)
        color, depth = lens.color(color), depth_lens.depth(depth)
        camera = reduced(lens.camera, self.max_width_px)
        if camera is not lens.camera:
            size = (camera.width, camera.height)
            color = np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA), np.uint8)
        return color, on_grid(depth, depth_lens.camera, camera, T_color_depth), camera

    def _color(self, m: Any) -> NDArray[np.uint8]:
        if self.color_type == COMPRESSED_IMAGE:
            return messages.color_from_compressed(m.data)
        return messages.color_from_raw(m.encoding, m.width, m.height, m.step, m.data)

    def _depth(self, m: Any) -> NDArray[np.uint16]:
        if self.depth_type == COMPRESSED_IMAGE:
            return messages.depth_from_compressed(m.format, m.data)
        return messages.depth_from_raw(m.encoding, m.width, m.height, m.step, bool(m.is_bigendian), m.data)

    def _color_lens(self, width: int, height: int) -> Lens:
        key = ("color", width, height)
        if key not in self._lenses:
            if self.intrinsics is not None:
                self._lenses[key] = lens_from_intrinsics(self.intrinsics, width, height)
            else:
                assert self.color_info is not None  # check() came first
                self._lenses[key] = _lens(self.color_info, width, height, self.color)
        return self._lenses[key]

    def _depth_lens(self, width: int, height: int, color: Lens) -> Lens:
        key = ("depth", width, height)
        if key not in self._lenses:
            if self.one_frame and self.intrinsics is not None:
                self._lenses[key] = Lens(color.camera.resized(width, height))
            else:
                info = self.depth_info or self.color_info
                assert info is not None
                self._lenses[key] = _lens(info, width, height, self.depth if self.depth_info else self.color)
        return self._lenses[key]


def _lens(info: CameraInfo, width: int, height: int, image: ImageTopic) -> Lens:
    return lens_from_info(info.message, width, height, image.is_rectified, info.topic)
