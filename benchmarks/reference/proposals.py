"""Lifting (paper, Eq. 3) and Algorithm 1 with the objective of Eq. 4 counted anew at every step, over all points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import RefinementConfig
from benchmarks.reference.projection import counted

Flags = NDArray[np.bool_]


def in_mask(mask: NDArray[np.bool_], visible: Flags, pixel: NDArray[np.int64]) -> Flags:
    """Return which points (N bool) a keyframe sees inside a mask (H×W bool); `visible` and `pixel` as projected."""
    return visible & mask[pixel[:, 0], pixel[:, 1]]


def lift(
    inside: Sequence[Flags], visible: Sequence[Flags], points_of: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many points of each superpoint lie inside the mask, and how many are visible; T×L both."""
    return (
        np.stack([counted(flags, points_of) for flags in inside]),
        np.stack([counted(flags, points_of) for flags in visible]),
    )


def objective(theta: Flags, superpoint: NDArray[np.int32], inside: Sequence[Flags], visible: Sequence[Flags]) -> int:
    """Return L(θ) of Eq. 4: over all views, the proposal's points inside the mask less those outside it."""
    chosen = theta[superpoint]
    total = 0
    for within, shown in zip(inside, visible, strict=True):
        total += int(np.count_nonzero(chosen & within)) - int(np.count_nonzero(chosen & shown & ~within))
    return total


def algorithm_1(
    superpoint: NDArray[np.int32], inside: Sequence[Flags], visible: Sequence[Flags], config: RefinementConfig
) -> Flags:
    """Return θ, L bool: view by view, all lifted superpoints are added or none.

    Args:
        superpoint: N int32.
        inside: for each of T views, the points seen inside the mask (N bool).
        visible: for each of T views, the points seen.
        config: τ and the fewest points seen.
    """
    counts_inside, counts_seen = lift(inside, visible, [np.flatnonzero(superpoint == m) for m in np.unique(superpoint)])
    theta, best = np.zeros(counts_seen.shape[1], bool), 0
    for t in range(len(inside)):
        enough = (counts_seen[t] >= config.min_seen_points) & (counts_inside[t] > 0)
        added = theta | (enough & (counts_inside[t] >= config.coverage * counts_seen[t]))
        value = objective(added, superpoint, inside, visible)
        if best <= value:
            theta, best = added, value
    return theta
