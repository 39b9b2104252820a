"""Pictures on surfaces: textures that come as image files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_SIDE = 2048  # texels; no file of the catalogue needs more


@dataclass(frozen=True)
class Image:
    """A picture on a part, repeated beyond its rim.

    Attributes:
        texels: H×W×3 uint8 sRGB, the first row on top.
        uv: M×3×2 float32, the corners of the part's triangles in it; (0, 0) is its lower left, (1, 1) its upper right.
    """

    texels: NDArray[np.uint8]
    uv: NDArray[np.float32]


@dataclass(frozen=True)
class Atlas:
    """All pictures of a mesh, one after the other.

    Attributes:
        texels: T×3 uint8 sRGB.
        place: P×3 int64, for each part the first texel (-1 = no picture), height and width.
    """

    texels: NDArray[np.uint8]
    place: NDArray[np.int64]

    @staticmethod
    def of(images: Sequence[Image | None]) -> Atlas:
        """Return the pictures of parts; one that several parts share is stored once."""
        start: dict[int, int] = {}
        pieces: list[NDArray[np.uint8]] = [np.zeros((1, 3), np.uint8)]  # numba takes no empty array for a real one
        place = np.full((len(images), 3), -1, np.int64)
        used = 1
        for row, image in zip(place, images, strict=True):
            if image is None:
                continue
            if id(image.texels) not in start:
                start[id(image.texels)] = used
                pieces.append(image.texels.reshape(-1, 3))
                used += len(pieces[-1])
            row[:] = start[id(image.texels)], *image.texels.shape[:2]
        return Atlas(np.concatenate(pieces), place)


def reduced(
    texels: NDArray[np.uint8], uv: NDArray[np.float32], corners: NDArray[np.float64], finest_m: float
) -> NDArray[np.uint8]:
    """Return the picture with no more texels than one each `finest_m` metres of surface, so that it does not alias.

    Args:
        texels: H×W×3 uint8.
        uv: M×3×2, the corners of triangles in the picture.
        corners: M×3×3, the same in metres.
        finest_m: about what a pixel covers on the surface.
    """
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    in_picture = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    on_surface = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    if in_picture <= 0 or on_surface <= 0:
        return texels
    height, width = texels.shape[:2]
    texel_m = float(np.sqrt(on_surface / (in_picture * height * width)))
    scale = min(1.0, texel_m / finest_m, MAX_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return texels if scale == 1.0 else np.asarray(cv2.resize(texels, size, interpolation=cv2.INTER_AREA), np.uint8)


@njit(cache=True)
def sample(texels: np.ndarray, place: np.ndarray, u: float, v: float, out: np.ndarray) -> None:
    """Write the sRGB colour (0..1) at (u, v) of the picture at `place` into `out`: bilinear, repeating."""
    start, height, width = place
    x, y = (u - np.floor(u)) * width - 0.5, (1.0 - (v - np.floor(v))) * height - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    right, below = x - left, y - top
    for k in range(3):
        out[k] = 0.0
    for j in range(2):
        for i in range(2):
            weight = (right if i else 1.0 - right) * (below if j else 1.0 - below) / 255.0
            at = start + (top + j) % height * width + (left + i) % width
            for k in range(3):
                out[k] += weight * texels[at, k]
