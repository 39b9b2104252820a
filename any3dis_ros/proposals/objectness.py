"""How likely a proposal is the best that there is of one whole object, learnt from generated rooms and tables.

The geometric engine proposes nested candidates: a drawer, the chest, the chest with its wall. Evidence alone ranks the
well-cut part above the whole. Gradient-boosted trees (Friedman 2001) over a handful of measures of evidence, shape and
border tell them apart, each by itself; a second ensemble, which is also told how those stand that a proposal overlaps
(`standing`), picks the best of them. `benchmarks/fit_objectness.py` fits both on scenes of the generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.proposals import standing
from any3dis_ros.proposals.evidence import Evidence, confidence, corroborations
from any3dis_ros.proposals.trees import shipped
from any3dis_ros.scene.shape import SuperpointShapes, spread

FEATURES = (
    "score", "agreement", "support", "precision", "median_iou",
    "found_50", "found_70", "found_80", "refound_50", "refound_70",
    "apparent_area", "compactness", "concave", "flat", "convex",
    "container_near", "content_near", "container_far", "content_far",
    "flatness", "length", "upright", "extent", "fill",
)  # fmt: skip
AMONG = FEATURES + standing.FEATURES
_LARGER = np.array([1.25, 4.0, 30.0])  # how many times larger a container is: near, far
_CONTAINED = 0.9
_LEARNT = 0.6  # exponent of the learnt probability, evidence has the rest. AP/AP50, held-out rooms and tables: 0.45
# 31.8/61.7, 0.6: 32.8/62.4, 0.75: 33.5/62.9; a shelf bin, unlike what was fitted on: 5/21, 2/6, 0/0


def probability(features: NDArray[np.float32], shared: sparse.csr_matrix) -> NDArray[np.float64]:
    """Return the probability that each proposal is the best of one whole object, Q.

    Args:
        features: Q×F (`measure`).
        shared: Q×Q sparse, points that each pair shares.
    """
    alone = shipped("objectness", FEATURES).probability(features)
    return shipped("standing", AMONG).probability(among(features, shared, alone))


def among(features: NDArray[np.float32], shared: sparse.csr_matrix, alone: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what the second ensemble is told of each proposal, in the order of AMONG.

    Args:
        features: Q×F (`measure`).
        shared: Q×Q sparse, points that each pair shares.
        alone: Q, what the first ensemble says.
    """
    return np.concatenate([features, standing.compare(shared, alone)], 1)


