from __future__ import annotations

from dataclasses import replace

import numpy as np
from drawn_proposals import ANY_SIZE, SIZE, L, points, proposal, ranked
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from any3dis_ros.config import MergingConfig
from any3dis_ros.proposals.merging import exclusive_labels, judge, membership, overlap, rank
from any3dis_ros.scene.borders import Borders
from any3dis_ros.scene.shape import SuperpointShapes


@settings(max_examples=100)
@given(
    ranked(),
    st.floats(0.1, 1.0),
    st.floats(0.1, 1.0),
    st.floats(1.0, 6.0),
    st.floats(0.0, 1.0),
    st.integers(1, 300),
    st.floats(0.0, 1.0),
)
def test_rank_against_sets_of_points(drawn, duplicate, containment, ratio, scrap, smallest, share):
    ps, confidence = drawn
    kept: list[int] = []
    for q in sorted(range(len(ps)), key=lambda q: (-confidence[q], q)):
        a = points(ps[q])
        clash = False
        for k in kept:
            b = points(ps[k])
            clash |= len(a & b) > duplicate * len(a | b)
            inside = len(a & b) > containment * len(a)
            clash |= inside and (len(b) <= ratio * len(a) or confidence[q] < scrap * confidence[k])
        if len(a) >= smallest and not clash and confidence[q] >= share * max(confidence):
            kept.append(q)
    config = MergingConfig(
        duplicate_iou=duplicate,
        containment=containment,
        part_ratio=ratio,
        scrap_share=scrap,
        min_points=smallest,
        min_share=share,
    )
    assert rank(confidence, overlap(ps, SIZE), config) == kept


@given(ranked())
def test_overlap_counts_shared_points(drawn):
    ps, _ = drawn
    shared = overlap(ps, SIZE).toarray()
    for i, a in enumerate(ps):
        for j, b in enumerate(ps):
            assert shared[i, j] == len(points(a) & points(b))
    member = membership(ps, L).toarray()
    assert member.shape == (len(ps), L)
    assert [np.flatnonzero(row).tolist() for row in member] == [p.superpoints.tolist() for p in ps]


@given(ranked())
def test_each_superpoint_goes_to_its_strongest_holder(drawn):
    ps, confidence = drawn
    label = exclusive_labels(ps, confidence, overlap(ps, SIZE), SIZE, replace(ANY_SIZE, containment=1.0))
    assert label.shape == (L,)
    for m in range(L):
        holders = [q for q, p in enumerate(ps) if m in p.superpoints]
        if not holders:
            assert label[m] == 0
        else:
            assert confidence[label[m] - 1] == max(confidence[q] for q in holders)


@given(ranked())
def test_what_lies_in_a_larger_one_never_loses_to_it(drawn):
    ps, confidence = drawn
    shared = overlap(ps, SIZE)
    label = exclusive_labels(ps, confidence, shared, SIZE, ANY_SIZE)
    held = [set(p.superpoints.tolist()) for p in ps]
    for m, owner in enumerate(label - 1):
        for q in range(len(ps)):
            inside = shared[q, owner] > ANY_SIZE.containment * shared[q, q] and shared[owner, owner] > shared[q, q]
            assert owner < 0 or m not in held[q] or not inside


def test_a_cup_owns_its_points_on_the_table_and_what_the_table_would_win():
    table, cup, book = proposal([0, 1, 2, 3]), proposal([3, 4]), proposal([3, 5, 6, 7], coverage=0.7)
    several, scores = [table, cup, book], np.array([0.9, 0.2, 0.8])
    config = replace(ANY_SIZE, containment=0.4)  # 80 of the cup's 170 points lie on the table
    label = exclusive_labels(several, scores, overlap(several, SIZE), SIZE, config)
    assert label.tolist() == [1, 1, 1, 2, 2, 3, 3, 3]


def test_coverage_decides_between_equals():
    a, b = proposal([0, 1], coverage=0.6), proposal([1, 2], coverage=0.9)
    label = exclusive_labels([a, b], np.array([0.8, 0.7]), overlap([a, b], SIZE), SIZE, ANY_SIZE)
    assert label.tolist() == [1, 2, 2, 0, 0, 0, 0, 0]


