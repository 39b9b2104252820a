"""The same object keeps its id from one run to the next, and an id is never given twice.

A found object is the earlier one that fills the same space. Both are compared as sets of cells, about two point
spacings wide; a cell counts as shared where the other object has one that touches it, so that maps may differ by as
much: the fused map grows, its points move, its resolution may change.

- The overlap is an IoU of shares, p·r / (p + r - p·r): p of the earlier object's cells as far as this map covers them,
  r of the found object's. What lies outside a region that was segmented alone is neither compared nor forgotten.
- Pairs are one to one, their sum of IoUs the largest possible; none under `association.min_iou`. Of equal overlaps the
  nearer centre wins.
- An object that is not found again stays known, and its id reserved. Beyond `association.max_objects`, those that were
  longest not found are forgotten: their ids stay used, but found again they get a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from any3dis_ros.config import AssociationConfig
from any3dis_ros.objects.cells import coarser, distinct, keys, level_of, membership, to_cells, touching
from any3dis_ros.objects.instances import Instances

MOST_CELLS = 4_000_000
"""Cells that are remembered of all objects together, 16 bytes each; the default bound of the map has no more."""

_NEARER = 1e-3  # of IoU: what a whole cell between centres is worth at most


@dataclass(frozen=True)
class Known:
    """The objects of earlier runs.

    Attributes:
        ids: K int32, most recently found first.
        centers: K×3 float64, metres, map frame: mean of an object's points when it was found last.
        levels: K int8, an object's cells have edges of 2^level metres.
        cells: M×3 int32, which cells; floor(metres / edge) along each axis.
        owner: M int32, the object of each cell, 0..K-1, ascending.
        next_id: the lowest id that was never given.
    """

    ids: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    centers: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    levels: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    cells: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    owner: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    next_id: int = 1


def carry_ids(found: Instances, known: Known, config: AssociationConfig) -> tuple[Instances, Known]:
    """Give objects that were found before their ids, and the others new ones.

    Args:
        found: a segmentation. Where nothing was ever known its ids stay as they are, as those of one that is loaded.
        known: what the last call returned; `Known()` at first and after a reset.
        config: least overlap, bound.

    Returns:
        The segmentation with its ids, and what is known now. Proposals that own no point are no objects: they are
        numbered after all objects, and their numbers are not reserved.
    """
    rows = np.unique(found.labels[found.labels > 0]).astype(np.int64) - 1  # of the proposals that own points
    cloud = _Cloud.of(found, rows)
    centers = np.array([o.centroid for o in found.instances]).reshape(-1, 3)
    iou, covered = _compared(known, cloud, len(rows))
    earlier = _assigned(iou, known.centers, centers, cloud.level, config.min_iou)
    ids = found.ids
    if known.next_id > 1:
        ids = np.zeros(len(found.ids), np.int32)
        ids[rows[earlier >= 0]] = known.ids[earlier[earlier >= 0]]
        ids[rows[earlier < 0]] = known.next_id + np.arange(np.count_nonzero(earlier < 0))
        others = ids == 0
        ids[others] = max(known.next_id, ids.max(initial=0) + 1) + np.arange(np.count_nonzero(others))
    next_id = max(known.next_id, int(ids[rows].max(initial=0)) + 1)
    seen = _remembered(cloud, ids[rows], centers, known, earlier, covered)
    return replace(found, ids=ids), _bounded(replace(seen, next_id=next_id), config.max_objects)


@dataclass(frozen=True)
class _Cloud:
    """A segmentation as cells.

    Attributes:
        cells: C×3 int32, each once for every object that has points in it.
        owner: C int32, the object of each cell as in `Instances.instances`, -1 = none.
        level: of the cells.
    """

    cells: NDArray[np.int32]
    owner: NDArray[np.int32]
    level: int

    @classmethod
    def of(cls, found: Instances, rows: NDArray[np.int64]) -> _Cloud:
        finite = np.isfinite(found.points).all(1)
        points = found.points[finite].astype(np.float64)
        owner = np.full(len(found.scores) + 1, -1, np.int32)
        owner[rows + 1] = np.arange(len(rows))
        level = level_of(points)
        return cls(*distinct(to_cells(points, level), owner[found.labels[finite]]), level)


def _compared(known: Known, cloud: _Cloud, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the IoU of known objects with the `count` of the cloud, and which known cells the cloud covers, M bool."""
    iou = np.zeros((len(known.ids), count))
    covered = np.zeros(len(known.cells), bool)
    for level, own in _by_level(known, cloud.level):
        theirs, owner = coarser(known.cells[own], known.levels[known.owner[own]], level), known.owner[own]
        ours, of_cell = distinct(coarser(cloud.cells, cloud.level, level), cloud.owner)
        occupied, place = np.unique(keys(np.concatenate([theirs, ours])), return_inverse=True)
        near = touching(occupied)
        found = membership(place[len(theirs) :], of_cell + 1, len(occupied), count + 1)  # column 0: of no object
        near_found = (near @ found).sign()
        on_map = np.asarray(near_found.sum(1)).ravel() > 0
        covered[own] = on_map[place[: len(theirs)]]
        earlier = membership(place[: len(theirs)], owner, len(occupied), len(known.ids))
        earlier = sparse.csr_matrix(earlier.multiply(on_map[:, None]))
        iou += _iou(earlier, (near @ earlier).sign(), found, near_found)[:, 1:]
    return iou, covered


