"""Masks that a supervised 3D network (ISBNet, Mask3D) found on a cloud: given beside the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from any3dis_ros.errors import InputError


@dataclass(frozen=True)
class NetworkMasks:
    """K masks on the N points of a cloud, each with the network's confidence; they may overlap, and may be empty.

    Attributes:
        member: K×N sparse, ones where a point lies in a mask.
        scores: K float64, 0-1.
        points: N×3 float, metres, map frame, of the cloud that the network saw; None = it is the map, point by point.

    Raises:
        InputError: a number of scores that is not that of the masks, a score that is no number from 0 to 1, points of
            another number or that are not finite.
    """

    member: sparse.csr_matrix
    scores: NDArray[np.float64]
    points: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        K, N = self.member.shape
        if self.scores.shape != (K,):
            raise InputError(f"{K} masks have scores of shape {self.scores.shape}; expected one for each")
        wrong = np.flatnonzero(~((self.scores >= 0) & (self.scores <= 1)))  # True for NaN
        if len(wrong):
            raise InputError(f"the score of mask {wrong[0]} is {self.scores[wrong[0]]}; expected a number from 0 to 1")
        if self.points is not None and K and self.points.shape != (N, 3):
            raise InputError(f"masks of {N} points come with points of shape {self.points.shape}; expected {N}×3")
        if self.points is not None and not np.isfinite(self.points).all():
            raise InputError("points under the masks are NaN or infinite; remove them, and their places in the masks")

    def __len__(self) -> int:
        return int(self.member.shape[0])
