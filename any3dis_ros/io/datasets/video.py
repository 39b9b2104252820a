"""Frames of a video by their number, in rising order: those between are passed over without being converted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.io.damage import DamagedImageError


class Video:
    """A video file read forward by OpenCV, as it is coded: no rotation is applied."""

    def __init__(self, path: Path) -> None:
        """Open `path`.

        Raises:
            InputError: it is missing, or OpenCV cannot decode it.
        """
        if not path.is_file():
            raise InputError(f"there is no video {path}")
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise InputError(f"OpenCV cannot decode the video {path}; extract its frames (see the data set's toolkit)")
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        self._next = 0

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Return H×W×3 uint8 RGB of frame `number`, which is not before one that was asked for already.

        Raises:
            DamagedImageError: the video ends before, or the frame cannot be decoded.
        """
        assert number >= self._next, "a video is read forward"
        while self._next < number:
            if not self._capture.grab():
                raise DamagedImageError(f"the video ends after {self._next} frames")
            self._next += 1
        good, image = self._capture.read()
        self._next += 1
        if not good:
            raise DamagedImageError(f"the video ends after {number} frames")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
