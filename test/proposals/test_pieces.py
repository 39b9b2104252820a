from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.proposals.pieces import Pieces, cut


def test_a_grid_cuts_superpoints_into_the_cells_that_they_reach():
    points = np.float32([[0, 0, 0], [0.04, 0, 0], [0.06, 0, 0], [0.01, 0, 0], [0.01, 0.09, 0], [0.01, 0.01, -0.5]])
    superpoint = np.int32([0, 0, 0, 1, 1, 1])
    pieces = cut(points, superpoint, 0.05)
    assert pieces.piece.tolist() == [0, 0, 1, 3, 4, 2]
    assert pieces.begin.tolist() == [0, 2, 5]
    assert pieces.owner.tolist() == [0, 0, 1, 1, 1]
    assert pieces.size.tolist() == [2, 1, 1, 1, 1]
    assert pieces.wholes == 2


def test_pieces_of_superpoints_and_superpoints_of_which_a_region_holds_most():
    superpoint = np.int32([0, 0, 0, 1, 2, 2, 2, 2])
    points = np.float32([[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0]])
    pieces = cut(points, superpoint, 0.5)
    assert pieces.begin.tolist() == [0, 2, 3, 6]
    assert pieces.those_of(np.array([2, 0])).tolist() == [3, 4, 5, 0, 1]
    assert pieces.those_of(np.array([], np.int64)).tolist() == []
    L = pieces.wholes
    assert pieces.mostly_in(np.array([1, L + 0])).tolist() == [1, 0]  # two of three points
    assert pieces.mostly_in(np.array([L + 1, L + 5])).tolist() == []  # one of three, two of four
    assert pieces.mostly_in(np.array([L + 3, L + 5])).tolist() == [2]


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.3, 5.0]))
def test_every_piece_lies_in_one_superpoint_and_one_cell(seed: int, edge: float):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 3)).astype(np.float32)
    points[0] *= 1e5  # a stray one
    superpoint = np.concatenate([np.arange(4), rng.integers(0, 4, 56)]).astype(np.int32)
    pieces: Pieces = cut(points, superpoint, edge)
    cell = np.floor((points - points.min(0)) / edge).astype(int)
    expected = {(s, *c): set() for s, c in zip(superpoint.tolist(), cell.tolist(), strict=True)}
    for i, (s, c) in enumerate(zip(superpoint.tolist(), cell.tolist(), strict=True)):
        expected[(s, *c)].add(i)
    found = [set(np.flatnonzero(pieces.piece == k).tolist()) for k in range(len(pieces.owner))]
    assert found == [expected[key] for key in sorted(expected)]
    assert pieces.owner.tolist() == [key[0] for key in sorted(expected)]
