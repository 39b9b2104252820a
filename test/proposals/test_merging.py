from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import MergingConfig
from any3dis_ros.proposals.lifting import Counts
from any3dis_ros.proposals.merging import Proposal, confidence, exclusive_labels, membership, overlap, rank

L = 8
SIZE = np.array([50, 60, 70, 80, 90, 100, 110, 120])


def proposal(members: list[int], score: float, coverage: float = 1.0) -> Proposal:
    index = np.array(sorted(members), np.int64)
    return Proposal(index, np.full(len(index), coverage, np.float32), score)


@st.composite
def proposals(draw) -> list[Proposal]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [
        proposal(np.flatnonzero(rng.random(L) < 0.4).tolist() or [int(rng.integers(L))], float(rng.random()))
        for _ in range(draw(st.integers(0, 12)))
    ]


def points(p: Proposal) -> set[tuple[int, int]]:
    return {(int(m), i) for m in p.superpoints for i in range(SIZE[m])}


@settings(max_examples=100)
@given(proposals(), st.floats(0.1, 1.0), st.floats(0.1, 1.0), st.integers(1, 300))
def test_rank_against_sets_of_points(ps, duplicate, containment, smallest):
    kept: list[int] = []
    for q in sorted(range(len(ps)), key=lambda q: (-ps[q].confidence, q)):
        a = points(ps[q])
        clash = False
        for k in kept:
            b = points(ps[k])
            clash |= len(a & b) > duplicate * len(a | b) + 1e-9
            clash |= len(a & b) > containment * min(len(a), len(b)) + 1e-9
        if len(a) >= smallest and not clash:
            kept.append(q)
    config = MergingConfig(duplicate_iou=duplicate, containment=containment, min_points=smallest)
    assert rank(ps, SIZE, config) == kept


@given(proposals())
def test_overlap_counts_shared_points(ps):
    shared = overlap(ps, SIZE).toarray()
    for i, a in enumerate(ps):
        for j, b in enumerate(ps):
            assert shared[i, j] == len(points(a) & points(b))
    member = membership(ps, L).toarray()
    assert member.shape == (len(ps), L)
    assert [np.flatnonzero(row).tolist() for row in member] == [p.superpoints.tolist() for p in ps]


@given(proposals())
def test_each_superpoint_goes_to_its_strongest_holder(ps):
    label = exclusive_labels(ps, L)
    for m in range(L):
        holders = [q for q, p in enumerate(ps) if m in p.superpoints]
        if not holders:
            assert label[m] == 0
        else:
            assert label[m] == 1 + max(holders, key=lambda q: (ps[q].confidence, -q))


def test_coverage_decides_between_equals():
    a, b = proposal([0, 1], 0.8, coverage=0.6), proposal([1, 2], 0.7, coverage=0.9)
    assert exclusive_labels([a, b], L).tolist() == [1, 2, 2, 0, 0, 0, 0, 0]


def test_a_part_inside_a_whole_is_dropped_and_kept_where_asked():
    whole, part = proposal([0, 1, 2, 3], 0.9), proposal([3], 0.8)
    assert rank([whole, part], SIZE, MergingConfig()) == [0]
    assert rank([whole, part], SIZE, MergingConfig(containment=1.0)) == [0, 1]


def test_confidence_by_hand():
    inside = np.int32([[8, 0], [6, 2], [0, 0]])
    seen = np.int32([[10, 5], [6, 4], [6, 4]])
    c = Counts(np.arange(2), inside, seen, np.array([True, True, False]), 0)
    theta = np.array([True, False])
    # 14 of the proposal's 16 seen points lie in masks, which hold 16 points in all; two views show it
    expected = 0.9 * 14 / (16 + 16 - 14) * (1 - np.exp(-2 / 5))
    assert confidence(c, theta, 0.9) == pytest.approx(expected)


def test_no_proposals_at_all():
    assert rank([], SIZE, MergingConfig()) == []
    assert exclusive_labels([], L).tolist() == [0] * L
