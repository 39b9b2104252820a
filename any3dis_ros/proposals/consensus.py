"""What tracks of one thing agree on: each errs elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.config import MergingConfig
from any3dis_ros.proposals.merging import Proposal, able, judge, membership, overlap
from any3dis_ros.scene.shape import SuperpointShapes


def weigh(
    proposals: Sequence[Proposal],
    size: NDArray[np.int64],
    shapes: SuperpointShapes,
    learnt: bool,
    config: MergingConfig,
) -> tuple[list[Proposal], NDArray[np.float64]]:
    """Judge the proposals of a scene, and let those that are alike agree: `judge`, then `consensus`.

    Args:
        proposals: all that were tracked.
        size: L, points of each superpoint.
        shapes: of the L superpoints.
        learnt: whether the learnt objectness judges.
        config: of merging.

    Returns:
        The proposals that ranking may keep, and their confidences.
    """
    shared = overlap(proposals, size)
    confidences = judge(proposals, shared, shapes, learnt, config)
    return consensus(proposals, confidences, shared, learnt, config)


def consensus(
    proposals: Sequence[Proposal],
    confidences: NDArray[np.float64],
    shared: sparse.csr_matrix,
    learnt: bool,
    config: MergingConfig,
) -> tuple[list[Proposal], NDArray[np.float64]]:
    """Return the proposals that ranking may keep, each with the superpoints on which those like it agree.

    Tracks of one thing err in different places: one takes in a neighbour, another leaves out a corner. So all that
    overlap a proposal by at least `consensus_iou` vote, itself included, by their confidence; it gets the superpoints
    that more than half of the votes hold, covered as they are on average (0 where a track does not hold them).
    What the learnt objectness has judged stays as it was judged: there, votes hurt as often as they help.

    Args:
        proposals: Q.
        confidences: Q.
        shared: Q×Q sparse, points that each pair shares (`overlap`).
        learnt: whether the confidences are the learnt objectness's, as for `judge`.
        config: `consensus_iou`, and what ranking drops.

    Returns:
        Those of enough points and confidence, in order, and their confidences.
    """
    left = np.flatnonzero(able(confidences, shared.diagonal(), config))
    voters, votes = [proposals[q] for q in left.tolist()], confidences[left]
    if learnt or config.consensus_iou == 1 or not votes.any():
        return voters, votes
    voter, begin = _alike(shared.indptr, shared.indices, shared.data, shared.diagonal(), left, config.consensus_iou)
    ballots = np.split(voter, begin[1:-1])
    keys = [ballot.tobytes() for ballot in ballots]
    distinct = dict(zip(keys, ballots, strict=True))  # tracks of one thing often have the same voters
    end = np.cumsum([len(ballot) for ballot in distinct.values()])
    member = membership(voters, 1 + max(int(p.superpoints[-1]) for p in voters))
    coverage = np.concatenate([p.coverage for p in voters])
    ends, superpoints, covered = _vote(
        np.concatenate([*distinct.values()]), end, votes, member.indptr, member.indices, coverage, member.shape[1]
    )
    outcome = dict(zip(distinct, zip(np.split(superpoints, ends), np.split(covered, ends), strict=True), strict=False))
    agreed = []
    for proposal, key in zip(voters, keys, strict=True):
        own, share = outcome[key]
        agreed.append(replace(proposal, superpoints=own, coverage=share) if len(own) else proposal)
    return agreed, votes


@numba.njit(cache=True, nogil=True)
def _alike(indptr, indices, data, points, left, iou):  # type: ignore[no-untyped-def]
    """Return the places in `left` of those that overlap each of `left` by an IoU, and where each one's begin."""
    place = np.full(len(points), -1)
    place[left] = np.arange(len(left))
    begin = np.zeros(len(left) + 1, np.int64)
    found = np.empty((indptr[left + 1] - indptr[left]).sum(), np.int32)
    total = np.uint64(0)
    for q in range(len(left)):
        own = left[q]
        for e in range(np.uint64(indptr[own]), np.uint64(indptr[own + 1])):
            other, common = np.uint32(indices[e]), data[e]
            if place[other] >= 0 and common >= iou * (points[own] + points[other] - common):
                found[total] = place[other]
                total += np.uint64(1)
        begin[q + 1] = total
    return found[:total], begin


@numba.njit(cache=True, nogil=True)
def _vote(voter, end, votes, indptr, indices, coverage, L):  # type: ignore[no-untyped-def]
    """Return what more than half of the votes hold: where each ballot's ends, superpoints, mean coverage.

    Ballot q's voters are ``voter[end[q-1]:end[q]]``; each holds ``indices[indptr[v]:indptr[v+1]]``.
    """
    held, covered = np.zeros(L), np.zeros(L)
    ends = np.empty(len(end), np.int64)
    superpoints, shares = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    total = 0
    for q in range(len(end)):
        held[:] = 0
        covered[:] = 0
        every = 0.0
        for v in voter[end[q - 1] if q else 0 : end[q]]:
            say = votes[v]
            every += say
            for e in range(np.uint64(indptr[v]), np.uint64(indptr[v + 1])):
                m = np.uint32(indices[e])
                held[m] += say
                covered[m] += say * coverage[e]
        own = np.flatnonzero(held > every / 2)
        total += len(own)
        ends[q] = total
        superpoints.append(own)
        shares.append((covered[own] / every).astype(np.float32))
    flat, share = np.empty(total, np.int64), np.empty(total, np.float32)
    first = 0
    for q in range(len(end)):
        flat[first : ends[q]], share[first : ends[q]] = superpoints[q + 1], shares[q + 1]
        first = ends[q]
    return ends, flat, share
