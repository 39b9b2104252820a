"""How a proposal stands among those that it overlaps.

A track's candidates, and the tracks of one thing, compete: whether a proposal is the best that there is of an object
is told by what its rivals, its parts and what contains it are worth (`objectness`, each judged alone) as much as by
itself. Non-maximum suppression that is learnt from the same measures: Hosang et al., CVPR 2017.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

FEATURES = (
    "alone",
    "rival_10", "rival_30", "rival_50", "rival_70",
    "mean_50", "mean_70", "mean_85",
    "container_1", "container_2", "container_5", "content_1", "content_2", "content_5",
    "crossing", "in_better", "near_better", "better_parts", "better_repeats",
)  # fmt: skip
_RATIOS = (1.1, 2.0, 5.0, 30.0)  # how many times larger a container is
_CONTAINED = 0.8


def compare(shared: sparse.csr_matrix, alone: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the features of Q proposals, Q×F float32, in the order of FEATURES.

    ===================  ==============================================================================================
    ``alone``            log-odds of the proposal's own probability
    ``rival_10`` …       the best probability among those of IoU 0.1 to 0.3, 0.3 to 0.5, 0.5 and more, 0.7 and more
    ``mean_50`` …        the mean probability of those of IoU 0.5, 0.7, 0.85 and more; 0 = there are none
    ``container_1`` …    the best among those that hold 0.8 of it and are up to 2, 5, 30 times as large
    ``content_1`` …      the best among those of which it holds 0.8 and that are up to 2, 5, 30 times as small
    ``crossing``         the best of IoU over 0.1 of which neither holds 0.8 of the other
    ``in_better``        the largest share of its points that lie in a better one
    ``near_better``      the most points shared with a better one, of the larger of the two
    ``better_parts``     points of better ones of which it holds 0.8, in its own; what several hold counts several times
    ``better_repeats``   log of one more than the number of better ones of IoU 0.5 and more
    ===================  ==============================================================================================

    Args:
        shared: Q×Q sparse, points that each pair shares, the diagonal a proposal's own (`merging.overlap`).
        alone: Q in 0-1, probability of each by itself.
    """
    p = np.clip(alone, 1e-9, 1 - 1e-9)
    out = np.zeros((len(p), len(FEATURES)), np.float32)
    out[:, 0] = np.log(p / (1 - p))
    _compare(shared.indptr, shared.indices, shared.data, shared.diagonal(), p, np.array(_RATIOS), _CONTAINED, out)
    return out


@numba.njit(cache=True, nogil=True)
def _compare(indptr, indices, data, points, p, ratios, contained, out):  # type: ignore[no-untyped-def]
    for i in range(len(p)):
        row = np.zeros(out.shape[1])
        repeats, better_repeats = np.zeros(3), 0
        for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j, common = np.uint32(indices[e]), data[e]
            if j == i:
                continue
            iou = common / (points[i] + points[j] - common)
            inside, holds = common / points[i], common / points[j]
            larger = points[j] / points[i]
            for place, low, high in ((1, 0.1, 0.3), (2, 0.3, 0.5), (3, 0.5, 1.1), (4, 0.7, 1.1)):
                if low <= iou < high:
                    row[place] = max(row[place], p[j])
            for place, low in ((0, 0.5), (1, 0.7), (2, 0.85)):
                if iou >= low:
                    row[5 + place] += p[j]
                    repeats[place] += 1
            for place in range(3):
                if inside >= contained and ratios[place] < larger <= ratios[place + 1]:
                    row[8 + place] = max(row[8 + place], p[j])
                if holds >= contained and ratios[place] < 1 / larger <= ratios[place + 1]:
                    row[11 + place] = max(row[11 + place], p[j])
            if inside < contained and holds < contained and iou > 0.1:
                row[14] = max(row[14], p[j])
            if p[j] > p[i]:
                row[15] = max(row[15], inside)
                row[16] = max(row[16], common / max(points[i], points[j]))
                if holds >= contained and larger < 0.9:
                    row[17] += larger
                better_repeats += iou >= 0.5
        row[5:8] /= np.maximum(repeats, 1)
        row[18] = np.log1p(better_repeats)
        out[i, 1:] = row[1:]
