"""How well the views support a proposal: what its confidence is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.proposals.lifting import Counts
from any3dis_ros.proposals.refinement import ViewSums

_SAME = 0.7  # IoU from which two proposals are one finding


@dataclass(frozen=True)
class Evidence:
    """What one track says of its proposal; shares are of visible points, pooled over the views that were run.

    Attributes:
        seed: superpoint that was prompted.
        pivot: keyframe of the prompt.
        score: o_q, the pivot mask's score, 0-1.
        agreement: IoU of proposal and masks.
        precision: share of the masks' points that lie in the proposal.
        median_iou: median over views of the IoU of proposal and mask.
        views: number of views that show the proposal in its mask.
    """

    seed: int
    pivot: int
    score: float
    agreement: float
    precision: float
    median_iou: float
    views: int


def gather(counts: Counts, sums: ViewSums, score: float, seed: int) -> Evidence:
    """Sum up how the track's masks support its proposal; `sums` of each view as by `refinement.by_view`."""
    shared, mask, union = (points[counts.run] for points in sums)
    shows = union > 0
    return Evidence(
        seed=seed,
        pivot=counts.pivot,
        score=score,
        agreement=float(shared.sum() / max(union.sum(), 1)),
        precision=float(shared.sum() / max(mask.sum(), 1)),
        median_iou=float(np.median(shared[shows] / union[shows])) if shows.any() else 0.0,
        views=int(np.count_nonzero(shared)),
    )


def corroboration(
    evidence: Sequence[Evidence], shared: sparse.csr_matrix, points: NDArray[np.integer], same: float = _SAME
) -> NDArray[np.int64]:
    """Return from how many different pivot views each proposal was found (IoU ≥ `same`), itself included; Q int64.

    A prompt's candidates are nested (part, object, object with support). What is found again from other views is an
    object more often than what one view happens to suggest.

    Args:
        evidence: of Q proposals.
        shared: Q×Q sparse, points that each pair shares.
        points: Q, points of each proposal.
        same: IoU from which two proposals are one finding.
    """
    return corroborations(evidence, shared, points, (same,))[0]


def corroborations(
    evidence: Sequence[Evidence], shared: sparse.csr_matrix, points: NDArray[np.integer], same: Sequence[float]
) -> NDArray[np.int64]:
    """Return `corroboration` for each IoU of `same`, S×Q; the pairs are gone through once."""
    pivot = np.array([e.pivot for e in evidence], np.int64)
    met_by = np.full((len(same), pivot.max(initial=0) + 1), -1)
    pairs = shared.indptr, shared.indices, shared.data
    return np.asarray(_pivots_again(*pairs, points, pivot, met_by, np.array(same)))


def confidence(
    evidence: Sequence[Evidence], found: NDArray[np.int64], agreement: Sequence[float]
) -> NDArray[np.float64]:
    """Return score × agreement × support × corroboration, Q in 0-1.

    Support approaches 1 with the number n of views as ``1 - exp(-n / 5)``, corroboration with the number m of pivot
    views as ``1 - exp(-m / 2)``.

    Args:
        evidence: of Q proposals.
        found: Q, number of pivot views that found each (`corroboration`).
        agreement: Q, how well each and its masks agree: over all points, or in the median view. A view in which the
            mask fled to the wall outweighs by its points all that show a mug; the median asks what most views say.
    """
    score = np.array([e.score for e in evidence])
    views = np.array([e.views for e in evidence])
    return np.asarray(score * np.array(agreement) * (1 - np.exp(-views / 5)) * (1 - np.exp(-found / 2)))


@numba.njit(cache=True, nogil=True)
def _pivots_again(indptr, indices, data, points, pivot, met_by, same):  # type: ignore[no-untyped-def]
    """Return `corroborations`; `met_by` keeps, for each pivot view, the last proposal that was found from it: S×V."""
    found = np.zeros((len(same), len(points)), np.int64)
    least = same.min()
    for q in range(len(points)):
        for e in range(np.uint64(indptr[q]), np.uint64(indptr[q + 1])):
            j, shared = np.uint32(indices[e]), data[e]
            union = points[q] + points[j] - shared
            if shared < least * union:
                continue
            for s in range(len(same)):
                if shared >= same[s] * union and met_by[s, pivot[j]] != q:
                    met_by[s, pivot[j]] = q
                    found[s, q] += 1
    return found
