"""One object followed through the views, in one call that holds no interpreter lock."""

from __future__ import annotations

import numpy as np
from numba import njit

from any3dis_ros.tracking.geometric.evidence import OUT, WHOLE, FollowParams, Workspace, learn, splat, warp
from any3dis_ros.tracking.geometric.memory import forget
from any3dis_ros.tracking.geometric.selection import (
    accumulate,
    best_node,
    corrected_node,
    decide,
    largest_plausible,
    metric_area,
    outlined,
    pack,
)
from any3dis_ros.tracking.geometric.views import Views

NOT_IN_VIEW, FOUND, ABSENT, ABSTAINED = 0, 1, 2, 3
PIVOT_WEIGHT = 3.0  # votes of the pivot's mask: what was asked for outweighs what was inferred
PIVOT_VOXELS = 300  # voxels, about, by which the pivot's mask is remembered


@njit(cache=True, nogil=True)
def follow(
    views: Views,
    work: Workspace,
    pivot: int,
    node: int,
    frames: np.ndarray,
    click_start: np.ndarray,
    clicks: np.ndarray,
    click_on: np.ndarray,
    params: FollowParams,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Follow the object that is `node` of view `pivot` through `frames`, in that order.

    Args:
        views: the prepared keyframes.
        work: scratch memory of this thread.
        pivot: view in which the object was born.
        node: its node there.
        frames: F int32, views to visit.
        click_start: F+1 int32; clicks[click_start[i]:click_start[i + 1]] are the correction in frames[i].
        clicks: C int32, flat pixel indices (rows of the padded width).
        click_on: C bool, on the object or off it.
        params: thresholds.

    Returns:
        status (F int8); boxes (F×4 int32: first and last row, first and last column); bits of all boxes, one after the
        other (uint8), and where each starts (F+1 int64).
    """
    F = len(frames)
    status = np.zeros(F, np.int8)
    boxes = np.zeros((F, 4), np.int32)
    start = np.zeros(F + 1, np.int64)
    bits = np.empty(F * ((views.labels.shape[1] + 7) // 8), np.uint8)
    expected_m2 = _be_born(views, work, pivot, node, params)
    for i in range(F):
        t = frames[i]
        start[i + 1] = start[i]
        known, in_view, seen = warp(views, work, t, params)
        accumulate(work)
        state, agreement, area, split = NOT_IN_VIEW, 0.0, 0.0, False
        box, found = (0, 0, 0, 0), -1
        if in_view >= max(params.min_in_view * known, 4.0):
            state = ABSENT
            if work.positive[-1] >= params.min_pixels:
                found, agreement = best_node(views, work, t, params)
                found = found if agreement > params.accept else -1
                decide(views, work, t, found)
                area, overlap, split, box = outlined(views, work, t)
                agreement = max(agreement, overlap) if agreement > params.accept else overlap
                state = ABSTAINED if area < params.min_pixels or overlap < params.abstain_below else FOUND
        if state != FOUND and click_start[i + 1] > click_start[i]:
            labels = views.labels[t][clicks[click_start[i] : click_start[i + 1]]]
            on = click_on[click_start[i] : click_start[i + 1]]
            found = corrected_node(views, work, t, labels[on], labels[~on], expected_m2)
            work.state[:] = OUT
            work.state[views.first[t, found] : views.end[t, found]] = WHOLE
            area, _, split, box = outlined(views, work, t)
            state, agreement = FOUND, 1.0
        status[i] = state
        if state == FOUND:
            work.tick[0] += 1
            if split:
                splat(views, work, t, seen, params)
            boxes[i] = box
            start[i + 1] += pack(views, work, t, box, bits[start[i] :])
            if agreement > params.learn_above:
                outer = largest_plausible(views, work, t, found, params) if found >= 0 else views.nodes[t] - 1
                learn(views, work, t, box, area, outer, 1.0, params)
    return status, boxes, bits[: start[F]].copy(), start


@njit(cache=True, nogil=True)
def _be_born(views: Views, work: Workspace, pivot: int, node: int, params: FollowParams) -> float:
    """Fill the memory from the pivot's mask; return the area that the object shows there, square metres."""
    first, end = views.first[pivot, node], views.end[pivot, node]
    expected_m2 = metric_area(views, pivot, node)
    pixels = views.area[pivot, node]
    footprint = np.sqrt(expected_m2 / max(pixels, 1))
    forget(work.memory, max(footprint, np.sqrt(expected_m2 / PIVOT_VOXELS), 0.002))
    work.state[:] = OUT
    work.state[first:end] = WHOLE
    area, _, _, box = outlined(views, work, pivot)
    learn(views, work, pivot, box, area, node, PIVOT_WEIGHT, params)
    return expected_m2
