"""Where superpoints meet, and how: the edges of the surface that join two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.scene.surface import Surface

_FLAT = 0.05  # 1 - n₁·n₂ under which a surface goes on: 18 degrees
_CREASE = 0.1  # and from which it turns: 26 degrees


@dataclass(frozen=True)
class Borders:
    """Numbers of surface edges between superpoints, L×L sparse, symmetric, without a diagonal.

    Attributes:
        edges: all of them.
        flat: those across which the surface goes on.
        concave: those where it turns inwards, as where an object stands on another.
        convex: those where it turns outwards, as along the rim of a box.
        spacing: metres between neighbouring points.
    """

    edges: sparse.csr_matrix
    flat: sparse.csr_matrix
    concave: sparse.csr_matrix
    convex: sparse.csr_matrix
    spacing: float


def find_borders(surface: Surface, superpoint: NDArray[np.int32]) -> Borders:
    """Count the edges between superpoints by the turn of the surface across them.

    Args:
        surface: N points with normals and E edges.
        superpoint: N int32, superpoint of each point, 0..L-1.
    """
    L = int(superpoint.max()) + 1
    i, j = surface.edges.T
    i, j = i[superpoint[i] != superpoint[j]], j[superpoint[i] != superpoint[j]]
    turn = 1 - (surface.normals[i] * surface.normals[j]).sum(1)
    outward = ((surface.normals[j] - surface.normals[i]) * (surface.points[j] - surface.points[i])).sum(1) > 0

    def between(chosen: NDArray[np.bool_]) -> sparse.csr_matrix:
        a, b = superpoint[i[chosen]], superpoint[j[chosen]]
        ones = np.ones(len(a), np.int32)
        half = sparse.coo_matrix((ones, (a, b)), shape=(L, L))
        return sparse.csr_matrix(half + half.T)

    crease = turn > _CREASE
    return Borders(
        edges=between(np.ones(len(i), bool)),
        flat=between(turn < _FLAT),
        concave=between(crease & ~outward),
        convex=between(crease & outward),
        spacing=surface.spacing,
    )
