"""Seeds by farthest-point sampling and views by Eq. 2 of the paper, one superpoint and one view after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def farthest_points(x: NDArray[np.float64], count: int, start: int) -> list[int]:
    """Return `count` rows of x (M×D), each the farthest from those picked before it, from `start` on."""
    picked = [start]
    distance = np.full(len(x), np.inf)
    while len(picked) < min(count, len(x)):
        distance = np.minimum(distance, ((x - x[picked[-1]]) ** 2).sum(1))
        picked.append(int(distance.argmax()))
    return picked


def view_scores(
    seen: NDArray[np.int32], size: NDArray[np.int64], centroid: NDArray[np.float64], kappa: int
) -> NDArray[np.float64]:
    """Return ψ[t, l], T×L: seen points times the mean share seen of the κ superpoints nearest to l.

    Args:
        seen: T×L int32.
        size: L, points of each superpoint.
        centroid: L×3, metres.
        kappa: κ.
    """
    T, L = seen.shape
    psi = np.zeros((T, L))
    for superpoint in range(L):
        near = np.argsort(((centroid - centroid[superpoint]) ** 2).sum(1), kind="stable")[:kappa]
        for t in range(T):
            psi[t, superpoint] = seen[t, superpoint] * np.mean(seen[t, near] / size[near])
    return psi
