"""Pieces put together again where no region tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.proposals.merging import Region
from any3dis_ros.proposals.pieces import Pieces

R = TypeVar("R", bound=Region)


@dataclass(frozen=True)
class Settled:
    """New superpoints, made of pieces.

    Attributes:
        pieces: of the superpoints before.
        superpoint: K int64, new superpoint of each piece, 0..L'-1; they follow the order of the old ones.
    """

    pieces: Pieces
    superpoint: NDArray[np.int64]

    @property
    def of_points(self) -> NDArray[np.int32]:
        """N int32, new superpoint of each map point."""
        return self.superpoint[self.pieces.piece].astype(np.int32)

    @property
    def size(self) -> NDArray[np.int64]:
        """L' int64, points of each new superpoint."""
        return np.bincount(self.superpoint, self.pieces.size).astype(np.int64)

    def move(self, regions: Sequence[R]) -> list[R]:
        """Return regions whose indices are of tracks (`Pieces`) by new superpoints."""
        pieces, moved = self.pieces, []
        count = np.diff(pieces.begin)
        for region in regions:
            whole = region.superpoints < pieces.wholes
            old = region.superpoints[whole]
            own = np.concatenate([pieces.those_of(old), region.superpoints[~whole] - pieces.wholes])
            coverage = np.concatenate([np.repeat(region.coverage[whole], count[old]), region.coverage[~whole]])
            superpoints, among = np.unique(self.superpoint[own], return_inverse=True)
            points = pieces.size[own]
            mean = np.bincount(among.ravel(), coverage * points) / np.bincount(among.ravel(), points)
            moved.append(replace(region, superpoints=superpoints, coverage=mean.astype(np.float32)))
        return moved


def settle(regions: Sequence[Region], pieces: Pieces) -> Settled:
    """Put the pieces of one superpoint that lie in the same regions together; region indices are of tracks."""
    # what lies in the same regions has the same sum of their random numbers; of 64 bits, else hardly ever
    number = np.random.default_rng(0).integers(2**64 - 1, size=len(regions), dtype=np.uint64)
    sums = np.zeros(pieces.wholes + len(pieces.owner), np.uint64)
    for region, own in zip(regions, number, strict=True):
        sums[region.superpoints] += own
    signature = sums[pieces.wholes :]  # what holds all of a superpoint adds the same to each of its pieces
    order = np.lexsort((signature, pieces.owner))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(pieces.owner[order]) != 0) | (signature[order][1:] != signature[order][:-1])
    superpoint = np.empty(len(order), np.int64)
    superpoint[order] = np.cumsum(new) - 1
    return Settled(pieces, superpoint)