def _iou(
    a: sparse.spmatrix, near_a: sparse.spmatrix, b: sparse.spmatrix, near_b: sparse.spmatrix
) -> NDArray[np.float64]:
    """Return p·r / (p + r - p·r): p the share of each a that is near each b, r of each b near each a."""
    size_a, size_b = np.asarray(a.sum(0)).reshape(-1, 1), np.asarray(b.sum(0)).reshape(1, -1)
    p = (a.T @ near_b).toarray() / np.maximum(size_a, 1)
    r = (near_a.T @ b).toarray() / np.maximum(size_b, 1)
    return np.asarray(p * r / np.maximum(p + r - p * r, 1e-12))


def _assigned(
    iou: NDArray[np.float64], known: NDArray[np.float64], found: NDArray[np.float64], level: int, min_iou: float
) -> NDArray[np.int64]:
    """Return for each found object which known one it is, -1 = none."""
    out = np.full(len(found), -1, np.int64)
    allowed = (iou >= min_iou) & (iou > 0)
    k, q = np.flatnonzero(allowed.any(1)), np.flatnonzero(allowed.any(0))
    apart = np.linalg.norm(known[k][:, None] - found[q][None], axis=2) * 2.0**-level
    gain = np.where(allowed[np.ix_(k, q)], iou[np.ix_(k, q)] - _NEARER * np.fmin(apart, 1), 0)
    for one, other in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
        if allowed[k[one], q[other]]:
            out[q[other]] = k[one]
    return out


def _remembered(
    cloud: _Cloud,
    ids: NDArray[np.int32],
    centers: NDArray[np.float64],
    known: Known,
    earlier: NDArray[np.int64],
    covered: NDArray[np.bool_],
) -> Known:
    """Return the found objects, then those that were not found; what this map covers replaces what was known there."""
    again, held = np.flatnonzero(earlier >= 0), cloud.owner >= 0
    lost = np.setdiff1d(np.arange(len(known.ids)), earlier)
    row = np.full(len(known.ids), -1, np.int64)  # where a known object goes
    row[earlier[again]], row[lost] = again, len(ids) + np.arange(len(lost))
    kept = ~covered | np.isin(known.owner, lost)

    before = known.levels[known.owner[kept]]
    owner = np.concatenate([cloud.owner[held], row[known.owner[kept]]])
    levels = np.concatenate([np.full(len(ids), cloud.level, np.int8), known.levels[lost]])
    np.maximum.at(levels, row[known.owner[kept]], before)
    cells = np.concatenate(
        [
            coarser(cloud.cells[held], cloud.level, levels[cloud.owner[held]]),
            coarser(known.cells[kept], before, levels[row[known.owner[kept]]]),
        ]
    )
    return Known(
        np.concatenate([ids, known.ids[lost]]).astype(np.int32),
        np.concatenate([centers, known.centers[lost]]),
        levels,
        *distinct(cells, owner.astype(np.int32)),
    )


def _bounded(known: Known, max_objects: int) -> Known:
    """Return the most recent objects, as many as the bounds allow."""
    ends = np.searchsorted(known.owner, np.arange(len(known.ids)), side="right")
    count = min(max_objects, int(np.searchsorted(ends, MOST_CELLS, side="right")))
    cells = int(ends[count - 1]) if count else 0
    return Known(
        known.ids[:count],
        known.centers[:count],
        known.levels[:count],
        known.cells[:cells],
        known.owner[:cells],
        known.next_id,
    )


def _by_level(known: Known, level: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each level at which known objects are compared with a cloud, and the cells of those objects."""
    common = np.maximum(known.levels[known.owner], level)
    for one in np.unique(common):
        yield int(one), np.flatnonzero(common == one)
