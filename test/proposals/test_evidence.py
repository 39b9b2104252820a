from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from any3dis_ros.proposals.evidence import Evidence, confidence, corroboration, gather
from any3dis_ros.proposals.lifting import Counts
from any3dis_ros.proposals.refinement import by_view


def evidence(pivot: int = 0, score: float = 1.0, agreement: float = 1.0, views: int = 10, seed: int = 0) -> Evidence:
    return Evidence(seed, pivot, score, agreement, 1.0, 1.0, views)


def test_gather_by_hand():
    inside = np.int32([[8, 0], [6, 2], [0, 0]])
    seen = np.int32([[10, 5], [6, 4], [6, 4]])
    counts = Counts(np.arange(2), inside, seen, np.array([True, True, False]), 1)
    e = gather(counts, by_view(counts, np.array([True, False])), 0.9, 42)
    # 14 of the proposal's 16 seen points lie in masks, which hold 16 points in all; the third view was not run
    assert (e.seed, e.pivot, e.score, e.views) == (42, 1, 0.9, 2)
    assert e.agreement == pytest.approx(14 / (16 + 16 - 14))
    assert e.precision == pytest.approx(14 / 16)
    assert e.median_iou == pytest.approx(np.median([8 / 10, 6 / 8]))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.7]))
def test_corroboration_counts_pivots_of_the_same_finding(seed, same):
    rng = np.random.default_rng(seed)
    member = rng.random((8, 5)) < 0.5
    member[:, 0] |= ~member.any(1)
    size = rng.integers(1, 30, 5)
    pivots = rng.integers(0, 3, 8)
    shared = (member * size) @ member.T
    points = member @ size
    expected = []
    for a in range(8):
        iou = shared[a] / (points[a] + points - shared[a])
        expected.append(len({int(pivots[b]) for b in range(8) if iou[b] >= same - 1e-12}))
    found = corroboration([evidence(int(p)) for p in pivots], sparse.csr_matrix(shared), points, same)
    assert found.tolist() == expected


def test_confidence_by_hand_and_in_bounds():
    several = [evidence(score=0.81, agreement=0.5, views=5), evidence(score=0, views=0), evidence(views=1000)]
    value = confidence(several, np.array([2, 1, 50]), [0.5, 1.0, 1.0])
    assert value[0] == pytest.approx(0.81 * 0.5 * (1 - np.exp(-1)) ** 2)
    assert value[1] == 0
    assert value[2] == pytest.approx(1)


def test_more_of_anything_is_never_worse():
    known = {"score": 0.5, "views": 5, "found": 2, "agreement": 0.5}

    def value(score: float, views: int, found: int, agreement: float) -> float:
        return float(confidence([evidence(score=score, views=views)], np.array([found]), [agreement])[0])

    for better in ({"score": 0.6}, {"views": 6}, {"found": 3}, {"agreement": 0.6}):
        assert value(**{**known, **better}) > value(**known)
