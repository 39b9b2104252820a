"""What is wrong with one image alone: a reader skips it and counts it."""

from __future__ import annotations

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class DamagedImageError(ValueError):
    """Image data that is cut short or corrupt."""


def check_complete(data: bytes) -> None:
    """Raise DamagedImageError for a PNG or JPEG without its end, of which OpenCV would return what it has, padded."""
    if not data:
        raise DamagedImageError("an image without data")
    tail = data.rstrip(b"\0")[-64:]
    if (data.startswith(_PNG) and _PNG_END not in tail) or (data.startswith(_JPEG) and _JPEG_END not in tail):
        raise DamagedImageError("the image ends early")