def test_scraps_go_to_the_next_owner():
    """The middle one keeps superpoint 0 alone (50 points), too little: the last, which holds it as well, gets it."""
    several = [proposal([1, 2]), proposal([0, 1]), proposal([0, 7])]
    scores = np.array([0.9, 0.8, 0.5])
    shared = overlap(several, SIZE)
    label = exclusive_labels(several, scores, shared, SIZE, MergingConfig(min_points=60))
    assert label.tolist() == [3, 1, 1, 0, 0, 0, 0, 3]
    everything_small = exclusive_labels(several, scores, shared, SIZE, MergingConfig(min_points=1000))
    assert not everything_small.any()


def test_a_part_inside_a_whole_is_dropped_and_kept_where_asked():
    shared = overlap([proposal([0, 1, 2, 3]), proposal([3])], SIZE)  # 260 points, 80 of them the part's
    scores = np.array([0.9, 0.8])
    small_parts = MergingConfig(duplicate_iou=0.5)
    assert rank(scores, shared, small_parts) == [0]
    assert rank(scores, shared, MergingConfig(duplicate_iou=0.5, containment=1.0)) == [0, 1]
    assert rank(scores[::-1], shared, small_parts) == [1, 0]  # a whole is never dropped for its part


def test_a_small_thing_on_a_large_one_stays_unless_it_is_a_scrap():
    shared = overlap([proposal([0, 1, 2, 3, 4]), proposal([0])], SIZE)  # 350 points, 50 of them the small one's
    anyone = MergingConfig(min_share=0.0)
    assert rank(np.array([0.9, 0.3]), shared, anyone) == [0, 1]
    assert rank(np.array([0.9, 0.08]), shared, anyone) == [0]


def test_what_is_far_less_certain_than_the_best_is_dropped():
    shared = overlap([proposal([0]), proposal([3])], SIZE)
    assert rank(np.array([0.9, 0.2]), shared, MergingConfig(min_share=0.2)) == [0, 1]
    assert rank(np.array([0.9, 0.1]), shared, MergingConfig(min_share=0.2)) == [0]
    assert rank(np.array([0.09, 0.02]), shared, MergingConfig(min_share=0.2)) == [0, 1]


def chain_of_superpoints() -> SuperpointShapes:
    """Superpoints in a row, ten edges between neighbours, all of them flat; all points at the middle of the map."""
    ones = np.full(L - 1, 10)
    edges = sparse.diags([ones, ones], [1, -1], dtype=np.int64).tocsr()
    none = sparse.csr_matrix((L, L), dtype=np.int64)
    return SuperpointShapes(Borders(edges, edges, none, none, 0.02), SIZE, np.zeros((L, 3)), np.zeros((L, 3, 3)), 2.0)


def test_what_two_views_found_outranks_what_one_did():
    several = [proposal([0, 1], pivot=0), proposal([0, 1], pivot=1), proposal([4, 5], pivot=0)]
    found = judge(several, overlap(several, SIZE), chain_of_superpoints(), False, MergingConfig())
    assert found[0] == found[1] > found[2]


def test_the_kinds_of_confidence():
    several = [proposal([0, 1]), proposal([4, 5], agreement=0.3)]
    shapes, shared = chain_of_superpoints(), overlap(several, SIZE)
    assert judge(several, shared, shapes, True, MergingConfig(confidence="constant")).tolist() == [1, 1]
    evidence = judge(several, shared, shapes, True, MergingConfig(confidence="evidence"))
    np.testing.assert_array_equal(judge(several, shared, shapes, False, MergingConfig()), evidence)
    learnt = judge(several, shared, shapes, True, MergingConfig())
    assert ((learnt > 0) & (learnt < 1)).all()
    assert not np.allclose(learnt, evidence)


def test_no_proposals_at_all():
    none = overlap([], SIZE)
    assert rank(np.zeros(0), none, MergingConfig()) == []
    assert len(judge([], none, chain_of_superpoints(), True, MergingConfig())) == 0
    assert exclusive_labels([], np.zeros(0), none, SIZE, ANY_SIZE).tolist() == [0] * L
