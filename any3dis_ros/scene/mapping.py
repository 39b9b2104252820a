"""The map cloud: keyframes fused by Open3D, or a cloud or mesh from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.frames import Frame


@dataclass(frozen=True)
class MapCloud:
    """The fused map.

    Attributes:
        points: N×3 float32, metres, map frame.
        colors: N×3 uint8, RGB.
        normals: N×3 float32 unit vectors, or None where the source has none.
        edges: E×2 int32, mesh edges between points, or None where the source is a cloud.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    normals: NDArray[np.float32] | None = None
    edges: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Scene:
    """What a segmentation takes: keyframes and the map that they see, in one map frame."""

    frames: Sequence[Frame]
    cloud: MapCloud
