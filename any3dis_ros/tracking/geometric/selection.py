"""From pixel evidence to a mask: the tree node that agrees best, corrected superpixel by superpixel."""

from __future__ import annotations

import numpy as np
from numba import njit

from any3dis_ros.tracking.geometric.evidence import OUT, SPLIT, WHOLE, FollowParams, Workspace
from any3dis_ros.tracking.geometric.prompting import common_node, node_score
from any3dis_ros.tracking.geometric.views import Views


@njit(cache=True, nogil=True, error_model="numpy")
def accumulate(work: Workspace) -> None:
    """Turn the counts of every superpixel into prefix sums, so that a node's count is end minus first."""
    for label in range(1, len(work.positive)):
        work.positive[label] += work.positive[label - 1]
        work.negative[label] += work.negative[label - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def best_node(views: Views, work: Workspace, t: int, params: FollowParams) -> tuple[int, float]:
    """Return the node of view `t` that agrees best with the evidence, and its agreement, 0-1.

    Agreement is the IoU over pixels with evidence. Pixels that nobody has seen yet count little: where they are many,
    the contrast of the node decides.
    """
    best, best_score, best_agreement = -1, 0.0, 0.0
    first, end, positive = views.first[t], views.end[t], work.positive
    for node in range(views.nodes[t]):
        if positive[end[node]] - positive[first[node]] > best_score * positive[-1]:  # no score is above this share
            score, agreement = rated(views, work, t, node, params)
            if score > best_score:
                best, best_score, best_agreement = node, score, agreement
    return best, best_agreement


@njit(cache=True, nogil=True, error_model="numpy")
def rated(views: Views, work: Workspace, t: int, node: int, params: FollowParams) -> tuple[float, float]:
    """Return the score of a node and its agreement with the evidence alone, both 0-1."""
    a, b, total = views.first[t, node], views.end[t, node], work.positive[-1]
    inside = work.positive[b] - work.positive[a]
    against = work.negative[b] - work.negative[a]
    unseen = views.area[t, node] - inside - against
    agreement = inside / (total + against + params.unseen_cost * max(unseen - 0.5 * total, 0.0))
    contrast = node_score(node, views.parent[t], views.height[t])
    return agreement * (1.0 - params.contrast_say * (1.0 - contrast)), agreement


@njit(cache=True, nogil=True, error_model="numpy")
def decide(views: Views, work: Workspace, t: int, node: int) -> None:
    """Set what the mask takes of every superpixel of view `t`.

    Those of `node` (-1 = none) but where the evidence is against, those outside where it is for; superpixels that hold
    both are split by the evidence itself.
    """
    start = views.start[t]
    first, end = (views.first[t, node], views.end[t, node]) if node >= 0 else (0, 0)
    for label in range((views.nodes[t] + 1) // 2):
        plus = work.positive[label + 1] - work.positive[label]
        minus = work.negative[label + 1] - work.negative[label]
        area = start[label + 1] - start[label]
        taken = first <= label < end and not (minus > 2 * plus and minus > 0.5 * area)
        taken = taken or (plus > minus and plus > 0.35 * area)
        if min(plus, minus) > 0.15 * area:
            work.state[label] = SPLIT
        else:
            work.state[label] = WHOLE if taken else OUT


@njit(cache=True, nogil=True, error_model="numpy")
def outlined(views: Views, work: Workspace, t: int) -> tuple[float, float, bool, tuple[int, int, int, int]]:
    """Return what the decided superpixels of view `t` amount to.

    Returns:
        area in pixels; agreement with the evidence (IoU over pixels that have any); whether a superpixel is split;
        first and last row and column.
    """
    area, right, wrong, split = 0.0, 0.0, 0.0, False
    r0, r1, c0, c1 = 1 << 30, -1, 1 << 30, -1
    for label in range((views.nodes[t] + 1) // 2):
        state = work.state[label]
        if state == OUT:
            continue
        plus = work.positive[label + 1] - work.positive[label]
        right += plus
        if state == SPLIT:
            area += plus
            split = True
        else:
            area += views.start[t, label + 1] - views.start[t, label]
            wrong += work.negative[label + 1] - work.negative[label]
        r0, r1 = min(r0, views.box[t, label, 0]), max(r1, views.box[t, label, 1])
        c0, c1 = min(c0, views.box[t, label, 2]), max(c1, views.box[t, label, 3])
    return area, right / max(work.positive[-1] + wrong, 1.0), split, (r0, r1, c0, c1)


@njit(cache=True, nogil=True, error_model="numpy")
def largest_plausible(views: Views, work: Workspace, t: int, node: int, params: FollowParams) -> int:
    """Return the largest node around `node` that the evidence allows nearly as well."""
    best, _ = rated(views, work, t, node, params)
    plausible = node
    up = views.parent[t, node]
    while up >= 0:
        score, _ = rated(views, work, t, up, params)
        if score >= params.plausible * best:
            plausible = up
        up = views.parent[t, up]
    return plausible


@njit(cache=True, nogil=True, error_model="numpy")
def pack(views: Views, work: Workspace, t: int, box: tuple[int, int, int, int], out: np.ndarray) -> int:
    """Write the mask's box as bits, first pixel in the highest bit, rows without gaps; return the bytes written."""
    state, row, tick, width = work.state, views.surface.shape[2], work.tick[0], box[3] - box[2] + 1
    inside, filled = work.inside, 0
    for r in range(box[0], box[1] + 1):
        first = r * row + box[2]
        labels = views.labels[t, first : first + width]
        stamp, vote = work.stamp[first : first + width], work.vote[first : first + width]
        of_row = inside[filled : filled + width]
        for c in range(width):
            own = state[labels[c]]
            of_row[c] = own if own != SPLIT else stamp[c] == tick and vote[c] > 0
        filled += width
    inside[filled : filled + 7] = 0
    size = (filled + 7) // 8
    eights = inside[: 8 * size].view(np.uint64)  # of zeros and ones: the product gathers them in the highest byte
    for i in range(size):
        out[i] = eights[i] * np.uint64(0x8040201008040201) >> np.uint64(56)
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def metric_area(views: Views, t: int, node: int) -> float:
    """Return the area of a node as the camera faces it, square metres."""
    total, surface = 0.0, views.surface[t].reshape(-1)
    for pixel in views.pixels[t, views.start[t, views.first[t, node]] : views.start[t, views.end[t, node]]]:
        z = surface[pixel]
        total += z * z
    return total / (views.intrinsics[t, 0] * views.intrinsics[t, 1])


@njit(cache=True, nogil=True, error_model="numpy")
def corrected_node(
    views: Views, work: Workspace, t: int, positive: np.ndarray, negative: np.ndarray, expected_m2: float
) -> int:
    """Return the node around the clicked superpixels that fits the object's size and contradicts its memory least."""
    parent, first, end = views.parent[t], views.first[t], views.end[t]
    node = common_node(positive, parent, first, end)
    best, best_score = node, -1.0
    while node >= 0:
        for label in negative:
            if first[node] <= label < end[node]:
                return best
        size = metric_area(views, t, node)
        fit = min(size, expected_m2) / max(size, expected_m2)
        against = (work.negative[end[node]] - work.negative[first[node]]) / views.area[t, node]
        if fit * (1.0 - against) > best_score:
            best, best_score = node, fit * (1.0 - against)
        if size > 4.0 * expected_m2:
            break
        node = parent[node]
    return best
