"""ScanNet++'s `iphone/depth.bin`: the LiDAR depth of a phone, 256×192 pixels a frame, in one of three packings.

Each frame behind its length (u32, little-endian): LZ4 blocks of uint16 millimetres or raw DEFLATE of float32 metres; in
older releases one raw DEFLATE of all frames, float32 metres, which can only be unpacked from its beginning on.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import lz4.block
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError
from any3dis_ros.io.rosbag.messages import to_millimetres

WIDTH, HEIGHT = 256, 192
_PIXELS = WIDTH * HEIGHT
_CHUNK = 1 << 20


class LidarDepth:
    """Depth frames of a `depth.bin` by number; asked for in rising order, each is unpacked at most once."""

    def __init__(self, path: Path) -> None:
        """Open the file and find its packing.

        Raises:
            InputError: it cannot be read, or is empty.
        """
        try:
            self._file = path.open("rb")
            self._size = path.stat().st_size
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        if not self._size:
            raise InputError(f"{path} is empty; expected the depth frames of a phone")
        self._blocks = self._index()
        self._inflater, self._next = zlib.decompressobj(-zlib.MAX_WBITS), 0

    def __len__(self) -> int:
        """Return the number of frames; 0 where one stream holds them all and only unpacking it would tell."""
        return len(self._blocks)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def frame(self, number: int) -> NDArray[np.uint16]:
        """Return 192×256 uint16 millimetres, 0 = invalid.

        Raises:
            DamagedImageError: the file ends before this frame, or its packing is none of the three.
        """
        return self._from_block(number) if self._blocks else self._from_stream(number)

    def _index(self) -> list[tuple[int, int]]:
        """Return where each whole frame with a length before it lies, [] where the first is none."""
        blocks: list[tuple[int, int]] = []
        position = 0
        while position + 4 <= self._size:
            self._file.seek(position)
            length = int.from_bytes(self._file.read(4), "little")
            if not 0 < length <= 8 * _PIXELS or position + 4 + length > self._size:
                break
            blocks.append((position + 4, length))
            position += 4 + length
        try:
            return blocks if blocks and self._unpacked(blocks[0]).size else []
        except DamagedImageError:
            return []

    def _from_block(self, number: int) -> NDArray[np.uint16]:
        if number >= len(self._blocks):
            raise DamagedImageError(f"depth.bin ends after {len(self._blocks)} frames")
        return self._unpacked(self._blocks[number])

    def _unpacked(self, place: tuple[int, int]) -> NDArray[np.uint16]:
        self._file.seek(place[0])
        data = self._file.read(place[1])
        try:
            unpacked = lz4.block.decompress(data, uncompressed_size=2 * _PIXELS)
            if len(unpacked) == 2 * _PIXELS:
                return np.frombuffer(unpacked, "<u2").reshape(HEIGHT, WIDTH).astype(np.uint16)
        except lz4.block.LZ4BlockError:
            pass
        try:
            unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, 4 * _PIXELS + 1)
        except zlib.error as error:
            raise DamagedImageError(f"depth is neither LZ4 nor DEFLATE ({error})") from None
        return _metres(unpacked)

    def _from_stream(self, number: int) -> NDArray[np.uint16]:
        if number < self._next or self._next == 0:
            self._inflater, self._next = zlib.decompressobj(-zlib.MAX_WBITS), 0
            self._file.seek(0)
        data = b""
        while self._next <= number:
            data = self._inflate(4 * _PIXELS)
            self._next += 1
        return _metres(data)

    def _inflate(self, count: int) -> bytes:
        """Return the next `count` bytes of the one stream, fewer at its end."""
        parts: list[bytes] = []
        while count > 0:
            packed = self._inflater.unconsumed_tail or self._file.read(_CHUNK)
            if not packed or self._inflater.eof:
                break
            try:
                parts.append(self._inflater.decompress(packed, count))
            except zlib.error as error:
                raise DamagedImageError(f"depth.bin cannot be unpacked ({error})") from None
            count -= len(parts[-1])
        return b"".join(parts)


def _metres(data: bytes) -> NDArray[np.uint16]:
    if len(data) != 4 * _PIXELS:
        raise DamagedImageError(f"depth of {len(data)} bytes, expected {4 * _PIXELS}")
    return to_millimetres(np.frombuffer(data, "<f4").reshape(HEIGHT, WIDTH))
