"""An MCAP that was cut off while recording, closed by the summary and the footer that it lacks (mcap.dev/spec).

Power cuts leave a file that ends anywhere and may end in zeros. Its whole chunks are sound; only the index at the end,
which a reader starts from, is missing.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAGIC = b"\x89MCAP0\r\n"
_RECORD = struct.Struct("<BQ")
_CHUNK = struct.Struct("<QQQI")
_FOOTER, _CHUNK_OP, _MESSAGE_INDEX, _CHUNK_INDEX, _STATISTICS, _DATA_END = 0x02, 0x06, 0x07, 0x08, 0x0B, 0x0F
_LAST_OP = 0x0F


@dataclass(frozen=True)
class ClosedMcap:
    """Stands in for the path of a cut file: opened, it reads as the file's whole records and `tail`.

    Attributes:
        path: the cut file.
        length: bytes of the file that are whole records.
        tail: summary, footer and magic.
    """

    path: Path
    length: int
    tail: bytes
    suffix: str = ".mcap"

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Return whether the file is there."""
        return self.path.exists()

    def is_dir(self) -> bool:
        """Return False: it is a file."""
        return False

    def open(self, mode: str = "rb") -> Any:
        """Open for reading."""
        assert mode == "rb"
        return io.BufferedReader(_Joined(self.path, self.length, self.tail))


def closed(path: Path) -> ClosedMcap:
    """Find the whole records of a cut file and the index that belongs to them.

    The last chunk is left out, as it may be cut within or lack its index; a file without chunks is kept up to its last
    whole record.
    """
    chunks: list[tuple[int, int, bytes]] = []  # begin, end of the chunk record, its header
    offsets: list[list[tuple[int, int]]] = []  # of each chunk: channel, position of its message index
    ends: list[int] = []  # of each chunk with its indexes
    length = len(_MAGIC)
    with path.open("rb") as file:
        for op, begin, end in _records(file, path.stat().st_size):
            if op in (_FOOTER, _DATA_END):
                break
            if op == _CHUNK_OP:
                chunks.append((begin, end, _read(file, begin + _RECORD.size, min(end - begin - _RECORD.size, 256))))
                offsets.append([])
                ends.append(end)
            elif op == _MESSAGE_INDEX and chunks:
                (channel,) = struct.unpack("<H", _read(file, begin + _RECORD.size, 2))
                offsets[-1].append((channel, begin))
                ends[-1] = end
            length = end
    if not chunks:
        return ClosedMcap(path, length, _record(_FOOTER, bytes(20)) + _MAGIC)
    length = chunks[-1][0]
    indexes = [_chunk_index(*c, o, e) for c, o, e in zip(chunks[:-1], offsets[:-1], ends[:-1], strict=True)]
    summary = b"".join(indexes) + _record(_STATISTICS, bytes(42 + 4))  # zeros: a reader counts anew without schemas
    return ClosedMcap(path, length, summary + _record(_FOOTER, struct.pack("<QQI", length, 0, 0)) + _MAGIC)


def _records(file: io.BufferedReader, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield the kind, begin and end of every top-level record that is there as a whole."""
    begin = len(_MAGIC)
    while begin + _RECORD.size <= size:
        op, body = _RECORD.unpack(_read(file, begin, _RECORD.size))
        end = begin + _RECORD.size + body
        if not 0 < op <= _LAST_OP or end > size:
            return
        yield op, begin, end
        begin = end


def _chunk_index(begin: int, end: int, header: bytes, offsets: list[tuple[int, int]], indexes_end: int) -> bytes:
    start_time, end_time, uncompressed, _ = _CHUNK.unpack_from(header)
    (name_length,) = struct.unpack_from("<I", header, _CHUNK.size)
    name_end = _CHUNK.size + 4 + name_length
    (compressed,) = struct.unpack_from("<Q", header, name_end)
    channels = b"".join(struct.pack("<HQ", channel, at) for channel, at in offsets)
    body = struct.pack("<QQQQI", start_time, end_time, begin, end - begin, len(channels)) + channels
    body += struct.pack("<Q", indexes_end - end) + header[_CHUNK.size : name_end]
    return _record(_CHUNK_INDEX, body + struct.pack("<QQ", compressed, uncompressed))


def _record(op: int, body: bytes) -> bytes:
    return _RECORD.pack(op, len(body)) + body


def _read(file: io.BufferedReader, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


class _Joined(io.RawIOBase):
    """The first bytes of a file, then others from memory."""

    def __init__(self, path: Path, length: int, tail: bytes) -> None:
        self._file = path.open("rb")
        self._length, self._tail = length, tail
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length + len(self._tail)}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at < self._length:
            data = _read(self._file, self._at, min(len(buffer), self._length - self._at))
        else:
            data = self._tail[self._at - self._length :][: len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
