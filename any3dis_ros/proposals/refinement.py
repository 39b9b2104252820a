"""Which superpoints a track's proposal keeps (paper, Sec. 3.2, Eq. 4 and Algorithm 1; Tab. 8).

The objective ``L(θ) = Σ_t Σ_l θ_l (2·inside[t, l] - seen[t, l])`` counts points, superpoints partition the points, and
visibility comes from the sensor and not from θ: L is modular in θ. Its optimum is therefore ``θ_l = [w_l > 0]`` with
``w_l = Σ_t (2·inside - seen)``, found in O(T·M), where the paper approximates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from any3dis_ros.config import RefinementConfig
from any3dis_ros.proposals.lifting import Counts, candidates

Theta = NDArray[np.bool_]
ViewSums = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
_CONSENSUS_IOU = 0.3  # a view that agrees less with the proposal has drifted
_CONSENSUS_ROUNDS = 3


def refine(counts: Counts, config: RefinementConfig) -> Theta:
    """Choose the track's superpoints by the configured strategy; M bool over ``counts.superpoints``."""
    return STRATEGIES[config.strategy](counts, config)


def pooled(counts: Counts, views: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sums over `views` (T bool) of each superpoint's points inside the mask, and seen; 2 × M int64."""
    inside, seen = _pooled(counts.inside, counts.seen, views)
    return inside, seen


def weights(counts: Counts, views: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return w_m, the sum over `views` (T bool) of points inside the mask less points outside it; M int64."""
    inside, seen = pooled(counts, views)
    return 2 * inside - seen


def by_view(counts: Counts, theta: Theta) -> ViewSums:
    """Return for each view the points that mask and proposal share, the mask's, and those of either; 3 × T int64."""
    shared, mask, union = _by_view(counts.inside, counts.seen, theta)
    return shared, mask, union


def all_lifted(counts: Counts, config: RefinementConfig) -> Theta:
    """Keep every superpoint that some view lifts (Tab. 8, row 1)."""
    return np.asarray(candidates(counts, config).any(0))


def top_views(k: int, counts: Counts, config: RefinementConfig) -> Theta:
    """Keep the best configuration of what the k views with the highest objective show (Tab. 8, rows 2-4).

    The optimum over those views is exhaustive in the paper and modular here.
    """
    lifted = candidates(counts, config)
    own = ((2 * counts.inside - counts.seen) * lifted).sum(1)
    best = np.argsort(-own, kind="stable")[:k]
    views = np.zeros(len(own), bool)
    views[best[own[best] > 0]] = True
    return np.asarray(lifted[views].any(0) & (weights(counts, views) > 0))


def view_dp(counts: Counts, config: RefinementConfig) -> Theta:
    """Algorithm 1: view by view, add all newly lifted superpoints or none.

    The objective's change is the sum of the new superpoints' weights, so the pass costs O(T·M), not O(T²·M).
    A tie adds, as printed.
    """
    lifted = candidates(counts, config)
    w = weights(counts, counts.run)
    theta = np.zeros(len(w), bool)
    for view in lifted[counts.run]:
        new = view & ~theta
        if w[new].sum() >= 0:
            theta |= new
    return theta


def exact(counts: Counts, _: RefinementConfig) -> Theta:
    """Maximise Eq. 4 exactly."""
    return weights(counts, counts.run) > 0


def iou(counts: Counts, _: RefinementConfig) -> Theta:
    """Maximise the IoU of proposal and masks in visible points, pooled over views, exactly (Dinkelbach 1967)."""
    inside, seen = pooled(counts, counts.run)
    outside = seen - inside
    total = inside.sum()
    ratio = 0.0
    while True:
        theta = (inside > 0) & (inside > ratio * outside)
        better = inside[theta].sum() / max(total + outside[theta].sum(), 1)
        if better <= ratio + 1e-12:
            return theta
        ratio = float(better)


def robust_exact(counts: Counts, _: RefinementConfig) -> Theta:
    """Maximise Eq. 4 over the views that agree with the consensus.

    Up to three times, views whose mask overlaps the proposal by less than 0.3 IoU (in visible points) are left out:
    they have drifted to another object. The pivot always stays.
    """
    views = counts.run
    theta = weights(counts, views) > 0
    for _round in range(_CONSENSUS_ROUNDS):
        agreeing = counts.run & (view_iou(counts, theta) >= _CONSENSUS_IOU)
        agreeing[counts.pivot] = True
        if (agreeing == views).all():
            break
        views = agreeing
        theta = weights(counts, views) > 0
    return theta


def view_iou(counts: Counts, theta: Theta) -> NDArray[np.float64]:
    """Return the IoU of mask and proposal in visible points for each view, T; 1 where the view shows neither."""
    shared, _, union = by_view(counts, theta)
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1), 1.0))


STRATEGIES: dict[str, Callable[[Counts, RefinementConfig], Theta]] = {
    "all_lifted": all_lifted,
    "top_1_views": partial(top_views, 1),
    "top_5_views": partial(top_views, 5),
    "top_10_views": partial(top_views, 10),
    "view_dp": view_dp,
    "exact": exact,
    "iou": iou,
    "robust_exact": robust_exact,
}


@numba.njit(cache=True, nogil=True)
def _pooled(inside, seen, views):  # type: ignore[no-untyped-def]
    T, M = inside.shape
    within, shown = np.zeros(M, np.int64), np.zeros(M, np.int64)
    for t in range(T):
        if views[t]:
            for m in range(M):
                within[m] += inside[t, m]
                shown[m] += seen[t, m]
    return within, shown


@numba.njit(cache=True, nogil=True)
def _by_view(inside, seen, theta):  # type: ignore[no-untyped-def]
    T, M = inside.shape
    shared, mask, union = np.zeros(T, np.int64), np.zeros(T, np.int64), np.zeros(T, np.int64)
    chosen = theta.astype(np.int32)  # products instead of branches, in 32 bits: the compiler takes eight at once
    for t in range(T):
        common = within = shown = np.int32(0)
        for m in range(M):
            within += inside[t, m]
            common += chosen[m] * inside[t, m]
            shown += chosen[m] * seen[t, m]
        shared[t], mask[t], union[t] = common, within, within + shown - common
    return shared, mask, union
