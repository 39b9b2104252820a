"""Posed RGB-D frames and the bounded buffer of keyframes.

Transforms are named ``T_target_source``: ``p_map = T_map_camera @ p_camera``. Camera frames are optical (REP-103:
x right, y down, z forward).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import KeyframeConfig
from any3dis_ros.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion: `width` × `height` pixels, `K` 3×3 float64 intrinsics in pixels.

    Pixel centres are at integer coordinates. A 4×4 matrix as ScanNet writes it is accepted.

    Raises:
        InputError: a matrix of another shape, focal lengths that are not positive, an empty image.
    """

    width: int
    height: int
    K: NDArray[np.float64]

    def __post_init__(self) -> None:
        K = np.asarray(self.K, np.float64)
        if K.shape not in ((3, 3), (4, 4)):
            raise InputError(f"intrinsics have shape {K.shape}; expected 3×3 or 4×4")
        K = np.ascontiguousarray(K[:3, :3])
        if not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
            raise InputError(f"focal lengths are {K[0, 0]:g} and {K[1, 1]:g} pixels; expected positive numbers")
        if self.width < 1 or self.height < 1:
            raise InputError(f"the camera is {self.width}×{self.height} pixels; expected at least 1×1")
        object.__setattr__(self, "K", K)

    def resized(self, width: int, height: int) -> Camera:
        """Return the same view sampled by `width` × `height` pixels."""
        sx, sy = width / self.width, height / self.height
        K = self.K.copy()
        K[0] *= sx
        K[1] *= sy
        K[0, 2] += (sx - 1) / 2  # centres at integers: u' = (u + 1/2) s - 1/2
        K[1, 2] += (sy - 1) / 2
        return Camera(width, height, K)


@dataclass(frozen=True)
class Frame:
    """One synchronised RGB-D view with its pose.

    Attributes:
        stamp_ns: time of the colour image, nanoseconds.
        color: H×W×3 uint8, RGB.
        depth: H×W uint16, millimetres along the optical axis, 0 = invalid, registered to `color` (REP-118, 16UC1).
        camera: intrinsics of both.
        T_map_camera: 4×4 float64, camera (optical) to map.
        name: what the source calls it (file stem or frame number), for messages and reports.

    Raises:
        InputError: shapes or types that do not fit the camera, a pose that is not rigid.
    """

    stamp_ns: int
    color: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    camera: Camera
    T_map_camera: NDArray[np.float64]
    name: str = ""

    def __post_init__(self) -> None:
        shape = (self.camera.height, self.camera.width)
        what = f"frame {self.name or self.stamp_ns}"
        if self.color.shape != (*shape, 3) or self.color.dtype != np.uint8:
            raise InputError(f"colour of {what} is {self.color.dtype} {self.color.shape}; expected uint8 {(*shape, 3)}")
        if self.depth.shape != shape or self.depth.dtype != np.uint16:
            raise InputError(f"depth of {what} is {self.depth.dtype} {self.depth.shape}; expected uint16 {shape}")
        check_pose(self.T_map_camera, what)

    @cached_property
    def T_camera_map(self) -> NDArray[np.float64]:
        """4×4 float64, map to camera."""
        return invert(self.T_map_camera)

    @property
    def nbytes(self) -> int:
        """Bytes of image data."""
        return int(self.color.nbytes + self.depth.nbytes)


def invert(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a rigid 4×4 transform."""
    out = np.eye(4)
    out[:3, :3] = T[:3, :3].T
    out[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return out


def check_pose(T: NDArray[np.float64], what: str) -> None:
    """Raise InputError unless `T` is a finite rigid 4×4 transform (rotation orthonormal to 1e-2)."""
    T = np.asarray(T)
    if T.shape != (4, 4):
        raise InputError(f"the pose of {what} has shape {T.shape}; expected 4×4")
    if not np.isfinite(T).all():
        raise InputError(f"the pose of {what} holds NaN or infinity; drop the frame or repair the trajectory")
    R = T[:3, :3]
    error = float(np.abs(R @ R.T - np.eye(3)).max())
    if error > 1e-2 or np.linalg.det(R) < 0:
        raise InputError(
            f"the pose of {what} is not rigid (|R Rᵀ - I| = {error:.2g}, det {np.linalg.det(R):.2f}); "
            "expected a rotation and a translation"
        )
    if np.abs(T[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise InputError(f"the last row of the pose of {what} is {T[3].tolist()}; expected 0 0 0 1")


def viewing_distance(frames: Sequence[Frame]) -> float:
    """Return the median valid depth of keyframes in metres (every eighth pixel either way); 1 where there is none."""
    valid = [z[z > 0] for z in (f.depth[::8, ::8] for f in frames)]
    depth = np.concatenate(valid) if valid else np.zeros(0, np.uint16)
    return float(np.median(depth)) / 1000 if len(depth) else 1.0


class KeyframeBuffer:
    """Keeps every n-th frame that moved enough, and never more than its bound.

    When the bound is reached every other keyframe is dropped and the stride doubles, so that the kept views stay
    spread evenly over the whole drive; `thinned` counts how often that happened.
    """

    def __init__(self, config: KeyframeConfig) -> None:
        self._config = config
        self._frames: list[Frame] = []
        self.stride = config.stride
        self.received = 0
        self.thinned = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> list[Frame]:
        """The keyframes kept so far, oldest first (a copy: a snapshot for one run)."""
        return list(self._frames)

    @property
    def nbytes(self) -> int:
        """Bytes of image data held."""
        return sum(f.nbytes for f in self._frames)

    def wants_next(self) -> bool:
        """Return whether the stride selects the next frame, so that a caller can skip decoding the others."""
        return self.received % self.stride == 0

    def skip(self) -> None:
        """Count a frame that the stride leaves out."""
        self.received += 1

    def add(self, frame: Frame) -> bool:
        """Offer the next synchronised frame; return whether it became a keyframe."""
        wanted = self.wants_next()
        self.received += 1
        if not wanted or not self._moved(frame):
            return False
        if len(self._frames) >= self._config.max_keyframes:
            self._frames = self._frames[::2]
            self.stride *= 2
            self.thinned += 1
            log.warning(
                "keyframe buffer full (%d): every other one dropped, the stride is now %d (keyframes.max_keyframes)",
                self._config.max_keyframes,
                self.stride,
            )
            if (self.received - 1) % self.stride:  # an odd bound: this frame is one of those between
                return False
        self._frames.append(frame)
        return True

    def clear(self) -> None:
        """Forget everything, the stride's phase included."""
        self._frames.clear()
        self.stride = self._config.stride
        self.received = 0
        self.thinned = 0

    def _moved(self, frame: Frame) -> bool:
        c = self._config
        if not self._frames or (c.min_translation_m == 0 and c.min_rotation_deg == 0):
            return True
        T = self._frames[-1].T_camera_map @ frame.T_map_camera
        angle = np.degrees(np.arccos(np.clip((np.trace(T[:3, :3]) - 1) / 2, -1, 1)))
        far = c.min_translation_m > 0 and np.linalg.norm(T[:3, 3]) >= c.min_translation_m
        return bool(far or (c.min_rotation_deg > 0 and angle >= c.min_rotation_deg))
