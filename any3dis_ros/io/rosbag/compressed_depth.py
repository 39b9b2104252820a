"""Depth as compressed_depth_image_transport sends it: a 12-byte header, then PNG or RVL.

The header is the int32 `format` and the float32 quantisation parameters A and B. 16UC1 is stored as it is; 32FC1 is
stored as the quantised inverse ``v = A / metres + B``, 0 = invalid.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError, check_complete

_HEADER = struct.Struct("<iff")
_SIZE = struct.Struct("<II")
_MAX_PIXELS = 1 << 26  # corrupt sizes must not allocate gigabytes


def decode(encoding: str, codec: str, data: NDArray[np.uint8]) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Decode one message's data (uint8) to H×W uint16 as stored (16UC1) or float32 metres, NaN invalid (32FC1).

    Args:
        encoding: encoding before compression, 16UC1 or 32FC1.
        codec: png or rvl.
        data: header and payload.

    Raises:
        DamagedImageError: the data is cut short or corrupt.
        InputError: an encoding or a codec that is not known.
    """
    if codec not in ("png", "rvl"):
        raise InputError(f"compressedDepth is packed by '{codec}'; expected png or rvl")
    if encoding not in ("16UC1", "32FC1", "mono16"):
        raise InputError(f"depth encoding '{encoding}' is not metric; expected 16UC1 or 32FC1")
    if len(data) <= _HEADER.size:
        raise DamagedImageError(f"{len(data)} bytes hold no compressed depth")
    _, a, b = _HEADER.unpack(data[: _HEADER.size].tobytes())
    stored = unpack_png(data[_HEADER.size :]) if codec == "png" else unpack_rvl(data[_HEADER.size :])
    if encoding != "32FC1":
        return stored
    with np.errstate(divide="ignore", invalid="ignore"):
        metres = np.float32(a) / (stored.astype(np.float32) - np.float32(b))
    metres[stored == 0] = np.nan
    return np.asarray(metres, np.float32)


def unpack_png(data: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Decode a PNG of one 16-bit channel to H×W uint16; DamagedImageError where it is none."""
    check_complete(data.tobytes())
    try:
        image = cv2.imdecode(np.ascontiguousarray(data), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DamagedImageError(str(error)) from error
    if image is None:
        raise DamagedImageError("the PNG cannot be decoded")
    if image.dtype != np.uint16 or image.ndim != 2:
        raise DamagedImageError(f"the PNG holds {image.dtype} {image.shape}; expected one 16-bit channel")
    return np.asarray(image, np.uint16)


def unpack_rvl(data: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Decode width and height (uint32) and RVL words (Wilson 2017) to H×W uint16; DamagedImageError where cut short."""
    if len(data) < _SIZE.size:
        raise DamagedImageError("RVL data without a size")
    width, height = _SIZE.unpack(data[: _SIZE.size].tobytes())
    body = data[_SIZE.size :]
    if width * height == 0 or width * height > _MAX_PIXELS:
        raise DamagedImageError(f"RVL data of {len(data)} bytes claims {width}×{height} pixels")
    words = np.frombuffer(body.tobytes()[: len(body) // 4 * 4], "<u4")
    pixels, complete = _unpack_words(words, width * height)
    if not complete:
        raise DamagedImageError("RVL data ends early")
    return np.asarray(pixels.reshape(height, width), np.uint16)


@njit(cache=True, nogil=True)
def _read_number(words: NDArray[np.uint32], at: int) -> tuple[np.int64, int]:
    """Read the variable-length number at nibble `at`: three bits a nibble, low first, the top bit says more follow.

    Returns the number and the next nibble, or -1 and `at` where the words end.
    """
    value, shift = np.int64(0), 0
    while at < 8 * len(words) and shift <= 30:
        nibble = (np.int64(words[at // 8]) >> (28 - 4 * (at % 8))) & 15
        at += 1
        value |= (nibble & 7) << shift
        shift += 3
        if nibble < 8:
            return value, at
    return np.int64(-1), at


@njit(cache=True, nogil=True)
def _unpack_words(words: NDArray[np.uint32], count: int) -> tuple[NDArray[np.uint16], bool]:
    """Alternate runs of zeros and runs of zigzag differences to the last valid pixel."""
    pixels = np.zeros(count, np.uint16)
    filled, at, previous = np.int64(0), 0, np.int64(0)
    while filled < count:
        zeros, at = _read_number(words, at)
        if zeros < 0 or filled + zeros > count:
            return pixels, False
        filled += zeros
        run, at = _read_number(words, at)
        if run < 0 or filled + run > count or zeros + run == 0:
            return pixels, False
        for _ in range(run):
            zigzag, at = _read_number(words, at)
            if zigzag < 0:
                return pixels, False
            previous += (zigzag >> 1) ^ -(zigzag & 1)
            pixels[filled] = previous
            filled += 1
    return pixels, True
