"""Pieces put together again where no region tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.proposals.merging import Region
from any3dis_ros.proposals.pieces import Pieces
from any3dis_ros.scene.visible_points import spans

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

    @cached_property
    def begin(self) -> NDArray[np.int64]:
        """L+1 int64; superpoint m of before has become the new ones ``begin[m]:begin[m+1]``."""
        owner = np.empty(self.superpoint.max() + 1, np.int64)
        owner[self.superpoint] = self.pieces.owner
        return np.searchsorted(owner, np.arange(self.pieces.wholes + 1))

    def move(self, regions: Sequence[R]) -> list[R]:
        """Return regions whose indices are of tracks (`Pieces`) by new superpoints."""
        wholes, count, moved = self.pieces.wholes, np.diff(self.begin), []
        for region in regions:
            whole = region.superpoints < wholes
            old, cut = region.superpoints[whole], region.superpoints[~whole] - wholes
            parts, among = np.unique(self.superpoint[cut], return_inverse=True)
            points = self.pieces.size[cut]
            mean = np.bincount(among.ravel(), region.coverage[~whole] * points) / np.bincount(among.ravel(), points)
            superpoints = np.concatenate([spans(self.begin, old), parts])
            coverage = np.concatenate([np.repeat(region.coverage[whole], count[old]), mean.astype(np.float32)])
            rising = np.argsort(superpoints)
            moved.append(replace(region, superpoints=superpoints[rising], coverage=coverage[rising]))
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
