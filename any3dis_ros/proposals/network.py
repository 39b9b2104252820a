"""3D proposals of a supervised network brought among the tracked ones (paper, the rows "3D + SAM2-L" of Tab. 2 and 4).

A network's masks lie on points, proposals here are sets of superpoints: a mask takes the superpoints that it covers.
Splitting superpoints along the masks instead gained up to 2.5 AP50 where outlines were good and lost 4 AP where they
were ragged, and smaller superpoints would weaken tracking. Open3DIS concatenates both kinds and ranks all alike; here
both go through one ranking by confidence, the network's as it is (`benchmarks/proposals3d.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.config import MergingConfig, NetworkConfig
from any3dis_ros.errors import InputError
from any3dis_ros.objects.overlap import transfer
from any3dis_ros.proposals.merging import Region, best_views
from any3dis_ros.scene.network_masks import NetworkMasks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NetworkProposal(Region):
    """A candidate that a network gave.

    Attributes:
        score: the network's confidence, 0-1.
    """

    score: float


def snap(
    masks: NetworkMasks,
    points: NDArray[np.float32],
    superpoint: NDArray[np.int32],
    seen: NDArray[np.int32],
    config: NetworkConfig,
) -> list[NetworkProposal]:
    """Return the proposal of each mask that covers any superpoint, in order; its score is the network's.

    Args:
        masks: K masks on the N points of the map, or on points of their own.
        points: N×3 float32, metres, the map.
        superpoint: N int32, 0..L-1.
        seen: T×L int32, visible points of each superpoint: they choose the best views.
        config: `coverage`, `max_distance_m`.

    Raises:
        InputError: the masks lie on another number of points than the map has, or on points nowhere near it.
    """
    if not len(masks):
        return []
    member = on_map(masks, points, config)
    N, L = len(superpoint), seen.shape[1]
    parts = sparse.csr_matrix((np.ones(N, np.int64), (np.arange(N), superpoint)), shape=(N, L))
    size = np.bincount(superpoint, minlength=L)
    inside = sparse.csr_matrix(member.astype(np.int64) @ parts)
    inside.sort_indices()
    proposals = []
    for k in range(len(masks)):
        row = slice(inside.indptr[k], inside.indptr[k + 1])
        touched = inside.indices[row].astype(np.int64)
        share = inside.data[row] / size[touched]
        taken = (share > 0) & (share >= config.coverage)
        if taken.any():
            own = touched[taken]
            views = best_views(seen[:, own].sum(1))
            coverage = share[taken].astype(np.float32)
            proposals.append(NetworkProposal(own, coverage, float(masks.scores[k]), best_views=views))
    return proposals


def on_map(masks: NetworkMasks, points: NDArray[np.float32], config: NetworkConfig) -> sparse.csr_matrix:
    """Return the masks on the points of the map (N×3, metres), K×N sparse.

    Masks with points of their own are carried over to the map points nearest to them.

    Raises:
        InputError: another number of points than the map has, or none of them near it.
    """
    own = masks.member.shape[1]
    if masks.points is None and own != len(points):
        raise InputError(
            f"the masks of the network lie on {own} points, the map has {len(points)}; give the cloud that the network "
            "saw as the map (--map), or put its points (N×3, metres, map frame) into the file as 'points'"
        )
    if masks.points is None:
        return masks.member
    nearest = transfer(masks.points, points, config.max_distance_m)
    reached = nearest >= 0
    if not reached.any():
        raise InputError(
            f"no map point lies within {config.max_distance_m} m (network.max_distance_m) of the network's points; "
            "check that both are in metres and in one frame"
        )
    if 2 * np.count_nonzero(reached) < len(points):
        log.warning("only %.0f %% of the map lies near the network's points", 100 * reached.mean())
    columns = masks.member.tocsc()
    empty = sparse.csc_matrix((len(masks), 1), dtype=columns.dtype)
    return sparse.csr_matrix(sparse.hstack([columns, empty], format="csc")[:, np.where(reached, nearest, own)])


def trust(proposals: Sequence[NetworkProposal], config: MergingConfig) -> NDArray[np.float64]:
    """Return the confidence of each proposal beside the tracked ones' of `merging.judge`, Q in 0-1."""
    if config.confidence == "constant":
        return np.ones(len(proposals))
    return np.array([p.score for p in proposals], np.float64)


def covered(proposals: Sequence[NetworkProposal], L: int) -> NDArray[np.bool_]:
    """Return which of L superpoints lie in any proposal, L bool."""
    out = np.zeros(L, bool)
    for p in proposals:
        out[p.superpoints] = True
    return out
