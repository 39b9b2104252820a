"""From 2D masks to counts on superpoints (paper, Sec. 3.2, Eq. 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import RefinementConfig
from any3dis_ros.scene.visibility import Visibility
from any3dis_ros.tracking.following import MaskTrack


@dataclass(frozen=True)
class Counts:
    """One track, seen from the superpoints that its masks touch; all that refinement needs.

    Attributes:
        superpoints: M int64, indices of the touched superpoints, rising.
        inside: T×M int32, visible points of superpoint m in keyframe t whose pixel lies in the mask.
        seen: T×M int32, visible points of superpoint m in keyframe t.
        run: T bool, keyframes that count as evidence.
        pivot: the pivot keyframe.
    """

    superpoints: NDArray[np.int64]
    inside: NDArray[np.int32]
    seen: NDArray[np.int32]
    run: NDArray[np.bool_]
    pivot: int


def lift(track: MaskTrack, visible: Visibility, seen: NDArray[np.int32]) -> Counts:
    """Count, for every keyframe, the visible points of each superpoint inside the track's mask.

    A keyframe with an empty mask although the seed is in sight is no evidence: the engine lost the object there.

    Args:
        track: masks by keyframe.
        visible: visible map points.
        seen: T×L int32.
    """
    T, L = seen.shape
    masked = np.zeros((len(track.masks), L), np.int32)
    for row, (t, mask) in zip(masked, track.masks.items(), strict=True):
        own = visible.rows(t, *mask.rows)
        row[:] = mask.tally(visible.pixel[own], visible.superpoint[own], L)
    touched = np.flatnonzero(masked.any(0))
    inside = np.zeros((T, len(touched)), np.int32)
    inside[list(track.masks)] = masked[:, touched]
    lost = ~inside.any(1) & (10 * seen[:, track.seed] > visible.size[track.seed])
    run = track.run & ~lost
    run[track.pivot] = True
    return Counts(touched, inside, seen[:, touched], run, track.pivot)


def candidates(counts: Counts, config: RefinementConfig) -> NDArray[np.bool_]:
    """Return M̄[t, m] of Eq. 3, T×M bool: the views in which the mask covers the superpoint's seen points by τ."""
    enough = counts.seen >= config.min_seen_points
    covered = counts.inside >= config.coverage * counts.seen
    lifted: NDArray[np.bool_] = enough & covered & (counts.inside > 0) & counts.run[:, None]
    return lifted