def blended(by_evidence: NDArray[np.float64], learnt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted geometric mean of confidence by evidence and learnt probability, Q in 0-1."""
    return np.asarray(by_evidence ** (1 - _LEARNT) * learnt**_LEARNT)


def measure(
    evidence: Sequence[Evidence],
    member: sparse.csr_matrix,
    shared: sparse.csr_matrix,
    points: NDArray[np.integer],
    shapes: SuperpointShapes,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what tells of Q proposals, and the confidence by evidence that is part of it.

    Args:
        evidence: of each proposal.
        member: Q×L sparse, which superpoints each holds.
        shared: Q×Q sparse, points that each pair shares.
        points: Q, points of each proposal.
        shapes: of the superpoints; from where the cameras see them, a mug before one counts as a chair across the room.

    Returns:
        The features, Q×F float32, in the order of FEATURES, none of which depends on the scene's scale; and Q in 0-1.
    """
    borders, distance = shapes.borders, shapes.distance
    found_50, found_70, found_80 = corroborations(evidence, shared, points, (0.5, 0.7, 0.8))
    refound_50, refound_70 = _refound(evidence, member, shared, points, (0.5, 0.7))
    crossing = {name: _crossing(member, getattr(borders, name)) for name in ("edges", "concave", "flat", "convex")}
    edges = np.maximum(crossing["edges"], 1)
    by_evidence = confidence(evidence, found_70, [e.agreement for e in evidence])
    container, content = _nested(shared.indptr, shared.indices, shared.data, points, by_evidence, _LARGER)
    along, upward = spread(member, shapes)
    column = {
        "score": [e.score for e in evidence],
        "agreement": [e.agreement for e in evidence],
        "support": [1 - np.exp(-e.views / 5) for e in evidence],
        "precision": [e.precision for e in evidence],
        "median_iou": [e.median_iou for e in evidence],
        "found_50": np.log1p(found_50),
        "found_70": np.log1p(found_70),
        "found_80": np.log1p(found_80),
        "refound_50": refound_50,
        "refound_70": refound_70,
        "apparent_area": np.log(points * (borders.spacing / distance) ** 2),
        "compactness": np.log1p(crossing["edges"]) - 0.5 * np.log(points),
        **{name: crossing[name] / edges for name in ("concave", "flat", "convex")},
        "flatness": np.log(along[:, 0] / along[:, 2]),
        "length": np.log(along[:, 1] / along[:, 2]),
        "upright": upward / along[:, 2],
        "extent": np.log(along[:, 2] / distance),
        "container_near": container[0],
        "content_near": content[0],
        "container_far": container[1],
        "content_far": content[1],
        "fill": np.log(points * borders.spacing**2 / (along[:, 1] * along[:, 2])),
    }
    return np.stack([np.asarray(column[name], np.float32) for name in FEATURES], 1), by_evidence


def _crossing(member: sparse.csr_matrix, between: sparse.csr_matrix) -> NDArray[np.float64]:
    """Return for each proposal the number of edges that lead out of it."""
    return np.asarray(_leading_out(member.indptr, member.indices, between.indptr, between.indices, between.data))


def _refound(
    evidence: Sequence[Evidence],
    member: sparse.csr_matrix,
    shared: sparse.csr_matrix,
    points: NDArray[np.integer],
    same: Sequence[float],
) -> NDArray[np.float64]:
    """Return which share of the seeds inside each proposal led to it, for each least IoU of `same`: S×Q."""
    seed = np.array([e.seed for e in evidence], np.int64)
    is_seed = np.zeros(member.shape[1], bool)
    is_seed[seed] = True
    pairs = shared.indptr, shared.indices, shared.data
    return np.asarray(_seeds_again(*pairs, points, member.indptr, member.indices, seed, is_seed, np.array(same)))


@numba.njit(cache=True, nogil=True)
def _leading_out(of, superpoint, indptr, indices, data):  # type: ignore[no-untyped-def]
    """Return `_crossing`; proposal q holds the superpoints ``superpoint[of[q]:of[q+1]]``."""
    leading = np.zeros(len(of) - 1)
    held_by = np.full(len(indptr) - 1, -1)
    for q in range(len(leading)):
        own = superpoint[of[q] : of[q + 1]]
        for m in own:
            held_by[m] = q
        for m in own:
            for e in range(indptr[m], indptr[m + 1]):
                if held_by[indices[e]] != q:
                    leading[q] += data[e]
    return leading


@numba.njit(cache=True, nogil=True)
def _seeds_again(indptr, indices, data, points, of, superpoint, seed, is_seed, same):  # type: ignore[no-untyped-def]
    """Return `_refound`; of and superpoint as above."""
    share = np.zeros((len(same), len(points)))
    held_by, met_by = np.full(len(is_seed), -1), np.full((len(same), len(is_seed)), -1)
    for q in range(len(points)):
        inside = 0
        for m in superpoint[of[q] : of[q + 1]]:
            held_by[m] = q
            inside += is_seed[m]
        for e in range(np.uint64(indptr[q]), np.uint64(indptr[q + 1])):
            j, common = np.uint32(indices[e]), data[e]
            if held_by[np.uint64(seed[j])] != q:
                continue
            union = points[q] + points[j] - common
            for s in range(len(same)):
                if met_by[s, seed[j]] != q and common >= same[s] * union:
                    met_by[s, seed[j]] = q
                    share[s, q] += 1
        share[:, q] /= max(inside, 1)
    return share


@numba.njit(cache=True, nogil=True)
def _nested(indptr, indices, data, points, strength, larger):  # type: ignore[no-untyped-def]
    """Return the strongest proposal that contains each one, and that each one contains, S×Q each.

    The container is ``larger[s]`` to ``larger[s+1]`` times as large, neither included.
    """
    container, content = np.zeros((2, len(larger) - 1, len(points)))
    for small in range(len(points)):
        for e in range(np.uint64(indptr[small]), np.uint64(indptr[small + 1])):
            large = np.uint32(indices[e])
            if data[e] < _CONTAINED * points[small]:
                continue
            ratio = points[large] / points[small]
            for s in range(len(larger) - 1):
                if larger[s] < ratio < larger[s + 1]:
                    container[s, small] = max(container[s, small], strength[large])
                    content[s, large] = max(content[s, large], strength[small])
    return container, content
