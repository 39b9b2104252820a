from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any3dis_ros.config import RefinementConfig
from any3dis_ros.proposals.lifting import Counts, candidates
from any3dis_ros.proposals.refinement import STRATEGIES, by_view, iou, pooled, refine, robust_exact, view_iou

CONFIG = RefinementConfig(min_seen_points=1)


@st.composite
def counts(draw, views: int = 6, superpoints: int = 9) -> Counts:
    T, M = draw(st.integers(1, views)), draw(st.integers(1, superpoints))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seen = rng.integers(0, 9, (T, M)).astype(np.int32)
    inside = (rng.random((T, M)) * (seen + 1)).astype(np.int32).clip(0, seen)
    run = rng.random(T) < 0.8
    pivot = int(rng.integers(T))
    run[pivot] = True
    return Counts(np.arange(M), inside, seen, run, pivot)


@given(counts(), st.integers(0, 2**9 - 1))
def test_sums_over_views_and_over_superpoints(c, bits):
    theta = np.array([bits >> m & 1 for m in range(len(c.superpoints))], bool)
    for got, want in zip(pooled(c, c.run), (c.inside[c.run].sum(0), c.seen[c.run].sum(0)), strict=True):
        np.testing.assert_array_equal(got, want)
    wanted = (c.inside[:, theta].sum(1), c.inside.sum(1), np.where(theta, c.seen, c.inside).sum(1))
    for got, want in zip(by_view(c, theta), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def objective(c: Counts, theta: np.ndarray, views: np.ndarray) -> int:
    """L(θ) of Eq. 4 as printed: points of the solution inside the masks less those outside, view by view."""
    total = 0
    for t in np.flatnonzero(views):
        inside = sum(int(c.inside[t, m]) for m in np.flatnonzero(theta))
        outside = sum(int(c.seen[t, m] - c.inside[t, m]) for m in np.flatnonzero(theta))
        total += inside - outside
    return total


def all_solutions(M: int) -> list[np.ndarray]:
    return [np.array(bits, bool) for bits in product((False, True), repeat=M)]


@settings(max_examples=300)
@given(counts())
def test_exact_reaches_the_best_of_all_solutions(c):
    best = max(objective(c, theta, c.run) for theta in all_solutions(len(c.superpoints)))
    assert objective(c, STRATEGIES["exact"](c, CONFIG), c.run) == best


def test_exact_reaches_the_best_of_4096_solutions():
    rng = np.random.default_rng(5)
    seen = rng.integers(0, 30, (8, 12)).astype(np.int32)
    inside = (rng.random((8, 12)) * (seen + 1)).astype(np.int32)
    c = Counts(np.arange(12), inside, seen, np.ones(8, bool), 0)
    best = max(objective(c, theta, c.run) for theta in all_solutions(12))
    assert objective(c, STRATEGIES["exact"](c, CONFIG), c.run) == best


def algorithm_1(c: Counts, config: RefinementConfig) -> np.ndarray:
    """Algorithm 1 line by line: the objective is evaluated anew over all views at each step."""
    lifted = candidates(c, config)
    theta, value = np.zeros(len(c.superpoints), bool), 0
    for t in np.flatnonzero(c.run):
        option = theta | lifted[t]
        option_value = objective(c, option, c.run)
        if not value > option_value:
            theta, value = option, option_value
    return theta


@settings(max_examples=300)
@given(counts(views=8, superpoints=12))
def test_view_dp_equals_algorithm_1_line_by_line(c):
    np.testing.assert_array_equal(STRATEGIES["view_dp"](c, CONFIG), algorithm_1(c, CONFIG))


@settings(max_examples=300)
@given(counts())
def test_iou_reaches_the_best_of_all_solutions(c):
    inside, seen = c.inside[c.run].sum(0), c.seen[c.run].sum(0)

    def ratio(theta: np.ndarray) -> float:
        return inside[theta].sum() / max(inside.sum() + (seen - inside)[theta].sum(), 1)

    best = max(ratio(theta) for theta in all_solutions(len(c.superpoints)))
    assert ratio(iou(c, CONFIG)) == pytest.approx(best, abs=1e-12)


@settings(max_examples=200)
@given(counts(), st.sampled_from([1, 5, 10]))
def test_top_views_reach_the_best_over_the_chosen_views(c, k):
    lifted = candidates(c, CONFIG)
    own = [objective(c, lifted[t], np.eye(len(c.run), dtype=bool)[t]) for t in range(len(c.run))]
    chosen = [t for t in np.argsort(-np.array(own), kind="stable")[:k] if own[t] > 0]
    views = np.isin(np.arange(len(c.run)), chosen)
    allowed = lifted[views].any(0)
    best = max(objective(c, theta & allowed, views) for theta in all_solutions(len(allowed)))
    theta = STRATEGIES[f"top_{k}_views"](c, CONFIG)
    assert not (theta & ~allowed).any()
    assert objective(c, theta, views) == best


@given(counts())
def test_all_lifted_is_the_union_of_the_candidates(c):
    expected = [
        any(
            c.run[t] and c.inside[t, m] > 0 and c.inside[t, m] / c.seen[t, m] >= 0.5
            for t in range(len(c.run))
            if c.seen[t, m] >= 1
        )
        for m in range(len(c.superpoints))
    ]
    assert STRATEGIES["all_lifted"](c, CONFIG).tolist() == expected


@settings(max_examples=100)
@given(counts())
def test_no_strategy_takes_what_no_mask_touched_or_changes_its_input(c):
    before = c.inside.copy(), c.seen.copy(), c.run.copy()
    for name in STRATEGIES:
        theta = refine(c, RefinementConfig(strategy=name))
        assert theta.dtype == bool
        assert not theta[~c.inside[c.run].any(0)].any() or name == "view_dp"
    np.testing.assert_array_equal(c.inside, before[0])
    np.testing.assert_array_equal(c.seen, before[1])
    np.testing.assert_array_equal(c.run, before[2])


def test_one_drifted_view_outvotes_exact_and_not_robust_exact():
    """An object of two superpoints, well followed in four views; in a fifth the mask sits on a neighbour."""
    inside = np.array([[250, 200, 0]] * 4 + [[0, 0, 100]], np.int32)
    seen = np.array([[250, 200, 20]] * 4 + [[250, 200, 100]], np.int32)
    c = Counts(np.arange(3), inside, seen, np.ones(5, bool), 0)
    assert STRATEGIES["exact"](c, CONFIG).tolist() == [True, True, True]
    assert robust_exact(c, CONFIG).tolist() == [True, True, False]


def test_view_iou_by_hand():
    c = Counts(
        np.arange(2), np.int32([[4, 2], [0, 0], [0, 6]]), np.int32([[8, 2], [0, 5], [0, 6]]), np.ones(3, bool), 0
    )
    np.testing.assert_allclose(view_iou(c, np.array([True, False])), [4 / 10, 1.0, 0.0])
