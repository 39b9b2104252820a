from __future__ import annotations

from dataclasses import replace

import numpy as np
from drawn_proposals import ANY_SIZE, SIZE, L, points, proposal, ranked
from hypothesis import given
from hypothesis import strategies as st

from any3dis_ros.config import MergingConfig
from any3dis_ros.proposals.consensus import consensus
from any3dis_ros.proposals.merging import overlap


@given(ranked(), st.floats(0.1, 0.9), st.integers(1, 300), st.floats(0.0, 1.0))
def test_consensus_against_votes_counted_one_by_one(drawn, same, smallest, share):
    ps, confidence = drawn
    config = MergingConfig(consensus_iou=same, min_points=smallest, min_share=share)
    able = [q for q, p in enumerate(ps) if len(points(p)) >= smallest and confidence[q] >= share * max(confidence)]
    agreed, left = consensus(ps, confidence, overlap(ps, SIZE), False, config)
    assert left.tolist() == confidence[able].tolist()
    for p, q in zip(agreed, able, strict=True):
        a = points(ps[q])
        voters = [k for k in able if len(a & points(ps[k])) >= same * len(a | points(ps[k]))]
        total = sum(confidence[voters])
        held = [m for m in range(L) if sum(confidence[k] for k in voters if m in ps[k].superpoints) > total / 2]
        assert p.superpoints.tolist() == (held or ps[q].superpoints.tolist())
        assert p.evidence is ps[q].evidence


def test_what_most_tracks_of_a_thing_hold_is_its_own():
    """Two of three tracks take in a neighbour, each another one, and one leaves out a corner."""
    several = [proposal([0, 1, 2, 3]), proposal([0, 1, 2, 4]), proposal([1, 2]), proposal([6], coverage=0.7)]
    config = replace(ANY_SIZE, consensus_iou=0.4)
    agreed, _ = consensus(several, np.array([0.5, 0.4, 0.3, 0.5]), overlap(several, SIZE), False, config)
    assert [p.superpoints.tolist() for p in agreed] == [[0, 1, 2]] * 3 + [[6]]
    np.testing.assert_allclose(agreed[0].coverage, [0.75, 1, 1], rtol=1e-6)  # the third does not hold superpoint 0
    alone, _ = consensus(several, np.ones(4), overlap(several, SIZE), False, replace(config, consensus_iou=1.0))
    judged, _ = consensus(several, np.ones(4), overlap(several, SIZE), True, config)
    assert alone == judged == several


def test_of_nobody_nobody_is_left():
    assert consensus([], np.zeros(0), overlap([], SIZE), False, MergingConfig())[0] == []
