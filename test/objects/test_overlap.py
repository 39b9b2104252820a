"""Intersections counted three ways, transfer between clouds, and the bound of the superpoints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.errors import InputError
from any3dis_ros.objects.overlap import overlap, overlap_superpoints, superpoint_bound, transfer

seeds = st.integers(0, 2**32 - 1)


def same(a, b):
    for name in ("scores", "intersection", "predicted", "void", "truth", "ids"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@settings(max_examples=40)
@given(seeds)
def test_all_ways_of_counting_agree(seed):
    rng = np.random.default_rng(seed)
    L, N, Q = int(rng.integers(1, 12)), int(rng.integers(1, 120)), int(rng.integers(0, 6))
    superpoint = rng.integers(-1, L, N)
    gt, valid = rng.integers(-1, 6, N), [1, 2, 4, 90]
    proposals, scores = rng.random((Q, L)) < 0.4, rng.random(Q)
    masks = np.array([np.append(row, False)[superpoint] for row in proposals], bool).reshape(Q, N)
    found = overlap(masks, scores, gt, valid)
    same(found, overlap([np.flatnonzero(m) for m in masks], scores, gt, valid))
    same(found, overlap_superpoints(proposals, scores, superpoint, gt, valid))
    assert found.ids.tolist() == sorted(set(gt.tolist()) & set(valid))
    for q, mask in enumerate(masks):
        assert found.predicted[q] == mask.sum()
        assert found.void[q] == (mask & ~np.isin(gt, valid)).sum()
        for g, name in enumerate(found.ids):
            inter, union = (mask & (gt == name)).sum(), (mask | (gt == name)).sum()
            assert found.intersection[q, g] == inter
            assert found.iou[q, g] == inter / union


def test_repeated_indices_count_once():
    found = overlap([np.array([0, 0, 1])], np.ones(1), np.array([5, 5, 0]))
    assert found.predicted.tolist() == [2]
    assert found.iou.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("masks", "scores", "message"),
    [
        (np.ones((1, 4), bool), np.ones(1), "4 points, the ground truth 3"),
        ([np.array([0, 3])], np.ones(1), "names point 3, the ground truth has 3"),
        (np.ones((2, 3), bool), np.ones(1), "2 proposals have 1 scores"),
        (np.ones((1, 3), bool), np.array([np.nan]), "finite"),
    ],
)
def test_what_does_not_fit(masks, scores, message):
    with pytest.raises(InputError, match=message):
        overlap(masks, scores, np.array([0, 1, 1]))


def test_superpoints_of_another_cloud():
    with pytest.raises(InputError, match="2 points have a superpoint, 3 an object"):
        overlap_superpoints(np.ones((1, 1), bool), np.ones(1), np.zeros(2, int), np.zeros(3, int))


@settings(max_examples=30)
@given(seeds)
def test_transfer_against_all_distances(seed):
    rng = np.random.default_rng(seed)
    source, target, reach = rng.random((30, 3)), rng.random((20, 3)), rng.uniform(0.01, 0.5)
    distance = np.linalg.norm(target[:, None] - source[None], axis=2)
    expected = np.where(distance.min(1) <= reach, distance.argmin(1), -1)
    np.testing.assert_array_equal(transfer(source, target, reach), expected)


def test_transfer_at_its_limits():
    one = np.zeros((1, 3))
    np.testing.assert_array_equal(transfer(one, np.array([[0.25, 0, 0], [0.26, 0, 0]]), 0.25), [0, -1])
    np.testing.assert_array_equal(transfer(one, one, 0.0), [0])
    np.testing.assert_array_equal(transfer(np.zeros((0, 3)), one, 1.0), [-1])
    assert transfer(one, np.zeros((0, 3)), 1.0).shape == (0,)


def test_bound_gives_each_superpoint_to_its_majority():
    superpoint = np.array([0, 0, 0, 1, 1, 1, 2, 2, -1, 3])
    gt = np.array([5, 5, 7, 7, 7, 0, 0, 0, 7, 9])
    masks = superpoint_bound(superpoint, gt, [5, 7])
    assert np.flatnonzero(masks[0]).tolist() == [0, 1, 2]
    assert np.flatnonzero(masks[1]).tolist() == [3, 4, 5]
    assert len(masks) == 2


def test_bound_of_superpoints_that_are_the_objects_is_perfect():
    gt = np.repeat([1, 4, 0], [5, 6, 7])
    masks = superpoint_bound(np.repeat([1, 2, 0], [5, 6, 7]), gt)
    np.testing.assert_array_equal(masks, [gt == 1, gt == 4])
    assert superpoint_bound(np.full(3, -1), np.ones(3, int)).shape == (0, 3)
