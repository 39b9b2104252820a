from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.proposals.merging import Region
from any3dis_ros.proposals.pieces import Pieces
from any3dis_ros.proposals.settling import settle


def pieces_of(begin: list[int], sizes: list[int]) -> Pieces:
    """Return pieces of `sizes` points."""
    piece = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    return Pieces(piece, np.array(begin))


def region(superpoints: list[int], coverage: list[float] | None = None) -> Region:
    return Region(np.array(superpoints, np.int64), np.float32(coverage or [1.0] * len(superpoints)), best_views=(3,))


def test_pieces_that_a_region_tells_apart_become_superpoints_and_others_their_old_one():
    pieces = pieces_of([0, 3, 5], [10, 20, 30, 4, 5])  # two superpoints
    table, book = region([0, 1], [0.9, 0.8]), region([2 + 1, 2 + 2], [0.5, 1.0])
    settled = settle([table, book], pieces)
    first, *rest = settled.superpoint.tolist()
    assert [first, *rest] in ([0, 1, 1, 2, 2], [1, 0, 0, 2, 2])
    assert settled.size[rest[0]] == 50
    assert settled.size.sum() == 69
    whole, part = settled.move([table, book])
    assert whole.superpoints.tolist() == [0, 1, 2]
    assert whole.coverage.tolist() == pytest.approx([0.9, 0.9, 0.8])
    assert part.superpoints.tolist() == [rest[0]]
    assert part.coverage.tolist() == pytest.approx([(20 * 0.5 + 30 * 1.0) / 50])
    assert part.best_views == (3,)


def test_nothing_cut_settles_to_the_superpoints_as_they_were():
    pieces = pieces_of([0, 3, 5], [1, 1, 1, 1, 1])
    settled = settle([region([0]), region([0, 1])], pieces)
    assert settled.superpoint.tolist() == [0, 0, 0, 1, 1]
    assert settle([], pieces).superpoint.tolist() == [0, 0, 0, 1, 1]


@st.composite
def cases(draw):
    """Superpoints in pieces, and regions that hold some whole and some pieces of others."""
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    begin = np.concatenate([[0], np.cumsum(counts)])
    L, K = len(counts), int(begin[-1])
    sizes = draw(st.lists(st.integers(1, 9), min_size=K, max_size=K))
    regions = []
    for _ in range(draw(st.integers(0, 6))):
        whole = draw(st.sets(st.integers(0, L - 1)))
        held = [k for k in range(K) if np.searchsorted(begin, k, side="right") - 1 not in whole]
        cut = draw(st.sets(st.sampled_from(held))) if held else set()
        regions.append(region([*sorted(whole), *(L + k for k in sorted(cut))]))
    return pieces_of(begin.tolist(), sizes), regions


@given(cases())
def test_settled_superpoints_are_the_coarsest_that_keep_every_region(case):
    pieces, regions = case
    L, K = pieces.wholes, len(pieces.owner)

    def held(r: Region) -> set[int]:
        own = set(r.superpoints.tolist())
        return {k for k in range(K) if pieces.owner[k] in own or L + k in own}

    settled = settle(regions, pieces)
    kinds = [(int(pieces.owner[k]), *(k in held(r) for r in regions)) for k in range(K)]
    for a in range(K):
        for b in range(K):
            assert (settled.superpoint[a] == settled.superpoint[b]) == (kinds[a] == kinds[b])
    assert sorted(set(settled.superpoint.tolist())) == list(range(len(set(kinds))))
    assert (np.diff([pieces.owner[settled.superpoint == s][0] for s in range(len(set(kinds)))]) >= 0).all()
    np.testing.assert_array_equal(settled.size, np.bincount(settled.of_points))
    for old, new in zip(regions, settled.move(regions), strict=True):
        assert set(np.flatnonzero(np.isin(settled.superpoint, new.superpoints)).tolist()) == held(old)
