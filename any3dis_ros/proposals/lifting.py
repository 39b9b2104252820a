"""From 2D masks to counts on superpoints (paper, Sec. 3.2, Eq. 3)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import RefinementConfig
from any3dis_ros.proposals.pieces import Pieces
from any3dis_ros.scene.visible_points import Visibility
from any3dis_ros.tracking.following import MaskTrack
from any3dis_ros.tracking.masks import Tally

_LEAST_POINTS = 8  # of a superpoint, inside the mask in some view, and outside it in some; fewer are its ragged edge
_LEAST_SHARE = 0.02  # inside and outside, of its points in all views
_MOST_PIECES = 20_000  # of a superpoint; larger ones stay whole: counts of pieces are dense


@dataclass(frozen=True)
class Counts:
    """One track, seen from the superpoints that its masks touch; all that refinement needs.

    Attributes:
        superpoints: M int64, indices of the touched superpoints, rising; of pieces, as `Pieces` numbers them, in the
            place of those that are cut.
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


def lift_in_pieces(track: MaskTrack, counts: Counts, visible: Visibility, pieces: Pieces) -> Counts:
    """Return a track's counts with pieces in the place of the superpoints that its masks cut through.

    Args:
        track: masks by keyframe.
        counts: on whole superpoints (`lift`).
        visible: visible map points.
        pieces: of the superpoints.
    """
    inside, seen = counts.inside[counts.run], counts.seen[counts.run]
    share = inside.sum(0) / np.maximum(seen.sum(0), 1)
    parted = np.minimum(inside.max(0), (seen - inside).max(0)) >= _LEAST_POINTS
    few = np.diff(pieces.begin)[counts.superpoints] <= _MOST_PIECES
    cut = parted & few & (share > _LEAST_SHARE) & (share < 1 - _LEAST_SHARE)
    if not cut.any():
        return counts
    chosen = np.zeros(pieces.wholes, bool)
    chosen[counts.superpoints[cut]] = True
    own = pieces.those_of(counts.superpoints[cut])
    number = np.zeros(len(pieces.owner), np.int32)
    number[own] = np.arange(len(own))
    of_points = number[pieces.piece]
    first = int(np.count_nonzero(~cut))  # column of pieces
    held, shown = np.zeros((2, len(counts.run), first + len(own)), np.int32)
    held[:, :first], shown[:, :first] = counts.inside[:, ~cut], counts.seen[:, ~cut]
    for t in np.flatnonzero(counts.seen[:, cut].any(1)).tolist():
        part = visible.keyframes[t].only(chosen, of_points)
        shown[t, first:] = part.count(len(own))
        if t in track.masks:
            tally = track.masks[t].tally(part, len(own))
            held[t, first + tally.superpoints] = tally.points
    superpoints = np.concatenate([counts.superpoints[~cut], pieces.wholes + own])
    return replace(counts, superpoints=superpoints, inside=held, seen=shown)


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
