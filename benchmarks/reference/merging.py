"""Merging of proposals as masks over all points: the IoU of every pair, greedy suppression, one label a point."""

from __future__ import annotations

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
        if points[q] >= config.min_points and not clash:
            kept.append(q)
    return kept


def exclusive(strength: NDArray[np.float64], config: MergingConfig) -> NDArray[np.int64]:
    """Return q + 1 of the strongest proposal at each point, N, 0 = none; `strength` is Q×N, 0 outside a proposal.

    While a proposal is left with too few points, the one with fewest (the last of equals) gives up all of its own.
    """
    strength = strength.copy()
    competing = set(range(len(strength)))
    while True:
        best = strength.argmax(0) if len(strength) else np.zeros(strength.shape[1], np.int64)
        label = np.where(strength.max(0, initial=0) > 0, best + 1, 0)
        small = [q for q in competing if np.count_nonzero(label == q + 1) < config.min_points]
        if not small:
            return label
        weakest = min(small, key=lambda q: (np.count_nonzero(label == q + 1), -q))
        competing.remove(weakest)
        strength[weakest] = 0
