"""How likely a proposal is one whole object, learnt from generated rooms and tables.

The geometric engine proposes nested candidates: a drawer, the chest, the chest with its wall. Evidence alone ranks the
well-cut part above the whole. Gradient-boosted trees (Friedman 2001) over a handful of measures of evidence, shape and
border tell them apart. `benchmarks/fit_objectness.py` fits them on scenes of the generator and writes
`objectness.json`; only the look-up is done here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.proposals.evidence import Evidence, confidence, corroboration, distinct
from any3dis_ros.scene.shape import SuperpointShapes, spread

FEATURES = (
    "score", "agreement", "support", "precision", "median_iou",
    "found_50", "found_70", "found_80", "refound_50", "refound_70",
    "apparent_area", "compactness", "concave", "flat", "convex",
    "container_near", "content_near", "container_far", "content_far",
    "flatness", "length", "upright", "extent", "fill",
)  # fmt: skip
_NEAR, _FAR = (1.25, 4.0), (4.0, 30.0)  # how many times larger a container is
_CONTAINED = 0.9
_LEARNT = 0.75  # exponent of the learnt probability, evidence has the rest: held-out rooms and tables 0.5: 62.0/79.3,
# 0.75: 64.5/79.7, 0.9: 65.7/80.5 (AP50/AP25); a shelf bin, unlike what was fitted on: to 0.75 21/100, from 0.85 0/25


@dataclass(frozen=True)
class Trees:
    """An ensemble of binary regression trees; node k of tree i splits ``feature[i, k]`` at ``threshold[i, k]``.

    Attributes:
        feature: I×K int, -1 at a leaf.
        threshold: I×K float; values up to it go left.
        left: I×K int, node.
        right: I×K int, node.
        value: I×K float, log-odds added at a leaf.
        prior: log-odds before any tree.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    prior: float

    def probability(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each row of x (Q×F), Q."""
        odds = _odds(x, self.feature, self.threshold, self.left, self.right, self.value, self.prior)
        return np.asarray(1 / (1 + np.exp(-odds)))


@lru_cache(maxsize=1)
def fitted() -> Trees:
    """Return the ensemble that ships with the package."""
    told = json.loads(resources.files(__package__).joinpath("objectness.json").read_text())
    if tuple(told["features"]) != FEATURES:
        raise RuntimeError("objectness.json was fitted on other features; run benchmarks/fit_objectness.py")
    arrays = {name: np.array(told[name]) for name in ("feature", "threshold", "left", "right", "value")}
    return Trees(**arrays, prior=float(told["prior"]))


def blended(by_evidence: NDArray[np.float64], learnt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted geometric mean of confidence by evidence and learnt probability, Q in 0-1."""
    return np.asarray(by_evidence ** (1 - _LEARNT) * learnt**_LEARNT)


def measure(
    evidence: Sequence[Evidence],
    member: sparse.csr_matrix,
    shared: sparse.csr_matrix,
    points: NDArray[np.int64],
    shapes: SuperpointShapes,
) -> NDArray[np.float32]:
    """Return the features of Q proposals, Q×F float32, in the order of FEATURES; none depends on the scene's scale.

    Args:
        evidence: of each proposal.
        member: Q×L sparse, which superpoints each holds.
        shared: Q×Q sparse, points that each pair shares.
        points: Q, points of each proposal.
        shapes: of the superpoints; from where the cameras see them, a mug before one counts as a chair across the room.
    """
    borders, distance = shapes.borders, shapes.distance
    found = {same: corroboration(evidence, shared, points, same) for same in (0.5, 0.7, 0.8)}
    crossing = {name: _crossing(member, getattr(borders, name)) for name in ("edges", "concave", "flat", "convex")}
    edges = np.maximum(crossing["edges"], 1)
    strength = confidence(evidence, found[0.7], [e.agreement for e in evidence])
    along, upward = spread(member, shapes)
    column = {
        "score": [e.score for e in evidence],
        "agreement": [e.agreement for e in evidence],
        "support": [1 - np.exp(-e.views / 5) for e in evidence],
        "precision": [e.precision for e in evidence],
        "median_iou": [e.median_iou for e in evidence],
        "found_50": np.log1p(found[0.5]),
        "found_70": np.log1p(found[0.7]),
        "found_80": np.log1p(found[0.8]),
        "refound_50": _refound(evidence, member, shared, points, 0.5),
        "refound_70": _refound(evidence, member, shared, points, 0.7),
        "apparent_area": np.log(points * (borders.spacing / distance) ** 2),
        "compactness": np.log1p(crossing["edges"]) - 0.5 * np.log(points),
        **{name: crossing[name] / edges for name in ("concave", "flat", "convex")},
        "flatness": np.log(along[:, 0] / along[:, 2]),
        "length": np.log(along[:, 1] / along[:, 2]),
        "upright": upward / along[:, 2],
        "extent": np.log(along[:, 2] / distance),
        "fill": np.log(points * borders.spacing**2 / (along[:, 1] * along[:, 2])),
    }
    for name, (low, high) in (("near", _NEAR), ("far", _FAR)):
        column[f"container_{name}"], column[f"content_{name}"] = _nested(shared, points, strength, low, high)
    return np.stack([np.asarray(column[name], np.float32) for name in FEATURES], 1)


def _crossing(member: sparse.csr_matrix, between: sparse.csr_matrix) -> NDArray[np.float64]:
    """Return for each proposal the number of edges that lead out of it."""
    reached = sparse.csr_matrix(member @ between)
    total = np.asarray(reached.sum(1)).ravel()
    return np.asarray(total - np.asarray(reached.multiply(member).sum(1)).ravel(), np.float64)


def _refound(
    evidence: Sequence[Evidence],
    member: sparse.csr_matrix,
    shared: sparse.csr_matrix,
    points: NDArray[np.int64],
    same: float,
) -> NDArray[np.float64]:
    """Return which share of the seeds inside each proposal led to it (IoU ≥ `same`)."""
    seed = np.array([e.seed for e in evidence], np.int64)
    seeds, number = np.unique(seed, return_inverse=True)
    pairs = shared.tocoo()
    again = pairs.data >= same * (points[pairs.row] + points[pairs.col] - pairs.data)
    led, to = distinct(pairs.row[again], number[pairs.col[again]])
    inside = np.asarray(member[:, seeds].todense(), bool)
    hits = np.bincount(led, weights=inside[led, to], minlength=len(seed))
    return np.asarray(hits / np.maximum(inside.sum(1), 1))


def _nested(
    shared: sparse.csr_matrix, points: NDArray[np.int64], strength: NDArray[np.float64], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the strongest proposal `low` to `high` times larger that contains each one, and that each one contains."""
    pairs = shared.tocoo()
    small, large = pairs.row, pairs.col
    ratio = points[large] / points[small]
    nested = (pairs.data >= _CONTAINED * points[small]) & (ratio > low) & (ratio < high)
    container, content = np.zeros(len(points)), np.zeros(len(points))
    np.maximum.at(container, small[nested], strength[large[nested]])
    np.maximum.at(content, large[nested], strength[small[nested]])
    return container, content


@numba.njit(cache=True, nogil=True)
def _odds(x, feature, threshold, left, right, value, prior):  # type: ignore[no-untyped-def]
    """Return the log-odds of each row: the prior and, of each tree, the leaf that the row comes to."""
    odds = np.full(len(x), prior)
    for row in range(len(x)):
        for tree in range(len(feature)):
            node = 0
            while feature[tree, node] >= 0:
                goes_left = x[row, feature[tree, node]] <= threshold[tree, node]
                node = left[tree, node] if goes_left else right[tree, node]
            odds[row] += value[tree, node]
    return odds
