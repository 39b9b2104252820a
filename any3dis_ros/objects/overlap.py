"""How proposals overlap the objects of a ground truth, counted in points of the ground truth's own cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.errors import InputError
from any3dis_ros.objects.instances import Instances

Floats = NDArray[np.float32] | NDArray[np.float64]
Masks = NDArray[np.bool_] | Sequence[NDArray[np.integer]]
Ids = Sequence[int] | NDArray[np.integer] | None


@dataclass(frozen=True)
class GroundTruth:
    """A cloud whose points say which object they belong to.

    Attributes:
        points: N×3 float32, metres, map frame.
        instance: N int32, object of each point.
        valid_ids: G int64, ascending, the ids that are objects; every other point is void.
    """

    points: NDArray[np.float32]
    instance: NDArray[np.int32]
    valid_ids: NDArray[np.int64]


@dataclass(frozen=True)
class SceneOverlap:
    """How the Q proposals of one scene overlap its G objects, in points.

    Attributes:
        scores: Q float64, confidence.
        intersection: Q×G int64.
        predicted: Q int64, points of each proposal.
        void: Q int64, of those, points that belong to no object.
        truth: G int64, points of each object.
        ids: G int64, ascending.
    """

    scores: NDArray[np.float64]
    intersection: NDArray[np.int64]
    predicted: NDArray[np.int64]
    void: NDArray[np.int64]
    truth: NDArray[np.int64]
    ids: NDArray[np.int64]

    @property
    def iou(self) -> NDArray[np.float64]:
        """Q×G float64, intersection over union."""
        union = self.predicted[:, None] + self.truth[None] - self.intersection
        return np.asarray(self.intersection / np.maximum(union, 1))


def overlap(masks: Masks, scores: Floats, gt: NDArray[np.integer], valid_ids: Ids = None) -> SceneOverlap:
    """Count how proposals overlap objects.

    Args:
        masks: Q×N bool, or Q arrays of point indices; proposals may overlap.
        scores: Q, confidence; the order of equal ones is kept.
        gt: N int, object of each point.
        valid_ids: the ids in `gt` that are objects, every other point is void; None = all above 0.
    """
    ids, code = _encode(gt, valid_ids)
    rows = [_count(np.asarray(mask), code, len(ids) + 1) for mask in masks]
    return _overlap(np.array(rows, np.int64).reshape(len(rows), len(ids) + 1), scores, code, ids)


def overlap_superpoints(
    proposals: NDArray[np.bool_],
    scores: Floats,
    superpoint: NDArray[np.integer],
    gt: NDArray[np.integer],
    valid_ids: Ids = None,
) -> SceneOverlap:
    """Count the same for proposals made of superpoints, at a cost that does not grow with Q·N.

    Args:
        proposals: Q×L bool.
        scores: Q, confidence.
        superpoint: N int, superpoint of each point of the ground truth, -1 where the prediction has no point near.
        gt: N int, object of each point.
        valid_ids: as for :func:`overlap`.

    Raises:
        InputError: `superpoint` and `gt` differ in length.
    """
    ids, code = _encode(gt, valid_ids)
    if len(superpoint) != len(code):
        raise InputError(f"{len(superpoint)} points have a superpoint, {len(code)} an object; expected the same points")
    L, width = proposals.shape[1], len(ids) + 1
    near = superpoint >= 0
    cell = superpoint[near].astype(np.int64) * width + code[near]
    counts = np.bincount(cell, minlength=L * width).reshape(L, width)
    table = proposals.astype(np.float64) @ counts  # float64 is exact up to 2^53, and BLAS is fast
    return _overlap(table.astype(np.int64), scores, code, ids)


def overlap_instances(instances: Instances, truth: GroundTruth, max_distance_m: float) -> SceneOverlap:
    """Count how the proposals of a segmentation overlap the objects on the points of the ground truth."""
    nearest = transfer(instances.points, truth.points, max_distance_m)
    superpoint = np.where(nearest >= 0, instances.superpoint[nearest] if len(instances.points) else -1, -1)
    return overlap_superpoints(instances.proposals, instances.scores, superpoint, truth.instance, truth.valid_ids)


def transfer(points_from: Floats, points_to: Floats, max_distance_m: float) -> NDArray[np.int64]:
    """Return for each of M points (M×3, metres) the nearest of N others (N×3), -1 beyond `max_distance_m`; M int64."""
    if not len(points_from):
        return np.full(len(points_to), -1, np.int64)
    bound = max_distance_m * (1 + 1e-9) + 1e-12  # the tree's own bound is exclusive
    _, index = cKDTree(points_from).query(points_to, distance_upper_bound=bound)
    return np.where(index < len(points_from), index, -1).astype(np.int64)


def superpoint_bound(
    superpoint: NDArray[np.integer], gt: NDArray[np.integer], valid_ids: Ids = None
) -> NDArray[np.bool_]:
    """Return the best that superpoints allow: each given to the object, or the void, that holds most of its points.

    Args:
        superpoint: N int, superpoint of each point of the ground truth, -1 where the prediction has no point near.
        gt: N int, object of each point.
        valid_ids: as for :func:`overlap`.

    Returns:
        Q×N bool, one mask for each object that owns a superpoint.
    """
    ids, code = _encode(gt, valid_ids)
    width, near = len(ids) + 1, superpoint >= 0
    L = int(superpoint.max(initial=-1)) + 1
    counts = np.bincount(superpoint[near].astype(np.int64) * width + code[near], minlength=L * width)
    owner = np.r_[counts.reshape(L, width).argmax(1), 0][superpoint]  # the last row is for -1
    return np.array([owner == g for g in range(1, width) if (owner == g).any()], bool).reshape(-1, len(code))


def _encode(gt: NDArray[np.integer], valid_ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ascending ids of the objects present, and for each point 0 = void or 1 + the place of its id."""
    present, place = np.unique(np.asarray(gt), return_inverse=True)
    wanted = present > 0 if valid_ids is None else np.isin(present, np.asarray(valid_ids))
    code = np.where(wanted, np.cumsum(wanted), 0).astype(np.int64)
    return present[wanted].astype(np.int64), code[place.reshape(-1)]


def _count(mask: NDArray[np.bool_] | NDArray[np.integer], code: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return how many points of a mask lie on no object (first) and on each object."""
    if mask.dtype == bool:
        if mask.shape != code.shape:
            raise InputError(f"a mask has {mask.size} points, the ground truth {code.size}; transfer the mask first")
        index = np.flatnonzero(mask)
    else:
        index = np.unique(mask).astype(np.int64)
        if len(index) and (index[0] < 0 or index[-1] >= len(code)):
            raise InputError(
                f"a mask names point {index[-1]}, the ground truth has {len(code)}; transfer the mask first"
            )
    return np.bincount(code[index], minlength=width)


def _overlap(table: NDArray[np.int64], scores: Floats, code: NDArray[np.int64], ids: NDArray[np.int64]) -> SceneOverlap:
    confidence = np.asarray(scores, np.float64)
    if confidence.shape != (len(table),) or not np.isfinite(confidence).all():
        raise InputError(f"{len(table)} proposals have {confidence.size} scores; expected one finite number for each")
    truth = np.bincount(code, minlength=len(ids) + 1)[1:]
    return SceneOverlap(confidence, table[:, 1:], table.sum(1), table[:, 0], truth, ids)
