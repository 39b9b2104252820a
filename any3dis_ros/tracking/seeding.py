"""Seeds, pivot views and point prompts (paper, Sec. 3.1)."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from any3dis_ros.config import SeedingConfig
from any3dis_ros.scene.visible_points import Visibility
from any3dis_ros.tracking.base import PointPrompt


def farthest_points(x: NDArray[np.floating], count: int, start: int = 0) -> NDArray[np.int64]:
    """Pick up to `count` rows greedily, each farthest from those before it, beginning with `start`.

    Args:
        x: M×D points of any unit.
        count: rows wanted.
        start: index of the first.

    Returns:
        min(count, M) int64, indices in the order in which they were picked.
    """
    if len(x) == 0:
        return np.zeros(0, np.int64)
    picked: NDArray[np.int64] = _farthest(np.ascontiguousarray(x, np.float64), min(count, len(x)), start)
    return picked


def choose_seeds(
    free: NDArray[np.bool_], seen: NDArray[np.int32], centroid: NDArray[np.float64], count: int, config: SeedingConfig
) -> NDArray[np.int64]:
    """Choose this round's seeds: farthest-point sampling over the centroids of free superpoints.

    A superpoint that no view sees by `min_seen_points` can never be lifted, so it is no seed.

    Args:
        free: L bool.
        seen: T×L int32.
        centroid: L×3, metres, map frame.
        count: seeds wanted; fewer come back where fewer are left.
        config: how many points make a superpoint seen.

    Returns:
        indices of superpoints; empty when none is left.
    """
    candidates = np.flatnonzero(free & (seen.max(0, initial=0) >= config.min_seen_points))
    if len(candidates) <= count:
        return candidates
    start = int(seen[:, candidates].sum(0).argmax())
    return candidates[farthest_points(centroid[candidates], count, start)]


def view_scores(
    seen: NDArray[np.int32], size: NDArray[np.int64], centroid: NDArray[np.float64], config: SeedingConfig
) -> NDArray[np.float32]:
    """Return how well each keyframe suits each superpoint as pivot view, T×L float32, 0 = not at all.

    By default that is ψ[t, l] = seen[t, l] · scale[t, l] (Eq. 2), where scale is the mean share of visible points over
    the κ superpoints nearest to l, itself included. With `pivot` first_seen it falls with t: the first keyframe that
    sees `min_seen_points` of the superpoint comes first, whatever it sees of it (the baseline of Tab. 7).

    Args:
        seen: T×L int32, visible points of each superpoint.
        size: L int64, points of each superpoint.
        centroid: L×3, metres, map frame.
        config: which of the two, κ, and how many points make a superpoint seen.
    """
    if config.pivot == "first_seen":
        T = len(seen)
        earliness = np.arange(T, 0, -1, dtype=np.float32)
        return earliness[:, None] * (seen >= config.min_seen_points)
    share = (seen / np.maximum(size, 1)).astype(np.float32)
    k = min(config.scale_neighbours, len(centroid))
    nearest = cKDTree(centroid).query(centroid, k=k, workers=-1)[1].reshape(len(centroid), k)
    scale = np.zeros_like(share)
    for column in nearest.T:
        scale += share[:, column]
    return seen.astype(np.float32) * (scale / np.float32(k))


def pivot_views(psi: NDArray[np.float32], superpoint: int, count: int) -> NDArray[np.int64]:
    """Return the `count` keyframes with the highest positive score for a superpoint, best first: first is pivot(l).

    Args:
        psi: T×L float32, as :func:`view_scores` gives it.
        superpoint: l.
        count: keyframes wanted; fewer come back where fewer see it.
    """
    score = psi[:, superpoint]
    best = np.argsort(-score, kind="stable")[:count]
    return best[score[best] > 0]


def seed_prompt(visible: Visibility, superpoint: int, view: int, config: SeedingConfig) -> PointPrompt:
    """Prompt a view with farthest-point samples of the superpoint's inner pixels, the most central one first.

    Farthest-point samples of all its pixels, as published, lie on its rim, which depth and poses that err project onto
    its neighbours.

    Args:
        visible: visible points of the keyframes.
        superpoint: index of the superpoint.
        view: index of a keyframe that sees at least one of its points.
        config: number of prompt points, share of the pixels that are inner ones.
    """
    keyframe = visible.keyframes[view]
    v, u = np.divmod(keyframe.pixels(superpoint), keyframe.width)
    uv = np.stack([u, v], 1).astype(np.float32)
    outwards = np.argsort(((uv - np.median(uv, axis=0)) ** 2).sum(1), kind="stable")
    inner = uv[outwards[: max(round(config.prompt_share * len(uv)), config.prompt_points)]]
    return PointPrompt.on(view, inner[farthest_points(inner, config.prompt_points, 0)])


@numba.njit(cache=True, nogil=True)
def _farthest(x, count, start):  # type: ignore[no-untyped-def]
    n, dims = x.shape
    picked = np.empty(count, np.int64)
    distance = np.full(n, np.inf)
    current = start
    for i in range(count):
        picked[i] = current
        farthest = 0
        for j in range(n):
            d = 0.0
            for k in range(dims):
                d += (x[j, k] - x[current, k]) ** 2
            distance[j] = min(distance[j], d)
            if distance[j] > distance[farthest]:
                farthest = j
        current = farthest
    return picked
