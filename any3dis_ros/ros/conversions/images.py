"""Images and camera_info of one camera → posed frames, decoded by what decodes those of a bag."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.io.rosbag.bagfile import COMPRESSED_IMAGE, IMAGE
from any3dis_ros.io.rosbag.camera_stream import CameraInfo, CameraPair
from any3dis_ros.io.rosbag.topics import ImageTopic
from any3dis_ros.ros.conversions.transforms import nanoseconds
from any3dis_ros.scene.frames import Frame


def camera_pair(
    color: tuple[str, Any],
    depth: tuple[str, Any],
    info: tuple[str, Any],
    depth_info: tuple[str, Any] | None,
    max_width_px: int,
) -> CameraPair:
    """Return the decoder of one camera's images, to be kept while its camera_info stays the same.

    Args:
        color: topic and first message, sensor_msgs/Image or CompressedImage.
        depth: the same of depth.
        info: topic and message, sensor_msgs/CameraInfo of colour.
        depth_info: the same of depth; None = depth is registered to colour.
        max_width_px: wider images are reduced (input.max_width_px).

    Raises:
        InputError: depth is in a frame of its own and has no camera_info.
    """
    cameras = CameraPair(
        color=_topic(*color),
        depth=_topic(*depth),
        color_type=_type(color[1]),
        depth_type=_type(depth[1]),
        color_info=CameraInfo(*info),
        depth_info=CameraInfo(*depth_info) if depth_info else None,
        intrinsics=None,
        max_width_px=max_width_px,
    )
    cameras.check()
    return cameras


def frame(
    cameras: CameraPair,
    color: Any,
    depth: Any,
    T_map_camera: NDArray[np.float64],
    T_color_depth: NDArray[np.float64] | None = None,
) -> Frame:
    """Return the posed frame of two synchronised messages; its stamp is colour's.

    Args:
        cameras: of :func:`camera_pair`.
        color: sensor_msgs/Image or CompressedImage.
        depth: the same.
        T_map_camera: 4×4, pose of the colour camera at its stamp.
        T_color_depth: 4×4, where depth is in a frame of its own; None = it is registered to colour.

    Raises:
        DamagedImageError: one of the two cannot be decoded; the next may.
        InputError: an encoding, a size or a distortion that no other message will mend, or a pose that is not rigid.
    """
    stamp_ns = nanoseconds(color.header.stamp)
    image, millimetres, pinhole = cameras.decode(color, depth, np.eye(4) if T_color_depth is None else T_color_depth)
    return Frame(stamp_ns, image, millimetres, pinhole, T_map_camera, f"{stamp_ns / 1e9:.3f}")


def _type(message: Any) -> str:
    return COMPRESSED_IMAGE if hasattr(message, "format") else IMAGE


def _topic(name: str, message: Any) -> ImageTopic:
    encoding = message.format if hasattr(message, "format") else message.encoding
    return ImageTopic(name, str(encoding), str(message.header.frame_id).lstrip("/"))
