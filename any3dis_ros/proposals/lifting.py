"""From 2D masks to counts on superpoints (paper, Sec. 3.2, Eq. 3)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import RefinementConfig
from any3dis_ros.scene.visibility import Visibility
from any3dis_ros.tracking.following import MaskTrack
from any3dis_ros.tracking.masks import Tally


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


def lift(tracks: Sequence[MaskTrack], visible: Visibility, seen: NDArray[np.int32]) -> Iterator[Counts]:
    """Count, for every keyframe, the visible points of each superpoint inside each track's mask.

    Keyframe by keyframe, so that what one sees is fetched once for all tracks. A keyframe with an empty mask
    although the seed is in sight is no evidence: the engine lost the object there.

    Args:
        tracks: masks by keyframe.
        visible: visible map points.
        seen: T×L int32.

    Yields:
        The counts of each track, in order.
    """
    L = seen.shape[1]
    tallies: list[dict[int, Tally]] = [{} for _ in tracks]

    def tally(t: int) -> None:
        for track, own in zip(tracks, tallies, strict=True):
            if t in track.masks:
                own[t] = track.masks[t].tally(visible.keyframes[t], L)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(tally, range(len(seen))))
    for track, own in zip(tracks, tallies, strict=True):
        touched, inside = _dense(own, seen.shape)
        lost = ~inside.any(1) & (10 * seen[:, track.seed] > visible.size[track.seed])
        run = track.run & ~lost
        run[track.pivot] = True
        yield Counts(touched, inside, seen.take(touched, 1), run, track.pivot)


def _dense(tallies: Mapping[int, Tally], shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the superpoints that any keyframe has points of, M rising, and how many: T×M; `shape` is (T, L)."""
    T, L = shape
    superpoints = np.concatenate([tally.superpoints for tally in tallies.values()])
    column = np.zeros(L, np.int64)
    column[superpoints] = 1
    touched = np.flatnonzero(column)
    column[touched] = np.arange(len(touched))
    row = np.repeat(list(tallies), [len(tally.superpoints) for tally in tallies.values()])
    inside = np.zeros((T, len(touched)), np.int32)
    inside[row, column[superpoints]] = np.concatenate([tally.points for tally in tallies.values()])
    return touched, inside


def candidates(counts: Counts, config: RefinementConfig) -> NDArray[np.bool_]:
    """Return M̄[t, m] of Eq. 3, T×M bool: the views in which the mask covers the superpoint's seen points by τ."""
    enough = counts.seen >= config.min_seen_points
    covered = counts.inside >= config.coverage * counts.seen
    lifted: NDArray[np.bool_] = enough & covered & (counts.inside > 0) & counts.run[:, None]
    return lifted
