"""Pixels of image messages as arrays; fields as in sensor_msgs/Image and sensor_msgs/CompressedImage.

Colour comes out H×W×3 uint8 RGB, depth H×W uint16 millimetres with 0 invalid (REP-118).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError, check_complete
from any3dis_ros.io.rosbag import compressed_depth

_COLOR = {"rgb8": (3, None), "bgr8": (3, cv2.COLOR_BGR2RGB), "8UC3": (3, cv2.COLOR_BGR2RGB)}
_COLOR |= {"rgba8": (4, cv2.COLOR_RGBA2RGB), "bgra8": (4, cv2.COLOR_BGRA2RGB), "8UC4": (4, cv2.COLOR_BGRA2RGB)}
_COLOR |= {"mono8": (1, cv2.COLOR_GRAY2RGB), "8UC1": (1, cv2.COLOR_GRAY2RGB)}
_COLOR |= {"yuv422": (2, cv2.COLOR_YUV2RGB_UYVY), "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY)}
_COLOR |= {"yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2), "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2)}
# OpenCV names a Bayer pattern by its second row and column, ROS by its first: the codes are crossed.
_COLOR |= {"bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB), "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB)}
_COLOR |= {"bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB), "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB)}

COLOR_ENCODINGS = frozenset(_COLOR)
DEPTH_ENCODINGS = frozenset({"16UC1", "32FC1", "mono16"})


def color_from_raw(
    encoding: str, width: int, height: int, step: int, data: NDArray[np.uint8] | bytes
) -> NDArray[np.uint8]:
    """Return H×W×3 uint8 RGB of an uncompressed image, rows `step` bytes apart.

    Raises:
        InputError: an encoding that is not known.
        DamagedImageError: fewer bytes than the size asks for.
    """
    if encoding not in _COLOR:
        raise InputError(f"colour encoding '{encoding}' is not supported; expected one of {', '.join(sorted(_COLOR))}")
    channels, code = _COLOR[encoding]
    rows = pixel_rows(width, height, step, channels, data)
    image = rows.reshape(height, width) if channels == 1 else rows.reshape(height, width, channels)
    image = np.ascontiguousarray(image)
    return image.copy() if code is None else np.asarray(cv2.cvtColor(image, code), np.uint8)


def color_from_compressed(data: NDArray[np.uint8] | bytes) -> NDArray[np.uint8]:
    """Return H×W×3 uint8 RGB of a JPEG or PNG.

    Raises:
        DamagedImageError: the data is cut short or corrupt.
    """
    raw = bytes(data)
    check_complete(raw)
    try:
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DamagedImageError(str(error)) from error
    if image is None:
        raise DamagedImageError("the image cannot be decoded")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def depth_from_raw(
    encoding: str, width: int, height: int, step: int, big_endian: bool, data: NDArray[np.uint8] | bytes
) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres of an uncompressed 16UC1 (millimetres) or 32FC1 (metres) image.

    Raises:
        InputError: an encoding that is no metric depth.
        DamagedImageError: fewer bytes than the size asks for.
    """
    if encoding not in DEPTH_ENCODINGS:
        raise InputError(f"depth encoding '{encoding}' is not metric; expected 16UC1 or 32FC1")
    kind = np.dtype("f4" if encoding == "32FC1" else "u2").newbyteorder(">" if big_endian else "<")
    rows = np.ascontiguousarray(pixel_rows(width, height, step, kind.itemsize, data))
    return to_millimetres(rows.view(kind))


def depth_from_compressed(image_format: str, data: NDArray[np.uint8] | bytes) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres of compressedDepth ('16UC1; compressedDepth png'), or of a plain 16-bit PNG.

    Raises:
        InputError: a format that is not known, or not lossless.
        DamagedImageError: the data is cut short or corrupt.
    """
    raw = np.frombuffer(bytes(data), np.uint8)
    encoding, _, transport = (part.strip() for part in image_format.partition(";"))
    words = transport.split()
    if "compressedDepth" in words:
        codec = words[-1] if words[-1] != "compressedDepth" else "png"
        return to_millimetres(compressed_depth.decode(encoding, codec, raw))
    if "jpeg" in image_format or "jpg" in image_format:
        raise InputError(
            f"depth is compressed as '{image_format}', which is not lossless; record compressedDepth or raw"
        )
    if encoding in ("16UC1", "mono16", "png"):
        return to_millimetres(compressed_depth.unpack_png(raw))
    raise InputError(f"depth format '{image_format}' is not known; expected '16UC1; compressedDepth png' or the like")


def to_millimetres(depth: NDArray[np.uint16] | NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return H×W uint16 millimetres of uint16 millimetres or float metres; all but 0.001 to 65.535 m becomes 0."""
    if depth.dtype.kind != "f":
        return depth.astype(np.uint16)
    with np.errstate(invalid="ignore", over="ignore"):
        mm = np.rint(depth.astype(np.float32) * np.float32(1000))
        return np.where((mm >= 1) & (mm <= np.iinfo(np.uint16).max), mm, 0).astype(np.uint16)


def pixel_rows(
    width: int, height: int, step: int, bytes_per_pixel: int, data: NDArray[np.uint8] | bytes
) -> NDArray[np.uint8]:
    """Return the height × (width · bytes_per_pixel) bytes of the pixels without the padding of the rows.

    Raises:
        DamagedImageError: fewer bytes than the size asks for.
    """
    raw = np.frombuffer(bytes(data), np.uint8)
    used = width * bytes_per_pixel
    step = step or used
    if width < 1 or height < 1 or step < used or len(raw) < step * (height - 1) + used:
        raise DamagedImageError(f"{len(raw)} bytes for {width}×{height} pixels with a row step of {step}")
    if len(raw) < step * height:  # the padding of the last row may be missing
        raw = np.concatenate([raw, np.zeros(step * height - len(raw), np.uint8)])
    return raw[: step * height].reshape(height, step)[:, :used]
