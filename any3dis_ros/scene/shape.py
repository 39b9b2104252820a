"""What a set of superpoints is shaped like: how it meets its surroundings, and how its points are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.scene.borders import Borders, find_borders
from any3dis_ros.scene.frames import Frame, viewing_distance
from any3dis_ros.scene.surface import Surface


@dataclass(frozen=True)
class SuperpointShapes:
    """What the shape of any union of superpoints is put together from.

    Attributes:
        borders: how the L superpoints meet.
        size: L int64, points of each.
        first: L×3 float64, sums of their coordinates about the middle of the map, metres.
        second: L×3×3 float64, sums of the products of these, square metres.
        distance: metres from which the cameras see the map, typically.
    """

    borders: Borders
    size: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    distance: float


def describe(surface: Surface, superpoint: NDArray[np.int32], frames: Sequence[Frame]) -> SuperpointShapes:
    """Sum up each superpoint.

    Args:
        surface: N points with normals and edges.
        superpoint: N int32, superpoint of each point, 0..L-1.
        frames: the keyframes that see it.
    """
    size = np.bincount(superpoint)
    at = surface.points - surface.points.mean(0, dtype=np.float64)  # far from the origin products lose all digits

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(superpoint, values, len(size)), np.float64)

    first = np.stack([summed(at[:, k]) for k in range(3)], 1)
    second = np.empty((len(size), 3, 3))
    for i in range(3):
        for j in range(i + 1):
            second[:, i, j] = second[:, j, i] = summed(at[:, i] * at[:, j])
    return SuperpointShapes(find_borders(surface, superpoint), size, first, second, viewing_distance(frames))


def spread(member: sparse.csr_matrix, shapes: SuperpointShapes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how the points of Q unions of superpoints are spread about their centroids.

    Args:
        member: Q×L sparse of ones, which superpoints each holds.
        shapes: of the superpoints.

    Returns:
        Q×3, standard deviations along the principal axes, the smallest first, and Q, that along the map's z axis;
        metres, no less than half the spacing of the points.
    """
    points = (member @ shapes.size).astype(np.float64)
    mean = (member @ shapes.first) / points[:, None]
    second = (member @ shapes.second.reshape(-1, 9)).reshape(-1, 3, 3) / points[:, None, None]
    covariance = second - mean[:, :, None] * mean[:, None, :]
    least = (0.5 * shapes.borders.spacing) ** 2
    along = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), least))
    return along, np.sqrt(np.maximum(covariance[:, 2, 2], least))
