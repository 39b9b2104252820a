"""One synchronised pair of messages becomes a posed frame: poses first, as they may be on their way, then pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag.camera_stream import CameraPair
from any3dis_ros.ros.conversions.images import camera_pair, frame
from any3dis_ros.ros.ingest import Pair
from any3dis_ros.ros.memory import kept
from any3dis_ros.ros.poses import Poses
from any3dis_ros.scene.frames import Frame


@dataclass(frozen=True)
class Topics:
    """Full names of the topics of one camera."""

    color: str
    depth: str
    info: str
    depth_info: str


class FrameMaker:
    """Makes frames; what follows from camera_info is worked out once for as long as it stays the same.

    Args:
        poses: of the cameras.
        topics: for messages to the user.
        max_width_px: wider images are reduced (input.max_width_px).

    Attributes:
        depth_info: the latest camera_info of depth, which is needed where depth is in a frame of its own.
    """

    def __init__(self, poses: Poses, topics: Topics, max_width_px: int) -> None:
        self._poses, self._topics, self._max_width_px = poses, topics, max_width_px
        self.depth_info: Any = None
        self._basis: tuple[Any, ...] = ()
        self._cameras: CameraPair | None = None

    def __call__(self, pair: Pair) -> Frame:
        """Return the posed frame; its depth is in millimetres on the grid of colour.

        Raises:
            PoseOnItsWay: a transform may still come.
            TransformError: it never will.
            DamagedImageError: one of the images cannot be decoded.
            InputError: they are none that can be used.
        """
        color_frame, depth_frame = (m.header.frame_id.lstrip("/") for m in (pair.color, pair.depth))
        own_frame = color_frame != depth_frame
        if own_frame and self.depth_info is None:
            raise InputError(
                f"depth on {self._topics.depth} is in frame '{depth_frame}', colour in '{color_frame}', and nothing "
                f"came on {self._topics.depth_info}; remap it to the depth camera's camera_info, or let the driver "
                "publish depth that is registered to colour"
            )
        T_map_camera = self._poses(pair.stamp_ns)
        T_color_depth = np.eye(4)
        if own_frame:
            T_color_depth = self._poses.between(self._poses.camera_frame, depth_frame, pair.stamp_ns)
        return self._decoded(pair, own_frame, T_map_camera, T_color_depth)

    def _decoded(
        self, pair: Pair, own_frame: bool, T_map_camera: NDArray[np.float64], T_color_depth: NDArray[np.float64]
    ) -> Frame:
        depth_info = self.depth_info if own_frame else None
        basis = (pair.color.header.frame_id, pair.depth.header.frame_id, _contents(pair.info), _contents(depth_info))
        if self._cameras is None or basis != self._basis:
            topics = self._topics
            self._cameras = camera_pair(
                (topics.color, pair.color),
                (topics.depth, pair.depth),
                (topics.info, pair.info),
                None if depth_info is None else (topics.depth_info, depth_info),
                self._max_width_px,
            )
            self._basis = basis
        return kept(frame(self._cameras, pair.color, pair.depth, T_map_camera, T_color_depth))


def _contents(info: Any) -> tuple[Any, ...]:
    if info is None:
        return ()
    return (info.width, info.height, info.distortion_model, *map(tuple, (info.d, info.k, info.r, info.p)))
