from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from any3dis_ros.config import MergingConfig, NetworkConfig
from any3dis_ros.errors import InputError
from any3dis_ros.proposals.network import covered, on_map, snap, trust
from any3dis_ros.scene.network_masks import NetworkMasks

LINE = np.stack([np.arange(10.0), np.zeros(10), np.zeros(10)], 1).astype(np.float32)
SUPERPOINT = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], np.int32)
SEEN = np.array([[4, 0, 0], [4, 3, 1], [0, 0, 0]], np.int32)


def given_masks(rows, scores=None, points=None) -> NetworkMasks:
    rows = np.array(rows, bool).reshape(-1, 10 if points is None else len(points))
    return NetworkMasks(sparse.csr_matrix(rows), np.array([0.5] * len(rows) if scores is None else scores), points)


def test_a_mask_takes_the_superpoints_that_it_covers():
    masks = given_masks([[1, 1, 0, 0, 1, 0, 0, 0, 0, 0], [0] * 10, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]], [0.9, 0.8, 0.7])
    first, last = snap(masks, LINE, SUPERPOINT, SEEN, NetworkConfig(coverage=0.5))  # the empty one is none
    assert (first.superpoints.tolist(), first.coverage.tolist(), first.score) == ([0], [0.5], 0.9)
    assert (last.superpoints.tolist(), last.coverage.tolist(), last.score) == ([2], [1.0], 0.7)
    assert first.best_views == (0, 1)
    assert last.best_views == (1,)
    (more, _) = snap(masks, LINE, SUPERPOINT, SEEN, NetworkConfig(coverage=0.3))
    assert more.superpoints.tolist() == [0, 1]
    assert covered([first], 3).tolist() == [True, False, False]
    assert not covered([], 3).any()


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_snapping_against_a_count_of_points(seed, coverage):
    rng = np.random.default_rng(seed)
    rows = rng.random((4, 10)) < 0.5
    found = {
        p.score: (p.superpoints.tolist(), p.coverage.tolist())
        for p in snap(given_masks(rows, [0.1, 0.2, 0.3, 0.4]), LINE, SUPERPOINT, SEEN, NetworkConfig(coverage=coverage))
    }
    for k, row in enumerate(rows):
        share = [row[m == SUPERPOINT].mean() for m in range(3)]
        taken = [m for m in range(3) if share[m] > 0 and share[m] >= coverage]
        expected = (taken, [float(np.float32(share[m])) for m in taken])
        assert found.get((k + 1) / 10, ([], [])) == expected


def test_masks_of_another_cloud_name_both_lengths_and_the_remedy():
    with pytest.raises(InputError, match=r"lie on 10 points, the map has 9; .*--map.*'points'"):
        snap(given_masks([[1] * 10]), LINE[:9], SUPERPOINT[:9], SEEN, NetworkConfig())


def test_a_network_that_found_nothing_fits_every_map():
    nothing = NetworkMasks(sparse.csr_matrix((0, 0), dtype=bool), np.zeros(0))
    assert snap(nothing, LINE, SUPERPOINT, SEEN, NetworkConfig()) == []


def test_masks_with_points_of_their_own_reach_the_map_points_near_them(caplog):
    points = LINE[[9, 3, 2]] + [0, 0.04, 0]  # another order, 4 cm off, and fewer
    masks = given_masks([[1, 1, 0], [0, 0, 1]], points=points)
    member = on_map(masks, LINE, NetworkConfig(max_distance_m=0.05)).toarray()
    assert [np.flatnonzero(row).tolist() for row in member] == [[3, 9], [2]]
    assert "only 30 % of the map lies near" in caplog.text
    with pytest.raises(InputError, match=r"within 0.03 m \(network.max_distance_m\)"):
        on_map(masks, LINE, NetworkConfig(max_distance_m=0.03))


@given(st.permutations(range(10)))
def test_the_order_of_points_in_the_file_does_not_matter(order):
    rows = np.array([[1, 0, 0, 1, 0, 0, 0, 0, 1, 1], [0, 1, 1, 0, 0, 0, 0, 0, 0, 0]], bool)
    masks = given_masks(rows[:, order], points=LINE[order].astype(np.float64))
    np.testing.assert_array_equal(on_map(masks, LINE, NetworkConfig()).toarray(), rows)


def test_the_confidence_is_the_networks_unless_it_is_constant():
    several = snap(given_masks([[1] * 10, [1] * 10], [0.75, 0.5]), LINE, SUPERPOINT, SEEN, NetworkConfig())
    assert trust(several, MergingConfig()).tolist() == [0.75, 0.5]
    assert trust(several, MergingConfig(confidence="constant")).tolist() == [1, 1]
    assert trust([], MergingConfig()).shape == (0,)
