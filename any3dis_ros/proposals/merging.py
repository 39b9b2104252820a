"""From redundant proposals to ranked ones for evaluation, and to one label a point for the cloud.

The paper keeps every proposal; its Tab. 7 (AP50 35.8 at RC50 63.8 with constant confidence) implies that about seven in
eight are duplicates. Tracking every seed and merging well reaches the bound that superpoints set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.config import MergingConfig
from any3dis_ros.proposals.evidence import Evidence, confidence, corroboration
from any3dis_ros.proposals.objectness import blended, measure, probability
from any3dis_ros.scene.shape import SuperpointShapes
from any3dis_ros.tracking.masks import PackedMask

KEPT_VIEWS = 8
"""Best views remembered of each candidate, masks included."""


@dataclass(frozen=True)
class Region:
    """Superpoints that may be one object, whoever says so.

    Attributes:
        superpoints: P int64, indices, rising.
        coverage: P float32, share of each superpoint's points inside the masks (of its seen points, where tracked).
        best_views: keyframe indices, the clearest first.
        masks: 2D masks by keyframe, of those views.
    """

    superpoints: NDArray[np.int64]
    coverage: NDArray[np.float32]
    best_views: tuple[int, ...] = field(default=(), kw_only=True)
    masks: Mapping[int, PackedMask] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class Proposal(Region):
    """A candidate that was tracked.

    Attributes:
        evidence: how the views support it.
    """

    evidence: Evidence


def best_views(shown: NDArray[np.integer]) -> tuple[int, ...]:
    """Return the keyframes that show most points of a candidate (`shown`: T counts), the best first."""
    return tuple(int(t) for t in np.argsort(-shown, kind="stable")[:KEPT_VIEWS] if shown[t] > 0)


def judge(
    proposals: Sequence[Proposal],
    shared: sparse.csr_matrix,
    shapes: SuperpointShapes,
    learnt: bool,
    config: MergingConfig,
) -> NDArray[np.float64]:
    """Return the confidence of each proposal, Q in 0-1.

    Args:
        proposals: all Q of a scene: what is found again is worth more.
        shared: Q×Q sparse, points that each pair shares (`overlap`).
        shapes: of the L superpoints.
        learnt: weigh the evidence with the learnt objectness (fitted on the engine's proposals), `objectness.blended`.
        config: `confidence`.
    """
    if not proposals or config.confidence == "constant":
        return np.ones(len(proposals))
    evidence = [p.evidence for p in proposals]
    points = shared.diagonal()
    if not learnt or config.confidence == "evidence":
        return confidence(evidence, corroboration(evidence, shared, points), [e.median_iou for e in evidence])
    features, by_evidence = measure(evidence, membership(proposals, len(shapes.size)), shared, points, shapes)
    return blended(by_evidence, probability(features, shared))


def able(confidences: NDArray[np.float64], points: NDArray[np.integer], config: MergingConfig) -> NDArray[np.bool_]:
    """Return which proposals are large and certain enough to be kept, Q bool."""
    return np.asarray((points >= config.min_points) & (confidences >= config.min_share * confidences.max(initial=0)))


def rank(confidences: NDArray[np.float64], shared: sparse.csr_matrix, config: MergingConfig) -> list[int]:
    """Return the proposals to keep, best first.

    Going down from the most confident, one is dropped if it overlaps a kept one by more than `duplicate_iou`, lies in
    one by more than `containment`, has fewer than `min_points` points or less than `min_share` of the best confidence.
    A whole is never dropped for a better part, nor a cup for the table under it: of what lies in one more than
    `part_ratio` times larger, only scraps are dropped, with less than `scrap_share` of its confidence.

    Args:
        confidences: Q.
        shared: Q×Q sparse, points that each pair shares (`overlap`).
        config: thresholds.
    """
    points = shared.diagonal()
    kept: list[int] = []
    alive = able(confidences, points, config)
    for q in np.argsort(-confidences, kind="stable"):
        if not alive[q]:
            continue
        kept.append(int(q))
        row, common = _sharing(shared, q)
        duplicate = common > config.duplicate_iou * (points[q] + points[row] - common)
        beside = (points[q] > config.part_ratio * points[row]) & (
            confidences[row] >= config.scrap_share * confidences[q]
        )
        part = (common > config.containment * points[row]) & ~beside
        alive[row[duplicate | part]] = False
    return kept


def overlap(proposals: Sequence[Region], size: NDArray[np.int64]) -> sparse.csr_matrix:
    """Return how many points each pair of proposals shares, Q×Q sparse int32; the diagonal holds their own."""
    member = membership(proposals, len(size))
    by_superpoint = member.tocsc()
    of, indices, held_from, holder = (
        a.astype(np.uint32)  # without a sign, places are found in half the time
        for a in (member.indptr, member.indices, by_superpoint.indptr, by_superpoint.indices)
    )
    indptr, others, shared = _overlaps(of, indices, held_from, holder, size.astype(np.int32))
    return sparse.csr_matrix((shared, others, indptr), shape=(len(proposals), len(proposals)))


def membership(proposals: Sequence[Region], L: int) -> sparse.csr_matrix:
    """Return which superpoints each proposal holds, Q×L sparse of ones."""
    indptr = np.concatenate([[0], np.cumsum([len(p.superpoints) for p in proposals])]).astype(np.int64)
    indices = np.concatenate([p.superpoints for p in proposals]) if proposals else np.zeros(0, np.int64)
    return sparse.csr_matrix((np.ones(len(indices), np.int64), indices, indptr), shape=(len(proposals), L))


def exclusive_labels(
    proposals: Sequence[Region],
    confidences: NDArray[np.float64],
    shared: sparse.csr_matrix,
    size: NDArray[np.int64],
    config: MergingConfig,
) -> NDArray[np.int32]:
    """Give each superpoint to the proposal with the best claim to it: confidence × coverage.

    What lies in a larger proposal by more than `containment` is a thing on it or in it, and takes over its claims: the
    cup's points are the cup's, however sure the table is. A proposal that is left with fewer than `min_points` points
    is no object of its own: what it owns goes to the next.

    Args:
        proposals: Q.
        confidences: Q.
        shared: Q×Q sparse, points that each pair shares (`overlap`).
        size: L, points of each superpoint.
        config: thresholds.

    Returns:
        L int32, q + 1 of the owner in `proposals`, 0 = none.
    """
    claim = np.concatenate([np.zeros(0), *_claims(proposals, confidences, shared, config)])
    member = membership(proposals, len(size)).tocoo()
    order = np.lexsort((member.row, shared.diagonal()[member.row], -claim, member.col))
    order = order[claim[order] > 0]
    holder, of = member.row[order], member.col[order]
    at = np.searchsorted(of, np.arange(len(size)))  # each superpoint's strongest holder, then its next
    end = np.searchsorted(of, np.arange(len(size)), side="right")
    label = np.zeros(len(size), np.int32)
    label[at < end] = holder[at[at < end]] + 1
    points = np.bincount(label, size, len(proposals) + 1)[1:]
    competing = np.ones(len(proposals), bool)
    while (small := np.flatnonzero(competing & (points < config.min_points))).size:
        weakest = small[points[small] == points[small].min()][-1]
        competing[weakest] = False
        for m in np.flatnonzero(label == weakest + 1):
            while at[m] < end[m] and not competing[holder[at[m]]]:
                at[m] += 1
            label[m] = holder[at[m]] + 1 if at[m] < end[m] else 0
            if label[m]:
                points[label[m] - 1] += size[m]
    return label


def _claims(
    proposals: Sequence[Region], confidences: NDArray[np.float64], shared: sparse.csr_matrix, config: MergingConfig
) -> list[NDArray[np.float64]]:
    """Return each proposal's claims to its superpoints: its own, or the best of those that it lies in."""
    points = shared.diagonal()
    claims = [c * p.coverage.astype(np.float64) for p, c in zip(proposals, confidences, strict=True)]
    for q in np.argsort(-points, kind="stable"):  # wholes before their parts, which inherit what they inherited
        row, common = _sharing(shared, q)
        own = proposals[q].superpoints
        for whole in row[(common > config.containment * points[q]) & (points[row] > points[q])]:
            _, mine, its = np.intersect1d(own, proposals[whole].superpoints, True, return_indices=True)
            claims[q][mine] = np.maximum(claims[q][mine], claims[whole][its])
    return claims


def _sharing(shared: sparse.csr_matrix, q: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the proposals that share points with proposal `q`, itself among them, and how many."""
    own = slice(shared.indptr[q], shared.indptr[q + 1])
    return shared.indices[own], shared.data[own]


@numba.njit(cache=True, nogil=True)
def _overlaps(indptr, indices, holders_from, holder, size):  # type: ignore[no-untyped-def]
    """Return the points shared as a CSR matrix of rising columns: the upper triangle is counted, then mirrored.

    Proposal q holds the superpoints ``indices[indptr[q]:indptr[q+1]]``, superpoint m is held by
    ``holder[holders_from[m]:holders_from[m+1]]``, rising.
    """
    Q = len(indptr) - 1
    first = holders_from[:-1].copy()  # of each superpoint's holders, the first that is not before q
    shared, length = np.zeros(Q, np.int32), np.zeros(Q, np.int64)
    found, points = [np.empty(0, np.uint32)], [np.empty(0, np.int32)]
    for q in range(Q):
        for e in range(indptr[q], indptr[q + 1]):
            m = indices[e]
            points_of_m = size[m]
            for h in range(first[m], holders_from[m + 1]):
                shared[holder[h]] += points_of_m
            first[m] += 1
        own = (q + np.flatnonzero(shared[q:])).astype(np.uint32)
        found.append(own)
        points.append(shared[own])
        shared[own] = 0
        length[own] += 1
        length[q] += (own > q).sum()
    ends = np.zeros(Q + 1, np.int64)
    ends[1:] = np.cumsum(length)
    at, every, total = ends[:-1].astype(np.uint64), np.empty(ends[-1], np.int32), np.empty(ends[-1], np.int32)
    for q in range(Q):
        others, common = found[q + 1], points[q + 1]
        for e in range(len(others)):
            other = others[e]
            every[at[q]], total[at[q]] = other, common[e]
            at[q] += np.uint64(1)
            if other > q:
                every[at[other]], total[at[other]] = q, common[e]
                at[other] += np.uint64(1)
    return ends, every, total
