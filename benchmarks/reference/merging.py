"""Merging of proposals as masks over all points: the IoU of every pair, greedy suppression, one label a point."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import MergingConfig


def shared_points(masks: Sequence[NDArray[np.bool_]], rows: range) -> NDArray[np.int64]:
    """Return the points that some proposals share with each, counted pair by pair; R×Q.

    Args:
        masks: the points of each of Q proposals, N bool.
        rows: R of the proposals.
    """
    return np.array([[np.count_nonzero(masks[a] & other) for other in masks] for a in rows], np.int64)


def suppress(shared: NDArray[np.int64], confidence: NDArray[np.float64], config: MergingConfig) -> list[int]:
    """Return the proposals to keep, best first, each compared with all that are kept already; `shared` is Q×Q."""
    points = np.diag(shared)
    kept: list[int] = []
    for q in sorted(range(len(points)), key=lambda q: (-confidence[q], q)):
        clash = False
        for k in kept:
            duplicate = shared[q, k] > config.duplicate_iou * (points[q] + points[k] - shared[q, k])
            inside = shared[q, k] > config.containment * points[q]
            beside = points[k] > config.part_ratio * points[q] and confidence[q] >= config.scrap_share * confidence[k]
            clash |= bool(duplicate or (inside and not beside))
        sure = confidence[q] >= config.min_share * max(confidence)
        if points[q] >= config.min_points and sure and not clash:
            kept.append(q)
    return kept


def exclusive(held: NDArray[np.bool_], strength: NDArray[np.float64], config: MergingConfig) -> NDArray[np.int64]:
    """Return q + 1 of the proposal with the best claim to each point, N, 0 = none; the smallest one of equal claims.

    A proposal that lies in a larger one claims what they share as strongly as that. While one is left with too few
    points, the one with fewest (the last of equals) gives up all of its own.

    Args:
        held: Q×N, points of each proposal.
        strength: Q×N, how strongly it claims them by itself, 0 outside it.
        config: thresholds.
    """
    points = held.sum(1)
    claim = strength.copy()
    order = sorted(range(len(held)), key=lambda q: points[q])
    for p, q in itertools.product(reversed(order), order):
        both = held[q] & held[p]
        if points[p] > points[q] and both.sum() > config.containment * points[q]:
            claim[q, both] = np.maximum(claim[q, both], claim[p, both])
    competing = set(order)
    while True:
        label = np.zeros(held.shape[1], np.int64)
        for n in range(held.shape[1]):
            best = max(order, key=lambda q: claim[q, n])
            label[n] = best + 1 if claim[best, n] > 0 else 0
        small = [q for q in competing if np.count_nonzero(label == q + 1) < config.min_points]
        if not small:
            return label
        weakest = min(small, key=lambda q: (np.count_nonzero(label == q + 1), -q))
        competing.remove(weakest)
        claim[weakest] = 0
