"""Merging of proposals as masks over all points: the IoU of every pair, greedy suppression, one label a point."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import MergingConfig


def shared_points(mask: Callable[[int], NDArray[np.bool_]], rows: range, count: int) -> NDArray[np.int64]:
    """Return the points that proposals `rows` share with each of `count`, counted pair by pair; R×Q.

    `mask` gives the point mask (N bool) of a proposal.
    """
    masks = [mask(q) for q in range(count)]
    return np.array([[np.count_nonzero(masks[a] & masks[b]) for b in range(count)] for a in rows], np.int64)


def suppress(shared: NDArray[np.int64], confidence: NDArray[np.float64], config: MergingConfig) -> list[int]:
    """Return the proposals to keep, best first; after each, all that clash with it are struck out. `shared` is Q×Q."""
    points = np.diag(shared)

    def duplicates(a: int, b: int) -> bool:
        return bool(shared[a, b] > config.duplicate_iou * (points[a] + points[b] - shared[a, b]))

    def lies_in(a: int, b: int) -> bool:
        return bool(shared[a, b] > config.containment * points[a])

    def goes_before(whole: int, part: int) -> bool:
        larger = points[part] < config.containment * points[whole]
        sure = confidence[whole] >= config.whole_share * confidence[part]
        return config.whole_share < 1 and larger and sure and lies_in(part, whole) and duplicates(part, whole)

    left = sorted(range(len(points)), key=lambda q: (-confidence[q], q))
    left = [q for q in left if points[q] >= config.min_points and confidence[q] >= config.min_share * max(confidence)]
    kept: list[int] = []
    while left:
        taken = left[0]
        while wholes := [q for q in left if goes_before(q, taken)]:
            taken = wholes[0]
        kept.append(taken)
        for q in left.copy():
            beside = points[taken] > config.part_ratio * points[q]
            beside &= confidence[q] >= config.scrap_share * confidence[taken]
            if duplicates(q, taken) or (lies_in(q, taken) and not beside):
                left.remove(q)
    return sorted(kept, key=lambda q: (-confidence[q], q))


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
