"""Superpoints in pieces, for masks that cut through them.

A superpoint ends where shape or colour does. A book on a table of its colour may end at neither: what they share goes
to one of them whole, though the masks of every view tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from any3dis_ros.scene.visible_points import spans


@dataclass(frozen=True)
class Pieces:
    """L superpoints in K pieces, those of one superpoint one after another.

    Where tracks are lifted, superpoint m has the index m and piece k the index L + k.

    Attributes:
        piece: N int32, piece of each map point.
        begin: L+1 int64; superpoint m has the pieces ``begin[m]:begin[m+1]``.
    """

    piece: NDArray[np.int32]
    begin: NDArray[np.int64]

    @property
    def wholes(self) -> int:
        """L, the number of superpoints."""
        return len(self.begin) - 1

    @cached_property
    def size(self) -> NDArray[np.int64]:
        """K int64, points of each piece."""
        return np.bincount(self.piece)

    @cached_property
    def whole_size(self) -> NDArray[np.int64]:
        """L int64, points of each superpoint."""
        return np.add.reduceat(self.size, self.begin[:-1])

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """K int64, superpoint of each piece."""
        return np.repeat(np.arange(self.wholes), np.diff(self.begin))

    def those_of(self, superpoints: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the pieces of some superpoints, one superpoint after another."""
        return spans(self.begin, superpoints)

    def mostly_in(self, region: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the superpoints of whose points more than half lie in a region; its indices rise, as of tracks."""
        cut = region[region >= self.wholes] - self.wholes
        held = np.bincount(self.owner[cut], self.size[cut], self.wholes)
        return np.concatenate([region[region < self.wholes], np.flatnonzero(2 * held > self.whole_size)])


def cut(points: NDArray[np.float32], superpoint: NDArray[np.int32], edge_m: float) -> Pieces:
    """Cut superpoints along a grid.

    Args:
        points: N×3 float32, metres, map frame.
        superpoint: N int32, 0..L-1.
        edge_m: metres, of the grid's cells.
    """
    cell = np.floor((points - points.min(0)) / edge_m).astype(np.int64)
    x, y, z = (np.unique(axis, return_inverse=True)[1].ravel() for axis in cell.T)  # one stray point costs no more
    shape = superpoint.max() + 1, x.max() + 1, y.max() + 1, z.max() + 1
    at = np.ravel_multi_index((superpoint, x, y, z), shape)
    _, first, among = np.unique(at, return_index=True, return_inverse=True)
    begin = np.searchsorted(superpoint[first], np.arange(shape[0] + 1))
    return Pieces(np.asarray(among.ravel(), np.int32), begin.astype(np.int64))
