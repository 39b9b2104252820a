"""Whether a PLY or PCD file holds as much as its header promises: Open3D pads what is cut off with zeros."""

from __future__ import annotations

from pathlib import Path

from any3dis_ros.errors import InputError

CLOUD_SUFFIXES = (".ply", ".pcd")
_HEADER_BYTES = 1 << 16
PLY_TYPES = {"char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4"}
PLY_TYPES |= {"int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4"}
PLY_TYPES |= {"float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8"}
"""Types of a binary little-endian PLY as NumPy names them; their last character is their size."""


def check_whole(path: Path) -> None:
    """Compare the rows that the header of a PLY or PCD file announces with its length.

    Raises:
        InputError: the header cannot be read, or the file ends before its last row.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    ply = path.suffix.lower() == ".ply"
    end = start.find(b"\n", start.find(b"end_header" if ply else b"\nDATA ") + 1) + 1
    lines = [line.split() for line in start[:end].decode("latin-1").splitlines()]
    try:
        if not end or (ply and lines[0] != ["ply"]):
            raise ValueError
        rows, row_bytes = _ply(lines) if ply else _pcd(lines)
    except (ValueError, IndexError, KeyError, StopIteration):
        raise InputError(f"{path} is no valid {path.suffix[1:].upper()} file (bad header)") from None
    if row_bytes is None:
        found = _lines_after(path, end)
        if found < rows:
            raise InputError(f"{path} is cut off: {rows} rows announced, {found} found")
    elif (found := path.stat().st_size - end) < row_bytes:
        raise InputError(f"{path} is cut off: {rows} rows take at least {row_bytes} bytes, {found} found")


def _ply(lines: list[list[str]]) -> tuple[int, int | None]:
    """Return the rows of all elements and the least bytes that they take, None for text."""
    rows, total, count = 0, 0, 0
    for words in lines:
        if words[:1] == ["element"]:
            count = int(words[2])
            rows += count
        elif words[:1] == ["property"]:
            kind = PLY_TYPES[words[2] if words[1] == "list" else words[1]]  # a list may be empty
            total += count * int(kind[-1])
    kind = next(words[1] for words in lines if words[:1] == ["format"])
    return rows, None if kind == "ascii" else total


def _pcd(lines: list[list[str]]) -> tuple[int, int | None]:
    """Return the rows and the bytes that they take, None for text; what is compressed may take any number."""
    fields = {words[0]: words[1:] for words in lines if words}
    rows, kind = int(fields["POINTS"][0]), fields["DATA"][0]
    if kind == "ascii":
        return rows, None
    counts = fields.get("COUNT", ["1"] * len(fields["SIZE"]))
    row = sum(int(size) * int(count) for size, count in zip(fields["SIZE"], counts, strict=True))
    return rows, rows * row if kind == "binary" else 0


def _lines_after(path: Path, start: int) -> int:
    """Count the lines from byte `start` on, the last one with or without its end."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(1 << 20):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")
