"""cv_bridge's CvBridge: sensor_msgs images ↔ arrays as OpenCV holds them.

An array is H×W for one channel and H×W×C for more, in native byte order. Conversions between encodings are those of
cv_bridge: colours among each other, 8 and 16 bits scaled by 257, an encoding without colour to one of as many
channels, its values kept.
"""

from __future__ import annotations

import re
import sys
from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.io.damage import DamagedImageError, check_complete
from any3dis_ros.io.rosbag import messages

Image = NDArray[Any]

_COLORS = {"mono": "GRAY", "rgb": "RGB", "bgr": "BGR", "rgba": "RGBA", "bgra": "BGRA"}
_CHANNELS = {"GRAY": 1, "RGB": 3, "BGR": 3, "RGBA": 4, "BGRA": 4}
_DEPTHS = {"8U": "u1", "8S": "i1", "16U": "u2", "16S": "i2", "32S": "i4", "32F": "f4", "64F": "f8"}
_PACKED = {"yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2} | {
    f"bayer_{p}8": 1 for p in ("rggb", "bggr", "gbrg", "grbg")
}


class CvBridgeError(TypeError):
    """An image cannot be converted; the message says what was asked for."""


class CvBridge:
    """Converts images between messages and arrays."""

    def imgmsg_to_cv2(self, img_msg: Any, desired_encoding: str = "passthrough") -> Image:
        """Return the pixels of a sensor_msgs/Image in `desired_encoding`; passthrough = as they are.

        Raises:
            CvBridgeError: an encoding that is not known, a conversion that makes no sense, fewer bytes than pixels.
        """
        encoding = img_msg.encoding
        dtype, channels = _layout(encoding)
        stored = dtype.newbyteorder(">" if img_msg.is_bigendian else "<")
        size, data = (img_msg.width, img_msg.height, img_msg.step), img_msg.data
        try:
            if encoding in _PACKED and desired_encoding not in ("passthrough", encoding):
                return _convert(messages.color_from_raw(encoding, *size, data), "rgb8", desired_encoding)
            rows = messages.pixel_rows(*size[:2], size[2], dtype.itemsize * channels, data)
        except DamagedImageError as error:
            raise CvBridgeError(f"the image is cut short: {error}") from error
        image = np.ascontiguousarray(rows).view(stored).astype(dtype)
        image = image if channels == 1 else image.reshape(img_msg.height, img_msg.width, channels)
        return _convert(image, encoding, desired_encoding)

    def compressed_imgmsg_to_cv2(self, cmprs_img_msg: Any, desired_encoding: str = "passthrough") -> Image:
        """Return the pixels of a sensor_msgs/CompressedImage (JPEG, PNG) in `desired_encoding`, or as OpenCV has them.

        Raises:
            CvBridgeError: the data is cut short or corrupt, or a conversion that makes no sense.
        """
        data = bytes(cmprs_img_msg.data)
        try:
            check_complete(data)
        except DamagedImageError as error:
            raise CvBridgeError(f"the image cannot be decoded: {error}") from error
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise CvBridgeError(f"the image cannot be decoded; its format is '{cmprs_img_msg.format}'")
        prefix = {2: "mono", 3: "bgr"}[image.ndim] + ("a" if image.ndim == 3 and image.shape[2] == 4 else "")
        return _convert(np.asarray(image), f"{prefix}{8 * image.itemsize}", desired_encoding)

    def cv2_to_imgmsg(self, cvim: Image, encoding: str = "passthrough", header: Any = None) -> Any:
        """Return sensor_msgs/Image of an array that already is in `encoding`; passthrough = named by type alone.

        Raises:
            TypeError: no array.
            CvBridgeError: an array of another type or number of channels than the encoding.
        """
        from sensor_msgs.msg import Image as ImageMessage  # reading needs no ROS

        if not isinstance(cvim, np.ndarray):
            raise TypeError(f"a {type(cvim).__name__} is no numpy array")
        channels = 1 if cvim.ndim == 2 else cvim.shape[2]
        names = [name for name, code in _DEPTHS.items() if np.dtype(code) == cvim.dtype.newbyteorder("=")]
        if not names:
            raise CvBridgeError(
                f"arrays of {cvim.dtype} have no encoding; expected one of {', '.join(_DEPTHS.values())}"
            )
        generic = f"{names[0]}C{channels}"
        if encoding == "passthrough":
            encoding = generic
        elif _layout(encoding) != (cvim.dtype.newbyteorder("="), channels):
            raise CvBridgeError(f"encoding '{encoding}' does not fit an image of type {generic}")
        message = ImageMessage(height=cvim.shape[0], width=cvim.shape[1], encoding=encoding)
        if header is not None:
            message.header = header
        big = cvim.dtype.byteorder == ">" or (cvim.dtype.byteorder == "=" and sys.byteorder == "big")
        message.is_bigendian = int(big)
        message.step = cvim.shape[1] * channels * cvim.itemsize
        message.data = array("B", cvim.tobytes())
        return message


def _layout(encoding: str) -> tuple[np.dtype[Any], int]:
    """Return type of a channel and number of channels."""
    if encoding in _PACKED:
        return np.dtype("u1"), _PACKED[encoding]
    if color := _color(encoding):
        return np.dtype(f"u{color[1] // 8}"), _CHANNELS[color[0]]
    generic = re.fullmatch(r"(8U|8S|16U|16S|32S|32F|64F)(?:C(\d+))?", encoding)
    if generic is None or generic[2] == "0":
        known = ", ".join([f"{name}{bits}" for name in _COLORS for bits in (8, 16)] + sorted(_PACKED))
        raise CvBridgeError(f"encoding '{encoding}' is not known; expected one of {known}, or a type such as 16UC1")
    return np.dtype(_DEPTHS[generic[1]]), int(generic[2] or 1)


def _color(encoding: str) -> tuple[str, int] | None:
    """Return OpenCV's name of a colour and the bits of a channel, None for an encoding without colour."""
    match = re.fullmatch(r"(mono|rgba?|bgra?)(8|16)", encoding)
    return (_COLORS[match[1]], int(match[2])) if match else None


def _convert(image: Image, encoding: str, desired: str) -> Image:
    if desired in ("passthrough", encoding):
        return image
    source, target = _color(encoding), _color(desired)
    (_, channels), (dtype, wanted) = _layout(encoding), _layout(desired)
    if source and target:
        if source[0] != target[0]:
            image = np.asarray(cv2.cvtColor(image, getattr(cv2, f"COLOR_{source[0]}2{target[0]}")))
    elif target or channels != wanted or desired in _PACKED:
        raise CvBridgeError(f"'{encoding}' cannot become '{desired}': one has no colour, or their channels differ")
    return _rescaled(image, dtype)


def _rescaled(image: Image, dtype: np.dtype[Any]) -> Image:
    """Return another type of number: 0-255 and 0-65535 are the same range, all else keeps its value where it can."""
    if image.dtype == dtype:
        return image
    bits = (8 * image.itemsize, 8 * dtype.itemsize)
    values = image.astype(np.float64) * {(8, 16): 257.0, (16, 8): 1 / 257.0}.get(bits, 1.0)
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(np.nan_to_num(values, nan=0.0)), limits.min, limits.max)
    return values.astype(dtype)
