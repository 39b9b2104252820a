from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.scene.visible_points import PER_BLOCK, VisiblePoints
from any3dis_ros.tracking.masks import PackedMask


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_runs_of_superpoints_answer_as_counting_points_does(seed, count):
    rng = np.random.default_rng(seed)
    superpoint = rng.integers(0, 4, 50).astype(np.int32)
    point = rng.permutation(50)[:count].astype(np.int32)
    pixel = np.sort(rng.integers(0, 150, count)).astype(np.int32)
    visible = VisiblePoints.of(point, pixel, superpoint, 6)
    own = superpoint[point]
    np.testing.assert_array_equal(np.repeat(visible.owner, np.diff(visible.run)), own)
    assert (np.diff(visible.owner) != 0).all()
    first_pixel = PER_BLOCK * np.arange(pixel[-1] // PER_BLOCK + 1 if count else 1)
    np.testing.assert_array_equal(visible.block, [*np.searchsorted(pixel, first_pixel), count])
    if count:
        of = np.searchsorted(visible.run, visible.block[:-1], side="right") - 1
        np.testing.assert_array_equal(visible.block_run, of)
    np.testing.assert_array_equal(visible.count(5), np.bincount(own, minlength=5))
    np.testing.assert_array_equal(visible.pixel, pixel)
    for rows in ((0, 25), (3, 9), (7, 7), (24, 30)):
        some = visible.rows(*rows)
        assert (some.start, some.stop) == tuple(np.searchsorted(pixel, [6 * row for row in rows]))
        np.testing.assert_array_equal(visible.pixels_of(some), pixel[some])
    first = int(rng.integers(0, count + 1))
    flags = rng.random(int(rng.integers(0, count - first + 1))) < 0.5
    expected = np.bincount(own[first : first + len(flags)][flags], minlength=5)
    np.testing.assert_array_equal(visible.count_flagged(flags, 5, first), expected)
    for one in range(5):
        np.testing.assert_array_equal(visible.pixels(one), pixel[own == one])


def test_a_few_points_by_themselves_hold_no_large_piece_of_memory():
    few = np.arange(4, dtype=np.int32)
    visible = VisiblePoints.of(few, few, few, 6)
    for field in ("point", "place", "run", "owner", "block", "block_run"):
        array = getattr(visible, field)
        while array.base is not None:
            array = array.base
        assert array.nbytes <= 64


def test_the_points_of_some_superpoints_alone_by_their_pieces():
    superpoint = np.int32([0, 0, 1, 1, 2, 2])
    piece = np.int32([9, 9, 0, 1, 2, 2])
    keyframe = VisiblePoints.of(np.int32([0, 2, 3, 4, 1, 5]), np.int32([0, 1, 1, 5, 6, 7]), superpoint, 4)
    part = keyframe.only(np.array([False, True, True]), piece)
    assert part.point.tolist() == [2, 3, 4, 5]
    assert part.pixel.tolist() == [1, 1, 5, 7]
    assert part.count(3).tolist() == [1, 1, 2]
    nothing = keyframe.only(np.zeros(3, bool), piece)
    assert nothing.count(3).tolist() == [0, 0, 0]
    mask = PackedMask.pack(np.ones((2, 4), bool))
    assert mask.tally(part, 3).points.tolist() == [1, 1, 2]
    assert mask.tally(nothing, 3).points.tolist() == []
