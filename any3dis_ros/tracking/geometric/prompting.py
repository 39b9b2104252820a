"""Point prompts to nested candidate masks: nodes of a view's merge tree that hold the points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from any3dis_ros.config import GeometricConfig
from any3dis_ros.tracking.geometric.views import Views


class Candidate(NamedTuple):
    """A node of a view's merge tree with its score, 0-1."""

    node: int
    score: float


def candidates(
    views: Views, t: int, points: NDArray[np.int32], labels: NDArray[np.int8], count: int, config: GeometricConfig
) -> list[Candidate]:
    """Return up to `count` nodes of view `t` around the points, best first.

    A node is good where joining it to anything else costs much more than joining its own parts did. Where no node of a
    fitting size remains the smallest one that holds the positive points is offered with score 0.

    Args:
        views: the prepared keyframes.
        t: the keyframe prompted.
        points: M×2 int32, (row, column) at tracking size, inside the view.
        labels: M int8, 1 on the object, 0 off it.
        count: candidates wanted.
        config: area limits and distinctness.
    """
    superpixel = views.labels[t][points[:, 0] * views.surface.shape[2] + points[:, 1]]
    frame_area = int(views.size[t].prod())
    nodes, scores = _ancestors(
        superpixel[labels > 0],
        superpixel[labels <= 0],
        views.parent[t],
        views.height[t],
        views.area[t],
        views.first[t],
        views.end[t],
        views.rim[t],
        config.min_area_share * frame_area,
        config.max_area_share * frame_area,
    )
    if not len(nodes):
        return []
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    for i in order:
        area = views.area[t, nodes[i]]
        others = [views.area[t, nodes[k]] for k in kept]
        if all(min(area, a) < config.distinct_iou * max(area, a) for a in others):  # nested: the ratio is their IoU
            kept.append(int(i))
        if len(kept) == count:
            break
    return [Candidate(int(nodes[i]), float(scores[i])) for i in kept]


@njit(cache=True, nogil=True)
def node_score(node: int, parent: np.ndarray, height: np.ndarray) -> float:
    """Contrast of a node against its surroundings, 0-1: 0.5 where its border stands 0.5 above its inside."""
    if parent[node] < 0:
        return 0.0
    up = height[parent[node]]
    raw = max(up - height[node], 0.0) + 0.35 * up
    return raw / (raw + 0.5)


@njit(cache=True, nogil=True)
def wholeness(on_rim: float, area: float, largest: float) -> float:
    """How far a node's size and place speak for a whole object, 0-1: the image's border cuts none, and it is large.

    A square that loses one side to the border keeps 3/4. Parts are smaller than what they belong to.
    """
    return max(1.0 - on_rim / (4.0 * np.sqrt(area)), 0.0) * min(area / largest, 1.0) ** 0.25


@njit(cache=True, nogil=True)
def common_node(positive: np.ndarray, parent: np.ndarray, first: np.ndarray, end: np.ndarray) -> int:
    """Return the smallest node that holds all `positive` superpixels."""
    node = positive[0]
    for label in positive:
        while not first[node] <= label < end[node]:
            node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _ancestors(
    positive: np.ndarray,
    negative: np.ndarray,
    parent: np.ndarray,
    height: np.ndarray,
    area: np.ndarray,
    first: np.ndarray,
    end: np.ndarray,
    rim: np.ndarray,
    low: float,
    high: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that hold the positive superpixels and none of the negative, of a fitting size, with their scores."""
    nodes = np.empty(len(parent), np.int32)
    scores = np.empty(len(parent), np.float64)
    n = 0
    if len(positive) == 0:
        return nodes[:0], scores[:0]
    smallest = common_node(positive, parent, first, end)
    if _holds_any(smallest, negative, first, end):  # the points contradict each other: trust the first one alone
        smallest = common_node(positive[:1], parent, first, end)
    node = smallest
    while parent[node] >= 0 and area[node] <= high and not _holds_any(node, negative, first, end):
        if area[node] >= low:
            on_rim = rim[end[node]] - rim[first[node]]
            scores[n] = node_score(node, parent, height) * wholeness(on_rim, area[node], high)
            nodes[n] = node
            n += 1
        node = parent[node]
    if n == 0:
        nodes[0], scores[0] = smallest, 0.0
        n = 1
    return nodes[:n], scores[:n]


@njit(cache=True, nogil=True)
def _holds_any(node: int, labels: np.ndarray, first: np.ndarray, end: np.ndarray) -> bool:
    """Return whether the node covers any of the superpixels."""
    first_label, end_label = first[node], end[node]
    return bool(((labels >= first_label) & (labels < end_label)).any())
