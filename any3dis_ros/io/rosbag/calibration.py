"""From camera_info to a pinhole camera: sizes, regions of interest, lens distortion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.errors import InputError
from any3dis_ros.scene.frames import Camera

_POLYNOMIAL = ("plumb_bob", "rational_polynomial", "thin_prism_fisheye", "")
_FISHEYE = ("equidistant", "fisheye")


@dataclass(frozen=True)
class Lens:
    """How the images of one topic become images of a pinhole camera of the same size.

    Attributes:
        camera: the pinhole camera.
        maps: where in the raw image each pixel is found (x and y, H×W float32), None = the image is pinhole already.
    """

    camera: Camera
    maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def color(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return H×W×3 uint8 without distortion."""
        if self.maps is None:
            return image
        return np.asarray(cv2.remap(image, *self.maps, cv2.INTER_LINEAR), np.uint8)

    def depth(self, image: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Return H×W uint16 without distortion; the nearest pixel, since a mean of two depths lies on neither."""
        if self.maps is None:
            return image
        return np.asarray(cv2.remap(image, *self.maps, cv2.INTER_NEAREST), np.uint16)


def lens_from_intrinsics(intrinsics: tuple[float, float, float, float], width: int, height: int) -> Lens:
    """Return a pinhole lens of fx, fy, cx, cy in pixels."""
    fx, fy, cx, cy = intrinsics
    return Lens(Camera(width, height, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])))


def lens_from_info(info: Any, width: int, height: int, rectified: bool, topic: str) -> Lens:
    """Return the lens of images of `width` × `height` pixels described by a sensor_msgs/CameraInfo (ROS 1 or 2).

    Args:
        info: the message; D, K and P in capitals (ROS 1) or not (ROS 2).
        width: of the images, pixels.
        height: of the images, pixels.
        rectified: whether the images are rectified, so that P is their matrix and D does not apply.
        topic: of the message, for errors.

    Raises:
        InputError: a camera that is not calibrated, of another size than the images, or of an unknown lens model.
    """
    K, D = _array(info, "k").reshape(3, 3), _array(info, "d")
    P = _array(info, "p").reshape(3, 4)
    if rectified and P[0, 0] > 0:
        K = P[:, :3].copy()
    if not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(
            f"the camera of '{topic}' is not calibrated (fx is {K[0, 0]:g}); give fx fy cx cy (--intrinsics)"
        )
    full_width, full_height = int(info.width) or width, int(info.height) or height
    roi = info.roi
    if 0 < roi.width < full_width or 0 < roi.height < full_height:
        K[0, 2] -= roi.x_offset
        K[1, 2] -= roi.y_offset
        full_width, full_height = int(roi.width), int(roi.height)
    if abs(full_width / full_height / (width / height) - 1) > 0.01:
        raise InputError(
            f"'{topic}' describes {full_width}×{full_height} pixels, the images have {width}×{height}; "
            "choose the camera_info of these images (--camera-info-topic) or give fx fy cx cy (--intrinsics)"
        )
    camera = Camera(full_width, full_height, K)
    if (full_width, full_height) != (width, height):  # binned, or calibrated at another resolution
        camera = camera.resized(width, height)
    return Lens(camera) if rectified else with_distortion(camera, D, str(info.distortion_model), topic)


def with_distortion(camera: Camera, D: NDArray[np.float64], model: str, source: str) -> Lens:
    """Return the lens of raw images of `camera`'s matrix with coefficients `D` of a ROS distortion `model`.

    Raises:
        InputError: an unknown model, or another number of coefficients; `source` is named.
    """
    if not np.any(np.abs(D) > 1e-9):
        return Lens(camera)
    size = (camera.width, camera.height)
    if model in _POLYNOMIAL and len(D) in (4, 5, 8, 12, 14):
        maps = cv2.initUndistortRectifyMap(camera.K, D, None, camera.K, size, cv2.CV_32FC1)
    elif model in _FISHEYE and len(D) == 4:
        maps = cv2.fisheye.initUndistortRectifyMap(camera.K, D, np.eye(3), camera.K, size, cv2.CV_32FC1)
    else:
        raise InputError(
            f"the distortion model '{model}' of '{source}' with {len(D)} coefficients is not supported; "
            "record the rectified image, or use plumb_bob, rational_polynomial or equidistant"
        )
    return Lens(camera, (np.asarray(maps[0], np.float32), np.asarray(maps[1], np.float32)))


def _array(info: Any, name: str) -> NDArray[np.float64]:
    value = getattr(info, name, None)
    return np.array(getattr(info, name.upper()) if value is None else value, np.float64)
